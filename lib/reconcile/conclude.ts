import type { ActionResult } from '../apply/apply-report.ts';
import type { Digest } from '../model/ids.ts';
import type { BlobPointer, Inventory, Projection } from '../model/inventory.ts';
import type { Plan } from '../model/plan.ts';
import { describeOrigin, describeResource } from '../model/resource.ts';
import type { ObjectError, RunCounts } from '../model/run.ts';
import type { TargetState } from '../model/target-state.ts';
import { retryDelayMs, type TargetStageDeps } from './deps.ts';
import { storeInventory, type LoadedInventory } from './inventory-document.ts';
import { NO_COUNTS, type RunInput, type RunResult } from './run-result.ts';

export interface Conclusion {
  readonly inventory: LoadedInventory;
  readonly after: { readonly inventory: Inventory; readonly projections: ReadonlyMap<Digest, Projection> };
  readonly packs: readonly BlobPointer[];
  readonly plan: Plan;
  readonly results: readonly ActionResult[];
  readonly interrupted: boolean;
  /** Pruning was put off, because what leaves here may be about to enter another target. */
  readonly waits: boolean;
}

/** What a run that was carried out comes to: the inventory to store, the outcome, and when to look again. */
export async function conclude(deps: TargetStageDeps, input: RunInput, done: Conclusion): Promise<RunResult> {
  const { state } = input;
  const errors = objectErrors(done.results);
  const counts = countsOf(done.plan, done.results);
  const waiting = done.results.filter(({ kind }) => kind === 'terminating').length;
  const withheld = done.results.filter((result) => result.kind === 'withheld');
  const warnings = [
    ...(done.plan.pruneHeld === undefined ? [] : [done.plan.pruneHeld]),
    ...withheld.map(({ action, why }) => `${describeResource(action.id)} is kept: ${why}`),
    ...done.results.flatMap((result) => (result.kind === 'applied' ? result.warnings : [])),
  ];
  const backoff = deps.clock.now() + retryDelayMs(deps.timings, state.attempt, deps.random);
  const stored = await storeAfter(deps, state, done);
  const base = { counts, errors, warnings, requests: {}, ...stored };
  if (errors.length > 0) {
    return {
      ...base,
      outcome: 'failed',
      message: `${errors.length} of ${done.results.length} actions failed: ${firstOf(errors)}`,
      retryAt: backoff,
    };
  }
  if (done.interrupted) {
    return {
      ...base,
      outcome: 'continued',
      message: 'out of time; the rest follows at once',
      retryAt: deps.clock.now(),
    };
  }
  if (done.waits) {
    return {
      ...base,
      outcome: 'continued',
      message: 'pruning waits for other targets of this push',
      retryAt: backoff,
    };
  }
  if (waiting > 0) {
    return {
      ...base,
      outcome: 'continued',
      message: `${waiting} objects are being deleted`,
      retryAt: backoff,
    };
  }
  if (state.wanted.kind === 'removed' && stored.inventory !== 'none') {
    return {
      ...base,
      outcome: 'continued',
      message: firstWarning(warnings),
      retryAt: deps.clock.now() + deps.timings.maxRetryMs,
    };
  }
  const message = describeCounts(counts) + (done.plan.pruneHeld === undefined ? '' : '; pruning is held');
  // What the executor withheld may become free without a push: looked at again, slowly.
  const again = withheld.length > 0 ? { retryAt: deps.clock.now() + deps.timings.maxRetryMs } : {};
  return { ...base, outcome: 'succeeded', message, ...again };
}

async function storeAfter(
  deps: TargetStageDeps,
  state: TargetState,
  done: Conclusion,
): Promise<Pick<RunResult, 'inventory' | 'packs'>> {
  const { inventory, projections } = done.after;
  if (inventory.size === 0) return { inventory: 'none', packs: [] };
  const changed = done.results.length > 0 || inventory.size !== done.inventory.entries.size;
  if (!changed && state.pending === undefined) return { inventory: 'keep' };
  const stored = await storeInventory(deps.state, state.target, state.epoch, {
    entries: inventory,
    packs: done.packs,
    projections,
  });
  return { inventory: stored.pointer, packs: stored.packs };
}

function objectErrors(results: readonly ActionResult[]): readonly ObjectError[] {
  return results.flatMap((result) => {
    if (result.kind !== 'failed') return [];
    const { action, error } = result;
    const origin = 'origin' in action ? { origin: describeOrigin(action.origin) } : {};
    return [{ object: describeResource(action.id), ...origin, error }];
  });
}

function countsOf(plan: Plan, results: readonly ActionResult[]): RunCounts {
  const counts = { ...NO_COUNTS };
  for (const action of plan.actions) {
    if (action.kind === 'unchanged') counts.unchanged += 1;
    if (action.kind === 'withhold') counts.withheld += 1;
  }
  for (const result of results) {
    if (result.kind === 'failed') counts.failed += 1;
    if (result.kind === 'pruned') counts.pruned += 1;
    if (result.kind === 'withheld') counts.withheld += 1;
    if (result.kind !== 'applied') continue;
    // An apply that changes nothing leaves the version as it was: the object was right all along.
    if (result.live.metadata.resourceVersion === result.action.live?.resourceVersion) counts.unchanged += 1;
    else if (result.action.reason === 'drifted') counts.healed += 1;
    else if (result.action.reason === 'new') counts.created += 1;
    else counts.changed += 1;
  }
  return counts;
}

function describeCounts(counts: RunCounts): string {
  const parts = Object.entries(counts).filter(([, count]) => count > 0);
  return parts.length === 0 ? 'nothing to do' : parts.map(([what, count]) => `${count} ${what}`).join(', ');
}

function firstOf(errors: readonly ObjectError[]): string {
  const [first] = errors;
  return first === undefined ? '' : `${first.object ?? 'run'}: ${first.error.message}`;
}

function firstWarning(warnings: readonly string[]): string {
  return warnings[0] ?? 'objects remain that may not be deleted yet';
}
