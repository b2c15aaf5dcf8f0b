import { isDeepStrictEqual } from 'node:util';
import { ItemKeyError } from '../fields/path-element.ts';
import { decodeOwners, encodeOwners, type Owners, ownersAfterUpdate } from '../fields/managed-fields.ts';
import { decodeObject } from '../objects/decode.ts';
import {
  at,
  type DraftObject,
  isRecord,
  type SandboxMeta,
  type SandboxObject,
} from '../objects/sandbox-object.ts';
import { collectionKey, groupKind, type ServedType } from '../objects/served-types.ts';
import { prepareForUpdate, type Subresource } from '../objects/strategy.ts';
import { validateObject, validateUpdate } from '../objects/validate-object.ts';
import type { WriteOptions } from './create.ts';
import { badRequest, conflict, type FieldError, invalid, MODIFIED } from './status.ts';
import { liveObject, now, type SandboxWorld, withoutManagedFields } from './world.ts';

export interface UpdateTarget {
  readonly namespace: string;
  readonly name: string;
  readonly subresource: Subresource;
}

/** PUT. @throws ApiError */
export function replaceObject(
  world: SandboxWorld,
  type: ServedType,
  target: UpdateTarget,
  body: unknown,
  options: WriteOptions,
): SandboxObject {
  const next = decodeObject(type, body);
  checkIdentity(next, target);
  const live = liveObject(world, type, target.namespace, target.name);
  const version = next.metadata.resourceVersion;
  if (version === undefined) refuseUnconditional(type, live, next);
  const uid = next.metadata.uid;
  if (uid !== undefined && uid !== live.metadata.uid) {
    throw conflict(type, target.name, uidMismatch(type, live, uid));
  }
  return updateObject(world, type, target, live, next, options);
}

/** Kinds that are replaced only by who has read them. */
const CONDITIONAL = new Set([
  '/Service',
  'policy/PodDisruptionBudget',
  'apiextensions.k8s.io/CustomResourceDefinition',
]);

function refuseUnconditional(type: ServedType, live: SandboxObject, next: DraftObject): void {
  const field = 'metadata.resourceVersion';
  const detail = 'must be specified for an update';
  if (type.custom !== undefined) {
    const value = 0;
    // For custom resources this one error names the resource instead of the kind.
    const named = { ...type, kind: type.resource };
    throw invalid(named, live.metadata.name, [{ type: 'invalid', field, value, shown: '0x0', detail }]);
  }
  if (!CONDITIONAL.has(groupKind(type))) return;
  const error: FieldError = { type: 'invalid', field, value: '', detail };
  throw invalid(type, live.metadata.name, [
    error,
    error,
    ...validateUpdate(type, live, next),
    ...validateObject(type, next),
  ]);
}

function uidMismatch(type: ServedType, live: SandboxObject, uid: string): string {
  const { name, namespace } = live.metadata;
  const path = [type.resource, ...(namespace === undefined ? [] : [namespace]), name].join('/');
  const failed = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`;
  return `StorageError: invalid object, Code: 4, Key: /registry/${path}, ResourceVersion: 0, AdditionalErrorMsg: ${failed}`;
}

function checkIdentity(next: DraftObject, target: UpdateTarget): void {
  const { name = '', namespace } = next.metadata;
  if (name !== target.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`);
  }
  if (namespace !== undefined && target.namespace !== '' && namespace !== target.namespace) {
    throw badRequest(
      `the namespace of the object (${namespace}) does not match the namespace on the request (${target.namespace})`,
    );
  }
}

/** A replace or a patch, once the next object is known. @throws ApiError */
export function updateObject(
  world: SandboxWorld,
  type: ServedType,
  target: UpdateTarget,
  live: SandboxObject,
  next: DraftObject,
  options: WriteOptions,
): SandboxObject {
  const version = next.metadata.resourceVersion;
  if (version !== undefined && version !== live.metadata.resourceVersion) {
    throw conflict(type, target.name, MODIFIED);
  }
  // Writes through scale are not tracked by 1.20: the replicas stay whose they were.
  const owners =
    target.subresource === 'scale'
      ? decodeOwners(live.metadata.managedFields)
      : ownersOfUpdate(world, type, live, next, options);
  return storeUpdate(world, type, target, live, next, owners, options.dryRun);
}

