import type { ErrorCode } from '../model/errors.ts';
import { KubeError, type KubeConflict } from './kube-error.ts';

/** What a request was about, for its errors. */
export interface RequestContext {
  /** `apply ConfigMap web/settings` */
  readonly what: string;
  readonly cluster: string;
  /** The kind is a Secret: answers may echo values, so only reasons and field paths are kept. */
  readonly sensitive: boolean;
}

interface Cause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

interface Status {
  readonly message: string;
  readonly reason: string | undefined;
  readonly name: string | undefined;
  readonly kind: string | undefined;
  readonly causes: readonly Cause[];
}

const MESSAGE_LIMIT = 1_000;
const CAUSES_LIMIT = 50;

/**
 * Server phrases that hold no value of the object. For Secrets nothing else of a message is kept: API servers echo
 * what they refuse ("expected string, got …", "Invalid value: …").
 */
const SAFE_PHRASES = [
  'field is immutable',
  'field not declared in schema',
  'omits key field',
  'Required value',
  'may not change once set',
  'the object has been modified',
  'uid mismatch',
  'illegal base64 data',
  'expected string',
  'already exists',
  'not found',
  'is being terminated',
  'exceeded quota',
  'Too long',
] as const;

/**
 * The error for an answer of 300 and above.
 *
 * Statuses that say less than they mean, measured on 1.20 and 1.36: an unknown field and a missing merge key are a
 * 500, though no retry will help; a uid precondition that does not match an existing object is a 422 on metadata.uid.
 */
export function errorFromAnswer(context: RequestContext, httpStatus: number, body: string): KubeError {
  const status = parseStatus(body);
  const conflicts = conflictsOf(status);
  const { code, retryable } = classify(httpStatus, status);
  const said = context.sensitive ? safeSummary(status) : summary(status);
  const reason = status?.reason === undefined ? '' : ` ${status.reason}`;
  return new KubeError(
    code,
    `${context.what} on cluster "${context.cluster}": HTTP ${httpStatus}${reason}${said === '' ? '' : `: ${said}`}${hint(httpStatus)}`,
    {
      status: httpStatus,
      ...(status?.reason === undefined ? {} : { reason: status.reason }),
      conflicts,
      retryable,
    },
  );
}

/** Whether a 404 speaks of the named object itself and not of its type or of the whole path. */
export function isObjectNotFound(body: string, name: string, resource: string): boolean {
  const status = parseStatus(body);
  if (status === undefined || status.name !== name) {
    return false;
  }
  // `namespaces "web" not found` answers a write into a missing namespace; a GET never says so.
  return status.kind === undefined || status.kind === resource;
}

function classify(httpStatus: number, status: Status | undefined): { code: ErrorCode; retryable: boolean } {
  switch (httpStatus) {
    case 401:
      return { code: 'kube-unauthorized', retryable: false };
    case 403:
      return { code: 'kube-forbidden', retryable: status !== undefined && isNamespaceTerminating(status) };
    case 404:
      return { code: 'kube-not-found', retryable: false };
    case 409:
      return { code: 'kube-conflict', retryable: true };
    case 422:
      return status?.causes.some((cause) => cause.field === 'metadata.uid')
        ? { code: 'kube-conflict', retryable: true }
        : { code: 'kube-invalid', retryable: false };
    case 429:
      return { code: 'kube-error', retryable: true };
  }
  if (httpStatus >= 500) {
    return status !== undefined && isTerminal500(status.message)
      ? { code: 'kube-invalid', retryable: false }
      : { code: 'kube-error', retryable: true };
  }
  return httpStatus >= 400
    ? { code: 'kube-invalid', retryable: false }
    : { code: 'kube-error', retryable: false };
}

function isTerminal500(message: string): boolean {
  return (
    message.includes('field not declared in schema') ||
    message.includes('omits key field') ||
    message.includes('failed to create typed patch object') ||
    message.includes('unable to convert unstructured object') ||
    message.includes('failed to convert new object')
  );
}

function isNamespaceTerminating(status: Status): boolean {
  return (
    status.causes.some((cause) => cause.reason === 'NamespaceTerminating') ||
    status.message.includes('because it is being terminated')
  );
}

function conflictsOf(status: Status | undefined): readonly KubeConflict[] {
  if (status === undefined) {
    return [];
  }
  return status.causes
    .filter((cause) => cause.reason === 'FieldManagerConflict')
    .map((cause) => ({ manager: managerIn(cause.message), field: cause.field }));
}

/** `conflict with "kubectl edit" using v1 at 2026-…`: the name is a Go string literal between the quotes. */
function managerIn(message: string): string {
  const literal = /^conflict with ("(?:[^"\\]|\\.)*")/.exec(message)?.[1];
  if (literal === undefined) {
    return 'unknown';
  }
  try {
    return String(JSON.parse(literal));
  } catch {
    // A Go escape that JSON lacks (\x00, \a).
    return literal.slice(1, -1);
  }
}

function hint(httpStatus: number): string {
  switch (httpStatus) {
    case 401:
      return ' (the credential was refused: register a new one with "holdfast cluster add")';
    case 403:
      return ' (grant the credential this verb, or wait for a quota or admission rule to allow it)';
    default:
      return '';
  }
}

function summary(status: Status | undefined): string {
  const message = status?.message ?? '';
  return message.length > MESSAGE_LIMIT ? `${message.slice(0, MESSAGE_LIMIT)}…` : message;
}

function safeSummary(status: Status | undefined): string {
  if (status === undefined) {
    return '';
  }
  const parts =
    status.causes.length > 0
      ? status.causes
          .slice(0, CAUSES_LIMIT)
          .map((cause) => `${cause.field}: ${safePhrase(cause.message) ?? cause.reason}`)
      : [safePhrase(status.message) ?? ''];
  const about =
    status.kind !== undefined && status.name !== undefined ? `${status.kind} "${status.name}"` : '';
  const said = [about, ...parts].filter((part) => part !== '').join(': ');
  return said.length > MESSAGE_LIMIT ? `${said.slice(0, MESSAGE_LIMIT)}…` : said;
}

function safePhrase(message: string): string | undefined {
  return SAFE_PHRASES.find((phrase) => message.includes(phrase));
}

function parseStatus(body: string): Status | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || value['kind'] !== 'Status') {
    return undefined;
  }
  const details = isRecord(value['details']) ? value['details'] : {};
  const causes = Array.isArray(details['causes']) ? details['causes'] : [];
  return {
    message: text(value['message']) ?? '',
    reason: text(value['reason']),
    name: text(details['name']),
    kind: text(details['kind']),
    causes: causes.filter(isRecord).map((cause) => ({
      reason: text(cause['reason']) ?? '',
      message: text(cause['message']) ?? '',
      field: text(cause['field']) ?? '',
    })),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
