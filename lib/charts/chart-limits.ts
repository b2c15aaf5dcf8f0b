/** Bounds on what a chart server can make us fetch, keep and compute. All have defaults. */
export interface ChartLimits {
  /** Of one index.yaml, unpacked. Default 50 MiB: the largest public one was 44 MB. */
  readonly maxIndexBytes?: number;
  /** Of one archive, packed. Default 20 MiB, as helm has it. */
  readonly maxArchiveBytes?: number;
  /** Of one file of a chart. Default 5 MiB, as helm has it. */
  readonly maxFileBytes?: number;
  /** Files and directories of one chart. Default 10,000. */
  readonly maxFiles?: number;
  /** Of one chart, unpacked. Default 100 MiB, as helm has it. */
  readonly maxUnpackedBytes?: number;
  /** For one request, to the last byte of its answer. Default 30 s. */
  readonly requestTimeoutMs?: number;
  /** For one fetch with all its requests. Default 60 s. */
  readonly timeoutMs?: number;
  /** What archives may take on disk. Default 200 MiB. */
  readonly cacheBytes?: number;
  /** What indexes may take in memory between fetches. Default 64 MiB. */
  readonly indexCacheBytes?: number;
}

export const MEBIBYTE = 1024 * 1024;

export const DEFAULT_CHART_LIMITS: Required<ChartLimits> = {
  maxIndexBytes: 50 * MEBIBYTE,
  maxArchiveBytes: 20 * MEBIBYTE,
  maxFileBytes: 5 * MEBIBYTE,
  maxFiles: 10_000,
  maxUnpackedBytes: 100 * MEBIBYTE,
  requestTimeoutMs: 30_000,
  timeoutMs: 60_000,
  cacheBytes: 200 * MEBIBYTE,
  indexCacheBytes: 64 * MEBIBYTE,
};

/** What the distribution specification asks registries to take; manifests, pages of tags and tokens are far below. */
export const MAX_DOCUMENT_BYTES = 4 * MEBIBYTE;
