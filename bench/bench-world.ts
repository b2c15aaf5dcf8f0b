import type { KubeApi } from '../lib/cluster/kube-api.ts';
import type { Run } from '../lib/model/run.ts';
import type { TargetState } from '../lib/model/target-state.ts';
import { runSourceStage } from '../lib/reconcile/source-stage.ts';
import { runTargetStage } from '../lib/reconcile/target-stage.ts';
import { startDynalite } from '../test/support/dynalite-table.ts';
import { definition, reconcileWorld, SHOP, type ReconcileWorld } from '../test/support/reconcile-world.ts';
import { CLUSTER } from './bench-cluster.ts';
import { timed } from './measure.ts';

/** The use cases of the functions around a DynamoDB emulator, the real renderer and a cluster; Git is in memory. */
export interface BenchWorld {
  readonly world: ReconcileWorld;
  /** Pushes, and runs the source stage on it. */
  push(files: Readonly<Record<string, string>>): Promise<{ readonly wallMs: number }>;
  /** Takes every target wake-up that is due from the queue, one after the other. */
  runTargets(): Promise<readonly { readonly wallMs: number; readonly run: Run }[]>;
  close(): Promise<void>;
}

export async function benchWorld(kube: KubeApi, installation: string): Promise<BenchWorld> {
  const dynalite = await startDynalite();
  const world = await reconcileWorld({
    clusters: { [CLUSTER]: kube },
    table: await dynalite.newTable(),
    installation,
  });
  const { deps, messages } = world;
  return {
    world,
    async push(files) {
      world.git.push(files);
      const { wallMs, value } = await timed(() => runSourceStage(deps, SHOP, { reason: 'push' }));
      if (value.kind !== 'looked' || value.invalid > 0)
        throw new Error(`source stage: ${JSON.stringify(value)}`);
      return { wallMs };
    },
    async runTargets() {
      const done: { wallMs: number; run: Run }[] = [];
      for (let message = messages.shift(); message !== undefined; message = messages.shift()) {
        const { wakeUp } = message;
        if (wakeUp.kind !== 'target') continue;
        const deadline = performance.now() + 600_000;
        const { wallMs, value } = await timed(() =>
          runTargetStage(deps, wakeUp.target, { reason: wakeUp.reason, deadline }),
        );
        if (value.kind === 'idle') continue;
        if (value.kind !== 'ran' || value.run.outcome !== 'succeeded') {
          throw new Error(`target stage: ${JSON.stringify(value).slice(0, 2000)}`);
        }
        done.push({ wallMs, run: value.run });
      }
      return done;
    },
    close: () => dynalite.close(),
  };
}

/** The root's own file, which declares applications at `apps/<name>`. */
export function declaring(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => [
      `clusters/main/${name}.yaml`,
      definition(name, { path: `apps/${name}`, clusters: [CLUSTER] }),
    ]),
  );
}

export async function allTargets(world: ReconcileWorld): Promise<readonly TargetState[]> {
  const { state } = world.deps;
  return [...(await state.getTargets(await state.listTargets())).values()];
}
