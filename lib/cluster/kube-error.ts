import { HoldfastError, type ErrorCode } from '../model/errors.ts';

export interface KubeConflict {
  readonly manager: string;
  readonly field: string;
}

/** A request that the API server refused, or that did not reach it. */
export class KubeError extends HoldfastError {
  /** HTTP status; undefined when there was no answer. */
  readonly status: number | undefined;
  /** `reason` of the Status object. */
  readonly reason: string | undefined;
  /** Field manager conflicts of a server-side apply (409 with causes FieldManagerConflict). */
  readonly conflicts: readonly KubeConflict[];

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      readonly status?: number;
      readonly reason?: string;
      readonly conflicts?: readonly KubeConflict[];
      readonly retryable: boolean;
      readonly cause?: unknown;
    },
  ) {
    super(code, message, {
      retryable: options.retryable,
      details: { status: options.status, reason: options.reason },
      cause: options.cause,
    });
    this.name = 'KubeError';
    this.status = options.status;
    this.reason = options.reason;
    this.conflicts = options.conflicts ?? [];
  }
}
