import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** `count` documents in files of `perFile`, a third each of Deployments, Services and ConfigMaps, by file name. */
export function documentFiles(count: number, perFile: number): Readonly<Record<string, string>> {
  const files: Record<string, string> = {};
  for (let start = 0; start < count; start += perFile) {
    const documents = Array.from({ length: Math.min(perFile, count - start) }, (_, index) =>
      documentOf(start + index),
    );
    files[`part-${String(start / perFile).padStart(5, '0')}.yaml`] = documents.join('---\n');
  }
  return files;
}

export function kustomizationOf(files: Readonly<Record<string, string>>): string {
  const names = Object.keys(files).map((name) => `- ${name}\n`);
  return `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n${names.join('')}`;
}

/** A chart of so many templates, each of the usual kind: labels by a helper, a loop over values, indented YAML. */
export function chartFiles(templates: number): Readonly<Record<string, string>> {
  const files: Record<string, string> = {
    'Chart.yaml': 'apiVersion: v2\nname: bench\nversion: 1.0.0\n',
    'values.yaml':
      'image: nginx:1.27\nresources:\n  requests: {cpu: 100m, memory: 64Mi}\nenvironment:\n  LEVEL: info\n  REGION: eu\n',
    'templates/_helpers.tpl':
      '{{- define "bench.labels" -}}\napp.kubernetes.io/name: {{ .Chart.Name }}\napp.kubernetes.io/instance: {{ .Release.Name }}\n{{- end }}\n',
  };
  for (let index = 0; index < templates; index += 1) {
    files[`templates/web-${String(index).padStart(4, '0')}.yaml`] = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-web-${index}
  labels: {{- include "bench.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas | default 2 }}
  selector:
    matchLabels: {app: web-${index}}
  template:
    metadata:
      labels: {app: web-${index}}
    spec:
      containers:
        - name: web
          image: {{ .Values.image | quote }}
          env:
            {{- range $name, $value := .Values.environment }}
            - name: {{ $name }}
              value: {{ $value | quote }}
            {{- end }}
          resources: {{- toYaml .Values.resources | nindent 12 }}
`;
  }
  return files;
}

/** Bytes that nothing compresses, in files that no application reads. */
export async function writeUnrelated(directory: string, files: number, bytesEach: number): Promise<void> {
  for (let index = 0; index < files; index += 1) {
    const below = path.join(directory, `assets-${index % 50}`);
    if (index < 50) await mkdir(below, { recursive: true });
    await writeFile(path.join(below, `blob-${index}.bin`), randomBytes(bytesEach));
  }
}

export async function writeFiles(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  const made = new Set<string>();
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(directory, name);
    const parent = path.dirname(file);
    if (!made.has(parent)) await mkdir(parent, { recursive: true });
    made.add(parent);
    await writeFile(file, content);
  }
}

function documentOf(index: number): string {
  const name = `web-${index}`;
  const head = (apiVersion: string, kind: string) =>
    `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata:\n  name: ${name}\n  namespace: shop\n  labels: {app: ${name}}\n`;
  switch (index % 3) {
    case 0:
      return `${head('apps/v1', 'Deployment')}spec:
  replicas: 2
  selector:
    matchLabels: {app: ${name}}
  template:
    metadata:
      labels: {app: ${name}}
    spec:
      containers:
        - name: web
          image: nginx:1.27
          ports:
            - containerPort: 8080
          env:
            - {name: LEVEL, value: info}
            - {name: REGION, value: eu}
`;
    case 1:
      return `${head('v1', 'Service')}spec:\n  selector: {app: ${name}}\n  ports:\n    - port: 80\n      targetPort: 8080\n`;
    default:
      return `${head('v1', 'ConfigMap')}data:\n  settings: |\n    level = info\n    number = ${index}\n  url: https://example.com/${index}\n`;
  }
}
