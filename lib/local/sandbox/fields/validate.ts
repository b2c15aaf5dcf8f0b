import {
  type Atom,
  fieldType,
  type ListAtom,
  type MapAtom,
  type ScalarAtom,
  settle,
} from '../schema/atom.ts';
import { fieldElement, ItemKeyError, itemElement } from './path-element.ts';
import { printPath } from './field-set.ts';

/** What is wrong with a value under its schema, worded and ordered as the API server does; empty when nothing is. */
export function validate(atom: Atom, value: unknown): readonly string[] {
  const errors: string[] = [];
  validateAt(atom, value, [], errors);
  return errors;
}

function validateAt(atom: Atom, value: unknown, path: string[], errors: string[]): void {
  if (value === null || value === undefined) return;
  const form = settle(atom, value);
  switch (form.kind) {
    case 'scalar':
      return validateScalar(form, value, path, errors);
    case 'list':
      return validateList(form, value, path, errors);
    case 'map':
      return validateMap(form, value, path, errors);
  }
}

function report(errors: string[], path: readonly string[], message: string): void {
  errors.push(path.length === 0 ? message : `${printPath(path)}: ${message}`);
}

function validateScalar(form: ScalarAtom, value: unknown, path: string[], errors: string[]): void {
  const type = typeof value;
  switch (form.scalar) {
    case 'string':
    case 'quantity':
      if (type !== 'string') report(errors, path, `expected string, got ${goValue(value)}`);
      return;
    case 'number':
      if (type !== 'number')
        report(errors, path, 'expected numeric (int or float), got *value.valueUnstructured');
      return;
    case 'boolean':
      if (type !== 'boolean') report(errors, path, `expected boolean, got &{${goPlain(value)}}`);
      return;
    case 'untyped':
      if (type === 'object') report(errors, path, `expected scalar, got ${goValue(value)}`);
  }
}

function validateList(form: ListAtom, value: unknown, path: string[], errors: string[]): void {
  if (!Array.isArray(value)) return report(errors, path, `expected list, got &{${goPlain(value)}}`);
  const element = form.element();
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    if (form.relation === 'atomic') {
      validateAt(element, item, [...path, `i:${index}`], errors);
      continue;
    }
    try {
      const key = itemElement(form, item);
      if (seen.has(key)) report(errors, path, `duplicate entries for key ${printPath([key])}`);
      seen.add(key);
      validateAt(element, item, [...path, key], errors);
    } catch (error) {
      if (!(error instanceof ItemKeyError)) throw error;
      report(errors, path, `element ${index}: ${error.message}`);
    }
  }
}

function validateMap(form: MapAtom, value: unknown, path: string[], errors: string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return report(errors, path, `expected map, got &{${goPlain(value)}}`);
  }
  for (const key of Object.keys(value).sort()) {
    const child = (value as Record<string, unknown>)[key];
    const type = fieldType(form, key);
    path.push(fieldElement(key));
    if (type === undefined) report(errors, path, 'field not declared in schema');
    else validateAt(type(), child, path, errors);
    path.pop();
  }
}

// The API server prints its own Go values; programs only ever show these texts.
function goValue(value: unknown): string {
  return `&value.valueUnstructured{Value:${goLiteral(value)}}`;
}

function goLiteral(value: unknown): string {
  if (Array.isArray(value)) return `[]interface {}{${value.map(goLiteral).join(', ')}}`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, child]) => `${JSON.stringify(key)}:${goLiteral(child)}`);
    return `map[string]interface {}{${entries.join(', ')}}`;
  }
  return value === null ? 'interface {}(nil)' : JSON.stringify(value);
}

/** `%v`: `map[a:1]`, `[x y]`. */
function goPlain(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goPlain).join(' ')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${entries.map(([key, child]) => `${key}:${goPlain(child)}`).join(' ')}]`;
  }
  return value === null ? '<nil>' : String(value);
}
