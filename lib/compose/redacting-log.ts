import type { Log, LogFields } from '../model/log.ts';

/** Deeper than any field of ours; what lies below is not written. */
const MAX_DEPTH = 12;

/**
 * The same log, with `mask` over every string that goes into it: messages, fields, names of fields, and of errors their
 * messages, stacks, details and causes.
 */
export function redactingLog(log: Log, mask: (text: string) => string): Log {
  const safe = (fields: LogFields | undefined): LogFields | undefined =>
    fields === undefined ? undefined : (masked(fields, mask, 0, new Map()) as LogFields);
  return {
    info: (message, fields) => log.info(mask(message), safe(fields)),
    warn: (message, fields) => log.warn(mask(message), safe(fields)),
    error: (message, fields) => log.error(mask(message), safe(fields)),
    child: (fields) => redactingLog(log.child(safe(fields) ?? {}), mask),
  };
}

function masked(
  value: unknown,
  mask: (text: string) => string,
  depth: number,
  seen: Map<object, unknown>,
): unknown {
  if (typeof value === 'string') return mask(value);
  if (typeof value !== 'object' || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;
  if (depth === MAX_DEPTH) return '[too deep]';
  const next = (child: unknown): unknown => masked(child, mask, depth + 1, seen);
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    seen.set(value, copy);
    for (const child of value) copy.push(next(child));
    return copy;
  }
  if (value instanceof Error) return maskedError(value, next, seen);
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    seen.set(value, '[again]');
    return next(value.toJSON());
  }
  const copy: Record<string, unknown> = {};
  seen.set(value, copy);
  for (const [name, child] of Object.entries(value)) copy[mask(name)] = next(child);
  return copy;
}

/** What is written of an error. The rest may hold whole responses and connections. */
const ERROR_MEMBERS = [
  'name',
  'message',
  'stack',
  'code',
  'retryable',
  'details',
  'cause',
  'errors',
] as const;

/** An error of the same class, so that whoever writes it still knows what it is. */
function maskedError(error: Error, next: (value: unknown) => unknown, seen: Map<object, unknown>): Error {
  const copy = Object.create(Object.getPrototypeOf(error)) as Error;
  seen.set(error, copy);
  for (const name of ERROR_MEMBERS) {
    const value: unknown = Object.hasOwn(error, name) ? error[name as keyof Error] : undefined;
    if (value !== undefined) Object.defineProperty(copy, name, { value: next(value), configurable: true });
  }
  return copy;
}
