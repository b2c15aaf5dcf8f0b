/** What one render may cost. Everything read from Git is hostile; nothing here is a matter of taste. */
export interface RenderLimits {
  readonly maxFiles: number;
  readonly maxFileBytes: number;
  readonly maxTotalBytes: number;
  /** Nesting of one YAML document. The deepest published CRDs reach about 60. */
  readonly maxDepth: number;
  /** What aliases of one file may add: characters of text, plus 16 for every node. All files together: 16 times that. */
  readonly maxAliasWeight: number;
  readonly maxManifests: number;
  readonly toolTimeoutMs: number;
  readonly maxOutputBytes: number;
  readonly maxErrorBytes: number;
  /** Resident memory of a tool; checked on Linux, elsewhere only GOMEMLIMIT asks for it. */
  readonly maxToolMemoryBytes: number;
}

const MEBIBYTE = 1024 * 1024;

export const DEFAULT_RENDER_LIMITS: RenderLimits = {
  // 10,000 documents, a file each, and what lies beside them.
  maxFiles: 20_000,
  maxFileBytes: 5 * MEBIBYTE,
  maxTotalBytes: 200 * MEBIBYTE,
  maxDepth: 200,
  maxAliasWeight: 4 * MEBIBYTE,
  maxManifests: 50_000,
  toolTimeoutMs: 60_000,
  maxOutputBytes: 32 * MEBIBYTE,
  maxErrorBytes: MEBIBYTE,
  maxToolMemoryBytes: 1024 * MEBIBYTE,
};
