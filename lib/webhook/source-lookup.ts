import type { SourceId } from '../model/ids.ts';
import type { Source } from '../model/source.ts';

/** Reads a registered source; undefined where there is none. */
export interface SourceLookup {
  get(id: SourceId): Promise<Source | undefined>;
}

/** A source that is registered right after its first delivery waits no longer than this. */
const UNKNOWN_TTL_MS = 30_000;
const MAX_UNKNOWN = 1_000;

/**
 * Remembers which ids are unknown, so that a flood of made-up deliveries to one id costs one read. Known sources are
 * read each time: a changed secret name counts at once. Bounded, oldest out first.
 * @param now milliseconds on any clock that only grows
 */
export function rememberUnknownSources(sources: SourceLookup, now: () => number): SourceLookup {
  const unknownUntil = new Map<SourceId, number>();
  return {
    async get(id) {
      const until = unknownUntil.get(id);
      if (until !== undefined && now() < until) {
        return undefined;
      }
      unknownUntil.delete(id);
      const source = await sources.get(id);
      if (source === undefined) {
        unknownUntil.set(id, now() + UNKNOWN_TTL_MS);
        const oldest = unknownUntil.size > MAX_UNKNOWN ? unknownUntil.keys().next().value : undefined;
        if (oldest !== undefined) {
          unknownUntil.delete(oldest);
        }
      }
      return source;
    },
  };
}
