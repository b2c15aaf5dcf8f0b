import type { WakeUp } from '../model/wake-up.ts';
import type { SweepDeps } from './deps.ts';

/** Targets woken in one sweep; what is left over is still due at the next. */
const MAX_TARGETS = 5_000;

/** A target that has been due for so long is behind: a push is applied within seconds, a back-off ends by itself. */
export const BEHIND_MS = 10 * 60_000;

/** Wakes every source, so that a lost webhook is found, and every target that is due, so that a lost message is. */
export async function sweep(
  deps: SweepDeps,
): Promise<{ readonly sources: number; readonly targets: number }> {
  const sources = await deps.state.listSources();
  const now = deps.clock.now();
  const targets = await deps.state.dueTargets(now, MAX_TARGETS);
  const behind = await deps.state.dueTargets(now - BEHIND_MS, MAX_TARGETS);
  const wakeUps: WakeUp[] = [
    ...sources.map(({ id }): WakeUp => ({ v: 1, kind: 'source', source: id, reason: 'sweep' })),
    ...targets.map((target): WakeUp => ({ v: 1, kind: 'target', target, reason: 'sweep' })),
  ];
  await deps.queue.send(wakeUps);
  await deps.state.putSweep({ schema: 1, sweptAt: now });
  deps.metrics?.emit('TargetsBehind', behind.length);
  deps.log.info('swept', { sources: sources.length, targets: targets.length, behind: behind.length });
  return { sources: sources.length, targets: targets.length };
}
