import { child, children, type Draft, defaultPodSpec, setDefault } from './pod-defaults.ts';
import { isRecord } from './sandbox-object.ts';

/** Counts the templates of a DaemonSet; a field of its own inside the API server, an annotation outside. */
export const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

/**
 * Fills in what the API server fills in when it decodes an object of a built-in kind. Changes `object`, which is the
 * caller's own copy. Kinds without an entry have no defaults, or none that matter here.
 */
export function applyDefaults(groupKind: string, object: Draft): void {
  DEFAULTS[groupKind]?.(object);
}

const DEFAULTS: Readonly<Record<string, (object: Draft) => void>> = {
  '/Namespace': (object) => setDefault(section(object, 'status'), 'phase', 'Active'),
  '/Secret': defaultSecret,
  '/Service': defaultService,
  '/Pod': (object) => {
    const spec = section(object, 'spec');
    defaultPodSpec(spec);
    setDefault(spec, 'enableServiceLinks', true);
    setDefault(section(object, 'status'), 'phase', 'Pending');
  },
  '/PersistentVolumeClaim': defaultClaim,
  '/Endpoints': (object) => {
    for (const subset of children(object, 'subsets')) {
      for (const port of children(subset, 'ports')) setDefault(port, 'protocol', 'TCP');
    }
  },
  '/PersistentVolume': (object) => {
    const spec = section(object, 'spec');
    const hostPath = child(spec, 'hostPath');
    if (hostPath !== undefined) setDefault(hostPath, 'type', '');
    setDefault(spec, 'persistentVolumeReclaimPolicy', 'Retain');
    setDefault(spec, 'volumeMode', 'Filesystem');
    setDefault(section(object, 'status'), 'phase', 'Pending');
  },
  'apps/Deployment': (object) => {
    const spec = section(object, 'spec');
    setDefault(spec, 'replicas', 1);
    setDefault(spec, 'revisionHistoryLimit', 10);
    setDefault(spec, 'progressDeadlineSeconds', 600);
    rolling(spec, 'strategy', { maxUnavailable: '25%', maxSurge: '25%' });
    defaultTemplate(spec);
  },
  'apps/StatefulSet': (object) => {
    const spec = section(object, 'spec');
    setDefault(spec, 'replicas', 1);
    setDefault(spec, 'revisionHistoryLimit', 10);
    setDefault(spec, 'podManagementPolicy', 'OrderedReady');
    rolling(spec, 'updateStrategy', { partition: 0 });
    for (const claim of children(spec, 'volumeClaimTemplates')) {
      setDefault(claim, 'apiVersion', 'v1');
      setDefault(claim, 'kind', 'PersistentVolumeClaim');
      defaultClaim(claim);
    }
    defaultTemplate(spec);
  },
  'apps/DaemonSet': (object) => {
    const annotations = section(section(object, 'metadata'), 'annotations');
    setDefault(annotations, TEMPLATE_GENERATION, '1');
    const spec = section(object, 'spec');
    setDefault(spec, 'revisionHistoryLimit', 10);
    rolling(spec, 'updateStrategy', { maxUnavailable: 1 });
    defaultTemplate(spec);
  },
  'apps/ReplicaSet': (object) => {
    const spec = section(object, 'spec');
    setDefault(spec, 'replicas', 1);
    defaultTemplate(spec);
  },
  'batch/Job': (object) => defaultJob(section(object, 'spec')),
  'batch/CronJob': (object) => {
    const spec = section(object, 'spec');
    setDefault(spec, 'concurrencyPolicy', 'Allow');
    setDefault(spec, 'suspend', false);
    setDefault(spec, 'successfulJobsHistoryLimit', 3);
    setDefault(spec, 'failedJobsHistoryLimit', 1);
    defaultTemplate(section(section(spec, 'jobTemplate'), 'spec'));
  },
  'networking.k8s.io/NetworkPolicy': defaultNetworkPolicy,
  'rbac.authorization.k8s.io/RoleBinding': defaultBinding,
  'rbac.authorization.k8s.io/ClusterRoleBinding': defaultBinding,
  'autoscaling/HorizontalPodAutoscaler': (object) => {
    const spec = section(object, 'spec');
    setDefault(spec, 'minReplicas', 1);
    const target = { type: 'Utilization', averageUtilization: 80 };
    setDefault(spec, 'metrics', [{ type: 'Resource', resource: { name: 'cpu', target } }]);
  },
  'scheduling.k8s.io/PriorityClass': (object) =>
    setDefault(object, 'preemptionPolicy', 'PreemptLowerPriority'),
  'storage.k8s.io/StorageClass': (object) => {
    setDefault(object, 'reclaimPolicy', 'Delete');
    setDefault(object, 'volumeBindingMode', 'Immediate');
  },
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration': (object) =>
    children(object, 'webhooks').forEach(defaultWebhook),
  'admissionregistration.k8s.io/MutatingWebhookConfiguration': (object) => {
    for (const webhook of children(object, 'webhooks')) {
      defaultWebhook(webhook);
      setDefault(webhook, 'reinvocationPolicy', 'Never');
    }
  },
  'apiextensions.k8s.io/CustomResourceDefinition': defaultCrd,
};

