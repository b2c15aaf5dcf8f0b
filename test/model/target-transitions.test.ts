import { sha256 } from '../../lib/model/ids.ts';
import { dueAt, isSettled, type TargetState } from '../../lib/model/target-state.ts';
import { transition, type TargetEvent } from '../../lib/model/target-transitions.ts';
import { aCommit, anApplication, anIdentity, aTarget, wants } from '../support/builders.ts';

const NOW = 10_000;
const want = (wanted: ReturnType<typeof wants>): TargetEvent => ({
  kind: 'want',
  now: NOW,
  identity: anIdentity(),
  wanted,
});
const acquire: TargetEvent = { kind: 'acquire', now: NOW, owner: 'me', leaseMs: 1000 };
const pointer = { digest: sha256('inventory'), generation: 1, chunks: 1, bytes: 1 };

function after(state: TargetState | undefined, event: TargetEvent): TargetState {
  const outcome = transition(state, event);
  if (outcome.kind === 'none') throw new Error(`refused: ${outcome.why}`);
  return outcome.next;
}

function finish(
  state: TargetState,
  fields: Partial<Extract<TargetEvent, { kind: 'finish' }>> = {},
): TargetEvent {
  return {
    kind: 'finish',
    now: NOW,
    epoch: state.epoch,
    wantedSeq: state.wantedSeq,
    requested: state.requested,
    outcome: 'succeeded',
    runId: 'run',
    message: '',
    inventory: pointer,
    ...fields,
  };
}

const settled = (): TargetState => {
  const held = after(aTarget(), acquire);
  return after(held, finish(held));
};

describe('wanting', () => {
  it('refuses an older generation', () => {
    expect(transition(aTarget({ wanted: wants(5) }), want(wants(4)))).toEqual({ kind: 'none', why: 'older' });
  });

  it('refuses an older definition, whatever its commit', () => {
    const state = aTarget({ wanted: wants(5, { definition: 3 }) });

    expect(transition(state, want(wants(5, { definition: 2 })))).toEqual({ kind: 'none', why: 'older' });
    expect(transition(state, want(wants(9, { definition: 2 })))).toEqual({ kind: 'none', why: 'mixed' });
    expect(transition(state, want(wants(4, { definition: 4 })))).toEqual({ kind: 'none', why: 'mixed' });
  });

  it('moves to an equal closure without waking when idle and healthy', () => {
    const state = after(settled(), want(wants(2, { closure: 'closure 1' })));

    expect(state.applied).toMatchObject({ revision: aCommit(2), wantedSeq: state.wantedSeq });
    expect(isSettled(state)).toBe(true);
  });

  it('wakes for an equal closure when the last run failed', () => {
    const held = after(aTarget(), acquire);
    const failed = after(held, finish(held, { outcome: 'failed', retryAt: NOW + 500_000 }));

    const outcome = transition(failed, want(wants(2, { closure: 'closure 1' })));

    expect(outcome).toMatchObject({ kind: 'write', effect: 'wake' });
  });

  it('is due at once although the last commit is in a long back-off', () => {
    const state = aTarget({ attempt: 9, nextAttemptAt: NOW + 600_000 });

    const next = after(state, want(wants(2)));

    expect(next).toMatchObject({ attempt: 0, nextAttemptAt: NOW });
    expect(transition(next, acquire)).toMatchObject({ kind: 'write', effect: 'acquired' });
  });

  it('drops an allowance, which is bound to a revision', () => {
    const allowed = aTarget({ allowance: { revision: aCommit(1), deleteSet: sha256('set') } });

    expect(after(allowed, want(wants(2))).allowance).toBeUndefined();
  });
});

