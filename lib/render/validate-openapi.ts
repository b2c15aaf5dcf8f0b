import { schemaFrom, type OpenApi, type OpenApiSchema } from '../cluster/openapi.ts';
import type { Json, JsonObject, Manifest } from '../model/resource.ts';
import { describeResource, groupOf, resourceId } from '../model/resource.ts';
import { isObject } from './parse-manifests.ts';
import { describeJson } from './read-events.ts';
import { renderFaultsError, type RenderFault } from './render-faults.ts';
import { builtInScopeOf } from './scopes.ts';
import { similarName } from './similar-name.ts';

const MAX_FAULTS = 1_000;
const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const QUANTITY_TEXT = /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[KMGTPE]i|[numkMGTPE]|[eE][-+]?\d+)?$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Checks normalised manifests against what the destination says of their kinds: unknown fields, wrong types, required
 * fields that are missing, texts that are none of those allowed. Custom resources whose CRD is among the manifests are
 * checked against that one, which is what the cluster will know by then; kinds that neither describes are left alone.
 * What the schemas cannot say (names that must exist, ranges, rules between fields) is for the API server.
 *
 * @throws HoldfastError `render-failed` with every fault: file, line of the object, path of the field, never a value
 */
export function validateManifests(manifests: readonly Manifest[], document: OpenApi): void {
  const declared = declaredKinds(manifests);
  const faults: RenderFault[] = [];
  for (const { object, origin } of manifests) {
    const { apiVersion, kind } = object;
    const schema = declared.has(`${groupOf(apiVersion)}/${kind}`)
      ? declared.get(`${groupOf(apiVersion)}/${kind}`)?.get(apiVersion)
      : document.schemaOf(apiVersion, kind);
    if (schema === undefined) continue;
    const title = describeResource(resourceId(object));
    const report = (path: string, message: string): void => {
      if (faults.length < MAX_FAULTS) faults.push({ origin, message: `${title}: ${path}: ${message}` });
    };
    const isBuiltIn = builtInScopeOf(apiVersion, kind) !== undefined;
    checkRoot({ document, isBuiltIn, report }, schema, object as unknown as JsonObject);
  }
  if (faults.length > 0) throw renderFaultsError(faults);
}

interface Check {
  readonly document: OpenApi;
  /** To Kubernetes' own kinds a null is the absent field; of a custom resource the schema decides. */
  readonly isBuiltIn: boolean;
  readonly report: (path: string, message: string) => void;
}

/** Every object has these, whether or not a schema says so; status is not ours to send. */
const OF_EVERY_OBJECT: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

function checkRoot(check: Check, named: OpenApiSchema, object: JsonObject): void {
  const schema = check.document.resolve(named);
  if (schema === undefined) return;
  const required = schema.required?.filter((field) => field !== 'status') ?? [];
  checkObject(check, { ...schema, required, isEmbeddedResource: true }, object, '');
}

function checkValue(check: Check, named: OpenApiSchema, value: Json, path: string): void {
  const schema = check.document.resolve(named);
  if (schema === undefined) return;
  if (value === null) {
    const isAbsent = check.isBuiltIn || schema.hasDefault === true;
    const isAllowed = schema.type === undefined || schema.nullable === true;
    if (!isAbsent && !isAllowed) check.report(path, `expected ${wordFor(schema.type)}, got nothing`);
    return;
  }
  const complaint = named.ref === QUANTITY ? quantityFault(value) : scalarFault(schema, value);
  if (complaint !== undefined) check.report(path, complaint);
  else if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return;
    for (const [index, item] of (value as readonly Json[]).entries()) {
      checkValue(check, items, item, `${path}[${index}]`);
    }
  } else if (isObject(value)) checkObject(check, schema, value, path);
}

function checkObject(check: Check, schema: OpenApiSchema, object: JsonObject, path: string): void {
  const { properties, additionalProperties, required = [] } = schema;
  for (const field of required) {
    if (!Object.hasOwn(object, field)) check.report(at(path, field), 'missing, and required');
  }
  // Without a word about its members it may have any.
  const isFree =
    schema.preservesUnknownFields === true ||
    additionalProperties === true ||
    (properties === undefined && additionalProperties === undefined);
  for (const [field, value] of Object.entries(object)) {
    const known =
      properties !== undefined && Object.hasOwn(properties, field) ? properties[field] : undefined;
    if (known !== undefined) checkValue(check, known, value, at(path, field));
    else if (typeof additionalProperties === 'object') {
      checkValue(check, additionalProperties, value, at(path, field));
    } else if (!isFree && !(schema.isEmbeddedResource === true && OF_EVERY_OBJECT.has(field))) {
      const similar = similarName(field, Object.keys(properties ?? {}));
      const hint = similar === undefined ? '' : `; did you mean "${similar}"?`;
      check.report(at(path, field), `no such field${hint}`);
    }
  }
}

