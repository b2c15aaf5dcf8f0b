import { setTimeout as sleep } from 'node:timers/promises';
import { type Log, silentLog } from '../model/log.ts';
import { invokeFunction, type LocalFunction } from './invocation.ts';

export interface ScheduleOptions<Event> {
  readonly function: LocalFunction<Event>;
  /** What the function is called with. */
  readonly event: Event;
  /** From the start of one firing to the start of the next, or longer where a firing takes longer. */
  readonly everySeconds: number;
  /** Fires at once too. @default false */
  readonly immediately?: boolean;
  readonly log?: Log;
}

export interface Schedule {
  /** No further firing; waits for one that runs. */
  stop(): Promise<void>;
}

/** Calls a function every so often, never twice at once. A failed firing is logged and the next one comes as usual. */
export function startSchedule<Event>(options: ScheduleOptions<Event>): Schedule {
  const log = (options.log ?? silentLog).child({ function: options.function.name });
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    let nextAt = performance.now() + (options.immediately === true ? 0 : options.everySeconds * 1000);
    for (;;) {
      await sleep(Math.max(0, nextAt - performance.now()), undefined, { signal: stopping.signal }).catch(
        () => undefined,
      );
      if (stopping.signal.aborted) {
        return;
      }
      nextAt = performance.now() + options.everySeconds * 1000;
      const outcome = await invokeFunction(options.function, options.event);
      if (outcome.kind !== 'returned') {
        const fields = outcome.kind === 'failed' ? { error: outcome.error } : {};
        log.error('scheduled function did not finish', { outcome: outcome.kind, ...fields });
      }
    }
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
