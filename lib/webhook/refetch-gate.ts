import type { SourceId } from '../model/ids.ts';

/** Whether a wrong signature may cost a fresh look at the secrets. */
export type RefetchGate = (source: SourceId) => boolean;

const REFETCH_INTERVAL_MS = 30_000;

/**
 * One fresh look per source and half a minute: enough to notice a rotation, and a flood of wrong signatures cannot
 * turn into requests to the secret store. Holds one number per registered source that was ever refused.
 * @param now milliseconds on any clock that only grows
 */
export function createRefetchGate(now: () => number): RefetchGate {
  const lastAt = new Map<SourceId, number>();
  return (source) => {
    const last = lastAt.get(source);
    const at = now();
    if (last !== undefined && at - last < REFETCH_INTERVAL_MS) {
      return false;
    }
    lastAt.set(source, at);
    return true;
  };
}
