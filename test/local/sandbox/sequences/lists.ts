import { apply, DEPLOYMENTS, deployment, get, SERVICES, service } from '../support/objects.ts';
import type { Sequence, Step } from '../support/sequence.ts';

function dryApply(name: string, manager: string, body: unknown, query = ''): Step {
  return apply(DEPLOYMENTS, name, manager, body, `&dryRun=All${query}`);
}

const settled: Step = {
  ...get(`${DEPLOYMENTS}/web`),
  until: { path: 'status.observedGeneration', equals: 1 },
};

const env = (values: Readonly<Record<string, string>>): unknown =>
  Object.entries(values).map(([name, value]) => ({ name, value }));

/** Associative lists, sets, atomic lists and maps, on Services and Deployments. */
export const LISTS: readonly Sequence[] = [
  {
    name: 'service-ports-merge',
    steps: [
      apply(
        SERVICES,
        's',
        'm1',
        service('s', { selector: { app: 's' }, ports: [{ port: 80, protocol: 'TCP', name: 'http' }] }),
      ),
      apply(
        SERVICES,
        's',
        'm2',
        service('s', { ports: [{ port: 443, protocol: 'TCP', name: 'https', targetPort: 'tls' }] }),
      ),
      apply(
        SERVICES,
        's',
        'm1',
        service('s', { selector: { app: 's' }, ports: [{ port: 80, protocol: 'TCP', name: 'web' }] }),
      ),
      apply(
        SERVICES,
        's',
        'm1',
        service('s', { selector: { app: 'other' }, ports: [{ port: 8080, protocol: 'TCP', name: 'web' }] }),
      ),
      apply(SERVICES, 's', 'm2', service('s', { ports: [] })),
      get(`${SERVICES}/s`),
    ],
  },
  {
    name: 'service-port-without-protocol',
    steps: [
      apply(SERVICES, 's', 'm1', service('s', { ports: [{ port: 80 }] })),
      apply(
        SERVICES,
        's',
        'm1',
        service('s', {
          ports: [
            { port: 80, protocol: 'TCP' },
            { port: 80, protocol: 'TCP' },
          ],
        }),
      ),
      { request: `POST ${SERVICES}`, body: service('s', { ports: [{ port: 80 }], selector: { app: 's' } }) },
      get(`${SERVICES}/s`),
    ],
  },
  {
    name: 'service-types',
    steps: [
      { request: `POST ${SERVICES}`, body: service('np', { type: 'NodePort', ports: [{ port: 80 }] }) },
      { request: `POST ${SERVICES}`, body: service('headless', { clusterIP: 'None', selector: { a: 'b' } }) },
      {
        request: `POST ${SERVICES}`,
        body: service('ext', { type: 'ExternalName', externalName: 'example.com' }),
      },
      { request: `POST ${SERVICES}`, body: service('none', { selector: { a: 'b' } }) },
      {
        request: `PUT ${SERVICES}/np`,
        body: service('np', {
          type: 'NodePort',
          ports: [
            { port: 80, targetPort: 8080 },
            { port: 81, name: 'b' },
          ],
        }),
      },
      {
        request: `PATCH ${SERVICES}/np?fieldManager=hand`,
        type: 'merge',
        body: {
          spec: {
            ports: [
              { port: 80, targetPort: 8080, name: 'a' },
              { port: 81, name: 'b' },
            ],
          },
        },
      },
      { request: `PATCH ${SERVICES}/np`, type: 'merge', body: { spec: { clusterIP: '10.0.0.255' } } },
      {
        request: `PATCH ${SERVICES}/np?fieldManager=hand`,
        type: 'strategic',
        body: {
          spec: {
            ports: [
              { port: 81, targetPort: 'x' },
              { port: 82, name: 'c' },
              { port: 80, $patch: 'delete' },
            ],
          },
        },
      },
    ],
  },
  {
    name: 'deployment-env-and-ports',
    anyTime: true,
    steps: [
      apply(
        DEPLOYMENTS,
        'web',
        'm1',
        deployment('web', { env: env({ A: '1', B: '2' }), ports: [{ containerPort: 80, protocol: 'TCP' }] }),
      ),
      settled,
      dryApply('web', 'm2', {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: { template: { spec: { containers: [{ name: 'main', env: env({ C: '3' }) }] } } },
      }),
      dryApply('web', 'm2', deployment('web', { env: env({ B: '9' }) })),
      dryApply('web', 'm1', deployment('web', { env: env({ B: '2', Z: '0' }) })),
      dryApply('web', 'm1', deployment('web', { image: 'nginx:1.26', command: ['run', 'this'] })),
      dryApply(
        'web',
        'm1',
        deployment('web', {
          ports: [
            { containerPort: 80, protocol: 'TCP' },
            { containerPort: 80, protocol: 'UDP' },
          ],
        }),
      ),
    ],
  },
  {
    name: 'deployment-containers-and-volumes',
    anyTime: true,
    steps: [
      apply(
        DEPLOYMENTS,
        'web',
        'm1',
        deployment(
          'web',
          {
            volumeMounts: [{ name: 'v', mountPath: '/v' }],
            resources: { requests: { cpu: '1000m', memory: '1024Mi' } },
          },
          {},
          {
            volumes: [
              { name: 'v', emptyDir: {} },
              { name: 'c', configMap: { name: 'c' } },
            ],
            imagePullSecrets: [{ name: 'p' }],
            tolerations: [{ key: 'k', operator: 'Exists' }],
            nodeSelector: { disk: 'ssd' },
            serviceAccountName: 'runner',
          },
        ),
      ),
      settled,
      dryApply('web', 'side', {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', labels: { team: 'a' } },
        spec: { template: { spec: { containers: [{ name: 'sidecar', image: 'busybox' }] } } },
      }),
      dryApply(
        'web',
        'm1',
        deployment('web', {}, {}, { volumes: [{ name: 'c', secret: { secretName: 's' } }] }),
      ),
      dryApply(
        'web',
        'm2',
        deployment(
          'web',
          { resources: { requests: { cpu: 2 } } },
          {},
          { tolerations: [{ key: 'x', operator: 'Exists' }] },
        ),
      ),
    ],
  },
  {
    name: 'deployment-lifecycle',
    anyTime: true,
    steps: [
      {
        request: `POST ${DEPLOYMENTS}`,
        body: deployment('web', {
          livenessProbe: { httpGet: { path: '/live', port: 80 } },
          readinessProbe: { tcpSocket: { port: 'http' } },
          env: [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
          ports: [{ containerPort: 80, name: 'http' }],
        }),
        agent: 'kubectl/v1.32.4 (linux/amd64)',
      },
      settled,
      {
        request: `PATCH ${DEPLOYMENTS}/web?fieldManager=kubectl-set&dryRun=All`,
        type: 'strategic',
        body: { spec: { template: { spec: { containers: [{ name: 'main', image: 'nginx:1.27' }] } } } },
      },
      {
        request: `PATCH ${DEPLOYMENTS}/web?fieldManager=kubectl-edit&dryRun=All`,
        type: 'strategic',
        body: {
          spec: {
            paused: true,
            template: {
              spec: {
                '$setElementOrder/containers': [{ name: 'first' }, { name: 'main' }],
                containers: [
                  { name: 'first', image: 'busybox:1' },
                  { name: 'main', ports: [{ $patch: 'delete', containerPort: 80 }] },
                ],
              },
            },
          },
        },
      },
      {
        request: `PATCH ${DEPLOYMENTS}/web?fieldManager=hand&dryRun=All`,
        type: 'merge',
        body: { metadata: { annotations: { note: 'x' } } },
      },
      {
        request: `PATCH ${DEPLOYMENTS}/web?fieldManager=hand&dryRun=All`,
        type: 'merge',
        body: { metadata: { labels: { l: 'x' } } },
      },
      apply(DEPLOYMENTS, 'web', 'm1', deployment('web', { image: 'nginx:1.26' }), '&dryRun=All'),
      apply(DEPLOYMENTS, 'web', 'm1', deployment('web', { image: 'nginx:1.26' }), '&dryRun=All&force=true'),
      { request: `PUT ${DEPLOYMENTS}/web?dryRun=All`, body: deployment('web', { image: 'nginx:1.28' }) },
    ],
  },
  {
    name: 'deployment-becomes-available',
    anyTime: true,
    steps: [
      apply(DEPLOYMENTS, 'web', 'm1', deployment('web', {}, { replicas: 1 })),
      { ...get(`${DEPLOYMENTS}/web`), until: { path: 'status.availableReplicas', equals: 1 } },
      apply(DEPLOYMENTS, 'web', 'm1', deployment('web', {}, { replicas: 1 })),
      get(`${DEPLOYMENTS}/web/scale`),
    ],
  },
  {
    name: 'selector-is-immutable',
    anyTime: true,
    steps: [
      apply(DEPLOYMENTS, 'web', 'm1', deployment('web', {})),
      settled,
      {
        request: `PATCH ${DEPLOYMENTS}/web?dryRun=All`,
        type: 'merge',
        body: {
          spec: { selector: { matchLabels: { app: 'z' } }, template: { metadata: { labels: { app: 'z' } } } },
        },
      },
    ],
  },
  {
    name: 'deployment-invalid',
    steps: [
      { request: `POST ${DEPLOYMENTS}`, body: deployment('web', { image: '' }) },
      apply(DEPLOYMENTS, 'web', 'm1', deployment('web', {}, { selector: { matchLabels: { app: 'other' } } })),
      apply(DEPLOYMENTS, 'web', 'm1', {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
      }),
      apply(DEPLOYMENTS, 'web', 'm1', deployment('web', { imagee: 'x' }, { replicas: 'two', paused: 'yes' })),
      apply(DEPLOYMENTS, 'web', 'm1', deployment('web', { env: [{ value: '1' }] })),
      apply(DEPLOYMENTS, 'web', 'm1', deployment('web', { env: [{ name: 'A' }, { name: 'A', value: '1' }] })),
      apply(DEPLOYMENTS, 'web', 'm1', deployment('web', { volumeMounts: [{ name: 'v', mountPath: '/v' }] })),
    ],
  },
];
