import type { WakeUp } from '../model/wake-up.ts';
import type { SweepDeps } from './deps.ts';

/** Targets woken in one sweep; what is left over is still due at the next. */
const MAX_TARGETS = 5_000;

/** Wakes every source, so that a lost webhook is found, and every target that is due, so that a lost message is. */
export async function sweep(
  deps: SweepDeps,
): Promise<{ readonly sources: number; readonly targets: number }> {
  const sources = await deps.state.listSources();
  const targets = await deps.state.dueTargets(deps.clock.now(), MAX_TARGETS);
  const wakeUps: WakeUp[] = [
    ...sources.map(({ id }): WakeUp => ({ v: 1, kind: 'source', source: id, reason: 'sweep' })),
    ...targets.map((target): WakeUp => ({ v: 1, kind: 'target', target, reason: 'sweep' })),
  ];
  await deps.queue.send(wakeUps);
  deps.log.info('swept', { sources: sources.length, targets: targets.length });
  return { sources: sources.length, targets: targets.length };
}
