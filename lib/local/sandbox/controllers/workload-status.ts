import { createHash } from 'node:crypto';
import { updateObject } from '../api/update.ts';
import { now, type SandboxWorld } from '../api/world.ts';
import { at, isRecord, type SandboxObject } from '../objects/sandbox-object.ts';
import { collectionKey, type ServedType } from '../objects/served-types.ts';

type Status = Record<string, unknown>;

/** Kinds whose status the sandbox plays. No pods are made: replicas are ready because time has passed. */
export const WORKLOADS: ReadonlySet<string> = new Set([
  'apps/deployments',
  'apps/statefulsets',
  'apps/daemonsets',
  'apps/replicasets',
]);

const REVISION = 'deployment.kubernetes.io/revision';

/** Whether the status still has to follow the spec. */
export function isUnsettled(object: SandboxObject): boolean {
  if (object.metadata.deletionTimestamp !== undefined) return false;
  const observed = at(object, 'status', 'observedGeneration');
  return observed !== object.metadata.generation || readyReplicas(object) !== wantedReplicas(object);
}

/** Whether the controller has seen the current spec; the replicas may still be on their way. */
export function isObserved(object: SandboxObject): boolean {
  return at(object, 'status', 'observedGeneration') === object.metadata.generation;
}

function wantedReplicas(object: SandboxObject): number {
  // A DaemonSet has one pod per node, and the sandbox has no nodes.
  const replicas = object.kind === 'DaemonSet' ? 0 : at(object, 'spec', 'replicas');
  return typeof replicas === 'number' ? replicas : 0;
}

function readyReplicas(object: SandboxObject): number {
  const field = object.kind === 'DaemonSet' ? 'numberReady' : 'readyReplicas';
  const ready = at(object, 'status', field);
  return typeof ready === 'number' ? ready : 0;
}

/** Writes the next status of a workload as the controller manager would: first seen, then ready. */
export function writeWorkloadStatus(
  world: SandboxWorld,
  collection: string,
  key: { readonly namespace: string; readonly name: string },
  ready: boolean,
): void {
  const live = world.store.get(collection, key.namespace, key.name);
  const type = world.types.ofCollection(collection);
  if (live === undefined || type === undefined || live.metadata.deletionTimestamp !== undefined) return;
  const next = nextWorkload(type, live, ready, now(world));
  const target = { ...key, subresource: 'status' } as const;
  updateObject(world, type, target, live, next, { manager: 'kube-controller-manager', dryRun: false });
}

function nextWorkload(type: ServedType, live: SandboxObject, ready: boolean, time: string): SandboxObject {
  switch (collectionKey(type)) {
    case 'apps/deployments':
      return withRevision({ ...live, status: deploymentStatus(live, ready, time) });
    case 'apps/statefulsets':
      return { ...live, status: statefulSetStatus(live, ready) };
    case 'apps/daemonsets':
      return { ...live, status: daemonSetStatus(live) };
    default:
      return { ...live, status: replicaSetStatus(live, ready) };
  }
}

function templateHash(object: SandboxObject): string {
  const template = JSON.stringify(at(object, 'spec', 'template') ?? null);
  return createHash('sha256').update(template).digest('hex').slice(0, 10);
}

function counts(fields: readonly string[], value: number): Status {
  return value === 0 ? {} : Object.fromEntries(fields.map((field) => [field, value]));
}

function deploymentStatus(live: SandboxObject, ready: boolean, time: string): Status {
  const wanted = wantedReplicas(live);
  const hash = templateHash(live);
  const settled = ready || wanted === 0;
  const available = settled
    ? ['True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.']
    : ['False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.'];
  const name = `ReplicaSet "${live.metadata.name}-${hash}"`;
  const progressing = settled
    ? ['True', 'NewReplicaSetAvailable', `${name} has successfully progressed.`]
    : ['True', 'ReplicaSetUpdated', `${name} is progressing.`];
  return {
    observedGeneration: live.metadata.generation,
    ...counts(['replicas', 'updatedReplicas'], wanted),
    ...(settled
      ? counts(['readyReplicas', 'availableReplicas'], wanted)
      : counts(['unavailableReplicas'], wanted)),
    conditions: [
      condition(live, 'Available', available, time),
      condition(live, 'Progressing', progressing, time),
    ],
  };
}

/** The transition time stays while the status of the condition stays. */
function condition(live: SandboxObject, type: string, texts: readonly string[], time: string): Status {
  const before = at(live, 'status', 'conditions');
  const last = (Array.isArray(before) ? before : []).find((entry) => at(entry, 'type') === type);
  const [status = '', reason = '', message = ''] = texts;
  const same = at(last, 'status') === status;
  if (same && at(last, 'reason') === reason && at(last, 'message') === message && isRecord(last)) return last;
  return {
    type,
    status,
    lastUpdateTime: time,
    lastTransitionTime: same ? at(last, 'lastTransitionTime') : time,
    reason,
    message,
  };
}

/** The number of templates this Deployment has had: a new ReplicaSet, a new revision. */
function withRevision(object: SandboxObject): SandboxObject {
  const { annotations = {} } = object.metadata;
  const before = at(object, 'metadata', 'annotations', REVISION);
  if (typeof before === 'string') return object;
  return { ...object, metadata: { ...object.metadata, annotations: { ...annotations, [REVISION]: '1' } } };
}

function statefulSetStatus(live: SandboxObject, ready: boolean): Status {
  const wanted = wantedReplicas(live);
  const revision = `${live.metadata.name}-${templateHash(live)}`;
  return {
    observedGeneration: live.metadata.generation,
    replicas: wanted,
    ...(ready ? counts(['readyReplicas', 'availableReplicas'], wanted) : {}),
    ...counts(['currentReplicas', 'updatedReplicas'], wanted),
    currentRevision: revision,
    updateRevision: revision,
    collisionCount: 0,
  };
}

function daemonSetStatus(live: SandboxObject): Status {
  return {
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
    observedGeneration: live.metadata.generation,
  };
}

function replicaSetStatus(live: SandboxObject, ready: boolean): Status {
  const wanted = wantedReplicas(live);
  return {
    replicas: wanted,
    ...counts(['fullyLabeledReplicas'], wanted),
    ...(ready ? counts(['readyReplicas', 'availableReplicas'], wanted) : {}),
    observedGeneration: live.metadata.generation,
  };
}
