import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import type { ReconcileDeps } from '../../lib/compose/reconcile.ts';

/** A process that is gone: from the chosen call on, nothing that it does reaches anybody. */
export class Died extends Error {
  constructor() {
    super('this worker is dead');
    this.name = 'Died';
  }
}

export interface DeathWatch {
  /** Calls made so far, the names of the last ones included. */
  readonly calls: string[];
  readonly died: boolean;
}

/**
 * The same dependencies, of a worker that dies at its nth external call: `before` it is sent, or `after` it was carried
 * out and before its answer arrived.
 */
export function dyingAt(
  deps: ReconcileDeps,
  at: { readonly call: number; readonly when: 'before' | 'after' },
  die: () => void = () => undefined,
): { readonly deps: ReconcileDeps; readonly watch: DeathWatch } {
  const watch = { calls: [] as string[], died: false };

  async function through<T>(name: string, call: () => Promise<T>): Promise<T> {
    if (watch.died) throw new Died();
    watch.calls.push(name);
    if (watch.calls.length !== at.call) return call();
    if (at.when === 'after') await call();
    watch.died = true;
    die();
    throw new Died();
  }

  const wrap = <T extends object>(room: string, port: T): T =>
    new Proxy(port, {
      get(target, property, receiver) {
        const value: unknown = Reflect.get(target, property, receiver);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          const call = () => (value as (...a: unknown[]) => Promise<unknown>).apply(target, args);
          return property === 'close' ? call() : through(`${room}.${String(property)}`, call);
        };
      },
    });

  return {
    watch,
    deps: {
      ...deps,
      state: wrap('state', deps.state),
      queue: wrap('queue', deps.queue),
      git: wrap('git', deps.git),
      artefacts: wrap('artefacts', deps.artefacts),
      connector: {
        connect: async (name, role) => wrap<KubeApi>('kube', await deps.connector.connect(name, role)),
      },
    },
  };
}
