import type { ResourceId } from '../model/resource.ts';

/** Namespaces and CRDs: everything after them waits until they are served. */
export const FIRST_STAGE = 0;
/** What the table does not name: custom resources and kinds of newer servers. */
const OTHER_STAGE = 5;

/**
 * The one order in which objects are applied; pruning goes through it backwards. A line is a stage, and within a stage
 * the order of the kinds only makes it deterministic: the objects of one stage are applied side by side.
 */
const STAGES: readonly (readonly string[])[] = [
  ['/Namespace', 'apiextensions.k8s.io/CustomResourceDefinition'],
  // What admission and scheduling look up by name when a later object is created.
  [
    'scheduling.k8s.io/PriorityClass',
    'storage.k8s.io/StorageClass',
    'storage.k8s.io/CSIDriver',
    'networking.k8s.io/IngressClass',
    'node.k8s.io/RuntimeClass',
    'resource.k8s.io/DeviceClass',
    'policy/PodSecurityPolicy',
    '/ResourceQuota',
    '/LimitRange',
    '/ServiceAccount',
    'rbac.authorization.k8s.io/ClusterRole',
    'rbac.authorization.k8s.io/ClusterRoleBinding',
    'rbac.authorization.k8s.io/Role',
    'rbac.authorization.k8s.io/RoleBinding',
  ],
  // What Pods mount.
  ['/ConfigMap', '/Secret', '/PersistentVolume', '/PersistentVolumeClaim'],
  // Before the Pods: a Service's address is in the environment of those that start after it.
  [
    '/Service',
    '/Endpoints',
    'discovery.k8s.io/EndpointSlice',
    'networking.k8s.io/NetworkPolicy',
    'policy/PodDisruptionBudget',
  ],
  [
    'apps/DaemonSet',
    'apps/StatefulSet',
    'apps/Deployment',
    'apps/ReplicaSet',
    '/ReplicationController',
    '/Pod',
    'batch/Job',
    'batch/CronJob',
    'autoscaling/HorizontalPodAutoscaler',
  ],
  ['networking.k8s.io/Ingress', 'extensions/Ingress'],
  // Aggregation breaks discovery of its group while the workload behind it is not up.
  ['apiregistration.k8s.io/APIService'],
  // A broken one can block everything that comes after it.
  [
    'admissionregistration.k8s.io/ValidatingAdmissionPolicy',
    'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding',
    'admissionregistration.k8s.io/MutatingAdmissionPolicy',
    'admissionregistration.k8s.io/MutatingAdmissionPolicyBinding',
    'admissionregistration.k8s.io/MutatingWebhookConfiguration',
    'admissionregistration.k8s.io/ValidatingWebhookConfiguration',
  ],
];

interface Place {
  readonly stage: number;
  readonly rank: number;
}

const PLACES: ReadonlyMap<string, Place> = new Map(
  STAGES.flatMap((kinds, stage) => kinds.map((kind, rank) => [kind, { stage, rank }] as const)),
);
const OTHER_PLACE: Place = { stage: OTHER_STAGE, rank: STAGES[OTHER_STAGE]?.length ?? 0 };

/** The stage in which an object is applied, from 0; it is pruned in the reverse order. */
export function stageOf(id: ResourceId): number {
  return placeOf(id).stage;
}

/** A total order over identities: stage, kind, namespace, name. */
export function compareForApply(a: ResourceId, b: ResourceId): number {
  const left = placeOf(a);
  const right = placeOf(b);
  return (
    left.stage - right.stage ||
    left.rank - right.rank ||
    compareText(a.group, b.group) ||
    compareText(a.kind, b.kind) ||
    compareText(a.namespace ?? '', b.namespace ?? '') ||
    compareText(a.name, b.name)
  );
}

/** The same order, backwards. */
export function compareForPrune(a: ResourceId, b: ResourceId): number {
  return compareForApply(b, a);
}

/** Namespaces and CRDs hold other objects; everything else is a leaf. */
export function isContainer(id: ResourceId): boolean {
  return stageOf(id) === FIRST_STAGE;
}

function placeOf(id: ResourceId): Place {
  return PLACES.get(`${id.group}/${id.kind}`) ?? OTHER_PLACE;
}

// Not localeCompare: the order must be the same on every machine.
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
