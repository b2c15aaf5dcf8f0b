import type { SourceId, TargetId } from '../model/ids.ts';
import type { BlobPointer } from '../model/inventory.ts';
import type { ObjectError, RunCounts, RunOutcome } from '../model/run.ts';
import type { RecordedInputs, TargetState } from '../model/target-state.ts';
import type { HeldLease } from './keep-lease.ts';

export interface RunInput {
  readonly state: TargetState;
  readonly takeover: boolean;
  readonly lease: HeldLease;
  /** Monotonic milliseconds. */
  readonly deadline: number;
  /** Told what the run renders with, as soon as it is known: a render that fails depends on it too. */
  readonly onInputs?: (inputs: RecordedInputs) => void;
}

export interface RunResult {
  readonly outcome: RunOutcome;
  readonly message: string;
  readonly counts: RunCounts;
  readonly errors: readonly ObjectError[];
  readonly warnings: readonly string[];
  readonly requests: Readonly<Record<string, number>>;
  readonly inventory: BlobPointer | 'keep' | 'none';
  /** The packs that the new inventory needs; absent when it is kept. */
  readonly packs?: readonly BlobPointer[];
  readonly retryAt?: number;
  readonly wakeSource?: SourceId;
  /** Targets that have been given an object they were waiting for. */
  readonly wakeTargets?: readonly TargetId[];
}

export const NO_COUNTS: RunCounts = {
  created: 0,
  changed: 0,
  healed: 0,
  unchanged: 0,
  pruned: 0,
  withheld: 0,
  failed: 0,
};
