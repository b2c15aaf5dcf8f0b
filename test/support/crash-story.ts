import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import { MARK_LABEL } from '../../lib/model/ids.ts';
import { loadInventory } from '../../lib/reconcile/inventory-document.ts';
import { sweep } from '../../lib/reconcile/sweep.ts';
import { dyingAt } from './crash.ts';
import { configMap, definition, handle, reconcileWorld, type ReconcileWorld } from './reconcile-world.ts';

const CLUSTER = 'a' as ClusterName;

export interface CrashStory {
  readonly kube: KubeApi;
  readonly namespace: string;
}

export function crashFiles(
  namespace: string,
  data: Readonly<Record<string, string>>,
): Record<string, string> {
  const app = definition('web', { path: 'apps/web', clusters: [CLUSTER], namespace, createNamespace: true });
  const objects = Object.entries(data).map(([name, k]) => [`apps/web/${name}.yaml`, configMap(name, { k })]);
  return { 'clusters/main/web.yaml': app, ...Object.fromEntries(objects) };
}

export const BEFORE = { kept: '1', changed: '1', dropped: '1' };
export const AFTER = { kept: '1', changed: '2', added: '1' };

/** The world just before the push that a worker will die of: `BEFORE` is applied, and a stranger's object stands beside it. */
export async function beforeTheCrash(
  story: CrashStory,
  storage: Pick<Parameters<typeof reconcileWorld>[0], 'table' | 'artefacts'> = {},
): Promise<ReconcileWorld> {
  const clusters = { [CLUSTER]: story.kube };
  const world = await reconcileWorld({ clusters, installation: story.namespace, leaseMs: 1_000, ...storage });
  await world.push(crashFiles(story.namespace, BEFORE));
  const type = await configMaps(story.kube);
  const foreign = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'foreign', namespace: story.namespace },
    data: { k: 'theirs' },
  };
  await story.kube.apply({ type, namespace: story.namespace, name: 'foreign' }, foreign, {
    fieldManager: 'somebody',
    force: false,
  });
  world.git.push(crashFiles(story.namespace, AFTER));
  return world;
}

/**
 * Lets one worker handle the push, its own wake-ups included, until it dies at the nth call.
 * @returns the name of the call it died at; undefined when it lived through all of them
 */
export async function dieAt(
  world: ReconcileWorld,
  call: number,
  when: 'before' | 'after',
): Promise<string | undefined> {
  const { deps, watch } = dyingAt(world.deps, { call, when });
  await world.deps.queue.send([{ v: 1, kind: 'source', source: 'shop' as never, reason: 'push' }]);
  for (let message = world.messages.shift(); message !== undefined; message = world.messages.shift()) {
    try {
      await handle(deps, message.wakeUp);
    } catch (error) {
      if (!watch.died) throw error;
    }
    if (watch.died) {
      // What it had taken from the queue comes back.
      world.messages.push(message);
      return watch.calls.at(-1);
    }
  }
  return undefined;
}

/** Law 2: whatever bears the mark is in the stored inventory. Law 3: what is not ours is as it was. */
export async function assertLawful(world: ReconcileWorld, story: CrashStory): Promise<void> {
  const state = await world.target('web');
  const inventory = await loadInventory(world.deps.state, state);
  const type = await configMaps(story.kube);
  const live = await story.kube.listMetadata(type, { namespace: story.namespace, labelSelector: MARK_LABEL });
  const covered = [...(inventory?.entries.values() ?? [])].map(({ id }) => id.name);
  for (const { metadata } of live) expect(covered).toContain(metadata.name);
  const foreign = await story.kube.get({ type, namespace: story.namespace, name: 'foreign' });
  expect(foreign?.['data']).toEqual({ k: 'theirs' });
}

/** The lease runs out, the sweep comes round, and another worker goes on. */
export async function recover(world: ReconcileWorld): Promise<void> {
  for (let round = 0; round < 4; round++) {
    world.clock.now += 20_000;
    await sweep(world.deps);
    await world.drain();
  }
}

export async function assertConverged(world: ReconcileWorld, story: CrashStory): Promise<void> {
  const state = await world.target('web');
  expect(state).toMatchObject({ lastRun: { outcome: 'succeeded' } });
  expect(state.lease).toBeUndefined();
  expect(state.pending).toBeUndefined();
  const type = await configMaps(story.kube);
  const live = await story.kube.listMetadata(type, { namespace: story.namespace, labelSelector: MARK_LABEL });
  expect(live.map(({ metadata }) => metadata.name).sort()).toEqual(Object.keys(AFTER).sort());
  for (const [name, k] of Object.entries(AFTER)) {
    const object = await story.kube.get({ type, namespace: story.namespace, name });
    expect([name, object?.['data']]).toEqual([name, { k }]);
  }
  const inventory = await loadInventory(world.deps.state, state);
  const names = [...(inventory?.entries.values() ?? [])]
    .filter(({ id }) => id.kind === 'ConfigMap')
    .map(({ id }) => id.name);
  expect(names.sort()).toEqual(Object.keys(AFTER).sort());
}

async function configMaps(kube: KubeApi) {
  const type = (await kube.discovery()).find('v1', 'ConfigMap');
  if (type === undefined) throw new Error('no ConfigMaps');
  return type;
}
