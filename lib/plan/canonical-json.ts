import { HoldfastError } from '../model/errors.ts';

// Deeper than any object an API server takes, and far from the end of the stack.
const MAX_DEPTH = 512;

/**
 * JSON with sorted keys and without undefined members: the same text for the same value, whatever order it was built
 * in. Every hash of this room is over it.
 * @throws HoldfastError `invalid-input` for what JSON cannot carry (NaN, infinities, bigint, functions) and for values
 * nested too deeply.
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) {
    throw new HoldfastError('invalid-input', `nested more than ${MAX_DEPTH} levels deep`);
  }
  if (value === null || value === undefined) {
    return 'null';
  }
  if (typeof value === 'string' || typeof value === 'boolean') {
    return JSON.stringify(value);
  }
  if (typeof value === 'number' && Number.isFinite(value)) {
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => write(item, depth + 1)).join(',')}]`;
  }
  if (typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([name, member]) => `${JSON.stringify(name)}:${write(member, depth + 1)}`);
    return `{${members.join(',')}}`;
  }
  throw new HoldfastError('invalid-input', `a ${typeof value} (${String(value)}) has no place in JSON`);
}