function at(path: string, field: string): string {
  if (!/^[A-Za-z_][\w-]*$/.test(field)) return `${path}[${JSON.stringify(field.slice(0, 100))}]`;
  return path === '' ? field : `${path}.${field}`;
}

function quantityFault(value: Json): string | undefined {
  // The API server takes numbers as well.
  if (typeof value === 'number' || (typeof value === 'string' && QUANTITY_TEXT.test(value))) return undefined;
  return typeof value === 'string'
    ? 'not a quantity: expected a number with a unit, such as "500m" or "1Gi"'
    : `expected a quantity, got ${describeJson(value)}`;
}

function scalarFault(schema: OpenApiSchema, value: Json): string | undefined {
  const { type, format } = schema;
  if (schema.isIntOrString === true || format === 'int-or-string') {
    if (typeof value === 'string' || Number.isSafeInteger(value)) return undefined;
    return `expected a whole number or text, got ${describeJson(value)}`;
  }
  if (type !== undefined && !hasType(type, value)) {
    const quoted = type === 'string' && typeof value !== 'object' ? ': put it in quotes' : '';
    const isOther = type === 'integer' || type === 'number' || type === 'boolean';
    const unquoted = isOther && typeof value === 'string' ? ': take away the quotes' : '';
    return `expected ${wordFor(type)}, got ${describe(value)}${quoted || unquoted}`;
  }
  if (
    format === 'int32' &&
    typeof value === 'number' &&
    Math.trunc(value / 2 ** 31) !== 0 &&
    value !== -(2 ** 31)
  ) {
    return 'does not fit into 32 bits';
  }
  if (format === 'byte' && typeof value === 'string' && !BASE64.test(value.replace(/[\r\n]/g, ''))) {
    return 'not base64: encode it, or use stringData in a Secret';
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    const allowed = schema.enum.slice(0, 20).map((each) => JSON.stringify(each));
    return `expected one of ${allowed.join(', ')}${schema.enum.length > 20 ? ', …' : ''}`;
  }
  return undefined;
}

function hasType(type: string, value: Json): boolean {
  switch (type) {
    case 'object':
      return isObject(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return typeof value === 'number';
    case 'string':
    case 'boolean':
      return typeof value === type;
    default:
      // A type that is not known here is not judged here.
      return true;
  }
}

function wordFor(type: string | undefined): string {
  const words: Readonly<Record<string, string>> = {
    object: 'a mapping',
    array: 'a list',
    integer: 'a whole number',
    number: 'a number',
    string: 'text',
    boolean: 'true or false',
  };
  return words[type ?? ''] ?? 'something else';
}

function describe(value: Json): string {
  if (typeof value === 'string') return 'text';
  return typeof value === 'number' && !Number.isInteger(value) ? 'a fraction' : describeJson(value);
}

/** group/kind → apiVersion → schema, of the CRDs among the manifests. A version without a schema may hold anything. */
function declaredKinds(
  manifests: readonly Manifest[],
): ReadonlyMap<string, ReadonlyMap<string, OpenApiSchema>> {
  const declared = new Map<string, Map<string, OpenApiSchema>>();
  for (const { object } of manifests) {
    if (object.kind !== 'CustomResourceDefinition' || groupOf(object.apiVersion) !== 'apiextensions.k8s.io')
      continue;
    const { group, names, versions, validation } = (object['spec'] ?? {}) as JsonObject;
    if (typeof group !== 'string' || !isObject(names)) continue;
    const schemas = new Map<string, OpenApiSchema>();
    for (const version of Array.isArray(versions) ? (versions as readonly Json[]) : []) {
      if (!isObject(version)) continue;
      const holder = isObject(version['schema']) ? version['schema'] : validation;
      if (!isObject(holder)) continue;
      schemas.set(`${group}/${String(version['name'])}`, schemaFrom(holder['openAPIV3Schema']));
    }
    declared.set(`${group}/${String(names['kind'])}`, schemas);
  }
  return declared;
}
