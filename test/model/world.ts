import {
  applicationId,
  sha256,
  targetId,
  type ClusterName,
  type CommitSha,
  type RootId,
  type SourceId,
} from '../../lib/model/ids.ts';
import type { Application } from '../../lib/model/application.ts';
import type { BlobPointer } from '../../lib/model/inventory.ts';
import { initialSourceState, sourceTransition, type SourceState } from '../../lib/model/source-state.ts';
import { dueAt, isSettled, type TargetState } from '../../lib/model/target-state.ts';
import { transition, type TargetEvent } from '../../lib/model/target-transitions.ts';

/**
 * A small world around the real transitions: a Git server, a queue, workers that can die between any two steps, and a
 * cluster that fences by uid and resourceVersion as the real one does. Plain JSON, so that it can be copied and compared.
 */
export interface World {
  now: number;
  /** Index into COMMITS of the branch's head. */
  head: number;
  pushesLeft: number;
  crashesLeft: number;
  expiriesLeft: number;
  source: SourceState;
  target?: TargetState;
  /** Inventories by pointer: the names of objects they cover. */
  inventories: Record<string, string[]>;
  objects: Record<string, LiveThing>;
  nextVersion: number;
  nextUid: number;
  /** Messages, at most one of a kind: a duplicate is the same as a message that was not removed. */
  queue: { source: number; target: number };
  workers: Worker[];
  /** PATCHes that were sent and have not arrived. */
  inFlight: Patch[];
  /**
   * Objects that an unfenced request reached after its worker had lost the lease. A create has no uid to be fenced by;
   * the scan finds what it did.
   */
  slipped: string[];
}

export interface LiveThing {
  uid: number;
  version: number;
  content: string;
}

export interface Patch {
  name: string;
  content: string;
  /** Preconditions; absent when the object was not known to live. */
  fence?: { uid: number; version: number };
  epoch: number;
}

export type Worker =
  | { kind: 'source'; step: number; generation: number; head: number }
  | {
      kind: 'target';
      step: number;
      epoch: number;
      expiresAt: number;
      wanted: number;
      wantedSeq: number;
      requested: number;
      takeover: boolean;
      covered: string[];
      todo: string[];
    };

/** What each commit declares. The third goes back on the second for one object; the fourth changes nothing. */
export const COMMITS: readonly Readonly<Record<string, string>>[] = [
  { a: 'x' },
  { a: 'y' },
  { a: 'x', b: '1' },
  { a: 'x', b: '1' },
  { b: '2' },
  { a: 'y', b: '1' },
];
export const LEASE = 100;

const SOURCE = 'repo' as SourceId;
const CLUSTER = 'c' as ClusterName;
const ROOT = 'r' as RootId;
const ID = applicationId({ installation: 'i', root: ROOT, dialect: 'holdfast', namespace: 'n', name: 'app' });
const TARGET = targetId(ID, CLUSTER);
const REF = 'refs/heads/main';

export function emptyWorld(budget: { pushes: number; crashes: number; expiries: number }): World {
  return {
    now: 1000,
    head: 0,
    pushesLeft: budget.pushes,
    crashesLeft: budget.crashes,
    expiriesLeft: budget.expiries,
    source: initialSourceState(SOURCE),
    inventories: {},
    objects: {},
    nextVersion: 1,
    nextUid: 1,
    queue: { source: 1, target: 0 },
    workers: [],
    inFlight: [],
    slipped: [],
  };
}

const shaOf = (commit: number): CommitSha => commit.toString(16).padStart(40, '0') as CommitSha;
export const commitOf = (sha: string): number => Number.parseInt(sha, 16);
const closureOf = (commit: number) => sha256(JSON.stringify(COMMITS[commit] ?? {}));

function application(): Application {
  return {
    id: ID,
    root: ROOT,
    dialect: 'holdfast',
    namespace: 'n',
    name: 'app',
    source: SOURCE,
    ref: { kind: 'branch', name: 'main' },
    path: '.',
    render: { tool: 'auto' },
    destinations: [{ cluster: CLUSTER }],
    createNamespace: false,
    prune: true,
    drift: 'correct',
    suspend: false,
  };
}

