import { isDeepStrictEqual } from 'node:util';
import { type Atom, fieldType, type ListAtom, type MapAtom, settle } from '../schema/atom.ts';
import { type FieldPath, type FieldSet, fieldSet } from './field-set.ts';
import { isPlainObject } from './owned-fields.ts';
import { fieldElement, itemElement } from './path-element.ts';

/**
 * Lays a configuration over a live object: leaves of `config` win, maps and associative lists are merged, live items
 * keep their order and new ones follow. Both are valid under the schema; undefined is absent, null is a value.
 */
export function mergeConfig(atom: Atom, live: unknown, config: unknown): unknown {
  if (config === undefined) return live;
  if (live === undefined) return config;
  const form = settle(atom, config ?? live);
  if (isLeaf(form, live, config)) return config;
  if (form.kind === 'list') return mergeLists(form, asList(live), asList(config));
  return mergeMaps(form as MapAtom, asMap(live), asMap(config));
}

function mergeLists(form: ListAtom, live: readonly unknown[], config: readonly unknown[]): unknown {
  const element = form.element();
  const wanted = new Map(config.map((item) => [itemElement(form, item), item]));
  const out: unknown[] = [];
  for (const item of live) {
    const key = itemElement(form, item);
    out.push(mergeConfig(element, item, wanted.get(key)));
    wanted.delete(key);
  }
  out.push(...wanted.values());
  return out;
}

function mergeMaps(form: MapAtom, live: Record<string, unknown>, config: Record<string, unknown>): unknown {
  // Through entries, not by assignment: a key may be `__proto__`.
  const out = new Map(Object.entries(live));
  for (const [key, value] of Object.entries(config)) {
    const type = fieldType(form, key);
    out.set(key, type === undefined ? value : mergeConfig(type(), out.get(key), value));
  }
  return Object.fromEntries(out);
}

/** What a write changed, each as field paths. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

interface Differences {
  readonly added: FieldPath[];
  readonly modified: FieldPath[];
  readonly removed: FieldPath[];
}

/** Compares two objects of one schema. A map or list that came or went counts itself, besides its content. */
export function compareObjects(atom: Atom, before: unknown, after: unknown): Comparison {
  const differences: Differences = { added: [], modified: [], removed: [] };
  compareAt(atom, before, after, [], differences);
  return {
    added: fieldSet(differences.added),
    modified: fieldSet(differences.modified),
    removed: fieldSet(differences.removed),
  };
}

function compareAt(atom: Atom, before: unknown, after: unknown, path: string[], out: Differences): void {
  if (before === after) return;
  const formBefore = settle(atom, before ?? after);
  const formAfter = settle(atom, after ?? before);
  if (formBefore.kind !== formAfter.kind) {
    // Only where anything may stand: the value changed its form. Both forms are walked, as the API server does.
    compareForm(formBefore, before, after, path, out);
  }
  compareForm(formAfter, before, after, path, out);
}

function compareForm(
  form: ReturnType<typeof settle>,
  before: unknown,
  after: unknown,
  path: string[],
  out: Differences,
): void {
  if (isLeaf(form, before, after)) {
    if (path.length === 0) return;
    if (before === undefined) out.added.push([...path]);
    else if (after === undefined) out.removed.push([...path]);
    else if (!isDeepStrictEqual(before, after)) out.modified.push([...path]);
    return;
  }
  if (form.kind === 'list') compareLists(form, asList(before), asList(after), path, out);
  else if (form.kind === 'map') compareMaps(form, asMap(before), asMap(after), path, out);
  if (path.length === 0) return;
  if (before === undefined) out.added.push([...path]);
  else if (after === undefined) out.removed.push([...path]);
}

function compareLists(
  form: ListAtom,
  before: readonly unknown[],
  after: readonly unknown[],
  path: string[],
  out: Differences,
): void {
  const element = form.element();
  const left = new Map(before.map((item) => [itemElement(form, item), item]));
  const right = new Map(after.map((item) => [itemElement(form, item), item]));
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    path.push(key);
    compareAt(element, left.get(key), right.get(key), path, out);
    path.pop();
  }
}

function compareMaps(
  form: MapAtom,
  before: Record<string, unknown>,
  after: Record<string, unknown>,
  path: string[],
  out: Differences,
): void {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const type = fieldType(form, key);
    if (type === undefined) continue;
    path.push(fieldElement(key));
    compareAt(type(), own(before, key), own(after, key), path, out);
    path.pop();
  }
}

/** Scalars and what is atomic, and two empty ones: that keeps null and empty apart. */
function isLeaf(form: ReturnType<typeof settle>, left: unknown, right: unknown): boolean {
  if (form.kind === 'scalar') return true;
  if (form.kind === 'list') {
    return form.relation === 'atomic' || (asList(left).length === 0 && asList(right).length === 0);
  }
  return form.atomic || (isEmptyMap(left) && isEmptyMap(right));
}

function isEmptyMap(value: unknown): boolean {
  return !isPlainObject(value) || Object.keys(value).length === 0;
}

/** A key may be `constructor`: what is inherited is not there. */
function own(object: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function asMap(value: unknown): Record<string, unknown> {
  return isPlainObject(value) ? value : {};
}
