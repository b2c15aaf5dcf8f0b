import type { DriftField, DriftFinding } from '../model/drift.ts';
import type { InventoryEntry, Projection } from '../model/inventory.ts';
import type { LiveObject } from '../model/resource.ts';
import { UNKNOWN_MANAGER } from '../plan/attribute.ts';
import { ownEntryDigest } from '../plan/baseline.ts';
import { compareProjection } from '../plan/compare-projection.ts';
import type { HashKey } from '../plan/keyed-hash.ts';

/**
 * What became of an object since it was applied, and by whom; undefined when our fields are as they were. Then
 * `baselineOf(live, …)` is a verified baseline, by which the next scan need not fetch it.
 *
 * Nothing is said of what is on its way: entries that are pending without ever having been seen alive, and entries that
 * are being deleted. What our own unfinished apply may have written is no drift either.
 *
 * @param live undefined: a GET by name says that it does not exist. Fetched in the entry's version.
 * @param keys the hash keys that are still known, the newest first
 */
export function classify(
  entry: InventoryEntry,
  projection: Projection,
  live: LiveObject | undefined,
  fieldManager: string,
  keys: HashKey | readonly HashKey[],
): DriftFinding | undefined {
  if (entry.status === 'deleting' || entry.baseline === undefined) {
    return undefined;
  }
  if (live === undefined) {
    // Nothing is left that could name anybody.
    return { id: entry.id, kind: 'missing', fields: [], by: [UNKNOWN_MANAGER] };
  }

  const compared = compareProjection(projection, live, fieldManager, keys);
  const changed =
    entry.status === 'pending' ? compared.filter((field) => field.manager !== fieldManager) : compared;
  const isOursUntouched = entry.baseline.ownEntry === ownEntryDigest(live, fieldManager);
  const attributed = isOursUntouched ? changed.map((field) => withoutUs(field, fieldManager)) : changed;
  const fields = [...lifeFields(entry.baseline.uid, live), ...attributed];
  return fields.length === 0 ? undefined : finding(entry, fields);
}

/**
 * A field that changed while our own entry did not was written past managedFields, as older servers let `scale` do.
 * That we own it says nothing about who did it.
 */
function withoutUs(field: DriftField, fieldManager: string): DriftField {
  if (field.manager !== fieldManager) return field;
  const { time: _ours, ...rest } = field;
  return { ...rest, manager: UNKNOWN_MANAGER };
}

/** Deletion and recreation leave the fields as they were; but the object is not, or will not be, the one we applied. */
function lifeFields(uid: string, live: LiveObject): readonly DriftField[] {
  const { deletionTimestamp } = live.metadata;
  return [
    ...(deletionTimestamp === undefined
      ? []
      : [{ path: '/metadata/deletionTimestamp', live: deletionTimestamp, manager: UNKNOWN_MANAGER }]),
    ...(live.metadata.uid === uid
      ? []
      : [{ path: '/metadata/uid', applied: uid, live: live.metadata.uid, manager: UNKNOWN_MANAGER }]),
  ];
}

function finding(entry: InventoryEntry, fields: readonly DriftField[]): DriftFinding {
  const by = [...new Set(fields.map(({ manager }) => manager))].sort();
  const at = fields
    .flatMap(({ time }) => time ?? [])
    .sort()
    .at(-1);
  const base = { id: entry.id, kind: 'modified', fields, by } as const;
  return at === undefined ? base : { ...base, at };
}
