import { badRequest } from '../api/status.ts';
import { validate } from '../fields/validate.ts';
import { metadataSchema } from '../schema/builtin.ts';
import { pruneUnknown, withDefaults } from './custom-resource.ts';
import { applyDefaults } from './defaults.ts';
import { type DraftObject, isRecord } from './sandbox-object.ts';
import { groupKind, type ServedType } from './served-types.ts';
import { goShape } from './shape.ts';

/**
 * A body as the API server holds it: shaped by its type, unknown fields dropped, defaults filled in.
 * @throws ApiError 400 when a value has the wrong type.
 */
export function decodeObject(type: ServedType, body: unknown): DraftObject {
  if (!isRecord(body)) throw badRequest('the object provided is unrecognized: it must be a JSON object');
  checkTypes(type, body);
  return type.custom === undefined ? decodeBuiltin(type, body) : decodeCustom(type, body);
}

/** The object of a type before anything is in it: what a create is compared with. */
export function emptyObject(type: ServedType): DraftObject {
  const bare = { apiVersion: type.apiVersion, kind: type.kind };
  if (type.custom !== undefined) return { ...bare, metadata: {} };
  return goShape(type.schema(), bare) as DraftObject;
}

/** Decoding takes `cpu: 2` for `cpu: "2"`; only applies insist on the text. */
const QUANTITY_AS_NUMBER =
  /\.(requests|limits|hard|capacity|allocatable|overhead|default|defaultRequest|min|max)\S*: expected string, got &value.valueUnstructured\{Value:-?[\d.]+\}$/;

function checkTypes(type: ServedType, body: Record<string, unknown>): void {
  const { apiVersion, kind } = body;
  if (kind !== undefined && kind !== '' && kind !== type.kind) {
    throw badRequest(
      `the kind in the data (${String(kind)}) does not match the expected kind (${type.kind})`,
    );
  }
  if (apiVersion !== undefined && apiVersion !== '' && apiVersion !== type.apiVersion) {
    throw badRequest(
      `the API version in the data (${String(apiVersion)}) does not match the expected API version (${type.apiVersion})`,
    );
  }
  // Decoding ignores unknown fields; only applies look for missing and doubled keys.
  const schema = type.custom === undefined ? type.schema() : metadataSchema()();
  const part = type.custom === undefined ? body : (body['metadata'] ?? {});
  const wrong = validate(schema, part).filter(
    (error) => error.includes(': expected ') && !QUANTITY_AS_NUMBER.test(error),
  );
  if (wrong.length > 0) {
    const what = `${type.kind} in version ${JSON.stringify(type.version)}`;
    throw badRequest(`${what} cannot be handled as a ${type.kind}: ${wrong.join(', ')}`);
  }
}

function decodeBuiltin(type: ServedType, body: Record<string, unknown>): DraftObject {
  // Shaping makes new containers of everything that defaults can change, so the body stays as it was.
  const out = goShape(type.schema(), body) as Record<string, unknown>;
  applyDefaults(groupKind(type), out);
  return { ...out, apiVersion: type.apiVersion, kind: type.kind } as unknown as DraftObject;
}

function decodeCustom(type: ServedType, body: Record<string, unknown>): DraftObject {
  const openapi = type.custom?.openapi;
  const pruned =
    openapi === undefined || type.custom?.preserveUnknown === true ? body : pruneUnknown(openapi, body);
  const filled = (openapi === undefined ? pruned : withDefaults(openapi, pruned)) as Record<string, unknown>;
  const { creationTimestamp, ...metadata } = goShape(metadataSchema()(), body['metadata'] ?? {}) as Record<
    string,
    unknown
  >;
  return {
    ...filled,
    apiVersion: type.apiVersion,
    kind: type.kind,
    metadata: creationTimestamp === null ? metadata : { ...metadata, creationTimestamp },
  };
}
