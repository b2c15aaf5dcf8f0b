import { connectKube } from '../../lib/cluster/connect-kube.ts';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { startSandboxCluster, type SandboxCluster } from '../../lib/local/sandbox/start-sandbox-cluster.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import { scanCluster } from '../../lib/reconcile/scan-cluster.ts';
import { runSourceStage } from '../../lib/reconcile/source-stage.ts';
import { sweep } from '../../lib/reconcile/sweep.ts';
import { runTargetStage } from '../../lib/reconcile/target-stage.ts';
import {
  configMap,
  definition,
  reconcileWorld,
  SHOP,
  type ReconcileWorld,
} from '../support/reconcile-world.ts';

const A = 'a' as ClusterName;
const B = 'b' as ClusterName;

describe('the use cases', () => {
  const sandboxes: SandboxCluster[] = [];
  const kubes: Record<string, KubeApi> = {};
  let world: ReconcileWorld;
  let namespace: string;
  let worlds = 0;

  beforeAll(async () => {
    for (const name of [A, B]) {
      const sandbox = await startSandboxCluster();
      sandboxes.push(sandbox);
      kubes[name] = connectKube({ name, endpoint: sandbox.url, credential: { token: sandbox.token } });
    }
  });
  afterAll(async () => {
    for (const kube of Object.values(kubes)) await kube.close();
    for (const sandbox of sandboxes) await sandbox.close();
  });
  beforeEach(async () => {
    namespace = `use-${worlds++}`;
    world = await reconcileWorld({ clusters: kubes, rootCluster: A, installation: namespace });
  });

  const app = (spec: Record<string, unknown> = {}, name = 'web') => ({
    [`clusters/main/${name}.yaml`]: definition(name, {
      path: 'apps/web',
      clusters: [A],
      namespace,
      createNamespace: true,
      ...spec,
    }),
  });
  const read = async (name: string, cluster: ClusterName = A) => {
    const kube = kubes[cluster];
    const type = (await kube?.discovery())?.find('v1', 'ConfigMap');
    return type && (await kube?.get({ type, namespace, name }));
  };
  const runs = async (name = 'web') => world.deps.state.listRuns((await world.target(name)).target, 10);

  describe('a bad commit', () => {
    const bad = () =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 's' },
        spec: { ports: [{ port: 'not a port' }] },
      });

    it('in a long back-off never keeps the next good push waiting', async () => {
      await world.push({ ...app(), 'apps/web/a.yaml': configMap('a', { k: '1' }), 'apps/web/s.yaml': bad() });
      for (let tries = 0; tries < 6; tries++) await world.advance(600_000);
      const waiting = await world.target('web');
      expect(waiting.attempt).toBeGreaterThan(4);
      expect((waiting.nextAttemptAt ?? 0) - world.clock.now).toBeGreaterThan(100_000);

      await world.push({ ...app(), 'apps/web/a.yaml': configMap('a', { k: '2' }) });

      expect(await world.target('web')).toMatchObject({ lastRun: { outcome: 'succeeded' }, attempt: 0 });
      expect((await read('a'))?.['data']).toEqual({ k: '2' });
    });

    it('does not hide what else is wrong, nor keep the good objects of it back', async () => {
      const kindless = JSON.stringify({
        apiVersion: 'nobody.example/v1',
        kind: 'Thing',
        metadata: { name: 't' },
      });

      await world.push({
        ...app(),
        'apps/web/a.yaml': configMap('a', { k: '1' }),
        'apps/web/s.yaml': bad(),
        'apps/web/t.yaml': kindless,
      });

      const [run] = await runs();
      expect(run?.errors.map(({ object }) => object)).toEqual(
        expect.arrayContaining([`Service ${namespace}/s`, expect.stringContaining('Thing.nobody.example')]),
      );
      expect(run?.errors.every(({ origin }) => origin?.startsWith('apps/web/'))).toBe(true);
      expect((await read('a'))?.['data']).toEqual({ k: '1' });
    });
  });

  describe('what is lost', () => {
    it('is found by the sweep: a webhook', async () => {
      await world.push({ ...app(), 'apps/web/a.yaml': configMap('a', { k: '1' }) });
      world.git.push({ ...app(), 'apps/web/a.yaml': configMap('a', { k: '2' }) });

      await sweep(world.deps);
      await world.drain();

      expect((await read('a'))?.['data']).toEqual({ k: '2' });
    });

    it('is found by the sweep: the wake-up of a target', async () => {
      world.git.push({ ...app(), 'apps/web/a.yaml': configMap('a', { k: '1' }) });
      await runSourceStage(world.deps, SHOP, { reason: 'push' });
      world.messages.splice(0);

      await sweep(world.deps);
      await world.drain();

      expect((await read('a'))?.['data']).toEqual({ k: '1' });
    });

    it('is rebuilt from Git: an artefact', async () => {
      await world.push({ ...app(), 'apps/web/a.yaml': configMap('a', { k: '1' }) });
      const gone = { ...world.deps, artefacts: { ...world.deps.artefacts, get: async () => undefined } };
      const { target } = await world.target('web');
      await world.deps.state.changeTarget(target, { kind: 'request', now: world.clock.now });

      const outcome = await runTargetStage(gone, target, {
        reason: 'requested',
        deadline: performance.now() + 60_000,
      });
      await world.drain();
      await world.advance(60_000);

      expect(outcome).toMatchObject({
        kind: 'ran',
        run: { outcome: 'failed', errors: [{ error: { code: 'artefact-missing' } }] },
      });
      expect(await world.target('web')).toMatchObject({ lastRun: { outcome: 'succeeded' } });
    });
  });

  it('goes on where it was when the time of a function runs out', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, n) => [`apps/web/c${n}.yaml`, configMap(`c${n}`, { k: '1' })]),
    );
    world.git.push({ ...app(), ...files });
    await runSourceStage(world.deps, SHOP, { reason: 'push' });
    const { target } = await world.target('web');
    // Every apply takes ten seconds of this clock; a run has time for some hundred of them.
    let passed = 0;
    const connect = world.deps.connector.connect;
    const deps = {
      ...world.deps,
      clock: { now: () => world.clock.now, monotonic: () => performance.now() + passed },
      timings: { ...world.deps.timings, leaseMs: 100_000_000 },
      connector: {
        connect: async (name: ClusterName, role: 'apply' | 'read') => {
          const kube = await connect(name, role);
          return {
            ...kube,
            apply: (...args: Parameters<KubeApi['apply']>) => {
              passed += 10_000;
              return kube.apply(...args);
            },
          };
        },
      },
    };
    let runsNeeded = 0;
    for (; runsNeeded < 20 && (await world.target('web')).lastRun?.outcome !== 'succeeded'; runsNeeded++) {
      await runTargetStage(deps, target, { reason: 'push', deadline: deps.clock.monotonic() + 1_000_000 });
      world.clock.now += 1_000;
    }

    expect(runsNeeded).toBeGreaterThan(1);
    expect(runsNeeded).toBeLessThan(6);
    const created = (await world.deps.state.listRuns(target, 100)).reduce(
      (sum, run) => sum + run.counts.created,
      0,
    );
    expect(created).toBeGreaterThanOrEqual(300);
    expect(await read('c299')).toBeDefined();
  }, 60_000);

  it('does not call healed what was right, only touched by others', async () => {
    await world.push({ ...app(), 'apps/web/a.yaml': configMap('a', { k: '1' }) });
    const type = (await kubes[A]?.discovery())?.find('v1', 'ConfigMap');
    const note = { metadata: { annotations: { note: 'x' } } };
    if (type) await kubes[A]?.mergePatch({ type, namespace, name: 'a' }, note, { fieldManager: 'somebody' });

    const { target } = await world.target('web');
    await world.deps.state.changeTarget(target, { kind: 'request', now: world.clock.now });
    await runTargetStage(world.deps, target, { reason: 'requested', deadline: performance.now() + 60_000 });

    expect((await runs())[0]?.counts).toMatchObject({ healed: 0, changed: 0 });
  });

  it('registers a definition and moves it to the commit that changed it in one step', async () => {
    await world.push({ ...app({ path: 'apps/web' }), 'apps/web/a.yaml': configMap('a', { k: '1' }) });

    await world.push({ ...app({ path: 'apps/moved' }), 'apps/moved/a.yaml': configMap('a', { k: '2' }) });

    expect(await runs()).toHaveLength(2);
    expect((await read('a'))?.['data']).toEqual({ k: '2' });
  });

  it('keeps an application whose definition has become unreadable, and says where', async () => {
    await world.push({ ...app(), 'apps/web/a.yaml': configMap('a', { k: '1' }) });

    await world.push({ ...app({ pruen: true }), 'apps/web/a.yaml': configMap('a', { k: '2' }) });

    const registry = await world.deps.state.getRegistry('main' as never);
    expect(registry.errors[0]).toMatchObject({ origin: expect.stringContaining('clusters/main/web.yaml') });
    expect(registry.errors[0]?.error.message).toContain('pruen');
    expect((await read('a'))?.['data']).toEqual({ k: '2' });
  });

  it('removes the objects from a cluster that is no longer a destination', async () => {
    await world.push({ ...app({ clusters: [A, B] }), 'apps/web/a.yaml': configMap('a', { k: '1' }) });
    expect(await read('a', B)).toBeDefined();

    await world.push({ ...app({ clusters: [A] }), 'apps/web/a.yaml': configMap('a', { k: '1' }) });
    await world.advance(60_000);

    expect(await read('a', B)).toBeUndefined();
    expect(await read('a', A)).toBeDefined();
  });

  it('leaves the objects of a removed application that must not prune', async () => {
    const other = app({ path: 'apps/other' }, 'other');
    const files = {
      'apps/other/o.yaml': configMap('o', { k: '1' }),
      'apps/web/a.yaml': configMap('a', { k: '1' }),
    };
    await world.push({ ...app({ prune: false }), ...other, ...files });

    await world.push({ ...other, ...files });
    await world.advance(60_000);

    expect(await read('a')).toBeDefined();
    expect((await world.target('web')).wanted.kind).toBe('removed');
  });

  it('works removals off even if the cluster is away for a week', async () => {
    const other = app({ path: 'apps/other' }, 'other');
    const files = {
      'apps/other/o.yaml': configMap('o', { k: '1' }),
      'apps/web/a.yaml': configMap('a', { k: '1' }),
    };
    await world.push({ ...app(), ...other, ...files });
    const connect = world.deps.connector.connect;
    let isAway = true;
    const deps = {
      ...world.deps,
      connector: {
        connect: async (name: ClusterName, role: 'apply' | 'read') => {
          if (isAway) throw new HoldfastError('kube-unreachable', 'no answer', { retryable: true });
          return connect(name, role);
        },
      },
    };
    world.git.push({ ...other, ...files });
    await runSourceStage(deps, SHOP, { reason: 'push' });
    const { target } = await world.target('web');
    world.messages.splice(0);
    for (let day = 0; day < 7; day++) {
      world.clock.now += 86_400_000;
      await runTargetStage(deps, target, { reason: 'sweep', deadline: performance.now() + 60_000 });
    }
    expect(await read('a')).toBeDefined();

    isAway = false;
    world.clock.now += 86_400_000;
    await sweep(world.deps);
    await world.drain();
    await world.advance(60_000);

    expect(await read('a')).toBeUndefined();
  });

  it('does nothing for a suspended application until it is resumed', async () => {
    await world.push({ ...app({ suspend: true }), 'apps/web/a.yaml': configMap('a', { k: '1' }) });
    expect(await runs()).toHaveLength(0);

    await world.push({ ...app(), 'apps/web/a.yaml': configMap('a', { k: '1' }) });

    expect((await read('a'))?.['data']).toEqual({ k: '1' });
  });

  it('fails for a cluster that nobody registered, saying how to register it', async () => {
    await world.push({ ...app({ clusters: ['nowhere'] }), 'apps/web/a.yaml': configMap('a', { k: '1' }) });

    expect((await world.target('web', 'nowhere')).lastRun?.message).toContain('unknown cluster "nowhere"');
  });

  it('applies what a root holds beside its definitions to the cluster of the root', async () => {
    await world.push({
      ...app(),
      'clusters/main/extra.yaml': configMap('extra', { k: '1' }, 'default'),
      'apps/web/a.yaml': configMap('a', { k: '1' }),
    });

    const type = (await kubes[A]?.discovery())?.find('v1', 'ConfigMap');
    expect(type && (await kubes[A]?.get({ type, namespace: 'default', name: 'extra' }))).toBeDefined();
    expect((await world.target('main')).title).toBe('root/main');
  });

  it('goes back with a ref that was forced back', async () => {
    const first = { ...app(), 'apps/web/a.yaml': configMap('a', { k: '1' }) };
    await world.push(first);
    const state = await world.target('web');
    await world.push({ ...app(), 'apps/web/a.yaml': configMap('a', { k: '2' }) });
    if (state.wanted.kind !== 'revision') throw new Error('not wanted');

    world.git.reset(state.wanted.revision);
    await world.deps.queue.send([{ v: 1, kind: 'source', source: SHOP, reason: 'push' }]);
    await world.drain();

    expect((await read('a'))?.['data']).toEqual({ k: '1' });
  });

  it('tells a Git server that is away from a commit that is bad', async () => {
    await world.push({ ...app(), 'apps/web/a.yaml': configMap('a', { k: '1' }) });
    world.git.fault = new HoldfastError('git-unreachable', 'no answer', { retryable: true });

    await world.deps.queue.send([{ v: 1, kind: 'source', source: SHOP, reason: 'push' }]);
    await world.drain();

    expect((await world.deps.state.getSourceState(SHOP)).error).toMatchObject({ code: 'git-unreachable' });
    expect(await world.target('web')).toMatchObject({
      wanted: { kind: 'revision' },
      lastRun: { outcome: 'succeeded' },
    });
    world.git.fault = undefined;
    await world.advance(60_000);
    expect((await world.deps.state.getSourceState(SHOP)).error).toBeUndefined();
  });

  describe('the scan', () => {
    const edit = async (k: string) => {
      const kube = kubes[A];
      const type = (await kube?.discovery())?.find('v1', 'ConfigMap');
      if (type)
        await kube?.mergePatch(
          { type, namespace, name: 'a' },
          { data: { k } },
          { fieldManager: 'kubectl-edit' },
        );
    };

    it('reports and does not heal where the policy says so', async () => {
      await world.push({ ...app({ drift: 'report' }), 'apps/web/a.yaml': configMap('a', { k: '1' }) });
      await edit('hand');

      const outcome = await scanCluster(world.deps, A, performance.now() + 60_000);
      await world.drain();

      expect(outcome).toMatchObject({ drifted: 1, woken: 0 });
      expect((await read('a'))?.['data']).toEqual({ k: 'hand' });
    });

    it('reports what is missing, and does not fetch twice what it has found equal', async () => {
      await world.push({
        ...app({ drift: 'report' }),
        'apps/web/a.yaml': configMap('a', { k: '1' }),
        'apps/web/b.yaml': configMap('b', { k: '1' }),
      });
      const kube = kubes[A];
      const type = (await kube?.discovery())?.find('v1', 'ConfigMap');
      const b = await read('b');
      if (type && b) await kube?.delete({ type, namespace, name: 'b' }, b.metadata);
      if (type)
        await kube?.mergePatch(
          { type, namespace, name: 'a' },
          { metadata: { annotations: { note: 'x' } } },
          { fieldManager: 'somebody' },
        );

      const first = await scanCluster(world.deps, A, performance.now() + 60_000);
      const second = await scanCluster(world.deps, A, performance.now() + 60_000);

      const report = await world.deps.state.getDrift((await world.target('web')).target);
      expect(report?.findings).toMatchObject([{ kind: 'missing', id: { name: 'b' } }]);
      expect(first.requests['get']).toBeGreaterThan(second.requests['get'] ?? 0);
    });

    it('drops its verdict when a run came between', async () => {
      await world.push({ ...app(), 'apps/web/a.yaml': configMap('a', { k: '1' }) });
      await edit('hand');
      const { target } = await world.target('web');
      const connect = world.deps.connector.connect;
      const deps = {
        ...world.deps,
        connector: {
          connect: async (name: ClusterName, role: 'apply' | 'read') => {
            const kube = await connect(name, role);
            return {
              ...kube,
              get: async (...args: Parameters<KubeApi['get']>) => {
                const live = await kube.get(...args);
                await world.deps.state.changeTarget(target, { kind: 'request', now: world.clock.now });
                await runTargetStage(world.deps, target, {
                  reason: 'requested',
                  deadline: performance.now() + 60_000,
                });
                return live;
              },
            };
          },
        },
      };

      const outcome = await scanCluster(deps, A, performance.now() + 60_000);

      expect(outcome).toMatchObject({ discarded: expect.any(Number), woken: 0 });
      expect(outcome.discarded).toBeGreaterThanOrEqual(1);
      expect((await read('a'))?.['data']).toEqual({ k: '1' });
    });
  });
});
