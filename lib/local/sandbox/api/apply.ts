import { parse } from 'yaml';
import {
  applyConfig,
  decodeOwners,
  describeOwner,
  type FieldConflict,
  type Owners,
  ownersAfterUpdate,
  type Writer,
} from '../fields/managed-fields.ts';
import { printPath } from '../fields/field-set.ts';
import { validate } from '../fields/validate.ts';
import { decodeObject, emptyObject } from '../objects/decode.ts';
import { at, isRecord, type SandboxObject } from '../objects/sandbox-object.ts';
import { collectionKey, type ServedType } from '../objects/served-types.ts';
import { insertObject, type WriteOptions } from './create.ts';
import { ApiError, badRequest, conflict, MODIFIED } from './status.ts';
import { storeUpdate, type UpdateTarget } from './update.ts';
import { now, type SandboxWorld, withoutManagedFields } from './world.ts';

export interface ApplyWriteOptions extends WriteOptions {
  readonly force: boolean;
}

export interface ApplyResult {
  readonly object: SandboxObject;
  readonly created: boolean;
}

/** PATCH application/apply-patch+yaml. @throws ApiError */
export function applyObject(
  world: SandboxWorld,
  type: ServedType,
  target: UpdateTarget,
  body: string,
  options: ApplyWriteOptions,
): ApplyResult {
  const config = parseConfig(body);
  const key = collectionKey(type);
  const live = world.store.get(key, type.namespaced ? target.namespace : '', target.name);
  checkConfig(type, target, config, live);
  const atom = type.schema();
  const errors = validate(atom, config);
  if (errors.length > 0) throw typedError('failed to create typed patch object', errors);
  const writer = { manager: options.manager, apiVersion: type.apiVersion, now: now(world) };
  const base = withoutManagedFields(live ?? emptyObject(type));
  const outcome = applyConfig(atom, base, config, ownersBefore(type, live, writer), writer, options.force);
  if (outcome.kind === 'conflict') throw applyConflict(outcome.conflicts);
  if (live === undefined) {
    const merged = decodeObject(type, outcome.object ?? base);
    const { uid: _, ...metadata } = merged.metadata;
    const draft = { ...merged, metadata: { ...metadata, name: target.name } };
    const object = insertObject(world, type, target.namespace, draft, outcome.owners, options.dryRun);
    return { object, created: true };
  }
  const next = outcome.object === undefined ? live : decodeObject(type, outcome.object);
  const version = at(next, 'metadata', 'resourceVersion');
  if (version !== undefined && version !== live.metadata.resourceVersion) {
    throw conflict(type, target.name, MODIFIED);
  }
  const object = storeUpdate(world, type, target, live, next, outcome.owners, options.dryRun);
  return { object, created: false };
}

function parseConfig(body: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = /^\s*\{/.test(body) ? parseJson(body) : parseYaml(body);
  } catch {
    // The parser's message quotes the body, which may be a Secret.
    throw badRequest('error decoding YAML: error converting YAML to JSON: the body is not valid YAML');
  }
  if (!isRecord(value)) {
    throw badRequest('error decoding YAML: error unmarshaling JSON: the body is not an object');
  }
  return value;
}

/** JSON first, because it is quicker; a YAML flow mapping starts with a brace as well. */
function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return parseYaml(body);
  }
}

/** YAML 1.1, as Go reads it: `n` and `no` are false; dates and 12:30 stay text. */
function parseYaml(body: string): unknown {
  return parse(body, {
    version: '1.1',
    customTags: (tags) =>
      tags.filter(
        (tag) =>
          typeof tag === 'string' ||
          (!['tag:yaml.org,2002:timestamp', 'tag:yaml.org,2002:binary'].includes(tag.tag) &&
            tag.format !== 'TIME'),
      ),
  });
}

function checkConfig(
  type: ServedType,
  target: UpdateTarget,
  config: Record<string, unknown>,
  live: SandboxObject | undefined,
): void {
  const text = (...path: readonly string[]): string => String(at(config, ...path) ?? '');
  if (text('apiVersion') !== type.apiVersion) {
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${text('apiVersion')}, expected: ${type.apiVersion}`,
    );
  }
  if (at(config, 'metadata', 'managedFields') !== undefined) {
    throw badRequest('metadata.managedFields must be nil');
  }
  const name = text('metadata', 'name');
  if (name !== '' && name !== target.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`);
  }
  const namespace = text('metadata', 'namespace');
  if (type.namespaced && namespace !== '' && namespace !== target.namespace) {
    throw badRequest(
      `the namespace of the object (${namespace}) does not match the namespace on the request (${target.namespace})`,
    );
  }
  const uid = text('metadata', 'uid');
  if (live === undefined && uid !== '') {
    const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
    throw conflict(type, target.name, why);
  }
}

/** An object that nobody is said to own belongs to `before-first-apply`, so that an apply does not take it silently. */
function ownersBefore(type: ServedType, live: SandboxObject | undefined, writer: Writer): Owners {
  if (live === undefined) return new Map();
  const owners = decodeOwners(live.metadata.managedFields);
  if (owners.size > 0) return owners;
  return ownersAfterUpdate(
    type.schema(),
    withoutManagedFields(emptyObject(type)),
    withoutManagedFields(live),
    owners,
    {
      ...writer,
      manager: 'before-first-apply',
    },
  );
}

function typedError(what: string, errors: readonly string[]): ApiError {
  const list = errors.length === 1 ? errors[0] : `errors:\n${errors.map((error) => `  ${error}`).join('\n')}`;
  return new ApiError(500, undefined, `${what}: ${list}`);
}

function applyConflict(conflicts: readonly FieldConflict[]): ApiError {
  const causes = conflicts.map((entry) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${describeOwner(entry)}`,
    field: printPath(entry.path),
  }));
  return new ApiError(409, 'Conflict', conflictMessage(conflicts), { causes });
}

function conflictMessage(conflicts: readonly FieldConflict[]): string {
  const [first] = conflicts;
  if (conflicts.length === 1 && first !== undefined) {
    return `Apply failed with 1 conflict: conflict with ${describeOwner(first)}: ${printPath(first.path)}`;
  }
  const byOwner = Map.groupBy(conflicts, describeOwner);
  const texts = [...byOwner].flatMap(([owner, entries]) => [
    `conflicts with ${owner}:`,
    ...entries.map((entry) => `- ${printPath(entry.path)}`),
  ]);
  return `Apply failed with ${conflicts.length} conflicts: ${texts.join('\n')}`;
}