describe('the lease', () => {
  it('is refused while another holds it, and given once it has expired', () => {
    const held = after(aTarget(), acquire);

    expect(transition(held, acquire)).toEqual({ kind: 'none', why: 'held' });
    const later: TargetEvent = { ...acquire, now: NOW + 1001 };
    expect(transition(held, later)).toMatchObject({
      kind: 'write',
      effect: 'taken-over',
      next: { epoch: 2 },
    });
  });

  it('is held as long as the heartbeat of its own epoch says', () => {
    const held = after(aTarget(), acquire);
    const later = { ...acquire, now: NOW + 1001 };

    const ours = { ...later, heartbeat: { epoch: 1, expiresAt: NOW + 5000 } };
    const anothers = { ...later, heartbeat: { epoch: 0, expiresAt: NOW + 5000 } };

    expect(transition(held, ours)).toEqual({ kind: 'none', why: 'held' });
    expect(transition(held, anothers)).toMatchObject({ kind: 'write' });
  });

  it('refuses every write of an epoch that is over', () => {
    const first = after(aTarget(), acquire);
    const second = after(first, { ...acquire, now: NOW + 2000 });

    expect(transition(second, { kind: 'write-ahead', epoch: first.epoch, inventory: pointer })).toEqual({
      kind: 'none',
      why: 'lease-lost',
    });
    expect(transition(second, finish(first))).toEqual({ kind: 'none', why: 'lease-lost' });
  });

  it('is not given for a target that is not due, suspended or invalid', () => {
    const suspended = wants(1, { application: anApplication({ suspend: true }) });

    expect(transition(aTarget({ nextAttemptAt: NOW + 60_000 }), acquire)).toEqual({
      kind: 'none',
      why: 'resting',
    });
    expect(transition(settled(), acquire)).toEqual({ kind: 'none', why: 'resting' });
    expect(transition(aTarget({ wanted: suspended }), acquire)).toEqual({ kind: 'none', why: 'resting' });
  });

  it('is given a second early, because queues count in whole seconds', () => {
    expect(transition(aTarget({ nextAttemptAt: NOW + 900 }), acquire)).toMatchObject({ kind: 'write' });
  });
});

describe('finishing', () => {
  it('keeps what was written ahead when the run changed nothing', () => {
    const held = after(aTarget(), acquire);
    const ahead = after(held, { kind: 'write-ahead', epoch: 1, inventory: pointer });

    const next = after(ahead, finish(ahead, { outcome: 'failed', inventory: 'keep', retryAt: NOW + 1 }));

    expect(next.pending).toEqual(ahead.pending);
    expect(transition(next, acquire)).toMatchObject({ effect: 'taken-over' });
  });

  it('looks once more at what is wanted', () => {
    const held = after(aTarget(), acquire);
    const moved = after(held, want(wants(2)));

    const outcome = transition(moved, finish(held));

    expect(outcome).toMatchObject({ kind: 'write', effect: 'wake', next: { nextAttemptAt: NOW } });
  });

  it('never takes the commit of then for the commit of now', () => {
    const held = after(aTarget(), acquire);
    const moved = after(held, want(wants(2)));

    const next = after(moved, finish(held));

    expect(next.applied?.revision).toBeUndefined();
    expect(isSettled(next)).toBe(false);
  });

  it('leaves a failure that only a new commit can mend without a time', () => {
    const held = after(aTarget(), acquire);

    const next = after(held, finish(held, { outcome: 'failed', inventory: 'keep' }));

    expect(dueAt(next)).toBeUndefined();
    expect(transition(next, acquire)).toEqual({ kind: 'none', why: 'resting' });
  });
});

describe('requests', () => {
  it('drops the verdict of a scan that a run has overtaken', () => {
    const state = settled();
    const seen = { epoch: state.epoch, runId: 'another run' };

    expect(transition(state, { kind: 'request', now: NOW, seen })).toEqual({
      kind: 'none',
      why: 'changed-meanwhile',
    });
  });

  it('wakes a settled target, and is covered by the run that began after it', () => {
    const state = settled();
    const requested = after(state, { kind: 'request', now: NOW, seen: { epoch: state.epoch, runId: 'run' } });
    const held = after(requested, acquire);

    expect(isSettled(after(held, finish(held)))).toBe(true);
  });

  it('is not covered by a run that began before it', () => {
    const held = after(aTarget(), acquire);
    const requested = after(held, { kind: 'request', now: NOW });

    expect(transition(requested, finish(held))).toMatchObject({ effect: 'wake' });
  });

  it('keeps what the last run rendered with, failed or not, and across a move to an equal closure', () => {
    const inputs = { digest: sha256('versions'), capabilities: true } as const;
    const held = after(aTarget(), acquire);
    const failed = after(held, finish(held, { outcome: 'failed', retryAt: NOW, inputs }));
    const done = after(held, finish(held, { inputs }));

    expect(failed.lastRun?.inputs).toEqual(inputs);
    const moved = after(done, want(wants(2, { closure: 'closure 1' })));
    expect(moved.applied).toMatchObject({ wantedSeq: moved.wantedSeq });
    expect(moved.lastRun?.inputs).toEqual(inputs);
    const again = after(failed, acquire);
    expect(after(again, finish(again)).lastRun).not.toHaveProperty('inputs');
  });
});
