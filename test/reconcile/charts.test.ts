import { connectKube } from '../../lib/cluster/connect-kube.ts';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { startSandboxCluster, type SandboxCluster } from '../../lib/local/sandbox/start-sandbox-cluster.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import { scanCluster } from '../../lib/reconcile/scan-cluster.ts';
import { whySkipped, withTools } from '../render/tools-for-tests.ts';
import { definition, reconcileWorld, type ReconcileWorld } from '../support/reconcile-world.ts';

const A = 'a' as ClusterName;
const B = 'b' as ClusterName;

withTools(`a chart that makes up a password${whySkipped}`, () => {
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
    namespace = `chart-${worlds++}`;
    world = await reconcileWorld({ clusters: kubes, rootCluster: A, installation: namespace });
  });

  const chart = (more: Readonly<Record<string, string>> = {}) => ({
    'clusters/main/web.yaml': definition('web', {
      path: 'apps/web',
      clusters: [A, B],
      namespace,
      createNamespace: true,
    }),
    'apps/web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
    'apps/web/templates/secret.yaml':
      'apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: "{{ randAlphaNum 20 }}", user: app}\n',
    'apps/web/templates/job.yaml': JSON.stringify({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'migrate', annotations: { 'helm.sh/hook': 'pre-install,pre-upgrade' } },
      spec: {
        template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'busybox' }] } },
      },
    }),
    ...more,
  });
  const secretIn = async (cluster: ClusterName = A) => {
    const kube = kubes[cluster];
    const type = (await kube?.discovery())?.find('v1', 'Secret');
    const live = type && (await kube?.get({ type, namespace, name: 'db' }));
    if (kube === undefined || live === undefined) throw new Error('no such Secret');
    return live;
  };
  const passwordIn = async (cluster: ClusterName = A) => {
    const data = (await secretIn(cluster))['data'] as Readonly<Record<string, string>>;
    return Buffer.from(data['password'] ?? '', 'base64').toString();
  };
  const lastRun = async () => (await world.deps.state.listRuns((await world.target('web')).target, 10))[0];

  it('keeps it over renders, and warns of it in every run', async () => {
    await world.push(chart());
    const password = await passwordIn();
    const { resourceVersion } = (await secretIn()).metadata;

    await world.push(chart({ 'apps/web/README.md': 'another render' }));

    expect(world.renders.count).toBeGreaterThan(2);
    expect(await passwordIn()).toBe(password);
    expect((await secretIn()).metadata.resourceVersion).toBe(resourceVersion);
    expect((await lastRun())?.warnings).toEqual([
      expect.stringContaining('Secret db: /stringData/password comes out differently each time'),
      '1 hook of the chart is not run yet: Job migrate (pre-sync)',
    ]);
    expect(JSON.stringify(await lastRun())).not.toContain(password);
  });

  it('makes up another one when the object changes', async () => {
    await world.push(chart());
    const password = await passwordIn();
    const template = chart()['apps/web/templates/secret.yaml'].replace('user: app', 'user: shop');

    await world.push(chart({ 'apps/web/templates/secret.yaml': template }));

    expect((await secretIn())['data']).toMatchObject({ user: Buffer.from('shop').toString('base64') });
    expect(await passwordIn()).not.toBe(password);
  });

  it('keeps it where drift beside it is put right', async () => {
    await world.push(chart());
    const password = await passwordIn();
    const { metadata } = await secretIn();
    const type = (await kubes[A]?.discovery())?.find('v1', 'Secret');
    if (type === undefined) throw new Error('no Secrets');
    await kubes[A]?.apply(
      { type, namespace, name: 'db' },
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db', namespace }, data: { user: 'ZWRpdGVk' } },
      { fieldManager: 'kubectl-edit', force: true },
    );

    await scanCluster(world.deps, A, performance.now() + 60_000);
    await world.drain();

    const after = await secretIn();
    expect(after.metadata.resourceVersion).not.toBe(metadata.resourceVersion);
    expect(after['data']).toMatchObject({ user: Buffer.from('app').toString('base64') });
    expect(await passwordIn()).toBe(password);
  });

  it('makes up one for each cluster', async () => {
    await world.push(chart());

    expect(await passwordIn(A)).not.toBe(await passwordIn(B));
  });

  it('does not run its hooks', async () => {
    await world.push(chart());

    const type = (await kubes[A]?.discovery())?.find('batch/v1', 'Job');
    expect(type && (await kubes[A]?.get({ type, namespace, name: 'migrate' }))).toBeUndefined();
  });
});
