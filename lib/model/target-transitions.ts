import type { ApplicationId, ClusterName, CommitSha, Digest, RootId, TargetId } from './ids.ts';
import type { BlobPointer } from './inventory.ts';
import { compareOrder } from './order.ts';
import type { RunOutcome } from './run.ts';
import {
  isGone,
  isRunnable,
  isSettled,
  isWorkOutstanding,
  type RecordedInputs,
  type TargetState,
  type Wanted,
} from './target-state.ts';

/** Everything that can happen to a target. Times are milliseconds and only inform; orders, epochs and sequences decide. */
export type TargetEvent =
  | {
      readonly kind: 'want';
      readonly now: number;
      readonly identity: TargetIdentity;
      readonly wanted: Wanted;
    }
  | {
      readonly kind: 'acquire';
      readonly now: number;
      readonly owner: string;
      readonly leaseMs: number;
      /** The heartbeat item, read consistently before. */
      readonly heartbeat?: { readonly epoch: number; readonly expiresAt: number };
    }
  | { readonly kind: 'write-ahead'; readonly epoch: number; readonly inventory: BlobPointer }
  | {
      readonly kind: 'finish';
      readonly now: number;
      readonly epoch: number;
      /** What the run carried out, as it stood when the run began. */
      readonly wantedSeq: number;
      readonly requested: number;
      readonly outcome: RunOutcome;
      readonly runId: string;
      readonly message: string;
      readonly inputs?: RecordedInputs;
      /** Covers everything that may exist now; `keep`: the run changed nothing; `none`: nothing is left. */
      readonly inventory: BlobPointer | 'keep' | 'none';
      /** When to try again; absent: success, or a failure that only a new commit or a request can mend. */
      readonly retryAt?: number;
    }
  | { readonly kind: 'request'; readonly now: number; readonly seen?: Seen }
  | { readonly kind: 'allow-prune'; readonly now: number; readonly deleteSet: Digest };

export interface TargetIdentity {
  readonly target: TargetId;
  readonly application: ApplicationId;
  readonly root: RootId;
  readonly cluster: ClusterName;
  readonly title: string;
}

/** What a drift scan looked at; its verdict counts only while this still holds. */
export interface Seen {
  readonly epoch: number;
  readonly runId?: string;
}

export type Transition =
  | { readonly kind: 'write'; readonly next: TargetState; readonly effect: Effect }
  /** Nothing to write. */
  | { readonly kind: 'none'; readonly why: Refusal };

/** What the caller does once the write has succeeded. */
export type Effect = 'wake' | 'advanced' | 'acquired' | 'taken-over' | 'stored' | 'done';

export type Refusal =
  | 'older'
  | 'mixed'
  | 'unchanged'
  | 'held'
  | 'resting'
  | 'lease-lost'
  | 'changed-meanwhile'
  | 'unknown-target';

/** Pure: (item, event) → the next item, which the store writes only if the item is still the one that was read. */
export function transition(state: TargetState | undefined, event: TargetEvent): Transition {
  if (event.kind === 'want') return want(state, event);
  if (state === undefined) return none('unknown-target');
  switch (event.kind) {
    case 'acquire':
      return acquire(state, event);
    case 'write-ahead':
      if (!holds(state, event.epoch)) return none('lease-lost');
      return write({ ...state, pending: { inventory: event.inventory, epoch: event.epoch } }, 'stored');
    case 'finish':
      return finish(state, event);
    case 'request':
      return request(state, event);
    case 'allow-prune':
      return allowPrune(state, event);
  }
}

type Of<K extends TargetEvent['kind']> = Extract<TargetEvent, { readonly kind: K }>;

function want(state: TargetState | undefined, event: Of<'want'>): Transition {
  if (state === undefined) {
    // A tombstone for a target that never was: there is nothing to remove.
    if (event.wanted.kind === 'removed') return none('unchanged');
    const fresh: TargetState = {
      schema: 1,
      ...event.identity,
      wanted: event.wanted,
      wantedSeq: 1,
      requested: 0,
      handled: 0,
      epoch: 0,
      attempt: 0,
      nextAttemptAt: event.now,
    };
    return write(fresh, 'wake');
  }
  const comparison = compareOrder(event.wanted.order, state.wanted.order);
  if (comparison === 'older' || comparison === 'mixed') return none(comparison);
  if (comparison === 'same' && isSameWanted(event.wanted, state.wanted)) return none('unchanged');
  const moved = {
    ...state,
    title: event.identity.title,
    wanted: event.wanted,
    wantedSeq: state.wantedSeq + 1,
  };
  if (canAdvance(state, event.wanted)) {
    const { applied } = state;
    return write(
      {
        ...moved,
        applied: {
          revision: event.wanted.revision,
          closure: event.wanted.closure,
          artefact: event.wanted.artefact,
          wantedSeq: moved.wantedSeq,
          at: applied?.at ?? event.now,
        },
      },
      'advanced',
    );
  }
  // A bad commit never blocks a good one: whatever back-off the last commit is in, the new one is due now.
  return write({ ...without(moved, 'allowance'), attempt: 0, nextAttemptAt: event.now }, 'wake');
}

