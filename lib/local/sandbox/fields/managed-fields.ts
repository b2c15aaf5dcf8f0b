import type { ManagedFieldsEntry } from '../../../model/resource.ts';
import type { Atom } from '../schema/atom.ts';
import {
  difference,
  EMPTY_SET,
  equalSets,
  type FieldPath,
  type FieldSet,
  fieldSet,
  intersection,
  isEmpty,
  pathsOf,
  union,
} from './field-set.ts';
import { fromFieldsV1, toFieldsV1 } from './fields-v1.ts';
import { type Comparison, compareObjects, mergeConfig } from './merge.ts';
import { reconcileSet } from './reconcile.ts';
import { ownedFields, removeFields } from './owned-fields.ts';

/*
 * Field ownership as in sigs.k8s.io/structured-merge-diff v4 (merge/update.go) and the field manager around it
 * (k8s.io/apiserver, endpoints/handlers/fieldmanager), for one structure in all versions of a kind.
 */

/** One writer and what it owns. */
export interface Owner {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** Absent where the stored entry has none. */
  readonly time?: string;
  readonly set: FieldSet;
}

/** Keyed by ownerKey. */
export type Owners = ReadonlyMap<string, Owner>;

/** An applier is the same one in every version; an updater is one per version. */
function ownerKey(owner: Pick<Owner, 'manager' | 'operation' | 'apiVersion'>): string {
  return owner.operation === 'Apply'
    ? `Apply\u0000${owner.manager}`
    : `Update\u0000${owner.manager}\u0000${owner.apiVersion}`;
}

/** @throws Error when an entry is not one: the caller keeps the live object's entries then. */
export function decodeOwners(entries: readonly ManagedFieldsEntry[] | undefined): Owners {
  const owners = new Map<string, Owner>();
  for (const entry of entries ?? []) {
    const { operation, apiVersion, time } = entry;
    if (operation !== 'Apply' && operation !== 'Update') throw new Error(`invalid operation ${operation}`);
    if (apiVersion === undefined || apiVersion === '') throw new Error('managedFields without apiVersion');
    const owner: Owner = {
      manager: entry.manager ?? '',
      operation,
      apiVersion,
      ...(time === undefined || time === null ? {} : { time }),
      set: fromFieldsV1(entry.fieldsV1 ?? {}),
    };
    owners.set(ownerKey(owner), owner);
  }
  return owners;
}

