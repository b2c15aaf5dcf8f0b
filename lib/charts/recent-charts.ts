import type { ChartHost, ChartRequest, FetchedChart } from './chart-host.ts';

export interface RecentChartsOptions {
  /** Milliseconds for which an answer counts. @default five minutes */
  readonly freshMs?: number;
  /** Of the files of all charts that are kept. @default 64 MiB */
  readonly maxBytes?: number;
  /** Milliseconds on a clock that only grows. */
  readonly now?: () => number;
}

interface Kept {
  readonly fetched: Promise<FetchedChart>;
  readonly expiresAt: number;
  bytes: number;
}

/**
 * The same charts, asked for at most every few minutes: sources are looked at once a minute, many applications name one
 * chart, and registries count (Docker Hub lets nobody anonymous ask more than a hundred times in six hours). Requests
 * under way are shared; failures are not kept.
 */
export function recentCharts(host: ChartHost, options: RecentChartsOptions = {}): ChartHost {
  const { freshMs = 5 * 60_000, maxBytes = 64 * 1024 * 1024, now = () => performance.now() } = options;
  const kept = new Map<string, Kept>();

  function fetch(request: ChartRequest): Promise<FetchedChart> {
    const key = keyOf(request);
    const known = kept.get(key);
    if (known !== undefined && now() < known.expiresAt) return known.fetched;
    const fetched = host.fetch(request);
    const entry: Kept = { fetched, expiresAt: now() + freshMs, bytes: 0 };
    kept.delete(key);
    kept.set(key, entry);
    fetched.then(
      (chart) => {
        entry.bytes = bytesOf(chart);
        evict(kept, maxBytes);
      },
      () => {
        if (kept.get(key) === entry) kept.delete(key);
      },
    );
    return fetched;
  }

  return { fetch, close: () => host.close() };
}

function keyOf({ repository, name, version, digest, credentials }: ChartRequest): string {
  return JSON.stringify([repository, name, version, digest, credentials]);
}

function bytesOf({ files }: FetchedChart): number {
  return files.paths.reduce((total, path) => total + (files.read(path)?.byteLength ?? 0), 0);
}

/** Longest kept first. */
function evict(kept: Map<string, Kept>, maxBytes: number): void {
  let total = [...kept.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  for (const [key, { bytes }] of kept) {
    if (total <= maxBytes) return;
    kept.delete(key);
    total -= bytes;
  }
}
