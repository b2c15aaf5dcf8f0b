{{- define "common.configmap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}
  labels: {release: {{ .root.Release.Name }}, chart: {{ .root.Chart.Name }}}
{{- end }}
