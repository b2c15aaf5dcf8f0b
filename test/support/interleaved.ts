import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import type { ReconcileDeps } from '../../lib/compose/reconcile.ts';

/**
 * Runs workers side by side and lets exactly one of them through at each external call, in an order that the given
 * numbers choose. A worker may die at a call (it is never let through again), or its request may stay on the way and
 * arrive long after: what a network does.
 */
export interface Interleaver {
  /** The dependencies of one worker; every call waits for its turn. */
  deps(worker: string, deps: ReconcileDeps): ReconcileDeps;
  /** Drives until every worker has ended or died. */
  run(workers: readonly Promise<unknown>[]): Promise<void>;
  /**
   * Lets requests of dead workers arrive that are still on the way.
   * @returns those that bore a uid and a version, and were carried out all the same
   */
  deliverLate(): Promise<readonly string[]>;
  readonly trace: string[];
}

interface Waiting {
  readonly worker: string;
  readonly name: string;
  readonly proceed: () => void;
  readonly perform: () => Promise<unknown>;
  readonly isFenced: boolean;
}

export function interleaver(options: {
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly crashes: number;
}): Interleaver {
  const waiting: Waiting[] = [];
  const dead = new Set<string>();
  const late: Waiting[] = [];
  const trace: string[] = [];
  let crashesLeft = options.crashes;
  let deaths: (() => void)[] = [];

  function through<T>(worker: string, name: string, isFenced: boolean, call: () => Promise<T>): Promise<T> {
    if (dead.has(worker)) return new Promise(() => undefined);
    return new Promise<T>((resolve, reject) => {
      waiting.push({
        worker,
        name,
        isFenced,
        perform: call,
        proceed: () => {
          call().then(resolve, reject);
        },
      });
    });
  }

  const wrap = <T extends object>(worker: string, room: string, port: T): T =>
    new Proxy(port, {
      get(target, property, receiver) {
        const value: unknown = Reflect.get(target, property, receiver);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) =>
          through(worker, `${room}.${String(property)}`, isFenced(args), () =>
            (value as (...a: unknown[]) => Promise<unknown>).apply(target, args),
          );
      },
    });

  return {
    trace,
    deps: (worker, deps) => ({
      ...deps,
      state: wrap(worker, 'state', deps.state),
      queue: wrap(worker, 'queue', deps.queue),
      git: wrap(worker, 'git', deps.git),
      artefacts: wrap(worker, 'artefacts', deps.artefacts),
      connector: {
        connect: async (name, role) =>
          wrap<KubeApi>(worker, 'kube', await deps.connector.connect(name, role)),
      },
    }),

    async run(workers) {
      let running = workers.length;
      const ended = workers.map((worker) =>
        worker.finally(() => {
          running -= 1;
        }),
      );
      const settledOrDead = Promise.allSettled(
        ended.map((end) => Promise.race([end, new Promise<void>((resolve) => deaths.push(resolve))])),
      );
      for (;;) {
        // Let everything happen that does not need a turn: timers and answers on loopback included.
        await quiet(() => running - dead.size <= 0 || waiting.length > 0);
        if (running - dead.size <= 0) break;
        const index = Math.floor(options.random() * waiting.length);
        const [turn] = waiting.splice(index, 1);
        if (turn === undefined) continue;
        // Most of what can go wrong goes wrong around a write to the cluster.
        const risk = turn.name === 'kube.apply' || turn.name === 'kube.delete' ? 0.3 : 0.02;
        if (crashesLeft > 0 && options.random() < risk) {
          crashesLeft -= 1;
          dead.add(turn.worker);
          const isWrite = turn.name === 'kube.apply' || turn.name === 'kube.delete';
          if (isWrite && options.random() < 0.7) late.push(turn);
          trace.push(`${turn.worker} dies at ${turn.name}`);
          for (let i = waiting.length - 1; i >= 0; i--)
            if (waiting[i]?.worker === turn.worker) waiting.splice(i, 1);
          continue;
        }
        trace.push(`${turn.worker} ${turn.name}`);
        turn.proceed();
      }
      for (const resolve of deaths) resolve();
      deaths = [];
      await settledOrDead;
    },

    async deliverLate() {
      const broken: string[] = [];
      for (const request of late.splice(0)) {
        const wasCarriedOut = await request.perform().then(
          (answer) => answer !== undefined,
          () => false,
        );
        trace.push(`late ${request.name} of ${request.worker}: ${wasCarriedOut ? 'carried out' : 'refused'}`);
        if (wasCarriedOut && request.isFenced) broken.push(`${request.worker} ${request.name}`);
      }
      return broken;
    },
  };
}

/** Whether a request names the uid and the version that it is meant for: an apply in its object, a delete in its options. */
function isFenced(args: readonly unknown[]): boolean {
  return args.some((arg) => {
    const { uid, metadata } = (arg ?? {}) as { uid?: unknown; metadata?: { uid?: unknown } };
    return typeof uid === 'string' || typeof metadata?.uid === 'string';
  });
}

async function quiet(isReady: () => boolean): Promise<void> {
  for (let turns = 0; turns < 5 || !isReady(); turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (turns > 200_000) throw new Error('no worker makes progress');
  }
}
