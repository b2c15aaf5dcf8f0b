import type { KubeObject } from '../../lib/model/resource.ts';
import { aCrd } from './real-cluster.ts';

/** A kind as the judge is tried on it: a minimal object, and patches of what the kind allows to change. */
export interface JudgedKind {
  readonly object: KubeObject;
  /** A merge patch that changes a field of ours; the label that every object has, where all else is immutable. */
  readonly edit: unknown;
  /** A merge patch that adds a field which is not ours. */
  readonly add: unknown;
  /** A merge patch that takes a field of ours away. */
  readonly remove: unknown;
  /** Whether controllers write its status, or into it, once it is there; then this says that they have. */
  readonly settled?: (live: KubeObject) => boolean;
  /**
   * Whether the judge sees that by itself, from the generation. Elsewhere the object is fetched once, found equal to
   * its projection, and judged by that look from then on. @default true where `settled` is given
   */
  readonly settledCleanly?: boolean;
}

const LABELS = { app: 'judged', part: 'of-ours' };
const CHANGED = { metadata: { labels: { app: 'changed' } } };
const REMOVED = { metadata: { labels: { part: null } } };
const ADDED = { metadata: { labels: { added: 'x' } } };

const CONTAINER = { name: 'main', image: 'example.com/none:1' };
const POD_SPEC = { containers: [CONTAINER] };
const EDITED_POD_SPEC = { containers: [{ ...CONTAINER, image: 'example.com/none:2' }] };
const SELECTOR = { matchLabels: { app: 'judged' } };
const TEMPLATE = { metadata: { labels: { app: 'judged' } }, spec: POD_SPEC };
const EDITED_TEMPLATE = { spec: EDITED_POD_SPEC };

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
const observedGeneration = (live: KubeObject): boolean =>
  field(live['status'], 'observedGeneration') === live.metadata.generation;
const hasStatus =
  (name: string) =>
  (live: KubeObject): boolean =>
    field(live['status'], name) !== undefined;

/** All kinds that 1.20 serves for creating and listing, but APIService, on which its server-side apply hangs up. */
export function judgedKinds(unique: string): readonly JudgedKind[] {
  const group = `${unique}.example.com`;
  return [...core(unique), ...workloads(), ...policies(unique), ...clusterWide(unique), ...custom(group)];
}

/** The CRDs of the custom resources in the table. */
export function judgedCrds(unique: string): readonly KubeObject[] {
  const group = `${unique}.example.com`;
  const crd = aCrd(group, 'Widget');
  const withStatus = JSON.parse(JSON.stringify(aCrd(group, 'Gadget')));
  withStatus.spec.versions[0].subresources = { status: {} };
  return [crd, withStatus];
}

function judged(
  apiVersion: string,
  kind: string,
  body: Readonly<Record<string, unknown>>,
  more: Partial<Omit<JudgedKind, 'object'>> & { readonly name?: string } = {},
): JudgedKind {
  const { name = 'judged', ...rest } = more;
  return {
    object: { apiVersion, kind, metadata: { name, labels: LABELS }, ...body },
    edit: CHANGED,
    add: ADDED,
    remove: REMOVED,
    ...rest,
  };
}

