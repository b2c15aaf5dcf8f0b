import fc from 'fast-check';
import {
  type ApplicationId,
  type ClusterName,
  type RootId,
  sha256,
  type TargetId,
} from '../../lib/model/ids.ts';
import { initialRegistry } from '../../lib/model/registry.ts';
import type { TargetState } from '../../lib/model/target-state.ts';
import { transition, type TargetEvent } from '../../lib/model/target-transitions.ts';
import type { RecordTable } from '../../lib/state/record-table.ts';
import type { StateStore } from '../../lib/state/state-store.ts';
import { tableStateStore } from '../../lib/state/table-state-store.ts';
import { aCommit, anIdentity, ROOT, SOURCE, wants } from '../support/builders.ts';
import { startDynalite } from '../support/dynalite-table.ts';

let dynalite: Awaited<ReturnType<typeof startDynalite>>;
let table: RecordTable;
let state: StateStore;
beforeAll(async () => {
  dynalite = await startDynalite();
  table = await dynalite.newTable();
  state = tableStateStore(table);
});
afterAll(() => dynalite.close());

let targets = 0;
const newTarget = (): TargetId => sha256(`target ${targets++}`).slice(0, 32) as TargetId;
const pointer = (n: number) => ({ digest: sha256(`inventory ${n}`), generation: n, chunks: 1, bytes: 1 });

const small = fc.integer({ min: 1, max: 4 });
const anEvent = (target: TargetId): fc.Arbitrary<TargetEvent> => {
  const now = fc.integer({ min: 0, max: 5000 });
  const epoch = small;
  return fc.oneof(
    fc.record({
      kind: fc.constant('want' as const),
      now,
      identity: fc.constant({ ...anIdentity(), target }),
      wanted: fc
        .tuple(small, small, small)
        .map(([generation, definition, closure]) =>
          wants(generation, { definition, closure: String(closure) }),
        ),
    }),
    fc.record({
      kind: fc.constant('acquire' as const),
      now,
      owner: fc.constant('w'),
      leaseMs: fc.constant(500),
    }),
    fc.record({ kind: fc.constant('write-ahead' as const), epoch, inventory: small.map(pointer) }),
    fc.record({
      kind: fc.constant('finish' as const),
      now,
      epoch,
      wantedSeq: small,
      requested: fc.integer({ min: 0, max: 2 }),
      outcome: fc.constantFrom('succeeded' as const, 'failed' as const, 'continued' as const),
      runId: small.map(String),
      message: fc.constant(''),
      inventory: fc.oneof(fc.constant('keep' as const), fc.constant('none' as const), small.map(pointer)),
    }),
    fc.record({ kind: fc.constant('request' as const), now }),
  );
};