/** Every next world, with the name of the step that leads there. */
export function steps(
  world: World,
  workers: { source: number; target: number },
): { name: string; next: World }[] {
  const found: { name: string; next: World }[] = [];
  // Several times faster than structuredClone, and a world is plain JSON.
  const copied = JSON.stringify(world);
  const add = (name: string, change: (next: World) => void) => {
    const next = JSON.parse(copied) as World;
    change(next);
    found.push({ name, next });
  };
  if (world.pushesLeft > 0) {
    add('push', (next) => {
      next.head += 1;
      next.pushesLeft -= 1;
      next.queue.source = 1;
    });
    // The webhook was lost: only the sweep will find it.
    add('push unseen', (next) => {
      next.head += 1;
      next.pushesLeft -= 1;
    });
  }
  const running = (kind: Worker['kind']) => world.workers.filter((worker) => worker.kind === kind).length;
  if (world.queue.source > 0 && running('source') < workers.source) {
    // The message stays while the worker runs: it is removed when the worker ends, and comes back if it dies.
    add('start source', (next) => next.workers.push({ kind: 'source', step: 0, generation: 0, head: 0 }));
  }
  if (world.queue.target > 0 && running('target') < workers.target) {
    add('start target', (next) => startTarget(next));
  }
  world.workers.forEach((worker, index) => {
    const name = `${worker.kind} ${index} step ${worker.step}`;
    add(name, (next) => (worker.kind === 'source' ? sourceStep(next, index) : targetStep(next, index)));
    if (world.crashesLeft > 0) {
      add(`${worker.kind} ${index} dies`, (next) => {
        next.crashesLeft -= 1;
        next.workers.splice(index, 1);
      });
    }
  });
  if (world.expiriesLeft > 0 && world.target?.lease !== undefined) {
    add('lease expires', (next) => {
      next.expiriesLeft -= 1;
      next.now = Math.max(next.now, next.target?.lease?.expiresAt ?? 0) + 1;
      next.queue.target = 1;
    });
  }
  world.inFlight.forEach((_, index) => {
    add(`late patch ${index} lands`, (next) => {
      const [patch] = next.inFlight.splice(index, 1);
      if (patch) land(next, patch);
    });
  });
  return found;
}

export function applyToTarget(world: World, event: TargetEvent): ReturnType<typeof transition> {
  const outcome = transition(world.target, event);
  if (outcome.kind === 'write') world.target = outcome.next;
  return outcome;
}

function sourceStep(world: World, index: number): void {
  const worker = world.workers[index];
  if (worker?.kind !== 'source') return;
  switch (worker.step) {
    case 0:
      worker.generation = world.source.generation;
      break;
    case 1:
      worker.head = world.head;
      break;
    case 2: {
      const outcome = sourceTransition(world.source, {
        kind: 'observe',
        now: world.now,
        expectedGeneration: worker.generation,
        refs: new Map([[REF, shaOf(worker.head)]]),
      });
      if (outcome.kind === 'write') {
        world.source = outcome.next;
      } else if (outcome.why === 'superseded') {
        world.workers.splice(index, 1);
        world.queue.source = 1;
        return;
      }
      // What follows belongs to the state that this worker wrote or confirmed.
      const seen = (outcome.kind === 'write' ? outcome.next : world.source).refs[REF];
      worker.generation = seen?.generation ?? 0;
      worker.head = commitOf(seen?.revision ?? '0');
      break;
    }
    case 3: {
      const outcome = applyToTarget(world, {
        kind: 'want',
        now: world.now,
        identity: { target: TARGET, application: ID, root: ROOT, cluster: CLUSTER, title: 'n/app' },
        wanted: {
          kind: 'revision',
          order: { definition: 1, source: SOURCE, revision: worker.generation },
          revision: shaOf(worker.head),
          closure: closureOf(worker.head),
          artefact: closureOf(worker.head),
          application: application(),
        },
      });
      const isDue = world.target !== undefined && (dueAt(world.target) ?? Infinity) <= world.now;
      // Nothing to wake: the message may go.
      if (!(outcome.kind === 'write' ? outcome.effect === 'wake' : isDue)) return endSource(world, index);
      break;
    }
    case 4:
      world.queue.target = 1;
      break;
    default:
      return endSource(world, index);
  }
  worker.step += 1;
}

function endSource(world: World, index: number): void {
  world.workers.splice(index, 1);
  // A push that came after this worker asked has sent a message of its own.
  if (
    world.workers.every(({ kind }) => kind !== 'source') &&
    commitOf(world.source.refs[REF]?.revision ?? '0') === world.head
  ) {
    world.queue.source = 0;
  }
}

function startTarget(world: World): void {
  const outcome = applyToTarget(world, { kind: 'acquire', now: world.now, owner: 'w', leaseMs: LEASE });
  if (outcome.kind === 'none') {
    // Held or at rest: acknowledged.
    world.queue.target = 0;
    return;
  }
  const state = outcome.next;
  const wanted = state.wanted.kind === 'revision' ? commitOf(state.wanted.revision) : 0;
  world.workers.push({
    kind: 'target',
    step: 0,
    epoch: state.epoch,
    expiresAt: state.lease?.expiresAt ?? 0,
    wanted,
    wantedSeq: state.wantedSeq,
    requested: state.requested,
    takeover: outcome.effect === 'taken-over',
    covered: [],
    todo: [],
  });
}

const pointerTo = (name: string, epoch: number): BlobPointer => ({
  digest: sha256(name),
  generation: epoch,
  chunks: 1,
  bytes: 1,
});

function store(world: World, epoch: number, names: readonly string[]): BlobPointer {
  const pointer = pointerTo([...names].sort().join(), epoch);
  world.inventories[pointer.digest] = [...names].sort();
  return pointer;
}

export function inventoryOf(world: World, pointer: BlobPointer | undefined): readonly string[] {
  return pointer === undefined ? [] : (world.inventories[pointer.digest] ?? []);
}

