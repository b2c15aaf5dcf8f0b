import type { InventoryEntry } from '../model/inventory.ts';
import type { Action } from '../model/plan.ts';
import { describeResource, type ResourceId, resourceKey } from '../model/resource.ts';
import type { PlanInput } from './build-plan.ts';
import { stageOf } from './order.ts';
import { preconditionsOf, type WantedAction } from './plan-manifests.ts';
import { massDeletion } from './prune-guards.ts';

type LeavingAction = Extract<Action, { kind: 'prune' | 'release' | 'withhold' }>;

export const DEFAULT_MAX_PRUNE_SHARE = 0.5;
export const DEFAULT_MIN_PRUNE_COUNT = 5;

interface Deletions {
  readonly actions: readonly LeavingAction[];
  /** What this run would decide to delete; an allowance is bound to it. */
  readonly undecided: readonly ResourceId[];
  readonly held?: string;
}

/** One action for each entry of the inventory that no manifest stands for any more, in no order. */
export function planDeletions(input: PlanInput, wanted: readonly WantedAction[]): Deletions {
  const stays = new Set(wanted.map(({ id }) => resourceKey(id)));
  const settle = settlement(input, wanted);
  const settled: LeavingAction[] = [];
  const leaving: InventoryEntry[] = [];
  for (const [key, entry] of input.inventory) {
    const action = stays.has(key) ? undefined : settle(entry);
    if (action !== undefined) {
      settled.push(action);
    } else if (!stays.has(key)) {
      leaving.push(entry);
    }
  }

  const undecided = leaving.filter(({ status }) => status !== 'deleting');
  const ids = undecided.map(({ id }) => id);
  const empty = emptyRender(input);
  if (empty !== undefined && leaving.length > 0) {
    return { actions: [...settled, ...leaving.map(withhold(empty))], undecided: ids, held: empty };
  }
  const held = input.mode === 'remove' ? undefined : heldBy(input, undecided, wanted);
  const actions = leaving.map((entry) =>
    // What an earlier run decided to delete is not decided again.
    held !== undefined && entry.status !== 'deleting' ? withhold(held)(entry) : prune(input, entry),
  );
  return { actions: [...settled, ...actions], undecided: ids, ...(held === undefined ? {} : { held }) };
}

/** What becomes of an entry that is out of Git and is not to be deleted, whatever the rest of the set is. */
function settlement(
  input: PlanInput,
  wanted: readonly WantedAction[],
): (entry: InventoryEntry) => LeavingAction | undefined {
  const heirOf = heirs(input, wanted);
  const rejected = rejectedNames(wanted);

  return (entry) => {
    const owner = input.claimedElsewhere?.get(resourceKey(entry.id));
    if (owner !== undefined) {
      return { kind: 'release', id: entry.id, entry, why: `now belongs to ${owner}` };
    }
    const heir = heirOf(entry);
    if (heir?.state === 'same') {
      return { kind: 'release', id: entry.id, entry, why: `the same object lives on as ${heir.name}` };
    }
    if (heir?.state === 'perhaps') {
      return withhold(`may be the same object as ${heir.name}`)(entry);
    }
    const { kind, name } = entry.id;
    if (rejected.has(`${kind}/${name}`) || rejected.has(`${kind}/`)) {
      return withhold('a rejected manifest may stand for it')(entry);
    }
    return input.prune ? undefined : unpruned(input, entry);
  };
}

interface Heir {
  readonly state: 'same' | 'perhaps';
  readonly name: string;
}

/**
 * The manifest under which an object stays although its identity left Git: an Ingress that moves from extensions to
 * networking.k8s.io is one object with one uid, and deleting the old identity deletes the new one. Only perhaps, where
 * the new identity was not looked at, or is rejected and does not take the object over.
 */
function heirs(
  input: PlanInput,
  wanted: readonly WantedAction[],
): (entry: InventoryEntry) => Heir | undefined {
  const byUid = new Map<string, Heir>();
  const unseen = new Map<string, Heir>();
  for (const { kind, id } of wanted) {
    const key = resourceKey(id);
    const uid = liveUid(input, key);
    const name = describeResource(id);
    if (uid !== undefined) {
      byUid.set(uid, { state: kind === 'reject' ? 'perhaps' : 'same', name });
    } else if (input.observation.get(key)?.kind !== 'absent') {
      unseen.set(withoutGroup(id), { state: 'perhaps', name });
    }
  }
  return (entry) => {
    const uid = liveUid(input, resourceKey(entry.id)) ?? entry.baseline?.uid;
    return (uid === undefined ? undefined : byUid.get(uid)) ?? unseen.get(withoutGroup(entry.id));
  };
}

function withoutGroup(id: ResourceId): string {
  return resourceKey({ ...id, group: '' });
}

/** Without pruning, an entry stays for the day when pruning is switched on, as long as there is something to prune. */
function unpruned(input: PlanInput, entry: InventoryEntry): LeavingAction {
  const why = 'pruning is off (spec.prune: false)';
  if (input.mode === 'remove') {
    return { kind: 'release', id: entry.id, entry, why };
  }
  // With a worker that may still be writing, absent is not gone.
  const gone = input.observation.get(resourceKey(entry.id))?.kind === 'absent' && !input.takeover;
  return gone
    ? { kind: 'release', id: entry.id, entry, why: 'is not in the cluster any more' }
    : withhold(why)(entry);
}

/** A rejected manifest may lack its namespace (its kind is not served) or its name, or have moved to another group. */
function rejectedNames(wanted: readonly WantedAction[]): ReadonlySet<string> {
  return new Set(wanted.flatMap(({ kind, id }) => (kind === 'reject' ? [`${id.kind}/${id.name}`] : [])));
}

function emptyRender(input: PlanInput): string | undefined {
  const nothing = input.manifests.length === 0 && (input.rejections ?? []).length === 0;
  return nothing && input.mode === 'reconcile'
    ? `the render is empty: nothing is pruned. Remove application ${input.application} to remove its objects, ` +
        'or correct spec.source.path'
    : undefined;
}

function heldBy(
  input: PlanInput,
  undecided: readonly InventoryEntry[],
  wanted: readonly WantedAction[],
): string | undefined {
  return massDeletion({
    inventory: [...input.inventory.values()],
    leaving: undecided,
    wanted: wanted.map(({ id }) => id),
    observation: input.observation,
    revision: input.revision,
    allowance: input.allowance,
    maxPruneShare: input.maxPruneShare ?? DEFAULT_MAX_PRUNE_SHARE,
    minPruneCount: input.minPruneCount ?? DEFAULT_MIN_PRUNE_COUNT,
    application: input.application,
  });
}

function prune(input: PlanInput, entry: InventoryEntry): LeavingAction {
  const observed = input.observation.get(resourceKey(entry.id));
  return {
    kind: 'prune',
    id: entry.id,
    entry,
    ...(observed?.kind === 'live' ? { live: preconditionsOf(observed) } : {}),
    stage: stageOf(entry.id),
  };
}

function withhold(why: string): (entry: InventoryEntry) => LeavingAction {
  return (entry) => ({ kind: 'withhold', id: entry.id, entry, why });
}

function liveUid(input: PlanInput, key: string): string | undefined {
  const observed = input.observation.get(key);
  return observed?.kind === 'live' ? observed.metadata.metadata.uid : undefined;
}
