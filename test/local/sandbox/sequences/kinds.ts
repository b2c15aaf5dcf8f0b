import { get } from '../support/objects.ts';
import type { Sequence, Step } from '../support/sequence.ts';

const POD_TEMPLATE = {
  metadata: { labels: { app: 'x' } },
  spec: { containers: [{ name: 'main', image: 'registry.example.com:5000/x' }] },
};
const SELECTOR = { matchLabels: { app: 'x' } };

function dryCreate(
  path: string,
  apiVersion: string,
  kind: string,
  fields: Readonly<Record<string, unknown>>,
): Step {
  const body = { apiVersion, kind, metadata: { name: 'x' }, ...fields };
  return { request: `POST ${path}?dryRun=All&fieldManager=maker`, body };
}

function dryApply(
  path: string,
  apiVersion: string,
  kind: string,
  fields: Readonly<Record<string, unknown>>,
): Step {
  const body = { apiVersion, kind, metadata: { name: 'x' }, ...fields };
  return { request: `PATCH ${path}/x?dryRun=All&fieldManager=maker`, type: 'apply', body };
}

function both(
  path: string,
  apiVersion: string,
  kind: string,
  fields: Readonly<Record<string, unknown>>,
): readonly Step[] {
  return [dryCreate(path, apiVersion, kind, fields), dryApply(path, apiVersion, kind, fields)];
}

const core = (resource: string): string => `/api/v1/namespaces/$NS/${resource}`;
const group = (name: string, resource: string): string => `/apis/${name}/namespaces/$NS/${resource}`;

/** What the server makes of a new object of each kind: defaults, shape, generation, ownership. Dry run only. */
export const KINDS: readonly Sequence[] = [
  {
    name: 'kinds-workloads',
    steps: [
      ...both(group('apps/v1', 'deployments'), 'apps/v1', 'Deployment', {
        spec: { selector: SELECTOR, template: POD_TEMPLATE },
      }),
      ...both(group('apps/v1', 'statefulsets'), 'apps/v1', 'StatefulSet', {
        spec: {
          selector: SELECTOR,
          serviceName: 'x',
          template: POD_TEMPLATE,
          volumeClaimTemplates: [
            {
              metadata: { name: 'data' },
              spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
            },
          ],
        },
      }),
      ...both(group('apps/v1', 'replicasets'), 'apps/v1', 'ReplicaSet', {
        spec: { selector: SELECTOR, template: POD_TEMPLATE },
      }),
    ],
  },
  {
    name: 'kinds-daemon-set',
    steps: both(group('apps/v1', 'daemonsets'), 'apps/v1', 'DaemonSet', {
      spec: { selector: SELECTOR, template: POD_TEMPLATE },
    }),
  },
  {
    name: 'kinds-network',
    steps: [
      ...both(group('networking.k8s.io/v1', 'ingresses'), 'networking.k8s.io/v1', 'Ingress', {
        spec: {
          rules: [
            {
              host: 'example.com',
              http: {
                paths: [
                  {
                    path: '/',
                    pathType: 'Prefix',
                    backend: { service: { name: 'x', port: { number: 80 } } },
                  },
                ],
              },
            },
          ],
        },
      }),
      ...both(group('networking.k8s.io/v1', 'networkpolicies'), 'networking.k8s.io/v1', 'NetworkPolicy', {
        spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80 }] }] },
      }),
    ],
  },
  {
    name: 'kinds-core',
    steps: [
      ...both(core('serviceaccounts'), 'v1', 'ServiceAccount', { automountServiceAccountToken: false }),
      ...both(core('persistentvolumeclaims'), 'v1', 'PersistentVolumeClaim', {
        spec: {
          accessModes: ['ReadWriteOnce'],
          storageClassName: '',
          resources: { requests: { storage: '1024Mi' } },
        },
      }),
      ...both(core('resourcequotas'), 'v1', 'ResourceQuota', {
        spec: { hard: { pods: 5, 'requests.cpu': '0.5' } },
      }),
      ...both(core('limitranges'), 'v1', 'LimitRange', {
        spec: { limits: [{ type: 'Container', default: { cpu: '100m' }, defaultRequest: { cpu: '100m' } }] },
      }),
      ...both(core('endpoints'), 'v1', 'Endpoints', {
        subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }],
      }),
      ...both(core('configmaps'), 'v1', 'ConfigMap', { binaryData: { b: 'AAE=' }, immutable: true }),
    ],
  },
  {
    name: 'kinds-rbac',
    steps: [
      ...both(group('rbac.authorization.k8s.io/v1', 'roles'), 'rbac.authorization.k8s.io/v1', 'Role', {
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
      }),
      ...both(
        group('rbac.authorization.k8s.io/v1', 'rolebindings'),
        'rbac.authorization.k8s.io/v1',
        'RoleBinding',
        {
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'x' },
          subjects: [
            { kind: 'ServiceAccount', name: 'x', namespace: 'default' },
            { kind: 'User', name: 'u' },
          ],
        },
      ),
      ...both(
        '/apis/rbac.authorization.k8s.io/v1/clusterroles',
        'rbac.authorization.k8s.io/v1',
        'ClusterRole',
        {
          rules: [],
        },
      ),
    ],
  },
  {
    name: 'kinds-cluster',
    steps: [
      ...both('/apis/scheduling.k8s.io/v1/priorityclasses', 'scheduling.k8s.io/v1', 'PriorityClass', {
        value: 10,
      }),
      ...both('/apis/storage.k8s.io/v1/storageclasses', 'storage.k8s.io/v1', 'StorageClass', {
        provisioner: 'example.com/none',
      }),
      ...both('/api/v1/namespaces', 'v1', 'Namespace', {}),
      ...both('/api/v1/persistentvolumes', 'v1', 'PersistentVolume', {
        spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } },
      }),
      ...both(
        '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
        'admissionregistration.k8s.io/v1',
        'ValidatingWebhookConfiguration',
        {
          webhooks: [
            {
              name: 'x.example.com',
              clientConfig: { service: { name: 'x', namespace: 'default' } },
              admissionReviewVersions: ['v1'],
              sideEffects: 'None',
              rules: [
                {
                  apiGroups: ['example.com'],
                  apiVersions: ['v1'],
                  operations: ['CREATE'],
                  resources: ['xs'],
                },
              ],
            },
          ],
        },
      ),
      get('/api/v1/namespaces/$NS'),
    ],
  },
  {
    name: 'quantities',
    steps: ['1', '1000m', '0.5', '1.5Gi', '1024Ki', '1e3', '1500', '0.1Mi', '100000k', '12E', '0'].map(
      (value) => dryCreate(core('resourcequotas'), 'v1', 'ResourceQuota', { spec: { hard: { cpu: value } } }),
    ),
  },
];
