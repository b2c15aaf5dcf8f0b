import type { RejectedManifest, PlanInput } from '../../lib/plan/build-plan.ts';
import { buildPlan } from '../../lib/plan/build-plan.ts';
import type { HashKey } from '../../lib/plan/keyed-hash.ts';
import { recordApplied } from '../../lib/plan/record.ts';
import { fieldManagerOf, type TargetId } from '../../lib/model/ids.ts';
import type { Inventory, InventoryEntry } from '../../lib/model/inventory.ts';
import type { Action, Observation, Observed, Verdict } from '../../lib/model/plan.ts';
import {
  groupOf,
  type JsonObject,
  type KubeObject,
  type LiveObject,
  type ManagedFieldsEntry,
  type Manifest,
  resourceId,
  resourceKey,
} from '../../lib/model/resource.ts';

export const TARGET = '0123456789abcdef0123456789abcdef' as TargetId;
export const MANAGER = fieldManagerOf(TARGET);
export const KEY: HashKey = { id: 'k1', key: new Uint8Array(32).fill(7) };
export const TIME = '2026-11-02T10:00:00Z';

export function aConfigMap(name: string, data: Record<string, string> = { a: '1' }): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'web' }, data };
}

export function aManifest(object: KubeObject): Manifest {
  return { object, origin: { file: `${object.metadata.name}.yaml`, line: 1 } };
}

/** As if the API server had applied it under our name: granular maps, lists owned as a whole. */
export function anAppliedObject(object: KubeObject, more: Partial<LiveObject['metadata']> = {}): LiveObject {
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = object;
  const owned = fieldsOf({ ...rest, metadata: { labels: metadata.labels } });
  return {
    ...object,
    metadata: {
      ...metadata,
      name: metadata.name ?? '',
      uid: `uid-of-${groupOf(object.apiVersion)}-${object.kind}-${metadata.name}`,
      resourceVersion: '100',
      managedFields: [anEntry({ fieldsV1: owned, apiVersion: object.apiVersion })],
      ...more,
    },
  };
}

export function anEntry(more: Partial<ManagedFieldsEntry> = {}): ManagedFieldsEntry {
  return {
    manager: MANAGER,
    operation: 'Apply',
    apiVersion: 'v1',
    time: TIME,
    fieldsType: 'FieldsV1',
    ...more,
  };
}

export function fieldsOf(value: unknown): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return {};
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [`f:${name}`, fieldsOf(member)]),
  );
}

/** A plan input in which nothing is there; each test adds its facts. */
export function aPlanInput(more: Partial<PlanInput> = {}): PlanInput {
  return {
    target: TARGET,
    application: 'local/shop',
    key: KEY,
    revision: 'c1',
    mode: 'reconcile',
    manifests: [],
    inventory: new Map(),
    verdicts: new Map(),
    observation: new Map(),
    prune: true,
    takeover: false,
    requested: false,
    ...more,
  };
}

/** The entry that an apply of this object leaves behind, beside the live object it is about. */
export function recorded(object: KubeObject): {
  readonly entry: InventoryEntry;
  readonly live: LiveObject;
  readonly projection: Readonly<Record<string, unknown>>;
} {
  const [action] = buildPlan(aPlanInput({ manifests: [aManifest(object)] })).actions;
  if (action?.kind !== 'apply') {
    throw new Error(`expected an apply, got ${action?.kind}`);
  }
  const live = anAppliedObject(action.object);
  return { ...recordApplied(action, live, { fieldManager: MANAGER, key: KEY }), live };
}

export interface World {
  readonly inventory: Inventory;
  readonly observation: Observation;
  readonly verdicts: ReadonlyMap<string, Verdict>;
}

/** A cluster that holds these objects as they were applied, all of them judged clean. */
export function aWorld(objects: readonly KubeObject[]): World {
  const all = objects.map(recorded);
  const keyed = <T>(value: (each: (typeof all)[number]) => T): ReadonlyMap<string, T> =>
    new Map(all.map((each) => [resourceKey(each.entry.id), value(each)]));
  return {
    inventory: keyed(({ entry }) => entry),
    observation: keyed(({ live }): Observed => ({ kind: 'live', metadata: live })),
    verdicts: keyed((): Verdict => ({ kind: 'clean' })),
  };
}

export function actionOn(actions: readonly Action[], object: KubeObject): Action {
  const key = resourceKey(resourceId(object));
  const found = actions.filter(({ id }) => resourceKey(id) === key);
  if (found.length !== 1 || found[0] === undefined) {
    throw new Error(`expected one action on ${key}, got ${found.length}`);
  }
  return found[0];
}

export function kindsOf(actions: readonly Action[]): readonly string[] {
  return actions.map(({ kind, id }) => `${kind} ${id.kind} ${id.name}`);
}

export function aRejection(object: KubeObject, why = 'no matches for kind'): RejectedManifest {
  return { manifest: aManifest(object), why };
}
