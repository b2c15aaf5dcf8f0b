import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import type { LiveObject } from '../../lib/model/resource.ts';
import { loadInventory } from '../../lib/reconcile/inventory-document.ts';
import { configMap, definition, reconcileWorld, type ReconcileWorld } from '../support/reconcile-world.ts';
import {
  aNamespace,
  eventually,
  openCluster,
  remove,
  typeOf,
  uniqueName,
  withCluster,
} from './real-cluster.ts';

const CLUSTER = 'a' as ClusterName;

/** Each guard with the accident that it prevents, through the whole program, on a real cluster. */
withCluster('pruning guards', () => {
  let kube: KubeApi;
  let world: ReconcileWorld;
  let namespace: string;

  beforeAll(() => {
    kube = openCluster();
  });
  afterAll(() => kube.close());
  beforeEach(async () => {
    namespace = uniqueName('guards');
    world = await reconcileWorld({ clusters: { [CLUSTER]: kube }, installation: namespace });
  });
  afterEach(() => remove(kube, aNamespace(namespace)));

  const app = (name = 'web', path = `apps/${name}`, spec: Record<string, unknown> = {}) => ({
    [`clusters/main/${name}.yaml`]: definition(name, {
      path,
      clusters: [CLUSTER],
      namespace,
      createNamespace: true,
      ...spec,
    }),
  });
  const files = (path: string, names: readonly string[], k = '1') =>
    Object.fromEntries(names.map((name) => [`${path}/${name}.yaml`, configMap(name, { k })]));
  const read = async (name: string, apiVersion = 'v1', kind = 'ConfigMap'): Promise<LiveObject | undefined> =>
    kube.get({ type: await typeOf(kube, apiVersion, kind), namespace, name });
  const many = Array.from({ length: 12 }, (_, n) => `c${n}`);
  const lastRun = async (name = 'web') => {
    const { target } = await world.target(name);
    const [run] = await world.deps.state.listRuns(target, 1);
    if (run === undefined) throw new Error('no run');
    return run;
  };

  it('refuses to delete everything on an empty render (a directory that was emptied by mistake)', async () => {
    await world.push({ ...app(), ...files('apps/web', many) });

    await world.push({ ...app(), 'apps/web/notes.yaml': '# moved' });

    expect((await lastRun()).warnings.join()).toMatch(/render is empty/);
    expect(await read('c0')).toBeDefined();
  });

  it('deletes nothing on a failed render (a broken commit)', async () => {
    await world.push({ ...app(), ...files('apps/web', many) });

    await world.push({
      ...app(),
      'apps/web/c0.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c0',
    });

    expect(await lastRun()).toMatchObject({
      outcome: 'failed',
      errors: [{ error: { code: 'render-failed' } }],
    });
    expect((await lastRun()).errors[0]?.error.message).toContain('apps/web/c0.yaml');
    expect(await read('c11')).toBeDefined();
  });

  it('keeps everything when the path is gone (a renamed directory)', async () => {
    await world.push({ ...app(), ...files('apps/web', many) });

    await world.push({ ...app(), ...files('apps/other', many) });

    expect((await world.target('web')).wanted).toMatchObject({
      kind: 'invalid',
      error: { code: 'path-missing' },
    });
    expect(await read('c0')).toBeDefined();
  });

  it('holds back the deletion of most of a target until exactly that is allowed', async () => {
    await world.push({ ...app(), ...files('apps/web', many) });
    await world.push({ ...app(), ...files('apps/web', ['c0']) });
    expect(await read('c5')).toBeDefined();
    const held = (await lastRun()).warnings.join();
    const digest = /--allow-prune ([0-9a-f]+)/.exec(held)?.[1];

    await world.deps.state.changeTarget((await world.target('web')).target, {
      kind: 'allow-prune',
      now: world.clock.now,
      deleteSet: digest as never,
    });
    await world.deps.queue.send([
      { v: 1, kind: 'target', target: (await world.target('web')).target, reason: 'requested' },
    ]);
    await world.drain();

    expect(await read('c5')).toBeUndefined();
    expect(await read('c0')).toBeDefined();
  });

  it('does not count what a generator renamed (every configuration change would be held)', async () => {
    const generated = (value: string) => ({
      ...app(),
      'apps/web/kustomization.yaml': [
        'configMapGenerator:',
        ...many.map((name) => `- name: ${name}\n  literals: [k=${value}]`),
      ].join('\n'),
    });
    await world.push(generated('1'));
    const before = await kube.listMetadata(await typeOf(kube, 'v1', 'ConfigMap'), {
      namespace,
      labelSelector: 'holdfast.dev/target',
    });

    await world.push(generated('2'));

    const after = await kube.listMetadata(await typeOf(kube, 'v1', 'ConfigMap'), {
      namespace,
      labelSelector: 'holdfast.dev/target',
    });
    expect(after).toHaveLength(12);
    const names = new Set(before.map(({ metadata }) => metadata.name));
    expect(after.filter(({ metadata }) => names.has(metadata.name))).toEqual([]);
  });

  it('never deletes the object itself when it moves to another API group', async () => {
    const ingress = (apiVersion: string) =>
      JSON.stringify(
        apiVersion === 'extensions/v1beta1'
          ? {
              apiVersion,
              kind: 'Ingress',
              metadata: { name: 'door' },
              spec: { backend: { serviceName: 's', servicePort: 80 } },
            }
          : {
              apiVersion,
              kind: 'Ingress',
              metadata: { name: 'door' },
              spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } },
            },
      );
    if ((await kube.discovery()).find('extensions/v1beta1', 'Ingress') === undefined) return;
    await world.push({ ...app(), 'apps/web/door.yaml': ingress('extensions/v1beta1') });
    const uid = (await read('door', 'networking.k8s.io/v1', 'Ingress'))?.metadata.uid;

    await world.push({ ...app(), 'apps/web/door.yaml': ingress('networking.k8s.io/v1') });
    await world.advance(600_000);

    expect((await read('door', 'networking.k8s.io/v1', 'Ingress'))?.metadata.uid).toBe(uid);
    const inventory = await loadInventory(world.deps.state, await world.target('web'));
    expect([...(inventory?.entries.keys() ?? [])].filter((key) => key.includes('Ingress'))).toEqual([
      `networking.k8s.io/Ingress/${namespace}/door`,
    ]);
  });

  it('keeps a namespace that holds what others put there', async () => {
    const inner = `${namespace}-inner`;
    const ns = { 'apps/web/ns.yaml': JSON.stringify(aNamespace(inner)) };
    await world.push({ ...app(), ...ns, ...files('apps/web', ['a']) });
    const foreign = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'theirs', namespace: inner },
      data: { k: 'v' },
    };
    const type = await typeOf(kube, 'v1', 'ConfigMap');
    await kube.apply({ type, namespace: inner, name: 'theirs' }, foreign, {
      fieldManager: 'somebody',
      force: false,
    });

    await world.push({ ...app(), ...files('apps/web', ['a']) });

    expect(await kube.get({ type, namespace: inner, name: 'theirs' })).toBeDefined();
    const nsType = await typeOf(kube, 'v1', 'Namespace');
    expect((await kube.get({ type: nsType, name: inner }))?.metadata.deletionTimestamp).toBeUndefined();
    expect((await lastRun()).warnings.join()).toContain('theirs');

    // Once it is empty, the next look lets it go.
    const left = await kube.get({ type, namespace: inner, name: 'theirs' });
    if (left) await kube.delete({ type, namespace: inner, name: 'theirs' }, left.metadata);
    await world.advance(600_000);
    await eventually(
      async () => ((await kube.get({ type: nsType, name: inner })) === undefined ? true : undefined),
      'the namespace is gone',
    );
  });

  it('does not take copied marks for its own (Endpoints inherit the labels of their Service)', async () => {
    const service = (ports: number) =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'svc' },
        spec: { selector: { app: 'x' }, ports: [{ port: ports, protocol: 'TCP' }] },
      });
    await world.push({ ...app(), 'apps/web/svc.yaml': service(80) });
    await eventually(() => read('svc', 'v1', 'Endpoints'), 'Endpoints with our label');

    await world.push({ ...app(), 'apps/web/svc.yaml': service(81) });

    expect(await read('svc', 'v1', 'Endpoints')).toBeDefined();
    const inventory = await loadInventory(world.deps.state, await world.target('web'));
    expect([...(inventory?.entries.keys() ?? [])].some((key) => key.includes('Endpoints'))).toBe(false);
  });

  it('hands an object over to the target that it moves to, without deleting it', async () => {
    const rest = (name: string) => files(`apps/${name}`, [`${name}-own`]);
    await world.push({
      ...app('web'),
      ...app('api'),
      ...rest('web'),
      ...rest('api'),
      ...files('apps/web', ['moves']),
    });
    const uid = (await read('moves'))?.metadata.uid;
    expect(uid).toBeDefined();

    await world.push({
      ...app('web'),
      ...app('api'),
      ...rest('web'),
      ...rest('api'),
      ...files('apps/api', ['moves'], '2'),
    });
    await world.advance(60_000);
    await world.advance(60_000);

    expect(await read('moves')).toMatchObject({ metadata: { uid }, data: { k: '2' } });
    expect((await read('moves'))?.metadata.labels?.['holdfast.dev/target']).toBe(
      (await world.target('api')).target,
    );
    for (const name of ['web', 'api'])
      expect(await world.target(name)).toMatchObject({ lastRun: { outcome: 'succeeded' } });
  });

  it('refuses an object that another target keeps, and names that target', async () => {
    await world.push({
      ...app('web'),
      ...app('api'),
      ...files('apps/web', ['both', 'w']),
      ...files('apps/api', ['a']),
    });

    await world.push({
      ...app('web'),
      ...app('api'),
      ...files('apps/web', ['both', 'w']),
      ...files('apps/api', ['a', 'both'], '2'),
    });

    expect((await lastRun('api')).errors).toMatchObject([{ error: { code: 'foreign-owner' } }]);
    expect((await lastRun('api')).errors[0]?.error.message).toContain((await world.target('web')).target);
    expect((await read('both'))?.['data']).toEqual({ k: '1' });
    expect((await read('a'))?.['data']).toEqual({ k: '2' });
  });

  it('holds back applications that leave Git all at once (a broken root)', async () => {
    const names = ['a1', 'a2', 'a3', 'a4', 'a5', 'a6'];
    const all = Object.assign(
      {},
      ...names.map((name) => ({ ...app(name), ...files(`apps/${name}`, [`${name}-cm`]) })),
    ) as Record<string, string>;
    await world.push(all);

    await world.push({ ...app('a1'), ...files('apps/a1', ['a1-cm']) });

    expect(await read('a5-cm')).toBeDefined();
    expect((await world.deps.state.getRegistry('main' as never)).held?.message).toMatch(
      /5 of 6 applications left Git/,
    );
  });
});
