import type { SourceId } from './ids.ts';

/**
 * When something was seen, in Holdfast's own order: two generations that only grow, never a clock.
 * `definition`: the registry generation at which the application's definition last changed.
 * `revision`: the source generation at which the ref's head was first seen; absent for a removal.
 */
export interface Order {
  readonly definition: number;
  readonly source?: SourceId;
  readonly revision?: number;
}

/** `mixed`: newer in one part and older in the other; who holds it read one of them too early and must read again. */
export type Comparison = 'newer' | 'same' | 'older' | 'mixed';

export function compareOrder(candidate: Order, current: Order): Comparison {
  const definition = Math.sign(candidate.definition - current.definition);
  // Generations of two sources, or of a removal and a revision, say nothing about each other: the definition decides.
  const comparable =
    candidate.source === current.source && candidate.revision !== undefined && current.revision !== undefined;
  const revision = comparable ? Math.sign((candidate.revision ?? 0) - (current.revision ?? 0)) : 0;
  if (definition === 0 && revision === 0) return 'same';
  if (definition >= 0 && revision >= 0) return 'newer';
  if (definition <= 0 && revision <= 0) return 'older';
  return 'mixed';
}