function core(unique: string): readonly JudgedKind[] {
  const port = { port: 80, protocol: 'TCP', name: 'http' };
  return [
    judged(
      'v1',
      'ConfigMap',
      { data: { a: '1', b: '2' } },
      {
        edit: { data: { a: 'x' } },
        add: { data: { c: 'x' } },
        remove: { data: { b: null } },
      },
    ),
    judged(
      'v1',
      'Secret',
      { data: { a: 'MQ==', b: 'Mg==' } },
      {
        edit: { data: { a: 'eA==' } },
        add: { data: { c: 'eA==' } },
        remove: { data: { b: null } },
      },
    ),
    judged(
      'v1',
      'Service',
      { spec: { selector: { app: 'none', b: 'x' }, ports: [port] } },
      {
        edit: { spec: { selector: { app: 'x' } } },
        add: { spec: { ports: [port, { port: 81, protocol: 'TCP', name: 'more' }] } },
        remove: { spec: { selector: { b: null } } },
      },
    ),
    judged(
      'v1',
      'Endpoints',
      { subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [port] }] },
      {
        // Not the Service's name: what is left of that one's Endpoints is deleted after it.
        name: 'endpoints',
        edit: { subsets: [{ addresses: [{ ip: '192.0.2.2' }], ports: [port] }] },
        remove: { subsets: null },
      },
    ),
    judged(
      'v1',
      'Event',
      { involvedObject: { namespace: unique }, message: 'm', reason: 'r' },
      {
        edit: { message: 'x' },
        add: { count: 2 },
        remove: { reason: null },
      },
    ),
    judged(
      'v1',
      'LimitRange',
      { spec: { limits: [{ type: 'PersistentVolumeClaim', max: { storage: '9Gi' } }] } },
      {
        edit: { spec: { limits: [{ type: 'PersistentVolumeClaim', max: { storage: '8Gi' } }] } },
      },
    ),
    judged('v1', 'Namespace', {}, { name: `${unique}-n` }),
    judged(
      'v1',
      'Node',
      // Nothing is ever to be scheduled on it.
      { spec: { unschedulable: true } },
      { name: `${unique}-node`, add: { spec: { providerID: 'x://y' } }, settledCleanly: false },
    ),
    judged(
      'v1',
      'PersistentVolume',
      {
        spec: {
          capacity: { storage: '1Gi' },
          accessModes: ['ReadWriteOnce'],
          hostPath: { path: '/nowhere' },
          storageClassName: unique,
          persistentVolumeReclaimPolicy: 'Retain',
        },
      },
      {
        name: `${unique}-pv`,
        edit: { spec: { capacity: { storage: '2Gi' } } },
        add: { spec: { mountOptions: ['ro'] } },
        settledCleanly: false,
      },
    ),
    judged('v1', 'PersistentVolumeClaim', {
      spec: {
        accessModes: ['ReadWriteOnce'],
        storageClassName: `${unique}-none`,
        resources: { requests: { storage: '1Gi' } },
      },
    }),
    judged('v1', 'PodTemplate', { template: TEMPLATE }, { edit: { template: EDITED_TEMPLATE } }),
    judged(
      'v1',
      'ResourceQuota',
      { spec: { hard: { configmaps: '900', secrets: '900' } } },
      {
        edit: { spec: { hard: { configmaps: '901' } } },
        add: { spec: { hard: { services: '900' } } },
        remove: { spec: { hard: { secrets: null } } },
        settled: (live) => field(field(live['status'], 'used'), 'configmaps') !== undefined,
        settledCleanly: false,
      },
    ),
    judged(
      'v1',
      'ServiceAccount',
      { automountServiceAccountToken: true },
      {
        edit: { automountServiceAccountToken: false },
        add: { imagePullSecrets: [{ name: 'x' }] },
        remove: { automountServiceAccountToken: null },
        settled: (live) => live['secrets'] !== undefined,
        settledCleanly: false,
      },
    ),
    judged(
      'coordination.k8s.io/v1',
      'Lease',
      { spec: { holderIdentity: 'a', leaseDurationSeconds: 9 } },
      {
        edit: { spec: { holderIdentity: 'x' } },
        add: { spec: { leaseTransitions: 3 } },
        remove: { spec: { leaseDurationSeconds: null } },
      },
    ),
    judged(
      'discovery.k8s.io/v1beta1',
      'EndpointSlice',
      {
        addressType: 'IPv4',
        endpoints: [{ addresses: ['192.0.2.1'] }],
        ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
      },
      { edit: { endpoints: [{ addresses: ['192.0.2.2'] }] } },
    ),
  ];
}

