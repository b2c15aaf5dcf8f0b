import type { JsonObject } from '../../../model/resource.ts';

/** One cause in a Status: what is wrong with which field. */
export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** A refusal, answered as a Status object with this code. */
export class ApiError extends Error {
  readonly code: number;
  readonly reason: string | undefined;
  readonly details: StatusDetails | undefined;
  /** `continue` of a list that can go on from a newer snapshot. */
  readonly continueToken: string | undefined;

  constructor(
    code: number,
    reason: string | undefined,
    message: string,
    details?: StatusDetails,
    continueToken?: string,
  ) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
    this.continueToken = continueToken;
  }

  toStatus(): JsonObject {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.continueToken === undefined ? {} : { continue: this.continueToken },
      status: 'Failure',
      message: this.message,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: withoutUndefined(this.details) }),
      code: this.code,
    };
  }
}

function withoutUndefined(details: StatusDetails): JsonObject {
  return JSON.parse(JSON.stringify(details)) as JsonObject;
}

/** What a message needs to know of a type: `deployments.apps` in texts, group and kind in details. */
export interface NamedType {
  readonly group: string;
  readonly kind: string;
  readonly resource: string;
}

export function qualified(type: NamedType): string {
  return type.group === '' ? type.resource : `${type.resource}.${type.group}`;
}

/** Errors about a resource say its plural as `kind`, as the API server does. */
function details(type: NamedType, name: string, more: StatusDetails = {}): StatusDetails {
  return { name, ...(type.group === '' ? {} : { group: type.group }), kind: type.resource, ...more };
}

export function notFound(type: NamedType, name: string): ApiError {
  return new ApiError(404, 'NotFound', `${qualified(type)} "${name}" not found`, details(type, name));
}

export function pathNotFound(): ApiError {
  return new ApiError(404, 'NotFound', 'the server could not find the requested resource', {});
}

export function alreadyExists(type: NamedType, name: string): ApiError {
  const message = `${qualified(type)} "${name}" already exists`;
  return new ApiError(409, 'AlreadyExists', message, details(type, name));
}

export function conflict(type: NamedType, name: string, why: string): ApiError {
  const message = `Operation cannot be fulfilled on ${qualified(type)} "${name}": ${why}`;
  return new ApiError(409, 'Conflict', message, details(type, name));
}

export const MODIFIED =
  'the object has been modified; please apply your changes to the latest version and try again';

export function badRequest(message: string): ApiError {
  return new ApiError(400, 'BadRequest', message);
}

export function forbidden(
  type: NamedType,
  name: string,
  why: string,
  causes?: readonly StatusCause[],
): ApiError {
  const message = `${qualified(type)} "${name}" is forbidden: ${why}`;
  return new ApiError(403, 'Forbidden', message, details(type, name, causes === undefined ? {} : { causes }));
}

export function methodNotAllowed(): ApiError {
  const message = 'the server does not allow this method on the requested resource';
  return new ApiError(405, 'MethodNotAllowed', message, {});
}

export function unsupportedMediaType(): ApiError {
  return new ApiError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});
}

/** A patch type that others would take, but not this kind. */
export function unsupportedPatch(accepted: readonly string[]): ApiError {
  const list = accepted.join(', ');
  const message = `the body of the request was in an unknown format - accepted media types include: ${list}`;
  return new ApiError(415, 'UnsupportedMediaType', message);
}

/** The sandbox is not a cluster: it says so instead of pretending. */
export function notImplemented(what: string): ApiError {
  return new ApiError(501, 'NotImplemented', `the sandbox cluster does not do ${what}; use a real cluster`);
}

/** One finding of validation. `value` is quoted in the message for invalid and unsupported values. */
export type FieldError =
  | { readonly type: 'required'; readonly field: string; readonly detail: string }
  | {
      readonly type: 'invalid';
      readonly field: string;
      readonly value: unknown;
      /** How the API server prints the value where that is not JSON. */
      readonly shown?: string;
      readonly detail: string;
    }
  | { readonly type: 'not-found'; readonly field: string; readonly value: unknown }
  | { readonly type: 'forbidden'; readonly field: string; readonly detail: string }
  | {
      readonly type: 'unsupported';
      readonly field: string;
      readonly value: unknown;
      readonly shown?: string;
      readonly supported: readonly string[];
    };

export function invalid(type: NamedType, name: string, errors: readonly FieldError[]): ApiError {
  const texts = [...new Set(errors.map((error) => `${error.field}: ${fieldMessage(error)}`))];
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const kind = type.group === '' ? type.kind : `${type.kind}.${type.group}`;
  return new ApiError(422, 'Invalid', `${kind} "${name}" is invalid: ${list}`, {
    ...(name === '' ? {} : { name }),
    ...(type.group === '' ? {} : { group: type.group }),
    kind: type.kind,
    causes: errors.map((error) => ({
      reason: CAUSES[error.type],
      message: fieldMessage(error),
      field: error.field,
    })),
  });
}

const CAUSES: Readonly<Record<FieldError['type'], string>> = {
  required: 'FieldValueRequired',
  invalid: 'FieldValueInvalid',
  forbidden: 'FieldValueForbidden',
  unsupported: 'FieldValueNotSupported',
  'not-found': 'FieldValueNotFound',
};

function fieldMessage(error: FieldError): string {
  switch (error.type) {
    case 'required':
      return error.detail === '' ? 'Required value' : `Required value: ${error.detail}`;
    case 'forbidden':
      return `Forbidden: ${error.detail}`;
    case 'unsupported': {
      const supported = error.supported.map((value) => JSON.stringify(value)).join(', ');
      return `Unsupported value: ${error.shown ?? JSON.stringify(error.value)}: supported values: ${supported}`;
    }
    case 'invalid':
      return `Invalid value: ${error.shown ?? JSON.stringify(error.value)}: ${error.detail}`;
    case 'not-found':
      return `Not found: ${JSON.stringify(error.value)}`;
  }
}