describe('transitions against DynamoDB', () => {
  it('store exactly what the pure transitions say, for any sequence of events', async () => {
    const target = newTarget();
    await fc.assert(
      fc.asyncProperty(fc.array(anEvent(target), { maxLength: 12 }), async (events) => {
        const id = newTarget();
        let expected: TargetState | undefined;
        for (const event of events) {
          const outcome = transition(expected, event);
          if (outcome.kind === 'write') expected = outcome.next;
          const stored = await state.changeTarget(id, event);
          expect(stored.kind).toBe(outcome.kind);
        }
        expect(await state.getTarget(id)).toEqual(
          expected === undefined ? undefined : JSON.parse(JSON.stringify(expected)),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('give the lease to one of many workers', async () => {
    const target = newTarget();
    const identity = { ...anIdentity(), target };
    await state.changeTarget(target, { kind: 'want', now: 0, identity, wanted: wants(1) });

    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        state.changeTarget(target, { kind: 'acquire', now: 10, owner: String(n), leaseMs: 1000 }),
      ),
    );

    expect(outcomes.filter(({ kind }) => kind === 'write')).toHaveLength(1);
    expect((await state.getTarget(target))?.epoch).toBe(1);
  });

  it('let the newest generation win among racing source workers', async () => {
    const target = newTarget();
    const identity = { ...anIdentity(), target };

    await Promise.all(
      [3, 1, 5, 2, 4].map((generation) =>
        state.changeTarget(target, { kind: 'want', now: 0, identity, wanted: wants(generation) }),
      ),
    );

    expect((await state.getTarget(target))?.wanted).toMatchObject({ revision: aCommit(5) });
  });

  it('refuse what a slow source worker saw before a quicker one wrote', async () => {
    const observe = (sha: number) =>
      state.changeSource(SOURCE, {
        kind: 'observe',
        now: 0,
        expectedGeneration: 0,
        refs: new Map([['refs/heads/main', aCommit(sha)]]),
      });
    await observe(2);

    const late = await observe(1);

    expect(late.transition).toEqual({ kind: 'none', why: 'superseded' });
    expect((await state.getSourceState(SOURCE)).refs['refs/heads/main']?.revision).toBe(aCommit(2));
  });
});

describe('the state store', () => {
  it('finds due targets, and not those that rest', async () => {
    const due = newTarget();
    const rests = newTarget();
    for (const target of [due, rests]) {
      const identity = { ...anIdentity(), target };
      await state.changeTarget(target, { kind: 'want', now: 100, identity, wanted: wants(1) });
    }
    await state.changeTarget(rests, { kind: 'acquire', now: 100, owner: 'w', leaseMs: 10_000 });

    const found = await state.dueTargets(200, 100);

    expect(found).toContain(due);
    expect(found).not.toContain(rests);
  });

  it('keeps values larger than an item, whole', async () => {
    const owner = { target: newTarget() };
    const value = Array.from({ length: 30_000 }, (_, n) => sha256(String(n)));

    const stored = await state.putBlob(owner, 1, value);

    expect(stored.chunks).toBeGreaterThan(2);
    expect(await state.getBlob(owner, stored)).toEqual(value);
  });

  it('never clears away what a later writer has stored', async () => {
    const owner = { target: newTarget() };
    const mine = await state.putBlob(owner, 4, 'mine');
    const unused = await state.putBlob(owner, 3, 'unused');
    const later = await state.putBlob(owner, 5, 'later');

    await state.dropBlobs(owner, 4, [mine]);

    expect(await state.getBlob(owner, mine)).toBe('mine');
    expect(await state.getBlob(owner, later)).toBe('later');
    expect(await state.getBlob(owner, unused)).toBeUndefined();
  });

  it('refuses a heartbeat of an epoch that is over', async () => {
    const target = newTarget();
    await state.heartbeat(target, 2, 500);

    expect(await state.heartbeat(target, 1, 900)).toBe(false);

    expect(await state.getHeartbeat(target)).toMatchObject({ epoch: 2, expiresAt: 500 });
  });

  it('refuses a record of a newer schema instead of writing over it', async () => {
    const target = newTarget();
    await table.put({ pk: `TARGET#${target}`, sk: 'STATE', version: 1, body: '{"schema":2}' }, 'always');

    await expect(state.changeTarget(target, { kind: 'request', now: 0 })).rejects.toThrow(/schema 2/);
  });

  it('starts over when a registry changed while it was decided upon', async () => {
    let rounds = 0;
    await Promise.all(
      Array.from({ length: 5 }, () =>
        state.changeRegistry(ROOT, (registry) => {
          rounds += 1;
          return { next: { ...registry, seq: registry.seq + 1 }, result: undefined };
        }),
      ),
    );

    expect(await state.getRegistry(ROOT)).toEqual({ ...initialRegistry(ROOT), seq: 5 });
    expect(rounds).toBeGreaterThanOrEqual(5);
  });

  it('stores a run with thousands of errors', async () => {
    const target = newTarget();
    const errors = Array.from({ length: 4000 }, (_, n) => ({
      object: `ConfigMap default/c${n}`,
      error: {
        code: 'kube-invalid' as const,
        message: `field ${sha256(String(n))} is wrong`,
        retryable: false,
      },
    }));
    const counts = { created: 0, changed: 0, healed: 0, unchanged: 0, pruned: 0, withheld: 0, failed: 4000 };
    const run = {
      schema: 1 as const,
      id: '0000000000001-a',
      target,
      reason: 'push' as const,
      epoch: 1,
      startedAt: 1,
      endedAt: 2,
      outcome: 'failed' as const,
      counts,
      errors,
      warnings: [],
      requests: {},
    };

    await state.putRun(run);

    expect((await state.listRuns(target, 1))[0]?.errors).toHaveLength(4000);
  });

  it('keeps thousands of leaving targets in one registry, which is more than an item holds as text', async () => {
    const root = 'many-leaving' as RootId;
    const leaving = Array.from({ length: 8_000 }, (_, index) => ({
      target: newTarget(),
      application: 'installation/many-leaving/holdfast/shop/web' as ApplicationId,
      cluster: `cluster-${index}` as ClusterName,
      title: 'shop/web',
      prune: true,
      definition: 3,
    }));

    await state.changeRegistry(root, (registry) => ({ next: { ...registry, leaving }, result: undefined }));
    const stored = await state.getRegistry(root);
    await state.changeRegistry(root, (registry) => ({
      next: { ...registry, leaving: [] },
      result: undefined,
    }));

    expect(JSON.stringify(leaving).length).toBeGreaterThan(400_000);
    expect(stored.leaving).toEqual(leaving);
    expect((await state.getRegistry(root)).leaving).toEqual([]);
  });
});
