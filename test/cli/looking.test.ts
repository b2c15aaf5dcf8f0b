import { connectKube } from '../../lib/cluster/connect-kube.ts';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { type SandboxCluster, startSandboxCluster } from '../../lib/local/sandbox/start-sandbox-cluster.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { type ClusterName, targetId } from '../../lib/model/ids.ts';
import { scanCluster } from '../../lib/reconcile/scan-cluster.ts';
import { configMap, definition, type ReconcileWorld, reconcileWorld } from '../support/reconcile-world.ts';
import { type CliWorld, cliWorld } from './cli-world.ts';

const NAMESPACE = 'default';
const secret = (value: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'db' },
    stringData: { password: value },
  });

describe('looking through the command line', () => {
  let sandbox: SandboxCluster;
  let kube: KubeApi;
  let world: ReconcileWorld;
  let cli: CliWorld;

  beforeEach(async () => {
    sandbox = await startSandboxCluster();
    kube = connectKube({
      name: 'prod' as ClusterName,
      endpoint: sandbox.url,
      credential: { token: sandbox.token },
    });
    world = await reconcileWorld({ clusters: { prod: kube } });
    cli = cliWorld(world.deps);
  });
  afterEach(async () => {
    await kube.close();
    await sandbox.close();
  });

  const web = { 'clusters/main/web.yaml': definition('web', { path: 'apps/web', clusters: ['prod'] }) };

  async function edit(kind: string, name: string, patch: unknown): Promise<void> {
    const type = (await kube.discovery()).find('v1', kind);
    if (type === undefined) throw new Error(`no ${kind}`);
    await kube.mergePatch({ type, namespace: NAMESPACE, name }, patch, { fieldManager: 'kubectl-edit' });
  }

  describe('status', () => {
    it('says what to do where nothing is declared', async () => {
      await world.deps.state.deleteRoot('main' as never);

      const ended = await cli.run('status');

      expect(ended.code).toBe(0);
      expect(ended.out).toContain('holdfast bootstrap');
    });

    it('shows an applied application with both revisions', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', {}) });

      const status = await cli.json<{ applications: readonly unknown[] }>(
        'status',
        '--application',
        'default/web',
      );

      const { wanted } = await world.target('web');
      const revision = wanted.kind === 'removed' ? undefined : wanted.revision;
      expect(status.applications).toEqual([
        {
          application: 'default/web',
          target: targetId((await world.target('web')).application, 'prod' as ClusterName),
          root: 'main',
          cluster: 'prod',
          state: 'Applied',
          wantedRevision: revision,
          appliedRevision: revision,
          message: '1 created',
        },
      ]);
    });

    it('names file and line of a definition that cannot be read', async () => {
      await world.push({ 'clusters/main/web.yaml': definition('web', { clusterz: [] }) });

      const ended = await cli.run('status');

      expect(ended.out).toMatch(
        /DEFINITIONS\n(?: {2}.*\n)* {2}root main: clusters\/main\/web\.yaml:1: .*clusterz/,
      );
    });

    it('shows a commit that cannot be rendered, and keeps what was applied in view', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', {}) });
      await world.push({ ...web, 'apps/web/a.yaml': 'a: [' });

      const status = await cli.json<{ applications: readonly { state: string; message: string }[] }>(
        'status',
        '--application',
        'default/web',
      );

      expect(status.applications[0]).toMatchObject({
        state: 'Failed',
        message: expect.stringContaining('apps/web/a.yaml:1') as unknown,
      });
    });

    it('shows a source that cannot be read and a cluster that cannot be scanned', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', {}) });
      world.git.fault = new HoldfastError('git-authentication', 'the Git server refused the credential');
      await world.deps.queue.send([{ v: 1, kind: 'source', source: 'shop' as never, reason: 'sweep' }]);
      await world.drain();
      await world.deps.state.putClusterScan({
        schema: 1,
        cluster: 'prod' as ClusterName,
        scannedAt: 1,
        error: 'no route to host',
      });

      const ended = await cli.run('status');

      expect(ended.out).toContain('SOURCES\n  shop: the Git server refused the credential');
      expect(ended.out).toContain('CLUSTERS\n  prod: no route to host');
    });

    it('ends with 1 when what is waited for does not come about', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': 'a: [' });

      expect((await cli.run('status', '--wait', '0')).code).toBe(1);
      expect((await cli.run('status')).code).toBe(0);
    });

    it('shows no control characters that come from Git', async () => {
      await world.push({ ...web, 'apps/web/\u001b[31mred.yaml': 'a: [' });

      const ended = await cli.run('status');

      expect(ended.out).not.toContain('\u001b');
    });
  });

  describe('naming an application', () => {
    it('takes the beginning of a target id', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', {}) });
      const { target } = await world.target('web');

      expect((await cli.run('history', target.slice(0, 8))).code).toBe(0);
    });

    it('takes the name alone where only one application has it', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', {}) });

      const ended = await cli.run('history', 'web');

      expect(ended.code).toBe(0);
      expect(ended.out).toContain('default/web on prod');
    });

    it('ends with 3 and shows what there is', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', {}) });

      const ended = await cli.run('history', 'default/wep');

      expect(ended.code).toBe(3);
      expect(ended.err).toContain('default/web');
    });

    it('ends with 3 for a cluster that it is not on', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', {}) });

      const ended = await cli.run('plan', 'default/web', '--cluster', 'eu');

      expect(ended.code).toBe(3);
      expect(ended.err).toContain('it is on prod');
    });

    it('refuses a title that two roots declare, and gives the ids to choose from', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', {}) });
      const state = await world.target('web');
      const { target: _own, ...identity } = state;
      const twin = targetId('test/other/holdfast/default/web' as never, 'prod' as ClusterName);
      await world.deps.state.changeTarget(twin, {
        kind: 'want',
        now: 1,
        identity: { ...identity, target: twin, application: 'test/other' as never, root: 'other' as never },
        wanted: state.wanted,
      });

      const ended = await cli.run('plan', 'default/web');

      expect(ended.code).toBe(3);
      expect(ended.err).toContain(twin.slice(0, 12));
      expect(ended.err).toContain(state.target.slice(0, 12));
    });
  });

  it('history shows every failing object of a run', async () => {
    sandbox.setFault((request) =>
      request.method === 'PATCH' && /\/(a|b)$/.test(request.path) ? { status: 422 } : undefined,
    );
    await world.push({
      ...web,
      'apps/web/a.yaml': configMap('a', {}),
      'apps/web/b.yaml': configMap('b', {}),
      'apps/web/c.yaml': configMap('c', {}),
    });

    const ended = await cli.run('history', 'default/web');

    expect(ended.out).toMatch(/error: ConfigMap default\/a \(apps\/web\/a\.yaml:1\)/);
    expect(ended.out).toMatch(/error: ConfigMap default\/b \(apps\/web\/b\.yaml:1\)/);
    expect(ended.out).toContain('failed');
  });

  describe('plan', () => {
    it('ends with 0 where nothing would change', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', { x: '1' }) });

      const ended = await cli.run('plan', 'default/web');

      expect(ended.code).toBe(0);
      expect(ended.out).toContain('0 to create, 0 to change, 0 to prune, 1 unchanged');
    });

    it('shows a hand edit field by field, ends with 2 and changes nothing', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', { x: '1' }) });
      await edit('ConfigMap', 'a', { data: { x: '2' } });
      sandbox.requests.reset();

      const ended = await cli.run('plan', 'default/web');

      expect(ended.code).toBe(2);
      expect(ended.out).toContain('/data/x: "2" -> "1"');
      expect(sandbox.requests.all().every(({ method }) => method === 'GET')).toBe(true);
    });

    it('takes what a controller wrote beside our fields for unchanged', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', { x: '1' }) });
      await edit('ConfigMap', 'a', { metadata: { annotations: { 'example.com/revision': '7' } } });

      expect((await cli.run('plan', 'default/web')).code).toBe(0);
    });

    it('shows no values of Secrets, for people or programs', async () => {
      await world.push({ ...web, 'apps/web/db.yaml': secret('from-git') });
      const encoded = Buffer.from('by-hand').toString('base64');
      await edit('Secret', 'db', { data: { password: encoded } });

      const shown = await cli.run('plan', 'default/web');
      const document = await cli.run('plan', 'default/web', '--output', 'json');

      expect(shown.out).toContain('/data/password');
      for (const value of ['from-git', Buffer.from('from-git').toString('base64'), encoded]) {
        expect(shown.out + document.out).not.toContain(value);
      }
    });

    it('says once what is held back, and how to allow it', async () => {
      const files = Object.fromEntries(
        [...'abcdef'].map((name) => [`apps/web/${name}.yaml`, configMap(name, {})] as const),
      );
      await world.push({ ...web, ...files });
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', {}) });

      const ended = await cli.run('plan', 'default/web');

      expect(ended.out.match(/--allow-prune/g)).toHaveLength(1);
      expect(ended.out).toContain('5 held');
    });

    it('ends with 1 when objects would be rejected', async () => {
      await world.push({
        ...web,
        'apps/web/a.yaml': '{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w"}}',
      });

      const ended = await cli.run('plan', 'default/web');

      expect(ended.code).toBe(1);
      expect(ended.out).toContain('reject Widget.example.com');
    });

    it('ends with 1, naming the place, when the commit cannot be rendered', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': 'a: [' });

      const ended = await cli.run('plan', 'default/web');

      expect(ended.code).toBe(1);
      expect(ended.err).toContain('apps/web/a.yaml:1');
    });
  });

  describe('drift', () => {
    it('shows who changed what at the last scan, and ends with 2', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', { x: '1' }) });
      await edit('ConfigMap', 'a', { data: { x: '2' } });
      await scanCluster(world.deps, 'prod' as ClusterName, performance.now() + 60_000);

      const ended = await cli.run('drift', 'default/web');

      expect(ended.code).toBe(2);
      expect(ended.out).toContain('modified ConfigMap default/a, by kubectl-edit');
      expect(ended.out).toContain('/data/x: "1" -> "2"');
    });

    it('scans when asked, and ends with 0 again once it is put right', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', { x: '1' }) });
      await edit('ConfigMap', 'a', { data: { x: '2' } });

      const found = await cli.run('drift', 'default/web', '--scan');
      await world.drain();
      const after = await cli.run('drift', 'default/web');

      expect([found.code, after.code]).toEqual([2, 0]);
      expect(after.out).toContain('put right since');
    });

    it('shows no values of Secrets, not even their hashes', async () => {
      await world.push({ ...web, 'apps/web/db.yaml': secret('from-git') });
      await edit('Secret', 'db', { data: { password: Buffer.from('by-hand').toString('base64') } });

      const document = await cli.json<{ targets: readonly { findings: readonly { fields: unknown }[] }[] }>(
        'drift',
        'default/web',
        '--scan',
      );

      expect(document.targets[0]?.findings[0]?.fields).toEqual([
        { path: '/data/password', manager: 'kubectl-edit', time: expect.any(String) as unknown },
      ]);
    });
  });

  describe('reconcile', () => {
    it('asks for a run and a look at the source', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', {}) });
      const { target } = await world.target('web');

      const ended = await cli.run('reconcile', 'default/web');

      expect(ended.code).toBe(0);
      expect(world.messages.map(({ wakeUp }) => wakeUp)).toEqual([
        { v: 1, kind: 'target', target, reason: 'requested' },
        { v: 1, kind: 'source', source: 'shop', reason: 'requested' },
      ]);
    });

    it('waits for the run and says how it ended', async () => {
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', {}) });

      const waiting = cli.run('reconcile', 'default/web', '--wait', '20');
      await untilMessages(world);
      await world.drain();

      expect(await waiting).toMatchObject({ code: 0, out: expect.stringContaining('succeeded') as unknown });
    });

    it('carries out the pruning that was held back, with the digest that its message names', async () => {
      const files = Object.fromEntries(
        [...'abcdef'].map((name) => [`apps/web/${name}.yaml`, configMap(name, {})] as const),
      );
      await world.push({ ...web, ...files });
      await world.push({ ...web, 'apps/web/a.yaml': configMap('a', {}) });
      const held = await cli.run('status', '--application', 'default/web');
      const digest = /--allow-prune ([0-9a-f]+)/.exec(held.out)?.[1] ?? '';

      await cli.run('reconcile', 'default/web', '--allow-prune', digest);
      await world.drain();

      expect(held.out).toContain('Held');
      const after = await cli.json<{ applications: readonly { state: string; message: string }[] }>(
        'status',
        '--application',
        'default/web',
      );
      expect(after.applications[0]).toMatchObject({ state: 'Applied', message: '1 unchanged, 5 pruned' });
    });

    it('refuses a digest that is cut short', async () => {
      expect((await cli.run('reconcile', 'default/web', '--allow-prune', 'abc')).code).toBe(64);
    });
  });
});

async function untilMessages(world: ReconcileWorld): Promise<void> {
  while (world.messages.length === 0) await new Promise((resolve) => setImmediate(resolve));
}
