import { isDeepStrictEqual } from 'node:util';
import { isRecord } from '../objects/sandbox-object.ts';
import { ApiError, badRequest } from './status.ts';

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  // Through entries, not by assignment: a key may be `__proto__`.
  const out = new Map(Object.entries(isRecord(target) ? target : {}));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) out.delete(key);
    else out.set(key, mergePatch(out.get(key), value));
  }
  return Object.fromEntries(out);
}

/** RFC 6902. @throws ApiError 422 when an operation does not fit the document, 400 when it is not one */
export function jsonPatch(target: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw badRequest('a JSON patch must be a list of operations');
  let document: unknown = structuredClone(target);
  for (const operation of operations) document = applyOperation(document, operation);
  return document;
}

function unprocessable(): ApiError {
  return new ApiError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
}

function applyOperation(document: unknown, operation: unknown): unknown {
  if (!isRecord(operation) || typeof operation['path'] !== 'string') throw unprocessable();
  const path = pointer(operation['path']);
  const from = (): readonly string[] => {
    if (typeof operation['from'] !== 'string') throw unprocessable();
    return pointer(operation['from']);
  };
  switch (operation['op']) {
    case 'add':
      return edit(document, path, () => structuredClone(operation['value']), true);
    case 'replace':
      read(document, path);
      return edit(document, path, () => structuredClone(operation['value']), false);
    case 'remove':
      return remove(document, path);
    case 'copy':
      return edit(document, path, () => structuredClone(read(document, from())), true);
    case 'move': {
      const value = read(document, from());
      return edit(remove(document, from()), path, () => value, true);
    }
    case 'test':
      if (!isDeepStrictEqual(read(document, path), operation['value'])) throw unprocessable();
      return document;
    default:
      throw unprocessable();
  }
}

function pointer(text: string): readonly string[] {
  if (text === '') return [];
  if (!text.startsWith('/')) throw unprocessable();
  return text
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function read(document: unknown, path: readonly string[]): unknown {
  let current = document;
  for (const part of path) {
    if (Array.isArray(current)) current = current[index(part, current.length - 1)];
    else if (isRecord(current) && Object.hasOwn(current, part)) current = current[part];
    else throw unprocessable();
  }
  return current;
}

function index(part: string, last: number): number {
  const value = Number(part);
  if (!/^(0|[1-9]\d*)$/.test(part) || value > last) throw unprocessable();
  return value;
}

/** The document belongs to this patch alone, so it is changed in place. */
function edit(document: unknown, path: readonly string[], value: () => unknown, insert: boolean): unknown {
  const last = path.at(-1);
  if (last === undefined) return value();
  const parent = read(document, path.slice(0, -1));
  if (Array.isArray(parent)) {
    if (last === '-') parent.push(value());
    else parent.splice(index(last, insert ? parent.length : parent.length - 1), insert ? 0 : 1, value());
  } else if (isRecord(parent)) {
    parent[last] = value();
  } else {
    throw unprocessable();
  }
  return document;
}

function remove(document: unknown, path: readonly string[]): unknown {
  read(document, path);
  const last = path.at(-1);
  if (last === undefined) return null;
  const parent = read(document, path.slice(0, -1));
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else if (isRecord(parent)) delete parent[last];
  return document;
}
