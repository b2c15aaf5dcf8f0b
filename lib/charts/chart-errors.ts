import { HoldfastError, type ErrorCode } from '../model/errors.ts';
import { MEBIBYTE } from './chart-limits.ts';

/** @param what said so that it follows the place: "redirects more than 5 times" */
export function refused(place: string, what: string): HoldfastError {
  return new HoldfastError('chart-refused', `${place} ${what}`, { details: { place } });
}

/** @param what said so that it follows "place:" */
export function chartFailure(
  code: Extract<ErrorCode, `chart-${string}`>,
  place: string,
  what: string,
): HoldfastError {
  return new HoldfastError(code, `${place}: ${what}`, { details: { place } });
}

/** @param limit name of the limit in ChartLimits */
export function tooLarge(place: string, what: string, maxBytes: number, limit: string): HoldfastError {
  const size = maxBytes >= MEBIBYTE ? `${Math.floor(maxBytes / MEBIBYTE)} MiB` : `${maxBytes} bytes`;
  return chartFailure('chart-too-large', place, `${what} is larger than ${size}, the limit ${limit}`);
}

export function unreachable(place: string, reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError('chart-unreachable', `${place} cannot be reached (${reason}); tried again later`, {
    details: { place, reason },
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  });
}

export function internalAddress(hostname: string): HoldfastError {
  return new HoldfastError(
    'chart-refused',
    `${hostname} is a loopback, link-local or private address: list its origin (scheme://host:port) among the ` +
      'allowed origins for charts of this installation if that is meant',
    { details: { host: hostname } },
  );
}

export function digestMismatch(place: string, wanted: string, found: string): HoldfastError {
  return new HoldfastError(
    'chart-refused',
    `${place} has the digest ${found} now, and ${wanted} is asked for: the version was published anew, or the ` +
      'digest is that of another one; check what changed, then correct the digest',
    { details: { place, wanted, found } },
  );
}

/** What an answer that is not the wanted one means. 200 never gets here. */
export function statusError(answer: {
  readonly status: number;
  readonly place: string;
  readonly retryAfter: boolean;
  /** Whether a credential was sent. */
  readonly withCredential: boolean;
}): HoldfastError {
  const { status, place } = answer;
  const details = { status, place };
  if (status === 401 || (status === 403 && !answer.retryAfter)) {
    const advice = answer.withCredential
      ? 'its credential is wrong, has expired, or may not read this chart'
      : 'it wants a credential (or has no such chart, which some servers hide so): store one as a secret in the ' +
        'role chart and name it';
    return new HoldfastError('chart-authentication', `${place} answers ${status}: ${advice}`, { details });
  }
  if (status === 404 || status === 410) {
    return new HoldfastError('chart-not-found', `${place} answers ${status}: there is no such thing`, {
      details,
    });
  }
  if (status === 408 || status === 429 || status === 403 || status >= 500) {
    const message = `${place} answers ${status}: the server is busy or broken; tried again later`;
    return new HoldfastError('chart-unreachable', message, { details, retryable: true });
  }
  return refused(place, `answers ${status}, which is not how a chart server speaks`);
}

export function isCode(error: unknown, code: ErrorCode): error is HoldfastError {
  return error instanceof HoldfastError && error.code === code;
}
