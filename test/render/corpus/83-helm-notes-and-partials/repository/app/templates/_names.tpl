{{- define "chart.name" -}}{{ .Release.Name }}-{{ .Chart.Name | trunc 3 }}{{- end -}}
