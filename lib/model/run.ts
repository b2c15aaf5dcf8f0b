import type { CommitSha, TargetId } from './ids.ts';
import type { ErrorRecord } from './errors.ts';
import type { WakeReason } from './wake-up.ts';

export type RunOutcome = 'succeeded' | 'failed' | 'continued' | 'superseded';

/** The audit record of one reconcile of one target. */
export interface Run {
  readonly schema: 1;
  /** Sorts by start: <start in ms, 13 digits>-<random>. */
  readonly id: string;
  readonly target: TargetId;
  readonly reason: WakeReason;
  /** undefined for the removal of a target. */
  readonly revision?: CommitSha;
  readonly epoch: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly outcome: RunOutcome;
  readonly counts: RunCounts;
  /** Every failing object of the run, and an error of the run itself with no object. */
  readonly errors: readonly ObjectError[];
  readonly warnings: readonly string[];
  readonly requests: Readonly<Record<string, number>>;
}

export interface RunCounts {
  readonly created: number;
  readonly changed: number;
  readonly healed: number;
  readonly unchanged: number;
  readonly pruned: number;
  readonly withheld: number;
  readonly failed: number;
}

export interface ObjectError {
  /** describeResource of the object; absent when the error is the run's. */
  readonly object?: string;
  /** file:line in the repository. */
  readonly origin?: string;
  readonly error: ErrorRecord;
}