function ownersOfUpdate(
  world: SandboxWorld,
  type: ServedType,
  live: SandboxObject,
  next: DraftObject,
  options: WriteOptions,
): Owners {
  const before = currentOwners(live, next);
  if (before.size === 0) return before;
  const writer = { manager: options.manager, apiVersion: type.apiVersion, now: now(world) };
  try {
    const [from, to] = [withoutManagedFields(live), withoutManagedFields(next)];
    return ownersAfterUpdate(type.schema(), from, to, before, writer);
  } catch (error) {
    // Lists with doubled or missing keys have no paths: the API server leaves ownership as it was, too.
    if (error instanceof ItemKeyError) return before;
    throw error;
  }
}

/** A client may write managedFields itself (`[{}]` clears them); without any, or with broken ones, the live ones count. */
function currentOwners(live: SandboxObject, next: DraftObject): Owners {
  const given = next.metadata.managedFields;
  if (given !== undefined && given.length === 1 && isRecord(given[0]) && Object.keys(given[0]).length === 0) {
    return new Map();
  }
  try {
    const owners = decodeOwners(given);
    if (owners.size > 0) return owners;
  } catch {
    // Falls through to the live object's.
  }
  return decodeOwners(live.metadata.managedFields);
}

/** The last steps of every write to an object that lives: what the kind forbids, keeps and counts; then the store. */
export function storeUpdate(
  world: SandboxWorld,
  type: ServedType,
  target: UpdateTarget,
  live: SandboxObject,
  next: DraftObject,
  owners: Owners,
  dryRun: boolean,
): SandboxObject {
  const metadata = carriedMetadata(live, next, owners);
  const prepared = prepareForUpdate(type, live, { ...next, metadata }, target.subresource, world.allocator);
  const errors = [
    ...immutableMetadata(live, next),
    ...validateObject(type, prepared),
    ...validateUpdate(type, live, prepared),
  ];
  if (errors.length > 0) throw invalid(type, target.name, errors);
  const object = prepared as SandboxObject;
  if (isDeepStrictEqual(object, live)) return live;
  if (dryRun) return object;
  const key = collectionKey(type);
  const done =
    object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length === 0;
  if (!done || groupKind(type) === '/Namespace') return world.store.put(key, object);
  // The last change of an object that goes is answered, but never stored.
  world.store.remove(key, object);
  return object;
}

/** Identity, times and version are the server's. */
function carriedMetadata(live: SandboxObject, next: DraftObject, owners: Owners): Partial<SandboxMeta> {
  const {
    managedFields: _m,
    deletionTimestamp: _d,
    deletionGracePeriodSeconds: _g,
    ...given
  } = next.metadata;
  const { deletionTimestamp, deletionGracePeriodSeconds } = live.metadata;
  const managedFields =
    live.metadata.managedFields === undefined && owners.size === 0 ? undefined : encodeOwners(owners);
  return {
    ...given,
    name: live.metadata.name,
    ...(live.metadata.namespace === undefined ? {} : { namespace: live.metadata.namespace }),
    uid: live.metadata.uid,
    resourceVersion: live.metadata.resourceVersion,
    creationTimestamp: live.metadata.creationTimestamp,
    ...(live.metadata.generateName === undefined ? {} : { generateName: live.metadata.generateName }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(deletionGracePeriodSeconds === undefined ? {} : { deletionGracePeriodSeconds }),
    ...(managedFields === undefined ? {} : { managedFields }),
  };
}

function immutableMetadata(live: SandboxObject, next: DraftObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  const uid = next.metadata.uid;
  if (uid !== undefined && uid !== live.metadata.uid) {
    const error: FieldError = {
      type: 'invalid',
      field: 'metadata.uid',
      value: uid,
      detail: 'field is immutable',
    };
    // The API server checks metadata twice and names each cause twice.
    errors.push(error, error);
  }
  const added = (next.metadata.finalizers ?? []).filter((name) => !live.metadata.finalizers?.includes(name));
  if (live.metadata.deletionTimestamp !== undefined && added.length > 0) {
    const list = added.map((name) => JSON.stringify(name)).join(', ');
    const detail = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`;
    const error: FieldError = { type: 'forbidden', field: 'metadata.finalizers', detail };
    errors.push(error, error);
  }
  return errors;
}

/** Reads the scale of a workload. */
export function scaleOf(object: SandboxObject): Record<string, unknown> {
  const selector = at(object, 'spec', 'selector', 'matchLabels');
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: at(object, 'spec', 'replicas') },
    status: {
      replicas: at(object, 'status', 'replicas') ?? 0,
      selector: Object.entries(isRecord(selector) ? selector : {})
        .map(([key, value]) => `${key}=${String(value)}`)
        .join(','),
    },
  };
}
