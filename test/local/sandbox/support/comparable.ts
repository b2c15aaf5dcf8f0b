import type { StepAnswer } from './sequence.ts';

/**
 * What of an answer is compared. Left out: selfLink (gone since 1.20), and of refusals that quote Go values or a
 * parser's position the exact words. Several schema errors come in any order (the server walks a Go map), and the order of
 * managedFields depends on times, which are compared themselves.
 */
export function comparable(answer: StepAnswer): unknown {
  return { status: answer.status, body: withoutNoise(answer.body) };
}

function withoutNoise(value: unknown): unknown {
  if (typeof value === 'string' && value.includes('errors:\n')) return value.split('\n').sort();
  if (Array.isArray(value)) return value.map(withoutNoise);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'selfLink')
      .map(([key, child]) => [
        key,
        key === 'managedFields' ? sortedByManager(withoutNoise(child)) : withoutNoise(child),
      ]),
  );
}

function sortedByManager(entries: unknown): unknown {
  if (!Array.isArray(entries)) return entries;
  const key = (entry: { operation?: unknown; manager?: unknown }): string =>
    `${entry.operation}/${entry.manager}`;
  return [...entries].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
