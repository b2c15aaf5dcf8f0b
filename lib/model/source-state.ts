import type { ErrorRecord } from './errors.ts';
import type { CommitSha, SourceId } from './ids.ts';

/** What the Git server was last seen to hold, per ref, and in which order it was seen. */
export interface SourceState {
  readonly schema: 1;
  readonly source: SourceId;
  /** Grows with every change that was seen. Read before the Git server is asked; the write is conditional on it. */
  readonly generation: number;
  readonly refs: Readonly<Record<string, SeenRef>>;
  readonly error?: ErrorRecord;
  /** Failed looks in a row. */
  readonly attempt: number;
  readonly checkedAt: number;
}

export interface SeenRef {
  /** Absent: the ref does not exist. */
  readonly revision?: CommitSha;
  /** The source generation at which this was first seen. */
  readonly generation: number;
}

export type SourceEvent =
  | {
      readonly kind: 'observe';
      readonly now: number;
      /** `generation` as read before the Git server was asked. */
      readonly expectedGeneration: number;
      /** Every followed ref; undefined: the server does not have it. */
      readonly refs: ReadonlyMap<string, CommitSha | undefined>;
    }
  | { readonly kind: 'failed'; readonly now: number; readonly error: ErrorRecord };

export type SourceTransition =
  | { readonly kind: 'write'; readonly next: SourceState }
  | { readonly kind: 'none'; readonly why: 'unchanged' | 'superseded' };

export function initialSourceState(source: SourceId): SourceState {
  return { schema: 1, source, generation: 0, refs: {}, attempt: 0, checkedAt: 0 };
}

/**
 * A slow worker that asked the Git server before a quicker one did cannot write what it saw:
 * the quicker one's change has raised the generation.
 */
export function sourceTransition(state: SourceState, event: SourceEvent): SourceTransition {
  if (event.kind === 'failed') {
    return {
      kind: 'write',
      next: { ...state, error: event.error, attempt: state.attempt + 1, checkedAt: event.now },
    };
  }
  if (state.generation !== event.expectedGeneration) return { kind: 'none', why: 'superseded' };
  const changed = [...event.refs].filter(([ref, revision]) => {
    const seen = state.refs[ref];
    return seen === undefined || seen.revision !== revision;
  });
  if (changed.length === 0 && state.error === undefined) return { kind: 'none', why: 'unchanged' };
  const generation = changed.length === 0 ? state.generation : state.generation + 1;
  const refs = { ...state.refs };
  for (const [ref, revision] of changed)
    refs[ref] = revision === undefined ? { generation } : { revision, generation };
  const { error: _recovered, ...rest } = state;
  return { kind: 'write', next: { ...rest, generation, refs, attempt: 0, checkedAt: event.now } };
}
