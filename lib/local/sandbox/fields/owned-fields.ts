import { type Atom, fieldType, settle } from '../schema/atom.ts';
import { EMPTY_SET, type FieldSet, isEmpty, LEAF_SET } from './field-set.ts';
import { fieldElement, itemElement } from './path-element.ts';

/**
 * The fields that a configuration names: what its applier owns.
 * Scalars, atomic lists and maps, items of associative lists and keys of plain maps are members; structs are not, only
 * what lies in them, so an empty one is owned by nobody. The value is valid under its schema.
 */
export function ownedFields(atom: Atom, value: unknown): FieldSet {
  const form = settle(atom, value);
  if (form.kind === 'scalar') return LEAF_SET;
  if (form.kind === 'list') {
    if (form.relation === 'atomic') return LEAF_SET;
    const children = new Map<string, FieldSet>();
    for (const item of Array.isArray(value) ? value : []) {
      const below = ownedFields(form.element(), item);
      children.set(itemElement(form, item), { member: true, children: below.children });
    }
    return children.size === 0 ? EMPTY_SET : { member: false, children };
  }
  if (form.atomic) return LEAF_SET;
  if (!isPlainObject(value)) return EMPTY_SET;
  const children = new Map<string, FieldSet>();
  for (const [key, child] of Object.entries(value)) {
    const type = fieldType(form, key);
    if (type === undefined) continue;
    const below = ownedFields(type(), child);
    const member = below.member || !form.fields.has(key);
    if (member || !isEmpty(below)) children.set(fieldElement(key), { member, children: below.children });
  }
  return children.size === 0 ? EMPTY_SET : { member: false, children };
}

/** The value without what the set names; undefined when nothing is left of it. */
export function removeFields(atom: Atom, value: unknown, remove: FieldSet): unknown {
  const form = settle(atom, value);
  if (form.kind === 'list') {
    if (!Array.isArray(value) || form.relation === 'atomic') return undefined;
    const items: unknown[] = [];
    for (const item of value) {
      const below = remove.children.get(itemElement(form, item));
      if (below?.member === true) continue;
      items.push(below === undefined ? item : (removeFields(form.element(), item, below) ?? null));
    }
    return items.length === 0 ? undefined : items;
  }
  if (form.kind === 'map') {
    if (!isPlainObject(value) || form.atomic) return undefined;
    const out: [string, unknown][] = [];
    for (const [key, child] of Object.entries(value)) {
      const below = remove.children.get(fieldElement(key));
      if (below?.member === true) continue;
      const type = fieldType(form, key);
      const left =
        below === undefined || type === undefined ? child : (removeFields(type(), child, below) ?? null);
      out.push([key, left]);
    }
    return out.length === 0 ? undefined : Object.fromEntries(out);
  }
  return value;
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
