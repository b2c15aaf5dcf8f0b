import type { RootId } from '../model/ids.ts';
import type { LeavingTarget } from '../model/registry.ts';
import { dueAt, isGone, type TargetState } from '../model/target-state.ts';
import type { WakeUp } from '../model/wake-up.ts';
import type { SourceStageDeps } from './deps.ts';

/**
 * Turns each target that left into a tombstone, and forgets those that are gone from their cluster.
 * Safe to repeat at any time: until a target is gone its registry keeps it.
 */
export async function workOffLeaving(
  deps: Pick<SourceStageDeps, 'state' | 'clock' | 'log'>,
  root: RootId,
): Promise<readonly WakeUp[]> {
  const registry = await deps.state.getRegistry(root);
  if (registry.leaving.length === 0) return [];
  const states = await deps.state.getTargets(registry.leaving.map(({ target }) => target));
  const gone = new Set<LeavingTarget>();
  const wakeUps: WakeUp[] = [];
  for (const leaving of registry.leaving) {
    const state = states.get(leaving.target);
    if (isForgettable(state, leaving)) {
      gone.add(leaving);
    } else if (await bury(deps, root, leaving)) {
      wakeUps.push({ v: 1, kind: 'target', target: leaving.target, reason: 'registered' });
    }
  }
  if (gone.size > 0) {
    const done = new Set([...gone].map(({ target, definition }) => `${target} ${definition}`));
    await deps.state.changeRegistry(root, (current) => ({
      next: {
        ...current,
        leaving: current.leaving.filter(({ target, definition }) => !done.has(`${target} ${definition}`)),
      },
      result: undefined,
    }));
    deps.log.info('removed targets are gone', { root, count: gone.size });
  }
  return wakeUps;
}

function isForgettable(state: TargetState | undefined, leaving: LeavingTarget): boolean {
  if (state === undefined) return true;
  return isGone(state) && state.wanted.order.definition >= leaving.definition;
}

async function bury(
  deps: Pick<SourceStageDeps, 'state' | 'clock'>,
  root: RootId,
  leaving: LeavingTarget,
): Promise<boolean> {
  const { target, application, cluster, title } = leaving;
  const outcome = await deps.state.changeTarget(target, {
    kind: 'want',
    now: deps.clock.now(),
    identity: { target, application, root, cluster, title },
    wanted: { kind: 'removed', order: { definition: leaving.definition }, prune: leaving.prune },
  });
  if (outcome.kind === 'write') return outcome.effect === 'wake';
  const state = await deps.state.getTarget(target);
  const due = state && dueAt(state);
  return due !== undefined && due <= deps.clock.now();
}