function workloads(): readonly JudgedKind[] {
  const scaled = { replicas: 0, selector: SELECTOR, template: TEMPLATE };
  return [
    judged(
      'v1',
      'Pod',
      { spec: { ...POD_SPEC, terminationGracePeriodSeconds: 0 } },
      // Its containers are one list with what admission mounts into them, and cannot be merged over.
      { add: { spec: { activeDeadlineSeconds: 900 } }, settledCleanly: false },
    ),
    judged(
      'v1',
      'ReplicationController',
      { spec: { ...scaled, selector: { app: 'judged' } } },
      {
        edit: { spec: { template: EDITED_TEMPLATE } },
        add: { spec: { minReadySeconds: 9 } },
        settled: observedGeneration,
        settledCleanly: false,
      },
    ),
    judged('apps/v1', 'ControllerRevision', { revision: 1, data: { a: 1 } }, { edit: { revision: 2 } }),
    judged(
      'apps/v1',
      'Deployment',
      { spec: scaled },
      {
        edit: { spec: { template: EDITED_TEMPLATE } },
        add: { spec: { minReadySeconds: 9 } },
        remove: { spec: { replicas: null } },
        settled: observedGeneration,
        // Its controller writes the annotation deployment.kubernetes.io/revision.
        settledCleanly: false,
      },
    ),
    judged(
      'apps/v1',
      'DaemonSet',
      { spec: { selector: SELECTOR, template: TEMPLATE } },
      {
        edit: { spec: { template: EDITED_TEMPLATE } },
        add: { spec: { minReadySeconds: 9 } },
        settled: observedGeneration,
        settledCleanly: true,
      },
    ),
    judged(
      'apps/v1',
      'ReplicaSet',
      { spec: scaled },
      {
        edit: { spec: { template: EDITED_TEMPLATE } },
        add: { spec: { minReadySeconds: 9 } },
        settled: observedGeneration,
        settledCleanly: true,
      },
    ),
    judged(
      'apps/v1',
      'StatefulSet',
      { spec: { ...scaled, serviceName: 's' } },
      {
        edit: { spec: { template: EDITED_TEMPLATE } },
        add: { spec: { updateStrategy: { rollingUpdate: { partition: 3 } } } },
        settled: observedGeneration,
        settledCleanly: true,
      },
    ),
    judged(
      'batch/v1',
      'Job',
      {
        spec: {
          parallelism: 0,
          backoffLimit: 2,
          template: { spec: { ...POD_SPEC, restartPolicy: 'Never' } },
        },
      },
      { edit: { spec: { backoffLimit: 3 } }, add: { spec: { activeDeadlineSeconds: 900 } } },
    ),
    judged(
      'batch/v1beta1',
      'CronJob',
      {
        spec: {
          schedule: '0 0 1 1 *',
          suspend: true,
          jobTemplate: { spec: { template: { spec: { ...POD_SPEC, restartPolicy: 'Never' } } } },
        },
      },
      { edit: { spec: { schedule: '0 0 2 1 *' } }, add: { spec: { startingDeadlineSeconds: 900 } } },
    ),
    judged(
      'autoscaling/v1',
      'HorizontalPodAutoscaler',
      {
        spec: {
          minReplicas: 1,
          maxReplicas: 2,
          scaleTargetRef: { kind: 'Deployment', name: 'none', apiVersion: 'apps/v1' },
        },
      },
      {
        edit: { spec: { maxReplicas: 3 } },
        add: { spec: { targetCPUUtilizationPercentage: 50 } },
      },
    ),
  ];
}

function policies(unique: string): readonly JudgedKind[] {
  const rule = { apiGroups: [''], resources: ['configmaps'], verbs: ['get'] };
  const subject = { kind: 'User', name: unique, apiGroup: 'rbac.authorization.k8s.io' };
  const other = { ...subject, name: `${unique}-other` };
  const backend = (name: string): unknown => ({ service: { name, port: { number: 80 } } });
  const role = (kind: string): unknown => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: unique });
  const rbac = 'rbac.authorization.k8s.io/v1';
  const name = unique;
  return [
    judged(
      'networking.k8s.io/v1',
      'Ingress',
      { spec: { defaultBackend: backend('a') } },
      {
        edit: { spec: { defaultBackend: backend('b') } },
        add: { spec: { ingressClassName: 'none' } },
      },
    ),
    judged(
      'networking.k8s.io/v1',
      'NetworkPolicy',
      { spec: { podSelector: {}, policyTypes: ['Ingress'] } },
      {
        edit: { spec: { policyTypes: ['Ingress', 'Egress'] } },
        add: { spec: { podSelector: { matchLabels: { app: 'x' } } } },
      },
    ),
    judged(
      'policy/v1beta1',
      'PodDisruptionBudget',
      { spec: { maxUnavailable: 1, selector: SELECTOR } },
      {
        edit: { spec: { maxUnavailable: 2 } },
        settled: observedGeneration,
        settledCleanly: true,
      },
    ),
    judged(
      'policy/v1beta1',
      'PodSecurityPolicy',
      {
        spec: {
          privileged: false,
          seLinux: { rule: 'RunAsAny' },
          supplementalGroups: { rule: 'RunAsAny' },
          runAsUser: { rule: 'RunAsAny' },
          fsGroup: { rule: 'RunAsAny' },
          volumes: ['secret'],
        },
      },
      { name, edit: { spec: { volumes: ['configMap'] } }, add: { spec: { hostIPC: true } } },
    ),
    judged(rbac, 'Role', { rules: [rule] }, { edit: { rules: [{ ...rule, verbs: ['*'] }] } }),
    judged(
      rbac,
      'RoleBinding',
      { roleRef: role('Role'), subjects: [subject] },
      { edit: { subjects: [other] } },
    ),
    judged(rbac, 'ClusterRole', { rules: [rule] }, { name, edit: { rules: [{ ...rule, verbs: ['*'] }] } }),
    judged(
      rbac,
      'ClusterRoleBinding',
      { roleRef: role('ClusterRole'), subjects: [subject] },
      {
        name,
        edit: { subjects: [other] },
      },
    ),
  ];
}