function targetStep(world: World, index: number): void {
  const worker = world.workers[index];
  const state = world.target;
  if (worker?.kind !== 'target' || state === undefined) return;
  const wanted = COMMITS[worker.wanted] ?? {};
  const isRight = (name: string) => world.objects[name]?.content === wanted[name];
  const mayStillSend = world.now < worker.expiresAt;
  const stop = () => {
    world.workers.splice(index, 1);
  };
  if (worker.step === 0) {
    const old = inventoryOf(world, state.pending?.inventory ?? state.inventory);
    worker.covered = [...new Set([...old, ...Object.keys(wanted)])].sort();
    const pointer = store(world, worker.epoch, worker.covered);
    const outcome = applyToTarget(world, { kind: 'write-ahead', epoch: worker.epoch, inventory: pointer });
    if (outcome.kind === 'none') return stop();
    // A takeover applies its whole pending set; otherwise what is not as wanted.
    worker.todo = Object.keys(wanted).filter((name) => worker.takeover || !isRight(name));
    worker.step = 1;
    return;
  }
  if (worker.step === 1) {
    if (!mayStillSend) return stop();
    const name = worker.todo.shift();
    if (name === undefined) {
      worker.step = 2;
      worker.todo = worker.covered.filter((candidate) => !(candidate in wanted));
      return;
    }
    const live = world.objects[name];
    const patch: Patch = { name, content: wanted[name] ?? '', epoch: worker.epoch };
    if (live !== undefined) patch.fence = { uid: live.uid, version: live.version };
    if (world.expiriesLeft > 0 && world.inFlight.length === 0) {
      // Sent, and the answer waited for: it lands now, or the worker is found dead with the request under way.
      world.inFlight.push(patch);
      worker.step = 10;
      return;
    }
    land(world, patch);
    return;
  }
  if (worker.step === 10) {
    // Answered only once it has landed; a worker that gives up here has run out of its lease.
    if (world.inFlight.length === 0) worker.step = 1;
    else if (!mayStillSend) stop();
    return;
  }
  if (worker.step === 2) {
    if (!mayStillSend) return stop();
    const name = worker.todo.shift();
    if (name !== undefined) {
      delete world.objects[name];
      return;
    }
    worker.step = 3;
    return;
  }
  const pointer = store(world, worker.epoch, Object.keys(wanted));
  const outcome = applyToTarget(world, {
    kind: 'finish',
    now: world.now,
    epoch: worker.epoch,
    wantedSeq: worker.wantedSeq,
    requested: worker.requested,
    outcome: Object.keys(wanted).every(isRight) ? 'succeeded' : 'failed',
    runId: `run${worker.epoch}`,
    message: '',
    inventory: pointer,
    ...(Object.keys(wanted).every(isRight) ? {} : { retryAt: world.now }),
  });
  stop();
  if (outcome.kind === 'none') return;
  world.queue.target = outcome.effect === 'wake' ? 1 : 0;
}

/** The API server: a fenced patch of another uid or version is refused, an unfenced one creates or changes. */
function land(world: World, patch: Patch): void {
  const live = world.objects[patch.name];
  if (patch.fence !== undefined) {
    if (live === undefined || live.uid !== patch.fence.uid || live.version !== patch.fence.version) return;
  }
  const isLate = patch.epoch !== world.target?.epoch || world.target.lease === undefined;
  if (isLate && patch.fence === undefined) world.slipped.push(patch.name);
  world.objects[patch.name] = {
    uid: live?.uid ?? world.nextUid++,
    version: world.nextVersion++,
    content: patch.content,
  };
}

/** Runs everything that is left, fairly, with sweeps, and no more faults. */
export function settle(start: World): World {
  const world = JSON.parse(JSON.stringify(start)) as World;
  world.crashesLeft = 0;
  world.pushesLeft = 0;
  world.expiriesLeft = 0;
  for (let round = 0; round < 200; round++) {
    for (const patch of world.inFlight.splice(0)) land(world, patch);
    while (world.workers.length > 0) {
      if (world.workers[0]?.kind === 'source') sourceStep(world, 0);
      else targetStep(world, 0);
      for (const patch of world.inFlight.splice(0)) land(world, patch);
    }
    const due = world.target && dueAt(world.target);
    if (due !== undefined && due > world.now) world.now = due + 1;
    const { target } = world;
    const lagging = target?.wanted.kind !== 'revision' || commitOf(target.wanted.revision) !== world.head;
    if (!lagging && world.target !== undefined && isSettled(world.target)) {
      if (!scanFinds(world)) return world;
      applyToTarget(world, { kind: 'request', now: world.now });
    }
    // The sweep.
    world.workers.push({ kind: 'source', step: 0, generation: 0, head: 0 });
    if (due !== undefined) startTarget(world);
  }
  throw new Error(`did not settle: ${JSON.stringify(world)}`);
}

/** The scan: an object of the inventory that an unfenced late request changed. Whatever else differs is a broken law. */
function scanFinds(world: World): boolean {
  const covered = inventoryOf(world, world.target?.inventory);
  const revision = world.target?.applied?.revision;
  const applied = revision === undefined ? {} : COMMITS[commitOf(revision)];
  return covered.some((name) => {
    return world.objects[name]?.content !== applied?.[name] && world.slipped.includes(name);
  });
}