/** In the order in which the API server keeps them: appliers first, then by time. undefined when nobody owns anything. */
export function encodeOwners(owners: Owners): readonly ManagedFieldsEntry[] | undefined {
  if (owners.size === 0) return undefined;
  return [...owners.values()].sort(byOperationAndTime).map((owner) => ({
    manager: owner.manager,
    operation: owner.operation,
    apiVersion: owner.apiVersion,
    ...(owner.time === undefined ? {} : { time: owner.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: toFieldsV1(owner.set),
  }));
}

function byOperationAndTime(a: Owner, b: Owner): number {
  return (
    compareText(a.operation, b.operation) ||
    compareText(a.time ?? '', b.time ?? '') ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion)
  );
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Fields that nobody owns. */
const STRIPPED: FieldSet = fieldSet([
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'clusterName',
    'generation',
    'managedFields',
  ]
    .concat('resourceVersion')
    .map((field) => ['f:metadata', `f:${field}`]),
]);

export interface FieldConflict {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly path: FieldPath;
}

export interface Writer {
  readonly manager: string;
  readonly apiVersion: string;
  /** Goes into the entries that this write moves. */
  readonly now: string;
}

/**
 * Ownership after a create, replace or patch: what changed belongs to the writer, what went belongs to nobody.
 * `live` and `next` are objects of the schema without managedFields; for a create `live` is the empty object.
 */
export function ownersAfterUpdate(
  atom: Atom,
  live: unknown,
  next: unknown,
  owners: Owners,
  writer: Writer,
): Owners {
  const changes = compareObjects(atom, live, next);
  const rest = new Map(withoutChanged(reconciled(atom, live, owners), changes, undefined).owners);
  const taken = difference(union(changes.modified, changes.added), STRIPPED);
  if (!isEmpty(taken)) {
    const owner = {
      manager: writer.manager,
      operation: 'Update',
      apiVersion: writer.apiVersion,
      time: writer.now,
    } as const;
    const key = ownerKey(owner);
    const previous = owners.get(key);
    const set = union(taken, rest.get(key)?.set ?? EMPTY_SET);
    // The time says when an updater's fields became these, not when their values did.
    const same = previous?.time !== undefined && equalSets(previous.set, set);
    rest.set(key, { ...owner, set, time: same ? previous.time : owner.time });
  }
  return capUpdaters(rest);
}

export type ApplyOutcome =
  | { readonly kind: 'conflict'; readonly conflicts: readonly FieldConflict[] }
  /** `object` is undefined when the apply changes no field; ownership may have changed all the same. */
  | { readonly kind: 'applied'; readonly object: unknown; readonly owners: Owners };

/** A server-side apply of `config` on `live`. Both are valid under the schema, without managedFields. */
export function applyConfig(
  atom: Atom,
  live: unknown,
  config: unknown,
  owners: Owners,
  writer: Writer,
  force: boolean,
): ApplyOutcome {
  const key = ownerKey({ ...writer, operation: 'Apply' });
  const before = reconciled(atom, live, owners);
  const last = before.get(key);
  const set = ownedFields(atom, config);
  const applied: Owner = {
    manager: writer.manager,
    operation: 'Apply',
    apiVersion: writer.apiVersion,
    set,
    ...(last?.time === undefined ? {} : { time: last.time }),
  };
  const withApplied = new Map(before).set(key, applied);
  const merged = mergeConfig(atom, live, config);
  const next = last === undefined ? merged : pruneLeftFields(atom, merged, last.set, set, withApplied);
  const changes = compareObjects(atom, live, next);
  const { owners: others, conflicts } = withoutChanged(withApplied, changes, key);
  if (conflicts.length > 0 && !force) return { kind: 'conflict', conflicts };
  const after = new Map(others);
  const owned = difference(set, STRIPPED);
  const changed = !(isEmpty(changes.added) && isEmpty(changes.modified) && isEmpty(changes.removed));
  if (isEmpty(owned)) after.delete(key);
  else {
    const moved = changed || last === undefined || !equalSets(owned, last.set);
    after.set(key, { ...applied, set: owned, ...(moved ? { time: writer.now } : {}) });
  }
  return { kind: 'applied', object: changed ? next : undefined, owners: after };
}

/**
 * Takes changed fields from everybody but `writer`. Where the value is a new one that is a conflict; a removed field
 * has no owner and makes none.
 */
function withoutChanged(
  owners: Owners,
  changes: Comparison,
  writer: string | undefined,
): { readonly owners: Owners; readonly conflicts: readonly FieldConflict[] } {
  const changed = union(changes.modified, changes.added);
  const conflicts: FieldConflict[] = [];
  const out = new Map<string, Owner>();
  for (const [key, owner] of owners) {
    if (key === writer) {
      out.set(key, owner);
      continue;
    }
    const lost = intersection(owner.set, changed);
    for (const path of pathsOf(lost)) {
      const { manager, operation, apiVersion } = owner;
      conflicts.push({ manager, operation, apiVersion, path });
    }
    const set = difference(difference(owner.set, lost), changes.removed);
    if (!isEmpty(set)) out.set(key, { ...owner, set });
  }
  conflicts.sort((a, b) => compareText(a.manager, b.manager) || compareText(a.operation, b.operation));
  return { owners: out, conflicts };
}

/** Removes what this manager applied last time and not this time, unless another one owns it. */
function pruneLeftFields(
  atom: Atom,
  merged: unknown,
  last: FieldSet,
  now: FieldSet,
  owners: Owners,
): unknown {
  // Nothing left: what the walk below removed it would add back.
  if (isEmpty(difference(last, now))) return merged;
  const pruned = removeFields(atom, merged, last);
  const mergedSet = ownedFields(atom, merged);
  const owned = [...owners.values()].reduce((all, owner) => union(all, owner.set), EMPTY_SET);
  const keep = union(ownedFields(atom, pruned), owned);
  const restored = removeFields(atom, merged, difference(mergedSet, keep));
  // What was removed only because the list item or map key that it lay in went.
  const gone = difference(mergedSet, ownedFields(atom, restored));
  return removeFields(atom, merged, intersection(gone, last));
}

function reconciled(atom: Atom, live: unknown, owners: Owners): Owners {
  return new Map(
    [...owners].map(([key, owner]) => [key, { ...owner, set: reconcileSet(atom, owner.set, live) }]),
  );
}

const MAX_UPDATERS = 10;
const ANCIENT = 'ancient-changes';

/** Beyond ten updaters the oldest are merged into one entry per version. */
function capUpdaters(owners: Owners): Owners {
  const updaters = [...owners]
    .filter(([, owner]) => owner.operation === 'Update')
    .sort(([, a], [, b]) => compareText(a.time ?? '', b.time ?? '') || compareText(a.manager, b.manager));
  let count = updaters.length;
  if (count <= MAX_UPDATERS) return owners;
  const out = new Map(owners);
  const firstOfVersion = new Map<string, string>();
  for (const [key, owner] of updaters) {
    if (count <= MAX_UPDATERS) break;
    const first = firstOfVersion.get(owner.apiVersion);
    if (first === undefined) {
      firstOfVersion.set(owner.apiVersion, key);
      continue;
    }
    const bucket = ownerKey({ ...owner, manager: ANCIENT });
    let collected = out.get(bucket);
    if (collected === undefined) {
      collected = out.get(first);
      out.delete(first);
    }
    out.delete(key);
    out.set(bucket, { ...owner, manager: ANCIENT, set: union(owner.set, collected?.set ?? EMPTY_SET) });
    count -= 1;
  }
  return out;
}

/** `"holdfast:x"`, or `"kubectl-edit" using v1` for an updater. */
export function describeOwner(conflict: FieldConflict): string {
  const name = JSON.stringify(conflict.manager);
  return conflict.operation === 'Update' ? `${name} using ${conflict.apiVersion}` : name;
}
