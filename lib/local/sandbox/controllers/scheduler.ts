/** Runs what controllers do later. Timers never keep the process alive. */
export interface Scheduler {
  /** Runs `task` after the delay; a key that is already waiting keeps its time. */
  readonly after: (milliseconds: number, key: string, task: () => void) => void;
  readonly close: () => void;
}

export function createScheduler(): Scheduler {
  const timers = new Map<string, NodeJS.Timeout>();
  return {
    after: (milliseconds, key, task) => {
      if (timers.has(key)) return;
      const run = (): void => {
        timers.delete(key);
        task();
      };
      timers.set(key, setTimeout(run, milliseconds).unref());
    },
    close: () => {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}
