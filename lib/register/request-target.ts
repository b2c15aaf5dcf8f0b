import type { Digest, TargetId } from '../model/ids.ts';
import type { TargetState } from '../model/target-state.ts';
import type { WakeUp } from '../model/wake-up.ts';
import type { RegisterDeps } from './deps.ts';

export type RequestOutcome =
  /** `requested`: the number of the request; it is done when `handled` reaches it. */
  | { readonly kind: 'requested'; readonly target: TargetId; readonly requested: number }
  /** Suspended, invalid or gone: a run could do nothing now. */
  | { readonly kind: 'resting'; readonly target: TargetId };

/**
 * Asks for a run of each target now, whatever back-off it is in, and for a look at its source.
 * @param allowPrune permits this delete set of the wanted revision
 */
export async function requestTargets(
  deps: Pick<RegisterDeps, 'state' | 'queue' | 'now'>,
  targets: readonly TargetState[],
  allowPrune?: Digest,
): Promise<readonly RequestOutcome[]> {
  const outcomes: RequestOutcome[] = [];
  const wakeUps = new Map<string, WakeUp>();
  for (const { target, wanted } of targets) {
    const now = deps.now();
    const outcome = await deps.state.changeTarget(
      target,
      allowPrune === undefined
        ? { kind: 'request', now }
        : { kind: 'allow-prune', now, deleteSet: allowPrune },
    );
    if (outcome.kind === 'write') {
      outcomes.push({ kind: 'requested', target, requested: outcome.next.requested });
      wakeUps.set(target, { v: 1, kind: 'target', target, reason: 'requested' });
    } else {
      outcomes.push({ kind: 'resting', target });
    }
    if (wanted.kind !== 'removed') {
      const { source } = wanted.application;
      wakeUps.set(`source ${source}`, { v: 1, kind: 'source', source, reason: 'requested' });
    }
  }
  await deps.queue.send([...wakeUps.values()]);
  return outcomes;
}
