import type { ActionResult } from '../apply/apply-report.ts';
import { type Digest, sha256 } from '../model/ids.ts';
import type { Inventory, InventoryEntry, Projection } from '../model/inventory.ts';
import type { Action, Plan } from '../model/plan.ts';
import {
  describeOrigin,
  type LiveObject,
  type ResourceId,
  resourceKey,
  versionOf,
} from '../model/resource.ts';
import { baselineOf, type CrdState } from './baseline.ts';
import { canonicalJson } from './canonical-json.ts';
import type { HashKey } from './keyed-hash.ts';
import { projectionOf } from './projection.ts';

type ApplyAction = Extract<Action, { kind: 'apply' }>;

export interface RecordContext {
  readonly fieldManager: string;
  readonly key: HashKey;
  /** The CRD of a custom resource as it stands after the run; undefined for built-in kinds. */
  readonly crdOf?: (id: ResourceId) => CrdState | undefined;
}

/** What is kept of an object that was applied: its entry, and the projection under the digest that the entry names. */
export function recordApplied(
  action: ApplyAction,
  live: LiveObject,
  context: RecordContext,
): { readonly entry: InventoryEntry; readonly projection: Projection } {
  const projection = projectionOf(live, context.fieldManager, context.key, action.object);
  const entry: InventoryEntry = {
    id: action.id,
    version: versionOf(action.object.apiVersion),
    namespaced: action.id.namespace !== undefined,
    status: 'applied',
    desired: action.desired,
    baseline: baselineOf(live, context.fieldManager, context.crdOf?.(action.id)),
    projection: sha256(canonicalJson(projection)),
    origin: describeOrigin(action.origin),
  };
  return { entry, projection };
}

/**
 * The inventory to store before the first change: old ∪ new. Whatever is about to be applied is pending (with the
 * baseline it had), whatever is about to be deleted is deleting; nothing leaves it here.
 */
export function writeAhead(inventory: Inventory, plan: Plan): Inventory {
  const ahead = new Map(inventory);
  for (const action of plan.actions) {
    const key = resourceKey(action.id);
    if (action.kind === 'apply') {
      ahead.set(key, pending(action, inventory.get(key)));
    } else if (action.kind === 'prune') {
      ahead.set(key, { ...action.entry, status: 'deleting' });
    }
  }
  return ahead;
}

/**
 * The inventory to store when the run ends, from what was written ahead and what became of it, and the projections its
 * new entries name. An entry leaves only when its object is known to be gone, or was let go on purpose: an apply that
 * failed or was not tried may still have reached the cluster, and stays pending.
 * @param results of the applies and the prunes, in any order; an action without a result was not tried
 */
export function afterRun(
  ahead: Inventory,
  plan: Plan,
  results: readonly ActionResult[],
  context: RecordContext,
): { readonly inventory: Inventory; readonly projections: ReadonlyMap<Digest, Projection> } {
  const inventory = new Map(ahead);
  const projections = new Map<Digest, Projection>();
  for (const result of results) {
    const key = resourceKey(result.action.id);
    switch (result.kind) {
      case 'applied': {
        const { entry, projection } = recordApplied(result.action, result.live, context);
        inventory.set(key, entry);
        if (entry.projection !== undefined) {
          projections.set(entry.projection, projection);
        }
        break;
      }
      case 'pruned':
      case 'released':
        inventory.delete(key);
        break;
      case 'withheld':
        inventory.set(key, undecided(result.action.entry));
        break;
      case 'terminating':
      case 'failed':
      case 'not-attempted':
        break;
    }
  }
  for (const id of letGo(plan, results)) {
    inventory.delete(resourceKey(id));
  }
  return { inventory, projections };
}

function pending(action: ApplyAction, before: InventoryEntry | undefined): InventoryEntry {
  const origin = describeOrigin(action.origin);
  return before === undefined
    ? {
        id: action.id,
        version: versionOf(action.object.apiVersion),
        namespaced: action.id.namespace !== undefined,
        status: 'pending',
        desired: action.desired,
        origin,
      }
    : { ...before, status: 'pending', desired: action.desired, origin };
}

/** A deletion that the executor refused is to be decided, and counted, again. */
function undecided(entry: InventoryEntry): InventoryEntry {
  return { ...entry, status: entry.baseline === undefined ? 'pending' : 'applied' };
}

/** The releases of the plan, but those whose hand-over failed or was not reached. */
function letGo(plan: Plan, results: readonly ActionResult[]): readonly ResourceId[] {
  const unfinished = new Set(
    results
      .filter(({ kind }) => kind === 'failed' || kind === 'not-attempted')
      .map(({ action }) => resourceKey(action.id)),
  );
  return plan.actions
    .filter(({ kind, id }) => kind === 'release' && !unfinished.has(resourceKey(id)))
    .map(({ id }) => id);
}
