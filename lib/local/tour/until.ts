import { setTimeout as sleep } from 'node:timers/promises';

const INTERVAL_MS = 25;

/** A step of the story that did not come true. */
export class StepFailedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StepFailedError';
  }
}

/** Somebody pressed Ctrl-C. */
export class TourStoppedError extends Error {
  constructor() {
    super('stopped');
    this.name = 'TourStoppedError';
  }
}

/**
 * Looks until something is true, and gives what it saw.
 * @param look undefined: not yet; a string: not yet, and how it stands, for the error
 * @throws StepFailedError when the time is over; TourStoppedError
 */
export async function until<T extends object>(
  what: string,
  patience: { readonly stop: AbortSignal; readonly patienceSeconds: number },
  look: () => Promise<T | string | undefined>,
): Promise<T> {
  const { stop, patienceSeconds: seconds } = patience;
  const deadline = performance.now() + seconds * 1000;
  let standing = '';
  for (;;) {
    if (stop.aborted) throw new TourStoppedError();
    const seen = await look();
    if (typeof seen === 'object') return seen;
    if (seen !== undefined) standing = ` (${seen})`;
    if (performance.now() > deadline) {
      throw new StepFailedError(`${what}: not within ${seconds} seconds${standing}`);
    }
    await sleep(INTERVAL_MS, undefined, { signal: stop }).catch(() => undefined);
  }
}

/** @throws StepFailedError */
export function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new StepFailedError(what);
}
