import type { JsonObject } from '../../../model/resource.ts';
import { at, isRecord, type SandboxObject } from '../objects/sandbox-object.ts';
import { collectionKey, groupKind, type ServedType } from '../objects/served-types.ts';
import { CRD_COLLECTION } from '../objects/type-registry.ts';
import { badRequest, conflict, invalid } from './status.ts';
import { liveObject, now, type SandboxWorld } from './world.ts';

export interface DeleteRequest {
  readonly dryRun: boolean;
  /** DeleteOptions, undefined without a body. */
  readonly body: unknown;
  /** `propagationPolicy` of the query. */
  readonly propagation: string | undefined;
}

export const FOREGROUND_FINALIZER = 'foregroundDeletion';
export const ORPHAN_FINALIZER = 'orphan';
export const CRD_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

/** DELETE of one object: a Status when it is gone, the object when it waits for its finalizers. @throws ApiError */
export function deleteObject(
  world: SandboxWorld,
  type: ServedType,
  namespace: string,
  name: string,
  request: DeleteRequest,
): SandboxObject | JsonObject {
  const live = liveObject(world, type, namespace, name);
  checkPreconditions(type, live, request.body);
  const finalizers = finalizersFor(type, live, propagationOf(request));
  if (groupKind(type) === '/Namespace') return terminateNamespace(world, live, request.dryRun);
  if (finalizers.length === 0) {
    if (!request.dryRun) world.store.remove(collectionKey(type), live);
    return deletedStatus(type, live);
  }
  if (live.metadata.deletionTimestamp !== undefined) return live;
  const time = now(world);
  const terminating =
    collectionKey(type) === CRD_COLLECTION
      ? terminatingDefinition(live, time, finalizers)
      : withDeletion(live, time, finalizers);
  return request.dryRun ? terminating : world.store.put(collectionKey(type), terminating);
}

function checkPreconditions(type: ServedType, live: SandboxObject, body: unknown): void {
  if (body === undefined) return;
  if (!isRecord(body)) throw badRequest('DeleteOptions must be an object');
  const check = (field: string, name: string, actual: string, hint: string): void => {
    const wanted = at(body, 'preconditions', field);
    if (wanted === undefined || wanted === null || wanted === actual) return;
    const why = `the ${name} in the precondition (${String(wanted)}) does not match the ${name} in record (${actual}). ${hint}`;
    // Here the API server names the kind where it elsewhere names the resource.
    throw conflict({ ...type, resource: type.kind }, live.metadata.name, why);
  };
  check('uid', 'UID', live.metadata.uid, 'The object might have been deleted and then recreated');
  check(
    'resourceVersion',
    'ResourceVersion',
    live.metadata.resourceVersion,
    'The object might have been modified',
  );
}

function propagationOf(request: DeleteRequest): string {
  const policy = at(request.body, 'propagationPolicy') ?? request.propagation;
  if (at(request.body, 'orphanDependents') === true) return 'Orphan';
  if (policy === undefined || policy === null || policy === '') return 'Background';
  if (policy === 'Background' || policy === 'Foreground' || policy === 'Orphan') return policy;
  throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions', resource: '' }, '', [
    {
      type: 'unsupported',
      field: 'propagationPolicy',
      value: policy,
      supported: ['Foreground', 'Background', 'Orphan', 'nil'],
    },
  ]);
}

function finalizersFor(type: ServedType, live: SandboxObject, propagation: string): readonly string[] {
  // A definition waits until its custom resources are gone.
  if (collectionKey(type) === CRD_COLLECTION) {
    return [...new Set([...(live.metadata.finalizers ?? []), CRD_FINALIZER])];
  }
  const own = (live.metadata.finalizers ?? []).filter(
    (name) => name !== FOREGROUND_FINALIZER && name !== ORPHAN_FINALIZER,
  );
  if (propagation === 'Foreground') return [...own, FOREGROUND_FINALIZER];
  return propagation === 'Orphan' ? [...own, ORPHAN_FINALIZER] : own;
}

export function withDeletion(
  live: SandboxObject,
  time: string,
  finalizers: readonly string[],
): SandboxObject {
  const { generation } = live.metadata;
  return {
    ...live,
    metadata: {
      ...live.metadata,
      // Marking for deletion counts as a change of what is wanted.
      ...(generation === undefined ? {} : { generation: generation + 1 }),
      deletionTimestamp: time,
      deletionGracePeriodSeconds: 0,
      ...(finalizers.length === 0 ? {} : { finalizers }),
    },
  };
}

function terminatingDefinition(
  live: SandboxObject,
  time: string,
  finalizers: readonly string[],
): SandboxObject {
  const status = isRecord(live['status']) ? live['status'] : {};
  const conditions = Array.isArray(status['conditions']) ? status['conditions'] : [];
  const terminating = {
    lastTransitionTime: time,
    message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
    reason: 'InstanceDeletionPending',
    status: 'True',
    type: 'Terminating',
  };
  return {
    ...live,
    metadata: { ...live.metadata, deletionTimestamp: time, finalizers },
    status: { ...status, conditions: [...conditions, terminating] },
  };
}

function terminateNamespace(world: SandboxWorld, live: SandboxObject, dryRun: boolean): SandboxObject {
  if (live.metadata.deletionTimestamp !== undefined) return live;
  const terminating: SandboxObject = {
    ...live,
    metadata: { ...live.metadata, deletionTimestamp: now(world) },
    status: { ...(isRecord(live['status']) ? live['status'] : {}), phase: 'Terminating' },
  };
  return dryRun ? terminating : world.store.put('/namespaces', terminating);
}

function deletedStatus(type: ServedType, object: SandboxObject): JsonObject {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: object.metadata.name,
      ...(type.group === '' ? {} : { group: type.group }),
      kind: type.resource,
      uid: object.metadata.uid,
    },
  };
}
