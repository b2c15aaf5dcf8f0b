import type { Run } from '../../model/run.ts';
import { isGone, isRunnable, isWorkOutstanding, type TargetState } from '../../model/target-state.ts';

export type StateWord =
  | 'Applied'
  /** Applied, and something that left Git is kept until somebody allows its removal. */
  | 'Held'
  | 'Progressing'
  | 'Failed'
  /** The wanted commit cannot be rendered or has no such path; what was applied stays. */
  | 'Invalid'
  | 'Suspended'
  | 'Removing'
  | 'Removed';

/** One word for where a target stands. Pure: the item, and its last run. */
export function stateWord(state: TargetState, lastRun: Run | undefined): StateWord {
  if (isGone(state)) return 'Removed';
  if (state.wanted.kind === 'removed') return 'Removing';
  if (state.wanted.kind === 'invalid') return 'Invalid';
  if (!isRunnable(state)) return 'Suspended';
  if (state.lease !== undefined) return 'Progressing';
  if (isWorkOutstanding(state)) {
    const { lastRun: last } = state;
    return last?.outcome === 'failed' && last.wantedSeq === state.wantedSeq ? 'Failed' : 'Progressing';
  }
  return lastRun !== undefined && lastRun.id === state.lastRun?.id && lastRun.counts.withheld > 0
    ? 'Held'
    : 'Applied';
}

/** What there is to say beside the word. */
export function stateMessage(state: TargetState, lastRun: Run | undefined): string {
  const { wanted } = state;
  if (wanted.kind === 'invalid') return wanted.error.message;
  const word = stateWord(state, lastRun);
  if (word === 'Held') {
    const [warning] = lastRun?.warnings ?? [];
    return warning ?? state.lastRun?.message ?? '';
  }
  if (word === 'Suspended') return 'spec.suspend is true';
  if (word === 'Progressing' && state.lastRun?.wantedSeq !== state.wantedSeq) return 'about to be applied';
  return state.lastRun?.message ?? '';
}
