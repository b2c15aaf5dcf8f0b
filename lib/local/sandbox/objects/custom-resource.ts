import type { FieldError } from '../api/status.ts';
import { isRecord } from './sandbox-object.ts';

type JsonSchema = Readonly<Record<string, unknown>>;
const EMBEDDED_FIELDS = new Set(['apiVersion', 'kind', 'metadata']);

/** The object without fields that its structural schema does not know. */
export function pruneUnknown(schema: JsonSchema, value: unknown, root = true): unknown {
  if (Array.isArray(value)) {
    const items = schema['items'];
    return isRecord(items) ? value.map((item) => pruneUnknown(items, item, false)) : value;
  }
  if (!isRecord(value) || schema['x-kubernetes-preserve-unknown-fields'] === true) return value;
  const properties = isRecord(schema['properties']) ? schema['properties'] : {};
  const values = schema['additionalProperties'];
  const embedded = root || schema['x-kubernetes-embedded-resource'] === true;
  // Through entries, not by assignment: a key may be `__proto__`.
  const out: [string, unknown][] = [];
  for (const [key, child] of Object.entries(value)) {
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (embedded && EMBEDDED_FIELDS.has(key)) out.push([key, child]);
    else if (isRecord(property)) out.push([key, pruneUnknown(property, child, false)]);
    else if (isRecord(values)) out.push([key, pruneUnknown(values, child, false)]);
    else if (values === true) out.push([key, child]);
  }
  return Object.fromEntries(out);
}

/** The object with the `default`s of its schema where a field is absent. */
export function withDefaults(schema: JsonSchema, value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = schema['items'];
    return isRecord(items) ? value.map((item) => withDefaults(items, item)) : value;
  }
  if (!isRecord(value)) return value;
  const out: Record<string, unknown> = { ...value };
  for (const [key, property] of Object.entries(isRecord(schema['properties']) ? schema['properties'] : {})) {
    if (!isRecord(property)) continue;
    const absent = out[key] === undefined || (out[key] === null && property['nullable'] !== true);
    if (absent && property['default'] !== undefined) out[key] = structuredClone(property['default']);
    if (out[key] !== undefined) out[key] = withDefaults(property, out[key]);
  }
  const values = schema['additionalProperties'];
  if (isRecord(values)) {
    for (const [key, child] of Object.entries(out)) out[key] = withDefaults(values, child);
  }
  return out;
}

/**
 * What is wrong with a custom resource under its schema. Checks types, required fields, enums, bounds, lengths and
 * patterns; combinators (`oneOf` and the like) and CEL rules are not evaluated.
 */
export function validateCustom(schema: JsonSchema, value: unknown): readonly FieldError[] {
  const errors: FieldError[] = [];
  validateAt(schema, value, '', errors);
  return errors;
}

function validateAt(schema: JsonSchema, value: unknown, path: string, errors: FieldError[]): void {
  if (value === null && schema['nullable'] === true) return;
  if (!checkType(schema, value, path, errors)) return;
  checkValue(schema, value, path, errors);
  if (Array.isArray(value)) {
    const items = schema['items'];
    if (isRecord(items)) {
      for (const [index, item] of value.entries()) validateAt(items, item, `${path}[${index}]`, errors);
    }
    return;
  }
  if (!isRecord(value)) return;
  for (const name of Array.isArray(schema['required']) ? schema['required'] : []) {
    if (value[String(name)] === undefined) {
      errors.push({ type: 'required', field: join(path, String(name)), detail: '' });
    }
  }
  const properties = isRecord(schema['properties']) ? schema['properties'] : {};
  const values = schema['additionalProperties'];
  for (const [key, child] of Object.entries(value)) {
    if (path === '' && EMBEDDED_FIELDS.has(key)) continue;
    const property = properties[key] ?? values;
    if (isRecord(property)) validateAt(property, child, join(path, key), errors);
  }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function checkType(schema: JsonSchema, value: unknown, path: string, errors: FieldError[]): boolean {
  const actual = typeName(value);
  if (schema['x-kubernetes-int-or-string'] === true) {
    if (actual === 'integer' || actual === 'string') return true;
    errors.push(typeError(path, 'integer,string', actual));
    return false;
  }
  const type = schema['type'];
  if (typeof type !== 'string') return true;
  if (type === actual || (type === 'number' && actual === 'integer')) return true;
  errors.push(typeError(path, type, actual));
  return false;
}

function typeError(path: string, expected: string, actual: string): FieldError {
  const detail = `${path} in body must be of type ${expected}: ${JSON.stringify(actual)}`;
  return { type: 'invalid', field: path, value: actual, detail };
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function checkValue(schema: JsonSchema, value: unknown, path: string, errors: FieldError[]): void {
  const report = (detail: string): void => {
    errors.push({ type: 'invalid', field: path, value, detail: `${path} in body ${detail}` });
  };
  const allowed = schema['enum'];
  if (Array.isArray(allowed) && !allowed.includes(value)) {
    errors.push({ type: 'unsupported', field: path, value, supported: allowed.map(String) });
  }
  const bound = (name: string): number | undefined => {
    const limit = schema[name];
    return typeof limit === 'number' ? limit : undefined;
  };
  if (typeof value === 'number') {
    const minimum = bound('minimum');
    const maximum = bound('maximum');
    if (minimum !== undefined && value < minimum) report(`should be greater than or equal to ${minimum}`);
    if (maximum !== undefined && value > maximum) report(`should be less than or equal to ${maximum}`);
  }
  if (typeof value === 'string') {
    const least = bound('minLength');
    const most = bound('maxLength');
    if (least !== undefined && value.length < least) report(`should be at least ${least} chars long`);
    if (most !== undefined && value.length > most) report(`should be at most ${most} chars long`);
    const pattern = schema['pattern'];
    if (typeof pattern === 'string' && !matches(pattern, value)) report(`should match '${pattern}'`);
  }
  if (Array.isArray(value)) {
    const least = bound('minItems');
    const most = bound('maxItems');
    if (least !== undefined && value.length < least) report(`should have at least ${least} items`);
    if (most !== undefined && value.length > most) report(`should have at most ${most} items`);
  }
}

/** Go's patterns are nearly JavaScript's; one that does not compile here is not enforced. */
function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value);
  } catch {
    return true;
  }
}
