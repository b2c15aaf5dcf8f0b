import type { JsonObject } from '../../../model/resource.ts';
import { EMPTY_SET, type FieldSet, isEmpty, LEAF_SET } from './field-set.ts';

/** Stored forms are shared by all versions of an object that they outlive, so each is read once. */
const known = new WeakMap<object, FieldSet>();

/** The stored form of a field set: a path that ends here is `{}`, or `"."` where paths go on below it. */
export function toFieldsV1(set: FieldSet): JsonObject {
  const out = encode(set);
  known.set(out, set);
  return out;
}

function encode(set: FieldSet): JsonObject {
  const out: Record<string, JsonObject> = {};
  if (set.member && set.children.size > 0) out['.'] = {};
  for (const element of [...set.children.keys()].sort()) {
    const child = set.children.get(element);
    if (child !== undefined) out[element] = encode(child);
  }
  return out;
}

/** @throws Error when the value is not the JSON form of a field set. */
export function fromFieldsV1(value: unknown): FieldSet {
  if (!isObject(value)) throw new Error('fieldsV1: expected an object');
  const set = known.get(value) ?? decode(value);
  known.set(value, set);
  return set;
}

function decode(value: Record<string, unknown>): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [element, child] of Object.entries(value)) {
    if (element === '.') continue;
    if (!/^[fkvi]:/.test(element)) throw new Error(`fieldsV1: unknown path element "${element}"`);
    const below = fromChild(child);
    if (!isEmpty(below)) children.set(element, below);
  }
  return children.size === 0 ? EMPTY_SET : { member: false, children };
}

function fromChild(value: unknown): FieldSet {
  if (!isObject(value)) throw new Error('fieldsV1: expected an object');
  if (Object.keys(value).length === 0) return LEAF_SET;
  return { member: '.' in value, children: decode(value).children };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
