import { executePlan } from '../apply/execute-plan.ts';
import { executePrune } from '../apply/execute-prune.ts';
import type { ActionResult } from '../apply/apply-report.ts';
import type { KubeApi } from '../cluster/kube-api.ts';
import { isDefinitionKind } from '../definitions/read-definitions.ts';
import { errorRecord, HoldfastError } from '../model/errors.ts';
import { fieldManagerOf, type Digest, type SourceId } from '../model/ids.ts';
import type { BlobPointer, Inventory, Projection } from '../model/inventory.ts';
import type { Action, Plan } from '../model/plan.ts';
import { describeOrigin, describeResource, resourceKey, type Manifest } from '../model/resource.ts';
import type { ObjectError, RunCounts, RunOutcome } from '../model/run.ts';
import type { TargetState } from '../model/target-state.ts';
import { afterRun, writeAhead } from '../plan/record.ts';
import { unpackArtefact } from '../source/artefact.ts';
import { crdStates } from './crd-states.ts';
import { retryDelayMs, type TargetStageDeps } from './deps.ts';
import {
  loadInventory,
  loadProjections,
  storeInventory,
  type LoadedInventory,
} from './inventory-document.ts';
import type { HeldLease } from './keep-lease.ts';
import { planTarget } from './plan-target.ts';

export interface RunInput {
  readonly state: TargetState;
  readonly takeover: boolean;
  readonly lease: HeldLease;
  /** Monotonic milliseconds. */
  readonly deadline: number;
}

export interface RunResult {
  readonly outcome: RunOutcome;
  readonly message: string;
  readonly counts: RunCounts;
  readonly errors: readonly ObjectError[];
  readonly warnings: readonly string[];
  readonly requests: Readonly<Record<string, number>>;
  readonly inventory: BlobPointer | 'keep' | 'none';
  /** The packs that the new inventory needs; absent when it is kept. */
  readonly packs?: readonly BlobPointer[];
  readonly retryAt?: number;
  readonly wakeSource?: SourceId;
}

const NO_COUNTS: RunCounts = {
  created: 0,
  changed: 0,
  healed: 0,
  unchanged: 0,
  pruned: 0,
  withheld: 0,
  failed: 0,
};

/** Errors of the commit itself: the same inputs fail the same way, so only a new commit or a request tries again. */
const TERMINAL = new Set([
  'render-failed',
  'render-refused',
  'duplicate-resource',
  'path-missing',
  'invalid-input',
]);

/** One reconcile under a held lease: render, judge, plan, write ahead, apply, prune. */
export async function runTarget(deps: TargetStageDeps, input: RunInput): Promise<RunResult> {
  const { state } = input;
  const inventory = await loadInventory(deps.state, state);
  if (inventory === undefined) {
    throw new HoldfastError('lease-lost', 'the inventory moved on while it was read', { retryable: true });
  }
  if (state.wanted.kind === 'removed' && inventory.entries.size === 0) {
    return { ...nothingDone('removed: nothing is left in the cluster'), inventory: 'none', packs: [] };
  }
  const manifests = await renderWanted(deps, state);
  if (manifests === 'artefact-missing') return artefactMissing(deps, state);
  const kube = await deps.connector.connect(state.cluster, 'apply');
  const before = { ...kube.requestCounts };
  const planned = await planTarget(
    { kube, key: await deps.hashKey() },
    { state, takeover: input.takeover, manifests, inventory: inventory.entries, deadline: input.deadline },
  );
  deps.log.info('plan built', planned.summary);
  const result = await carryOut(deps, input, kube, inventory, planned.plan);
  const requests = Object.fromEntries(
    Object.entries(kube.requestCounts).map(([verb, count]) => [verb, count - (before[verb] ?? 0)]),
  );
  return { ...result, warnings: [...planned.plan.warnings, ...result.warnings], requests };
}

/** The run that an error ended before it changed anything it could not account for. */
export function failedRun(deps: TargetStageDeps, state: TargetState, error: unknown): RunResult {
  const record = errorRecord(error);
  const terminal = !record.retryable && TERMINAL.has(record.code);
  return {
    ...nothingDone(record.message),
    outcome: 'failed',
    errors: [{ error: record }],
    ...(terminal
      ? {}
      : { retryAt: deps.clock.now() + retryDelayMs(deps.timings, state.attempt, deps.random) }),
  };
}

function nothingDone(message: string): RunResult {
  return {
    outcome: 'succeeded',
    message,
    counts: NO_COUNTS,
    errors: [],
    warnings: [],
    requests: {},
    inventory: 'keep',
  };
}

async function renderWanted(
  deps: TargetStageDeps,
  state: TargetState,
): Promise<readonly Manifest[] | 'artefact-missing'> {
  const { wanted } = state;
  if (wanted.kind !== 'revision') return [];
  const bytes = await deps.artefacts.get(wanted.artefact);
  if (bytes === undefined) return 'artefact-missing';
  const files = unpackArtefact(wanted.artefact, bytes);
  const manifests = await deps.renderer.render({ files, application: wanted.application });
  // Definitions are registered by the source stage; a cluster never sees them.
  return manifests.filter(({ object }) => !isDefinitionKind(object.apiVersion, object.kind));
}

function artefactMissing(deps: TargetStageDeps, state: TargetState): RunResult {
  const error = new HoldfastError('artefact-missing', 'the artefact is gone; the source rebuilds it', {
    retryable: true,
  });
  const failed = failedRun(deps, state, error);
  return state.wanted.kind === 'revision'
    ? { ...failed, wakeSource: state.wanted.application.source }
    : failed;
}

async function carryOut(
  deps: TargetStageDeps,
  input: RunInput,
  kube: KubeApi,
  inventory: LoadedInventory,
  plan: Plan,
): Promise<RunResult> {
  const { state, lease } = input;
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
  const prunes = plan.actions.filter(
    (action): action is Extract<Action, { kind: 'prune' }> => action.kind === 'prune',
  );
  let interrupted = report.interrupted;
  if (prunes.length > 0 && interrupted === undefined) {
    const pruned = await executePrune({ ...shared, keptUids: keptUids(plan, results) }, prunes);
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
  return await concluded(deps, input, {
    inventory,
    after,
    packs,
    plan,
    results,
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

interface Conclusion {
  readonly inventory: LoadedInventory;
  readonly after: { readonly inventory: Inventory; readonly projections: ReadonlyMap<Digest, Projection> };
  readonly packs: readonly BlobPointer[];
  readonly plan: Plan;
  readonly results: readonly ActionResult[];
  readonly interrupted: boolean;
}

async function concluded(deps: TargetStageDeps, input: RunInput, done: Conclusion): Promise<RunResult> {
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
  const counts = { ...NO_COUNTS } as { -readonly [K in keyof RunCounts]: number };
  for (const action of plan.actions) {
    if (action.kind === 'unchanged') counts.unchanged += 1;
    if (action.kind === 'withhold') counts.withheld += 1;
  }
  for (const result of results) {
    if (result.kind === 'failed') counts.failed += 1;
    if (result.kind === 'pruned') counts.pruned += 1;
    if (result.kind === 'withheld') counts.withheld += 1;
    if (result.kind !== 'applied') continue;
    if (result.action.reason === 'drifted') counts.healed += 1;
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
