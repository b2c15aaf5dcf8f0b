import type { ActionResult } from '../apply/apply-report.ts';
import { executePlan } from '../apply/execute-plan.ts';
import { executePrune } from '../apply/execute-prune.ts';
import type { KubeApi } from '../cluster/kube-api.ts';
import { HoldfastError } from '../model/errors.ts';
import { fieldManagerOf } from '../model/ids.ts';
import type { Projection } from '../model/inventory.ts';
import type { Action, Plan } from '../model/plan.ts';
import { resourceKey, type ResourceId } from '../model/resource.ts';
import type { TargetState } from '../model/target-state.ts';
import { afterRun, writeAhead } from '../plan/record.ts';
import { conclude } from './conclude.ts';
import { crdStates } from './crd-states.ts';
import type { TargetStageDeps } from './deps.ts';
import { handOver, leaveClaims, othersInMotion, type StandingClaims } from './hand-over.ts';
import { loadProjections, storeInventory, type LoadedInventory } from './inventory-document.ts';
import type { RunInput, RunResult } from './run-result.ts';

interface Work {
  readonly kube: KubeApi;
  readonly inventory: LoadedInventory;
  readonly plan: Plan;
  readonly claims: StandingClaims;
}

/**
 * Carries a plan out: the inventory first, so that whatever happens is covered by it; then the applies, stage by stage,
 * what is handed over, and the prunes.
 * @throws HoldfastError `lease-lost`
 */
export async function carryOut(deps: TargetStageDeps, input: RunInput, work: Work): Promise<RunResult> {
  const { state, lease } = input;
  const { kube, inventory, plan, claims } = work;
  const { target, epoch } = state;
  const ahead = writeAhead(inventory.entries, plan);
  const touches = plan.actions.some(({ kind }) => kind === 'apply' || kind === 'prune');
  let packs = inventory.packs;
  if (touches) {
    const stored = await storeInventory(deps.state, target, epoch, {
      entries: ahead,
      packs,
      projections: new Map(),
    });
    const written = await deps.state.changeTarget(target, {
      kind: 'write-ahead',
      epoch,
      inventory: stored.pointer,
    });
    if (written.kind === 'none') throw leaseLost();
  }
  const previous = await previousProjections(deps, state, inventory, plan);
  const shared = {
    kube,
    target,
    fieldManager: fieldManagerOf(target),
    lease,
    deadline: input.deadline,
    previousFields: previous,
    now: () => deps.clock.monotonic(),
    random: deps.random,
    ...(input.takeover ? { epochAnnotation: epoch } : {}),
  };
  const report = await executePlan(
    shared,
    plan.actions.filter(({ kind }) => kind !== 'prune'),
  );
  const results: ActionResult[] = [...report.results];
  await leaveClaims(deps, state, results);
  const handed = await handOver(deps, kube, { target, plan, claims, deadline: input.deadline });
  results.push(...handed.failures);
  const prunes = plan.actions.filter(
    (action): action is Extract<Action, { kind: 'prune' }> => action.kind === 'prune',
  );
  let { interrupted } = report;
  const waits = prunes.length > 0 && (await othersInMotion(deps, state));
  if (!waits && interrupted === undefined) {
    const guards = { keptUids: keptUids(plan, results), unsettled: unsettled(results) };
    const pruned = await executePrune({ ...shared, ...guards }, prunes);
    results.push(...pruned.results);
    interrupted = pruned.interrupted;
  } else {
    results.push(...prunes.map((action) => ({ kind: 'not-attempted' as const, action })));
  }
  if (interrupted === 'lease-lost') throw leaseLost();

  const crdOf = await crdStates(
    kube,
    plan.actions.map(({ id }) => id),
    input.deadline,
  );
  const after = afterRun(ahead, plan, results, {
    fieldManager: shared.fieldManager,
    key: await deps.hashKey(),
    crdOf,
  });
  return await conclude(deps, input, {
    inventory,
    after,
    packs,
    plan,
    results,
    waits,
    interrupted: interrupted === 'deadline',
  });
}

function leaseLost(): HoldfastError {
  return new HoldfastError('lease-lost', 'another worker has taken this target over', { retryable: true });
}

/** What we owned before, for the objects whose render has changed: fields that left Git must not survive. */
async function previousProjections(
  deps: TargetStageDeps,
  state: TargetState,
  inventory: LoadedInventory,
  plan: Plan,
): Promise<(id: Action['id']) => Projection | undefined> {
  const known = plan.actions.some(
    (action) => action.kind === 'apply' && action.previous?.projection !== undefined,
  );
  if (!known) return () => undefined;
  const projections = await loadProjections(deps.state, state.target, inventory);
  return (id) => {
    const digest = inventory.entries.get(resourceKey(id))?.projection;
    return digest === undefined ? undefined : projections.get(digest);
  };
}

function keptUids(plan: Plan, results: readonly ActionResult[]): ReadonlySet<string> {
  const uids = new Set<string>();
  for (const result of results) if (result.kind === 'applied') uids.add(result.live.metadata.uid);
  for (const action of plan.actions) {
    if (action.kind === 'unchanged' && action.entry.baseline !== undefined)
      uids.add(action.entry.baseline.uid);
    if (action.kind === 'apply' && action.live !== undefined) uids.add(action.live.uid);
  }
  return uids;
}

/** Objects that should have been applied and were not: a twin of theirs under another API group must not be deleted. */
function unsettled(results: readonly ActionResult[]): readonly ResourceId[] {
  return results
    .filter(({ kind }) => kind === 'failed' || kind === 'not-attempted')
    .map(({ action }) => action.id);
}
