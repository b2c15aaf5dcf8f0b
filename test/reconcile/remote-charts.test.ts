import { connectKube } from '../../lib/cluster/connect-kube.ts';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { startSandboxCluster, type SandboxCluster } from '../../lib/local/sandbox/start-sandbox-cluster.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import type { SourceStageDeps } from '../../lib/reconcile/deps.ts';
import { runSourceStage } from '../../lib/reconcile/source-stage.ts';
import {
  aChart,
  chartWorld,
  hexOf,
  indexOf,
  type ChartWorld,
  type TestServer,
} from '../charts/chart-world.ts';
import { whySkipped, withTools } from '../render/tools-for-tests.ts';
import { definition, reconcileWorld, SHOP, type ReconcileWorld } from '../support/reconcile-world.ts';

const A = 'a' as ClusterName;

/** Two objects, so that half a render would be seen. */
const chartOf = (version: string, text: string) =>
  aChart({
    name: 'web',
    version,
    files: Object.fromEntries(
      ['one', 'two'].map((name) => [
        `templates/${name}.yaml`,
        `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {text: ${text}}\n`,
      ]),
    ),
  });

withTools(`a chart of a repository elsewhere, over the whole way${whySkipped}`, () => {
  let sandbox: SandboxCluster;
  let kube: KubeApi;
  let charts: ChartWorld;
  let world: ReconcileWorld;
  let repository: TestServer;
  let namespace: string;
  let worlds = 0;
  /** What the repository serves, by path; it is away while this is undefined. */
  let served: Record<string, string | Buffer> | undefined;
  let look: () => Promise<unknown>;

  beforeAll(async () => {
    sandbox = await startSandboxCluster();
    kube = connectKube({ name: A, endpoint: sandbox.url, credential: { token: sandbox.token } });
    charts = await chartWorld();
    repository = await charts.serve((request, response) => {
      if (served === undefined) return response.destroy();
      const content = served[(request.url ?? '').replace(/^\//, '')];
      if (content === undefined) response.writeHead(404).end();
      else response.end(content);
    });
  });
  afterAll(async () => {
    await charts.close();
    await kube.close();
    await sandbox.close();
  });

  beforeEach(async () => {
    namespace = `remote-${worlds++}`;
    world = await reconcileWorld({ clusters: { [A]: kube }, installation: namespace });
    const host = charts.aHost();
    const deps: SourceStageDeps = {
      ...world.deps,
      elsewhere: () => ({ elsewhere: { charts: host }, close: async () => undefined }),
    };
    look = async () => {
      const outcome = await runSourceStage(deps, SHOP, { reason: 'sweep' });
      await world.drain();
      return outcome;
    };
    const chart = { repository: repository.url, name: 'web', version: '1.x' };
    world.git.push({
      'clusters/main/web.yaml': definition('web', {
        path: '.',
        clusters: [A],
        namespace,
        createNamespace: true,
        render: { helm: { chart } },
      }),
    });
    const first = await chartOf('1.0.0', 'first');
    served = {
      'index.yaml': indexOf('web', [{ version: '1.0.0', digest: hexOf(first) }]),
      'web-1.0.0.tgz': first,
    };
    await look();
  });

  const texts = async () => {
    const type = (await kube.discovery()).find('v1', 'ConfigMap');
    if (type === undefined) throw new Error('no ConfigMaps');
    const live = await Promise.all(['one', 'two'].map((name) => kube.get({ type, namespace, name })));
    return live.map((object) => (object?.['data'] as { readonly text?: string } | undefined)?.text);
  };
  const publish = async (version: string, text: string, digest?: string) => {
    const archive = await chartOf(version, text);
    served = {
      ...served,
      'index.yaml': indexOf('web', [{ version, digest: digest ?? hexOf(archive) }]),
      [`web-${version}.tgz`]: archive,
    };
  };

  it('is applied, and its next release in the range without any push', async () => {
    expect(await texts()).toEqual(['first', 'first']);

    await publish('1.1.0', 'second');
    await look();

    expect(await texts()).toEqual(['second', 'second']);
    expect((await world.target('web')).lastRun?.outcome).toBe('succeeded');
  });

  it('is not rendered again while the repository says the same', async () => {
    const before = world.renders.count;
    const { wantedSeq } = await world.target('web');

    await look();

    expect(world.renders.count).toBe(before);
    expect((await world.target('web')).wantedSeq).toBe(wantedSeq);
  });

  it('refuses an archive that is not what the index says, and leaves what is applied', async () => {
    await publish('1.1.0', 'second', 'ab'.repeat(32));

    await look();

    expect((await world.target('web')).wanted).toMatchObject({
      kind: 'invalid',
      error: { code: 'chart-corrupt', retryable: false, message: expect.stringContaining('ab'.repeat(32)) },
    });
    expect(await texts()).toEqual(['first', 'first']);
  });

  it('refuses a damaged archive, and takes the mended one', async () => {
    await publish('1.1.0', 'second');
    const whole = served?.['web-1.1.0.tgz'] ?? '';
    served = { ...served, 'web-1.1.0.tgz': Buffer.from(whole).subarray(0, 100) };

    await look();

    expect((await world.target('web')).wanted).toMatchObject({
      kind: 'invalid',
      error: { code: 'chart-corrupt' },
    });
    expect(await texts()).toEqual(['first', 'first']);

    served = { ...served, 'web-1.1.0.tgz': whole };
    await look();

    expect(await texts()).toEqual(['second', 'second']);
  });

  it('is rendered again when the same version is published with another content', async () => {
    await publish('1.0.0', 'other');

    await look();

    expect(await texts()).toEqual(['other', 'other']);
  });

  it('stays as it is while its repository is away, and says so', async () => {
    const { wanted } = await world.target('web');
    served = undefined;

    const outcome = await look();

    expect(outcome).toMatchObject({ kind: 'failed', code: 'chart-unreachable' });
    expect((await world.deps.state.getSourceState(SHOP)).error).toMatchObject({
      code: 'chart-unreachable',
      retryable: true,
    });
    expect((await world.target('web')).wanted).toEqual(wanted);
    expect(await texts()).toEqual(['first', 'first']);
  });

  it('says which versions there are when none is in the range', async () => {
    await publish('2.0.0', 'next');

    await look();

    expect((await world.target('web')).wanted).toMatchObject({
      kind: 'invalid',
      error: { code: 'chart-not-found', message: expect.stringContaining('2.0.0') },
    });
    expect(await texts()).toEqual(['first', 'first']);
  });
});
