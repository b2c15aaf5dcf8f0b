import type { KubeApi } from '../cluster/kube-api.ts';
import { errorRecord, HoldfastError } from '../model/errors.ts';
import type { TargetState } from '../model/target-state.ts';
import { carryOut } from './carry-out.ts';
import { retryDelayMs, type TargetStageDeps } from './deps.ts';
import { NO_CLAIMS, standingClaims } from './hand-over.ts';
import { loadInventory } from './inventory-document.ts';
import { planTarget } from './plan-target.ts';
import { renderWanted } from './render-wanted.ts';
import { NO_COUNTS, type RunInput, type RunResult } from './run-result.ts';

/**
 * Errors of the commit itself: the same inputs fail the same way, so only a new commit, another input or a request tries
 * again. A missing value or key is none of them: it may be made at any time, and is looked for again with back-off.
 */
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
  let before: Readonly<Record<string, number>> | undefined;
  const connect = async (): Promise<KubeApi> => {
    const kube = await deps.connector.connect(state.cluster, 'apply');
    before ??= { ...kube.requestCounts };
    return kube;
  };
  const rendered = await renderWanted(deps, {
    state,
    connect,
    deadline: input.deadline,
    ...(input.onInputs === undefined ? {} : { onRecorded: input.onInputs }),
  });
  if (rendered === 'artefact-missing') return artefactMissing(deps, state);
  const kube = await connect();
  const claims = inventory.entries.size === 0 ? NO_CLAIMS : await standingClaims(deps, state.target);
  const planned = await planTarget(
    { kube, key: await deps.hashKey() },
    {
      state,
      takeover: input.takeover,
      manifests: rendered.manifests,
      inventory: inventory.entries,
      claimedElsewhere: claims.byKey,
      deadline: input.deadline,
    },
  );
  deps.log.info('plan built', planned.summary);
  const result = await carryOut(deps, input, { kube, inventory, plan: planned.plan, claims });
  const requests = Object.fromEntries(
    Object.entries(kube.requestCounts).map(([verb, count]) => [verb, count - (before?.[verb] ?? 0)]),
  );
  const warnings = [...rendered.warnings, ...planned.plan.warnings, ...result.warnings];
  return { ...result, warnings, requests };
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

function artefactMissing(deps: TargetStageDeps, state: TargetState): RunResult {
  const error = new HoldfastError('artefact-missing', 'the artefact is gone; the source rebuilds it', {
    retryable: true,
  });
  const failed = failedRun(deps, state, error);
  return state.wanted.kind === 'revision'
    ? { ...failed, wakeSource: state.wanted.application.source }
    : failed;
}