function section(object: Draft, field: string): Draft {
  if (!isRecord(object[field])) object[field] = {};
  return object[field] as Draft;
}

function defaultTemplate(spec: Draft): void {
  const podSpec = child(child(spec, 'template') ?? {}, 'spec');
  if (podSpec !== undefined) defaultPodSpec(podSpec);
}

function rolling(spec: Draft, field: string, values: Draft): void {
  const strategy = section(spec, field);
  setDefault(strategy, 'type', 'RollingUpdate');
  if (strategy['type'] !== 'RollingUpdate') return;
  const update = section(strategy, 'rollingUpdate');
  for (const [name, value] of Object.entries(values)) setDefault(update, name, value);
}

/** stringData is write-only: its values end up in data, encoded. */
function defaultSecret(object: Draft): void {
  const text = child(object, 'stringData');
  if (text !== undefined) {
    const data = { ...child(object, 'data') };
    for (const [key, value] of Object.entries(text))
      data[key] = Buffer.from(String(value)).toString('base64');
    if (Object.keys(data).length > 0) object['data'] = data;
    delete object['stringData'];
  }
  setDefault(object, 'type', 'Opaque');
}

function defaultService(object: Draft): void {
  const spec = section(object, 'spec');
  setDefault(spec, 'sessionAffinity', 'None');
  setDefault(spec, 'type', 'ClusterIP');
  for (const port of children(spec, 'ports')) {
    setDefault(port, 'protocol', 'TCP');
    if (port['targetPort'] === 0 || port['targetPort'] === '' || port['targetPort'] === undefined) {
      port['targetPort'] = port['port'];
    }
  }
  if (spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer') {
    setDefault(spec, 'externalTrafficPolicy', 'Cluster');
  }
}

function defaultClaim(object: Draft): void {
  setDefault(section(object, 'spec'), 'volumeMode', 'Filesystem');
  setDefault(section(object, 'status'), 'phase', 'Pending');
}

function defaultJob(spec: Draft): void {
  if (spec['completions'] === undefined && spec['parallelism'] === undefined) {
    spec['completions'] = 1;
    spec['parallelism'] = 1;
  }
  setDefault(spec, 'parallelism', 1);
  setDefault(spec, 'backoffLimit', 6);
  defaultTemplate(spec);
}

function defaultNetworkPolicy(object: Draft): void {
  const spec = section(object, 'spec');
  for (const rule of [...children(spec, 'ingress'), ...children(spec, 'egress')]) {
    for (const port of children(rule, 'ports')) setDefault(port, 'protocol', 'TCP');
  }
  const types = children(spec, 'egress').length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
  if (!Array.isArray(spec['policyTypes']) || spec['policyTypes'].length === 0) spec['policyTypes'] = types;
}

function defaultBinding(object: Draft): void {
  const group = 'rbac.authorization.k8s.io';
  const role = section(object, 'roleRef');
  if (role['apiGroup'] === '') role['apiGroup'] = group;
  for (const subject of children(object, 'subjects')) {
    if (subject['kind'] === 'User' || subject['kind'] === 'Group') setDefault(subject, 'apiGroup', group);
  }
}

function defaultWebhook(webhook: Draft): void {
  setDefault(webhook, 'failurePolicy', 'Fail');
  setDefault(webhook, 'matchPolicy', 'Equivalent');
  setDefault(webhook, 'namespaceSelector', {});
  setDefault(webhook, 'objectSelector', {});
  setDefault(webhook, 'timeoutSeconds', 10);
  for (const rule of children(webhook, 'rules')) setDefault(rule, 'scope', '*');
  const service = child(child(webhook, 'clientConfig') ?? {}, 'service');
  if (service !== undefined) setDefault(service, 'port', 443);
}

function defaultCrd(object: Draft): void {
  const spec = section(object, 'spec');
  setDefault(spec, 'conversion', { strategy: 'None' });
  const status = section(object, 'status');
  if (!Array.isArray(status['storedVersions']) || status['storedVersions'].length === 0) {
    const stored = children(spec, 'versions').filter((version) => version['storage'] === true);
    status['storedVersions'] = stored.map((version) => String(version['name']));
  }
  const names = section(spec, 'names');
  const kind = String(names['kind'] ?? '');
  if (names['singular'] === undefined || names['singular'] === '') names['singular'] = kind.toLowerCase();
  if (names['listKind'] === undefined || names['listKind'] === '') names['listKind'] = `${kind}List`;
}
