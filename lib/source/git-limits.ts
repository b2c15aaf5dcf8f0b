/** Bounds on what a Git server can make us fetch, keep and compute. All have defaults. */
export interface GitLimits {
  /** Of one pack, as it comes over the wire. Default 128 MiB. */
  readonly maxPackBytes?: number;
  /** Of one file that is read. Larger ones may be in the repository. Default 5 MiB. */
  readonly maxFileBytes?: number;
  /** For one call of the host, from the first connection to the last byte. Default 60 s. */
  readonly timeoutMs?: number;
  /** What the warm cache may take on disk. Default 256 MiB. */
  readonly cacheBytes?: number;
}

const MEBIBYTE = 1024 * 1024;

export const DEFAULT_GIT_LIMITS: Required<GitLimits> = {
  maxPackBytes: 128 * MEBIBYTE,
  maxFileBytes: 5 * MEBIBYTE,
  timeoutMs: 60_000,
  cacheBytes: 256 * MEBIBYTE,
};

/** The list of refs of a repository: 32 MiB are some 500,000 refs. */
export const MAX_ADVERTISEMENT_BYTES = 32 * MEBIBYTE;
