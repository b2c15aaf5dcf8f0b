import type { Application } from './application.ts';
import type { ErrorRecord } from './errors.ts';
import type { ApplicationId, ClusterName, CommitSha, Digest, RootId, TargetId } from './ids.ts';
import type { BlobPointer } from './inventory.ts';
import type { Order } from './order.ts';
import type { RunOutcome } from './run.ts';

/** What a target should become. */
export type Wanted =
  | {
      readonly kind: 'revision';
      readonly order: Order;
      readonly revision: CommitSha;
      /** Digest of everything the render reads; equal closures render equal manifests. */
      readonly closure: Digest;
      readonly artefact: Digest;
      readonly application: Application;
    }
  /** This commit cannot be rendered for this target; what was applied stays. */
  | {
      readonly kind: 'invalid';
      readonly order: Order;
      readonly revision?: CommitSha;
      readonly application: Application;
      readonly error: ErrorRecord;
    }
  /** The application, or its destination, left Git: a tombstone that is worked off. */
  | { readonly kind: 'removed'; readonly order: Order; readonly prune: boolean };

/**
 * What a run rendered with beside its commit: versions of values and keys, and what helm asks of the destination. By
 * version only, never by value.
 */
export interface RecordedInputs {
  readonly digest: Digest;
  /** What the destination is and serves is part of it. */
  readonly capabilities?: true;
}

export interface Applied {
  /** Absent once a removal is complete. */
  readonly revision?: CommitSha;
  readonly closure?: Digest;
  readonly artefact?: Digest;
  /** The `wantedSeq` that this run carried out. */
  readonly wantedSeq: number;
  readonly at: number;
}

export interface Lease {
  readonly owner: string;
  /** Milliseconds since the epoch, at acquisition; the heartbeat item may extend it. */
  readonly expiresAt: number;
}

/** The one hot item of a target. Every change is a transition of target-transitions.ts, written under a version condition. */
export interface TargetState {
  readonly schema: 1;
  readonly target: TargetId;
  readonly application: ApplicationId;
  readonly root: RootId;
  readonly cluster: ClusterName;
  /** For people: the application's namespace and name. */
  readonly title: string;
  readonly wanted: Wanted;
  /** Grows by one each time `wanted` changes. */
  readonly wantedSeq: number;
  /** Grows by one with each request to look again (drift to heal, `holdfast reconcile`). */
  readonly requested: number;
  /** The last request that a finished run covered. */
  readonly handled: number;
  /** Grows with each acquisition; never reset, never deleted: removed targets keep their item. */
  readonly epoch: number;
  readonly lease?: Lease;
  /** The inventory written ahead by an unfinished run: covers everything that it may have created. */
  readonly pending?: { readonly inventory: BlobPointer; readonly epoch: number };
  readonly inventory?: BlobPointer;
  readonly applied?: Applied;
  readonly lastRun?: {
    readonly id: string;
    readonly outcome: RunOutcome;
    readonly at: number;
    readonly wantedSeq: number;
    readonly revision?: CommitSha;
    readonly message: string;
    /** Absent: it needed nothing else, or did not get so far as to look. Another digest now means another render. */
    readonly inputs?: RecordedInputs;
  };
  /** Failed attempts in a row at the current `wantedSeq`. */
  readonly attempt: number;
  /** Milliseconds; when there is work to be done next. Absent: none, or none that time alone would bring. */
  readonly nextAttemptAt?: number;
  /** Permits one delete set of one revision to go over the share limit. */
  readonly allowance?: { readonly revision?: CommitSha; readonly deleteSet: Digest };
}

export function isWorkOutstanding(state: TargetState): boolean {
  if (state.pending !== undefined) return true;
  if (state.handled < state.requested) return true;
  return state.applied?.wantedSeq !== state.wantedSeq;
}

/** Whether a run could do anything now: a suspended or invalid target keeps what it has. */
export function isRunnable(state: TargetState): boolean {
  switch (state.wanted.kind) {
    case 'removed':
      return true;
    case 'invalid':
      return false;
    case 'revision':
      return !state.wanted.application.suspend;
  }
}

/** When the sweep should wake it; undefined: it rests. */
export function dueAt(state: TargetState): number | undefined {
  if (!isRunnable(state)) return undefined;
  if (state.lease !== undefined) return state.lease.expiresAt;
  return state.nextAttemptAt;
}

/** A removal that is complete: nothing of the target is left in its cluster. */
export function isGone(state: TargetState): boolean {
  return (
    state.wanted.kind === 'removed' &&
    state.applied?.wantedSeq === state.wantedSeq &&
    state.lease === undefined &&
    state.pending === undefined &&
    state.inventory === undefined
  );
}

/** Idle, applied as wanted, and the last run succeeded: it may move to an equal closure without a run. */
export function isSettled(state: TargetState): boolean {
  return (
    state.lease === undefined &&
    !isWorkOutstanding(state) &&
    state.lastRun?.outcome === 'succeeded' &&
    state.nextAttemptAt === undefined
  );
}
