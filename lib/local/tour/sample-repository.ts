import type { Place, TourNames } from './tour-names.ts';

/** Files by path; null: removed. */
export type Files = Readonly<Record<string, string | null>>;

export const GREETING = 'hello from Git';

/** Two environments of one small application, and the definitions that say where they go. */
export function sampleRepository(names: TourNames): Files {
  return {
    'README.md': README,
    [`${names.definitions}/staging.yaml`]: definition(names, 'staging'),
    [`${names.definitions}/production.yaml`]: definition(names, 'production'),
    ...environment('staging', names.staging, 1),
    ...environment('production', names.production, 2),
  };
}

function environment(directory: string, { namespace }: Place, replicas: number): Files {
  return {
    [`environments/${directory}/namespace.yaml`]: `apiVersion: v1
kind: Namespace
metadata:
  name: ${namespace}
`,
    [`environments/${directory}/config.yaml`]: config(namespace, GREETING),
    [`environments/${directory}/deployment.yaml`]: deployment(namespace, replicas),
    [`environments/${directory}/service.yaml`]: `apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: ${namespace}
spec:
  selector:
    app: web
  ports:
    - name: http
      port: 80
      targetPort: 8080
`,
  };
}

export function config(namespace: string, greeting: string): string {
  return `apiVersion: v1
kind: ConfigMap
metadata:
  name: web
  namespace: ${namespace}
data:
  greeting: ${greeting}
`;
}

/** What a hurried edit leaves behind: line 8 is indented by one blank too few. */
export function brokenConfig(namespace: string): string {
  return `${config(namespace, 'bonjour')} colour: blue\n`;
}

export function deployment(namespace: string, replicas: number): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: ${namespace}
spec:
  replicas: ${replicas}
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: web
          image: registry.example/web:1.0
          ports:
            - name: http
              containerPort: 8080
          envFrom:
            - configMapRef:
                name: web
`;
}

function definition(names: TourNames, environmentName: 'staging' | 'production'): string {
  return `apiVersion: holdfast.dev/v1alpha1
kind: Application
metadata:
  name: ${environmentName}
  namespace: ${names.applications}
spec:
  source: ${names.source}
  path: environments/${environmentName}
  clusters: [${names[environmentName].cluster}]
`;
}

const README = `# The sample repository of the tour

- \`environments/staging\` and \`environments/production\`: plain manifests
- \`clusters/\`: the Applications that deploy them

Change something, commit and push: the push is applied at once.
`;
