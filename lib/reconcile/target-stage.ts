import { errorRecord } from '../model/errors.ts';
import type { TargetId } from '../model/ids.ts';
import type { BlobPointer } from '../model/inventory.ts';
import type { Run } from '../model/run.ts';
import type { RecordedInputs, TargetState } from '../model/target-state.ts';
import type { Refusal, TargetEvent } from '../model/target-transitions.ts';
import type { WakeReason, WakeUp } from '../model/wake-up.ts';
import { type TargetStageDeps } from './deps.ts';
import { keepLease } from './keep-lease.ts';
import type { RunResult } from './run-result.ts';
import { failedRun, runTarget } from './run-target.ts';

export type TargetOutcome =
  /** Nothing to do: it rests, another worker holds it, or it does not exist. */
  | { readonly kind: 'idle'; readonly why: Refusal }
  | { readonly kind: 'ran'; readonly run: Run }
  /** Another worker took the target over; what this one did is covered by the inventory that it wrote ahead. */
  | { readonly kind: 'lost' };

/** Kept back from the function's own deadline for committing and for the answer. */
const COMMIT_RESERVE_MS = 5_000;

/**
 * Takes the lease of a target and brings its cluster to what is wanted.
 * Every ending except a crash is recorded and acknowledged; what remains to be done is a time on the target and a wake-up.
 *
 * @param wake.deadline monotonic milliseconds at which the function is ended
 */
export async function runTargetStage(
  deps: TargetStageDeps,
  id: TargetId,
  wake: { readonly reason: WakeReason; readonly deadline: number },
): Promise<TargetOutcome> {
  const heartbeat = await deps.state.getHeartbeat(id);
  const grantedAt = deps.clock.monotonic();
  const startedAt = deps.clock.now();
  const { leaseMs } = deps.timings;
  const acquired = await deps.state.changeTarget(id, {
    kind: 'acquire',
    now: startedAt,
    owner: deps.newId(),
    leaseMs,
    ...(heartbeat === undefined ? {} : { heartbeat }),
  });
  if (acquired.kind === 'none') return { kind: 'idle', why: acquired.why };
  const state = acquired.next;
  if (acquired.effect === 'taken-over') deps.metrics?.emit('LeaseStolen');
  const runId = `${String(startedAt).padStart(13, '0')}-${deps.newId()}`;
  const log = deps.log.child({
    target: id,
    application: state.application,
    cluster: state.cluster,
    epoch: state.epoch,
    run: runId,
    ...(state.wanted.kind === 'removed' || state.wanted.revision === undefined
      ? {}
      : { revision: state.wanted.revision }),
  });
  const lease = keepLease(deps, { target: id, epoch: state.epoch, leaseMs, grantedAt });
  let result: RunResult;
  let inputs: RecordedInputs | undefined;
  try {
    result = await runTarget(
      { ...deps, log },
      {
        state,
        takeover: acquired.effect === 'taken-over',
        lease,
        deadline: wake.deadline - COMMIT_RESERVE_MS,
        onInputs: (recorded) => {
          inputs = recorded;
        },
      },
    );
  } catch (error) {
    log.warn('run failed', {
      error: errorRecord(error).message,
      code: errorRecord(error).code,
      cause: error,
    });
    result = failedRun(deps, state, error);
  } finally {
    lease.stop();
  }
  return await commit({ ...deps, log }, state, { ...wake, startedAt, runId, inputs }, result);
}

async function commit(
  deps: TargetStageDeps,
  state: TargetState,
  wake: {
    readonly reason: WakeReason;
    readonly startedAt: number;
    readonly runId: string;
    readonly inputs: RecordedInputs | undefined;
  },
  result: RunResult,
): Promise<TargetOutcome> {
  const id = state.target;
  const endedAt = deps.clock.now();
  const run: Run = {
    schema: 1,
    id: wake.runId,
    target: id,
    reason: wake.reason,
    ...(state.wanted.kind === 'revision' ? { revision: state.wanted.revision } : {}),
    epoch: state.epoch,
    startedAt: wake.startedAt,
    endedAt,
    outcome: result.outcome,
    counts: result.counts,
    errors: result.errors,
    warnings: result.warnings,
    requests: result.requests,
  };
  const finish: TargetEvent = {
    kind: 'finish',
    now: endedAt,
    epoch: state.epoch,
    wantedSeq: state.wantedSeq,
    requested: state.requested,
    outcome: result.outcome,
    runId: run.id,
    message: result.message,
    inventory: result.inventory,
    ...(wake.inputs === undefined ? {} : { inputs: wake.inputs }),
    ...(result.retryAt === undefined ? {} : { retryAt: result.retryAt }),
  };
  const finished = await deps.state.changeTarget(id, finish);
  if (finished.kind === 'none') {
    deps.log.warn('lease lost before the commit');
    return { kind: 'lost' };
  }
  await deps.state.putRun(run);
  emitRun(deps, run);
  deps.log.info('run finished', {
    outcome: run.outcome,
    counts: run.counts,
    errors: run.errors.length,
  });
  const wakeUps: WakeUp[] = [];
  if (result.wakeSource !== undefined)
    wakeUps.push({ v: 1, kind: 'source', source: result.wakeSource, reason: 'artefact-missing' });
  for (const target of result.wakeTargets ?? []) {
    // The request makes it due: it rests in the back-off of its refusal.
    await deps.state.changeTarget(target, { kind: 'request', now: deps.clock.now() });
    wakeUps.push({ v: 1, kind: 'target', target, reason: 'registered' });
  }
  await deps.queue.send(wakeUps);
  if (finished.effect === 'wake') {
    // What is wanted may have moved while this ran: the transition has looked once more.
    const delayMs = Math.max(0, (finished.next.nextAttemptAt ?? endedAt) - deps.clock.now());
    const reason = result.outcome === 'continued' ? 'continuation' : 'retry';
    await deps.queue.send([{ v: 1, kind: 'target', target: id, reason }], Math.ceil(delayMs / 1000));
  }
  await dropUnused(deps, finished.next, result.packs);
  return { kind: 'ran', run };
}

/** What is continued or was overtaken has not ended yet. */
function emitRun({ metrics }: TargetStageDeps, run: Run): void {
  if (run.outcome === 'succeeded') metrics?.emit('ReconcileSucceeded');
  if (run.outcome === 'failed') metrics?.emit('ReconcileFailed');
  metrics?.emit('ReconcileDuration', run.endedAt - run.startedAt);
}

/** Blobs that no pointer of the committed item leads to. `packs` undefined: the run changed nothing. */
async function dropUnused(
  deps: TargetStageDeps,
  state: TargetState,
  packs: readonly BlobPointer[] | undefined,
): Promise<void> {
  if (packs === undefined) return;
  const documents = [state.inventory, state.pending?.inventory].filter((pointer) => pointer !== undefined);
  await deps.state.dropBlobs({ target: state.target }, state.epoch, [...packs, ...documents]);
}
