import { scanCluster } from '../../lib/reconcile/scan-cluster.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { configMap, definition, reconcileWorld, type ReconcileWorld } from '../support/reconcile-world.ts';
import { openCluster, withCluster } from './real-cluster.ts';

const CLUSTER = 'a' as ClusterName;

withCluster('reconcile on a real cluster', () => {
  let kube: KubeApi;
  let world: ReconcileWorld;
  let namespace: string;

  beforeAll(() => {
    kube = openCluster();
  });
  afterAll(() => kube.close());

  beforeEach(async () => {
    namespace = `reconcile-${Math.random().toString(36).slice(2, 8)}`;
    world = await reconcileWorld({ clusters: { [CLUSTER]: kube }, installation: namespace });
  });
  afterEach(async () => {
    await world.push({ 'clusters/main/none.yaml': '' });
    const type = (await kube.discovery()).find('v1', 'Namespace');
    if (type === undefined) return;
    const live = await kube.get({ type, name: namespace });
    if (live) await kube.delete({ type, name: namespace }, live.metadata);
  });

  const app = (spec: Record<string, unknown> = {}) =>
    definition('web', { path: 'apps/web', clusters: [CLUSTER], namespace, createNamespace: true, ...spec });
  const read = async (name: string) => {
    const type = (await kube.discovery()).find('v1', 'ConfigMap');
    return type && (await kube.get({ type, namespace, name }));
  };

  it('applies a push, prunes what leaves, and costs nothing when nothing changes', async () => {
    await world.push({
      'clusters/main/web.yaml': app(),
      'apps/web/a.yaml': configMap('a', { k: '1' }),
      'apps/web/b.yaml': configMap('b', { k: '1' }),
    });
    expect(await world.target('web')).toMatchObject({ lastRun: { outcome: 'succeeded' } });
    expect((await read('a'))?.['data']).toEqual({ k: '1' });

    await world.push({ 'clusters/main/web.yaml': app(), 'apps/web/a.yaml': configMap('a', { k: '2' }) });
    expect((await read('a'))?.['data']).toEqual({ k: '2' });
    expect(await read('b')).toBeUndefined();

    const renders = world.renders.count;
    const before = { ...kube.requestCounts };
    await world.push({
      'clusters/main/web.yaml': app(),
      'apps/web/a.yaml': configMap('a', { k: '2' }),
      'README.md': 'x',
    });
    const state = await world.target('web');
    expect(world.renders.count).toBe(renders);
    expect(kube.requestCounts).toEqual(before);
    expect(state.applied?.revision).toBe(state.wanted.kind === 'revision' ? state.wanted.revision : '');
  });

  it('finds a hand edit, names who made it, and heals it', async () => {
    await world.push({ 'clusters/main/web.yaml': app(), 'apps/web/a.yaml': configMap('a', { k: '1' }) });
    const live = await read('a');
    const type = (await kube.discovery()).find('v1', 'ConfigMap');
    if (live === undefined || type === undefined) throw new Error('not applied');
    await kube.mergePatch(
      { type, namespace, name: 'a' },
      { data: { k: 'hand' } },
      { fieldManager: 'kubectl-edit' },
    );

    const outcome = await scanCluster(world.deps, CLUSTER, performance.now() + 60_000);
    const report = await world.deps.state.getDrift((await world.target('web')).target);
    await world.drain();

    expect(outcome).toMatchObject({ drifted: 1, woken: 1 });
    expect(report?.findings).toMatchObject([
      { kind: 'modified', by: ['kubectl-edit'], fields: [{ path: '/data/k', live: 'hand', applied: '1' }] },
    ]);
    expect((await read('a'))?.['data']).toEqual({ k: '1' });
    expect(await scanCluster(world.deps, CLUSTER, performance.now() + 60_000)).toMatchObject({ drifted: 0 });
  });

  it('keeps what was applied when a commit is broken, and applies the next good one at once', async () => {
    await world.push({ 'clusters/main/web.yaml': app(), 'apps/web/a.yaml': configMap('a', { k: '1' }) });
    await world.push({
      'clusters/main/web.yaml': app(),
      'apps/web/a.yaml': 'kind: ConfigMap\n  bad: indent',
    });
    expect(await world.target('web')).toMatchObject({ lastRun: { outcome: 'failed' } });
    expect((await read('a'))?.['data']).toEqual({ k: '1' });

    await world.push({ 'clusters/main/web.yaml': app(), 'apps/web/a.yaml': configMap('a', { k: '3' }) });

    expect(await world.target('web')).toMatchObject({ lastRun: { outcome: 'succeeded' } });
    expect((await read('a'))?.['data']).toEqual({ k: '3' });
  });

  it('removes the objects of an application that leaves Git, and forgets its target', async () => {
    await world.push({ 'clusters/main/web.yaml': app(), 'apps/web/a.yaml': configMap('a', { k: '1' }) });

    await world.push({
      'clusters/main/x.yaml': definition('other', { path: 'apps', clusters: [CLUSTER] }),
      'apps/c.yaml': configMap('c', {}, namespace),
    });
    await world.push({
      'clusters/main/x.yaml': definition('other', { path: 'apps', clusters: [CLUSTER] }),
      'apps/c.yaml': configMap('c', {}, namespace),
      x: '',
    });

    await world.advance(60_000);

    expect(await read('a')).toBeUndefined();
    await world.push({
      'clusters/main/x.yaml': definition('other', { path: 'apps', clusters: [CLUSTER] }),
      'apps/c.yaml': configMap('c', {}, namespace),
      y: '',
    });
    expect((await world.deps.state.getRegistry('main' as never)).leaving).toEqual([]);
  });
});
