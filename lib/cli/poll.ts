import { setTimeout as sleep } from 'node:timers/promises';

const INTERVAL_MS = 250;

/**
 * Looks until something is there, or the time is over.
 * @param look undefined: not yet
 * @returns undefined when the time is over, or when `stop` is aborted
 */
export async function poll<T>(
  look: () => Promise<T | undefined>,
  options: { readonly seconds: number; readonly stop: AbortSignal },
): Promise<T | undefined> {
  const deadline = performance.now() + options.seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    const left = deadline - performance.now();
    if (left <= 0 || options.stop.aborted) return undefined;
    await sleep(Math.min(INTERVAL_MS, left), undefined, { signal: options.stop }).catch(() => undefined);
  }
}
