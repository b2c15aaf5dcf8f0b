import { isDefinitionKind } from '../definitions/read-definitions.ts';
import { errorRecord, HoldfastError } from '../model/errors.ts';
import type { TargetState } from '../model/target-state.ts';
import type { Rendered } from '../render/renderer.ts';
import { unpackArtefact } from '../source/artefact.ts';
import { carryOut } from './carry-out.ts';
import { retryDelayMs, type TargetStageDeps } from './deps.ts';
import { NO_CLAIMS, standingClaims } from './hand-over.ts';
import { loadInventory } from './inventory-document.ts';
import { leaveOutHooks } from './leave-out-hooks.ts';
import { planTarget } from './plan-target.ts';
import { NO_COUNTS, type RunInput, type RunResult } from './run-result.ts';

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
  const rendered = await renderWanted(deps, state);
  if (rendered === 'artefact-missing') return artefactMissing(deps, state);
  const kube = await deps.connector.connect(state.cluster, 'apply');
  const before = { ...kube.requestCounts };
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
    Object.entries(kube.requestCounts).map(([verb, count]) => [verb, count - (before[verb] ?? 0)]),
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

async function renderWanted(
  deps: TargetStageDeps,
  state: TargetState,
): Promise<Rendered | 'artefact-missing'> {
  const { wanted } = state;
  if (wanted.kind !== 'revision') return { manifests: [], warnings: [] };
  const bytes = await deps.artefacts.get(wanted.artefact);
  if (bytes === undefined) return 'artefact-missing';
  const files = unpackArtefact(wanted.artefact, bytes);
  const rendered = await deps.renderer.render({ files, application: wanted.application });
  const { manifests, warnings } = leaveOutHooks(rendered.manifests);
  return {
    // Definitions are registered by the source stage; a cluster never sees them.
    manifests: manifests.filter(({ object }) => !isDefinitionKind(object.apiVersion, object.kind)),
    warnings: [...rendered.warnings, ...warnings],
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