/** The skip rule: equal closure, idle and healthy. No lease, no render, no request to the cluster. */
function canAdvance(state: TargetState, wanted: Wanted): wanted is Extract<Wanted, { kind: 'revision' }> {
  return wanted.kind === 'revision' && isSettled(state) && state.applied?.closure === wanted.closure;
}

function isSameWanted(a: Wanted, b: Wanted): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind === 'revision' && b.kind === 'revision')
    return a.closure === b.closure && a.revision === b.revision;
  if (a.kind === 'invalid' && b.kind === 'invalid') return a.error.message === b.error.message;
  return true;
}

/** Queue delays are whole seconds and clocks differ: a wake-up this much too early is taken as on time. */
const EARLY_MS = 1000;

function acquire(state: TargetState, event: Of<'acquire'>): Transition {
  const { lease } = state;
  if (lease !== undefined) {
    const beat = event.heartbeat;
    const expiresAt =
      beat?.epoch === state.epoch ? Math.max(lease.expiresAt, beat.expiresAt) : lease.expiresAt;
    if (expiresAt > event.now) return none('held');
  }
  const due = state.nextAttemptAt !== undefined && state.nextAttemptAt <= event.now + EARLY_MS;
  const abandoned = lease !== undefined;
  if (!isRunnable(state) || (!due && !abandoned)) return none('resting');
  const takenOver = abandoned || state.pending !== undefined;
  return write(
    {
      ...state,
      epoch: state.epoch + 1,
      lease: { owner: event.owner, expiresAt: event.now + event.leaseMs },
    },
    takenOver ? 'taken-over' : 'acquired',
  );
}

function finish(state: TargetState, event: Of<'finish'>): Transition {
  if (!holds(state, event.epoch)) return none('lease-lost');
  const settledInventory =
    event.inventory === 'keep'
      ? state
      : event.inventory === 'none'
        ? without(without(state, 'pending'), 'inventory')
        : { ...without(state, 'pending'), inventory: event.inventory };
  const succeeded = event.outcome === 'succeeded';
  const superseded = state.wantedSeq !== event.wantedSeq || state.requested !== event.requested;
  const attempt = superseded || succeeded ? 0 : state.attempt + 1;
  const next: TargetState = {
    ...without(without(settledInventory, 'lease'), 'nextAttemptAt'),
    attempt,
    handled: succeeded ? Math.max(state.handled, event.requested) : state.handled,
    lastRun: {
      id: event.runId,
      outcome: event.outcome,
      at: event.now,
      wantedSeq: event.wantedSeq,
      message: event.message,
      ...(event.inputs === undefined ? {} : { inputs: event.inputs }),
      ...revisionOf(state, event.wantedSeq),
    },
    ...(succeeded ? { applied: appliedOf(state, event) } : {}),
  };
  if (superseded && isRunnable(next) && isWorkOutstanding(next))
    return write({ ...next, nextAttemptAt: event.now }, 'wake');
  if (event.retryAt !== undefined) return write({ ...next, nextAttemptAt: event.retryAt }, 'wake');
  return write(next, 'done');
}

/** If the wanted state moved on during the run, what was applied is the state of then, and is never taken for now's. */
function appliedOf(state: TargetState, event: Of<'finish'>): NonNullable<TargetState['applied']> {
  const current = state.wantedSeq === event.wantedSeq ? state.wanted : undefined;
  return {
    wantedSeq: event.wantedSeq,
    at: event.now,
    ...(current?.kind === 'revision'
      ? { revision: current.revision, closure: current.closure, artefact: current.artefact }
      : {}),
  };
}

function revisionOf(state: TargetState, wantedSeq: number): { readonly revision?: CommitSha } {
  const { wanted } = state;
  return wanted.kind === 'revision' && wantedSeq === state.wantedSeq ? { revision: wanted.revision } : {};
}

function request(state: TargetState, event: Of<'request'>): Transition {
  if (event.seen !== undefined) {
    const unchanged = event.seen.epoch === state.epoch && event.seen.runId === state.lastRun?.id;
    if (!unchanged || state.lease !== undefined || state.pending !== undefined)
      return none('changed-meanwhile');
  }
  if (!isRunnable(state) || isGone(state)) return none('resting');
  return write({ ...state, requested: state.requested + 1, attempt: 0, nextAttemptAt: event.now }, 'wake');
}

function allowPrune(state: TargetState, event: Of<'allow-prune'>): Transition {
  const revision = state.wanted.kind === 'revision' ? { revision: state.wanted.revision } : {};
  return write(
    {
      ...state,
      allowance: { deleteSet: event.deleteSet, ...revision },
      requested: state.requested + 1,
      attempt: 0,
      nextAttemptAt: event.now,
    },
    'wake',
  );
}

function holds(state: TargetState, epoch: number): boolean {
  return state.lease !== undefined && state.epoch === epoch;
}

function write(next: TargetState, effect: Effect): Transition {
  return { kind: 'write', next, effect };
}

function none(why: Refusal): Transition {
  return { kind: 'none', why };
}

function without<T, K extends keyof T>(value: T, key: K): T {
  const { [key]: _dropped, ...rest } = value;
  return rest as T;
}
