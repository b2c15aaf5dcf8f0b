import fc from 'fast-check';
import { connectKube } from '../../lib/cluster/connect-kube.ts';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { startSandboxCluster, type SandboxCluster } from '../../lib/local/sandbox/start-sandbox-cluster.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import { MARK_LABEL } from '../../lib/model/ids.ts';
import { loadInventory } from '../../lib/reconcile/inventory-document.ts';
import { scanCluster } from '../../lib/reconcile/scan-cluster.ts';
import { sweep } from '../../lib/reconcile/sweep.ts';
import { interleaver } from '../support/interleaved.ts';
import {
  configMap,
  definition,
  handle,
  reconcileWorld,
  type ReconcileWorld,
} from '../support/reconcile-world.ts';

const CLUSTER = 'a' as ClusterName;

/** What each commit declares: names with their content. The third goes back on the second; the last two differ in a file that nobody reads. */
const COMMITS: readonly Readonly<Record<string, string>>[] = [
  { a: '1', b: '1' },
  { a: '2', b: '1', c: '1' },
  { a: '1', c: '3' },
  { a: '1', c: '3' },
];

describe('the laws, over random interleavings of real workers with crashes and late requests', () => {
  let sandbox: SandboxCluster;
  let kube: KubeApi;
  beforeAll(async () => {
    sandbox = await startSandboxCluster();
    kube = connectKube({ name: CLUSTER, endpoint: sandbox.url, credential: { token: sandbox.token } });
  });
  afterAll(async () => {
    await kube.close();
    await sandbox.close();
  });

  let worlds = 0;
  const filesOf = (namespace: string, index: number) => ({
    'clusters/main/web.yaml': definition('web', {
      path: 'apps/web',
      clusters: [CLUSTER],
      namespace,
      createNamespace: true,
    }),
    'README.md': String(index),
    ...Object.fromEntries(
      Object.entries(COMMITS[index] ?? {}).map(([name, k]) => [
        `apps/web/${name}.yaml`,
        configMap(name, { k }),
      ]),
    ),
  });

  async function marked(namespace: string): Promise<Record<string, unknown>> {
    const type = (await kube.discovery()).find('v1', 'ConfigMap');
    if (type === undefined) throw new Error('no ConfigMaps');
    const list = await kube.listMetadata(type, { namespace, labelSelector: MARK_LABEL });
    const found: Record<string, unknown> = {};
    for (const { metadata } of list) {
      found[metadata.name] = (
        (await kube.get({ type, namespace, name: metadata.name }))?.['data'] as { k?: unknown }
      )?.k;
    }
    return found;
  }

  async function inventoryNames(world: ReconcileWorld): Promise<readonly string[]> {
    const inventory = await loadInventory(world.deps.state, await world.target('web'));
    return [...(inventory?.entries.values() ?? [])]
      .filter(({ id }) => id.kind === 'ConfigMap')
      .map(({ id }) => id.name)
      .sort();
  }

  async function story(choices: readonly number[]): Promise<void> {
    let next = 0;
    const random = () => (choices[next++ % choices.length] ?? 0) / 1000;
    const namespace = `laws-${worlds++}`;
    const world = await reconcileWorld({
      clusters: { [CLUSTER]: kube },
      installation: namespace,
      leaseMs: 5_000,
    });
    await world.push(filesOf(namespace, 0));
    const schedule = interleaver({ random, crashes: 2 });

    for (let index = 1; index < COMMITS.length; index++) {
      world.git.push(filesOf(namespace, index));
      // Delivered twice, and side by side with whatever is still waiting.
      const messages = world.messages.splice(0).map(({ wakeUp }) => wakeUp);
      const wakeUps = [
        ...messages,
        ...[1, 2].map(() => ({ v: 1, kind: 'source', source: 'shop', reason: 'push' }) as const),
      ];
      const target = (await world.target('web')).target;
      const workers = [...wakeUps, { v: 1, kind: 'target', target, reason: 'sweep' } as const].map(
        (wakeUp, n) => {
          const deps = schedule.deps(`${index}.${wakeUp.kind}.${n}`, world.deps);
          return handle(deps, wakeUp as never);
        },
      );
      await schedule.run(workers);
      // Now and then a lease runs out before the next push.
      if (random() < 0.5) world.clock.now += 6_000;
      // Law 2, at any moment: whatever bears our mark is covered by what is stored.
      const covered = await inventoryNames(world);
      for (const name of Object.keys(await marked(namespace))) {
        if (!covered.includes(name))
          throw new Error(`law 2: ${name} is not covered\n${schedule.trace.join('\n')}`);
      }
    }

    for (let round = 0; round < 3; round++) {
      world.clock.now += 700_000;
      await sweep(world.deps);
      await world.drain();
    }
    // What is fenced arrives in vain; what cannot be fenced (a create) the scan finds.
    const broken = await schedule.deliverLate();
    if (broken.length > 0)
      throw new Error(`law 4: ${broken.join()} was not fenced\n${schedule.trace.join('\n')}`);
    await scanCluster(world.deps, CLUSTER, performance.now() + 60_000);
    await world.drain();

    const last = COMMITS.at(-1) ?? {};
    const state = await world.target('web');
    const live = await marked(namespace);
    const complaint = JSON.stringify({ live, last, lastRun: state.lastRun });
    for (const [name, k] of Object.entries(last)) {
      if (live[name] !== k) throw new Error(`law 1 or 10: ${complaint}\n${schedule.trace.join('\n')}`);
    }
    for (const name of Object.keys(live)) {
      const isLateCreate =
        !(name in last) && schedule.trace.some((step) => step.includes('dies at kube.apply'));
      if (!(name in last) && !isLateCreate)
        throw new Error(`law 2: orphan ${complaint}\n${schedule.trace.join('\n')}`);
    }
    expect(state.lastRun?.outcome).toBe('succeeded');
    expect(await inventoryNames(world)).toEqual(Object.keys(last).sort());
  }

  it('hold', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 999 }), { minLength: 40, maxLength: 400 }), story),
      { numRuns: 60, endOnFailure: true },
    );
  }, 240_000);
});
