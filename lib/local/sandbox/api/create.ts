import { randomInt } from 'node:crypto';
import { decodeOwners, encodeOwners, type Owners, ownersAfterUpdate } from '../fields/managed-fields.ts';
import { decodeObject, emptyObject } from '../objects/decode.ts';
import { at, type DraftObject, type SandboxMeta, type SandboxObject } from '../objects/sandbox-object.ts';
import { collectionKey, type ServedType } from '../objects/served-types.ts';
import { prepareForCreate } from '../objects/strategy.ts';
import { validateObject } from '../objects/validate-object.ts';
import { alreadyExists, ApiError, badRequest, invalid } from './status.ts';
import { newUid, now, requireNamespace, type SandboxWorld, withoutManagedFields } from './world.ts';

export interface WriteOptions {
  /** Field manager of the request. */
  readonly manager: string;
  readonly dryRun: boolean;
}

/** POST. @throws ApiError */
export function createObject(
  world: SandboxWorld,
  type: ServedType,
  namespace: string,
  body: unknown,
  options: WriteOptions,
): SandboxObject {
  const draft = decodeObject(type, body);
  const given = draft.metadata.namespace;
  if (type.namespaced && given !== undefined && given !== '' && given !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (at(draft, 'metadata', 'resourceVersion') !== undefined) {
    throw new ApiError(500, undefined, 'resourceVersion should not be set on objects to be created');
  }
  const { generateName } = draft.metadata;
  const name = draft.metadata.name ?? (generateName === undefined ? '' : generateName + nameSuffix());
  const named = { ...draft, metadata: { ...draft.metadata, name } };
  const owners = ownersAfterUpdate(
    type.schema(),
    withoutManagedFields(emptyObject(type)),
    withoutManagedFields(named),
    givenOwners(named),
    { manager: options.manager, apiVersion: type.apiVersion, now: now(world) },
  );
  return insertObject(world, type, namespace, named, owners, options.dryRun);
}

/** A body may bring entries of its own; `[{}]` and nonsense count as none. */
function givenOwners(draft: DraftObject): Owners {
  try {
    return decodeOwners(draft.metadata.managedFields);
  } catch {
    return new Map();
  }
}

/** The second half of a create, and of an apply that creates. */
export function insertObject(
  world: SandboxWorld,
  type: ServedType,
  namespace: string,
  draft: DraftObject,
  owners: Owners,
  dryRun: boolean,
): SandboxObject {
  const name = draft.metadata.name ?? '';
  requireNamespace(world, type, namespace, name);
  const prepared = prepareForCreate(
    type,
    { ...draft, metadata: newMetadata(world, type, namespace, name, draft.metadata, owners) },
    world.allocator,
  );
  const errors = validateObject(type, prepared);
  if (errors.length > 0) throw invalid(type, name, errors);
  const key = collectionKey(type);
  if (world.store.get(key, type.namespaced ? namespace : '', name) !== undefined)
    throw alreadyExists(type, name);
  const object = prepared as SandboxObject;
  return dryRun ? object : world.store.put(key, object);
}

function newMetadata(
  world: SandboxWorld,
  type: ServedType,
  namespace: string,
  name: string,
  given: Partial<SandboxMeta>,
  owners: Owners,
): Partial<SandboxMeta> {
  const {
    deletionTimestamp: _deleted,
    deletionGracePeriodSeconds: _grace,
    resourceVersion: _version,
    managedFields: _managed,
    namespace: _namespace,
    ...metadata
  } = given;
  const managedFields = encodeOwners(owners);
  return {
    ...metadata,
    name,
    ...(type.namespaced ? { namespace } : {}),
    uid: newUid(),
    creationTimestamp: now(world),
    ...(managedFields === undefined ? {} : { managedFields }),
  };
}

const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

function nameSuffix(): string {
  return Array.from({ length: 5 }, () => SUFFIX_ALPHABET[randomInt(SUFFIX_ALPHABET.length)]).join('');
}