function clusterWide(unique: string): readonly JudgedKind[] {
  const name = unique;
  const webhook = {
    name: 'judged.example.com',
    clientConfig: { url: 'https://192.0.2.1/x' },
    rules: [
      { apiGroups: [`${unique}.none`], apiVersions: ['v1'], operations: ['CREATE'], resources: ['none'] },
    ],
    failurePolicy: 'Ignore',
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
  };
  const edited = { webhooks: [{ ...webhook, sideEffects: 'NoneOnDryRun' }] };
  return [
    judged(
      'admissionregistration.k8s.io/v1',
      'MutatingWebhookConfiguration',
      { webhooks: [webhook] },
      {
        name,
        edit: edited,
      },
    ),
    judged(
      'admissionregistration.k8s.io/v1',
      'ValidatingWebhookConfiguration',
      { webhooks: [webhook] },
      {
        name,
        edit: edited,
      },
    ),
    judged(
      'flowcontrol.apiserver.k8s.io/v1beta1',
      'PriorityLevelConfiguration',
      {
        spec: {
          type: 'Limited',
          limited: { assuredConcurrencyShares: 1, limitResponse: { type: 'Reject' } },
        },
      },
      { name, edit: { spec: { limited: { assuredConcurrencyShares: 2 } } } },
    ),
    judged(
      'flowcontrol.apiserver.k8s.io/v1beta1',
      'FlowSchema',
      {
        spec: { priorityLevelConfiguration: { name: 'global-default' }, matchingPrecedence: 9999 },
      },
      { name, edit: { spec: { matchingPrecedence: 9998 } } },
    ),
    judged('networking.k8s.io/v1', 'IngressClass', { spec: { controller: 'example.com/none' } }, { name }),
    judged(
      'node.k8s.io/v1',
      'RuntimeClass',
      { handler: 'none' },
      {
        name,
        add: { scheduling: { nodeSelector: { a: 'b' } } },
      },
    ),
    judged(
      'scheduling.k8s.io/v1',
      'PriorityClass',
      { value: 1, description: 'a' },
      {
        name,
        edit: { description: 'b' },
        remove: { description: null },
      },
    ),
    judged(
      'storage.k8s.io/v1',
      'StorageClass',
      { provisioner: 'example.com/none', allowVolumeExpansion: true },
      {
        name,
        edit: { allowVolumeExpansion: false },
        add: { mountOptions: ['ro'] },
        remove: { allowVolumeExpansion: null },
      },
    ),
    judged('storage.k8s.io/v1', 'CSIDriver', { spec: { attachRequired: false } }, { name }),
    judged('storage.k8s.io/v1', 'CSINode', { spec: { drivers: [] } }, { name }),
    judged(
      'storage.k8s.io/v1',
      'VolumeAttachment',
      {
        spec: { attacher: 'none.example.com', nodeName: 'none', source: { persistentVolumeName: 'none' } },
      },
      { name },
    ),
  ];
}

function custom(group: string): readonly JudgedKind[] {
  const crd = aCrd(`more.${group}`, 'Thing');
  const { metadata } = crd;
  const [version] = (crd['spec'] as { readonly versions: readonly object[] }).versions;
  const columns = [{ name: 'Size', type: 'string', jsonPath: '.spec.size' }];
  const patches = {
    edit: { spec: { size: 2 } },
    add: { spec: { colour: 'red' } },
    remove: { spec: { shape: null } },
  };
  return [
    {
      object: { ...crd, metadata: { ...metadata, labels: LABELS } },
      edit: { spec: { versions: [{ ...version, additionalPrinterColumns: columns }] } },
      add: { spec: { names: { categories: ['judged'] } } },
      remove: REMOVED,
      settled: hasStatus('acceptedNames'),
      settledCleanly: false,
    },
    judged(`${group}/v1`, 'Widget', { spec: { size: 1, shape: 'round' } }, patches),
    judged(`${group}/v1`, 'Gadget', { spec: { size: 1, shape: 'round' } }, patches),
  ];
}
