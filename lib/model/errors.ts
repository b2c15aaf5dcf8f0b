/** What went wrong, in a closed set of codes. Retry policy reads `retryable`, never a message. */
export type ErrorCode =
  | 'invalid-input'
  | 'git-not-found'
  | 'git-authentication'
  | 'git-ref-missing'
  | 'git-commit-missing'
  | 'git-unreachable'
  | 'git-too-large'
  | 'git-corrupt'
  | 'git-refused'
  | 'chart-not-found'
  | 'chart-authentication'
  | 'chart-unreachable'
  | 'chart-too-large'
  | 'chart-corrupt'
  | 'chart-refused'
  | 'value-missing'
  | 'artefact-missing'
  | 'path-missing'
  | 'render-failed'
  | 'render-refused'
  | 'render-limit'
  | 'duplicate-resource'
  | 'kube-unauthorized'
  | 'kube-forbidden'
  | 'kube-conflict'
  | 'kube-invalid'
  | 'kube-not-found'
  | 'kube-unreachable'
  | 'kube-error'
  | 'unknown-kind'
  | 'unknown-cluster'
  | 'foreign-owner'
  | 'lease-lost'
  | 'superseded'
  | 'secret-missing'
  | 'state-schema'
  | 'internal';

/** Safe to log and to store: never holds a secret, a credential or an unverified body. */
export type ErrorDetails = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

/** The base of every error that a room throws on purpose. */
export class HoldfastError extends Error {
  readonly code: ErrorCode;
  /** Whether trying the same thing again, unchanged, can succeed. */
  readonly retryable: boolean;
  readonly details: ErrorDetails;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly retryable?: boolean; readonly details?: ErrorDetails; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HoldfastError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
  }
}

/** What of an error may be stored and shown. */
export interface ErrorRecord {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  /** Of `foreign-owner`: the field manager that has the object. */
  readonly owner?: string;
}

export function errorRecord(error: unknown): ErrorRecord {
  if (error instanceof HoldfastError) {
    const { manager } = error.details;
    const owner = error.code === 'foreign-owner' && typeof manager === 'string' ? { owner: manager } : {};
    return { code: error.code, message: error.message, retryable: error.retryable, ...owner };
  }
  // An error nobody planned for may carry anything in its message, so only its class name is kept.
  const name = error instanceof Error ? error.name : typeof error;
  return {
    code: 'internal',
    message: `unexpected ${name}; the function's log has the details`,
    retryable: true,
  };
}
