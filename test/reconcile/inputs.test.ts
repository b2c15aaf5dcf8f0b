import { connectKube } from '../../lib/cluster/connect-kube.ts';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { planApplication } from '../../lib/cli/plan-application.ts';
import { startSandboxCluster, type SandboxCluster } from '../../lib/local/sandbox/start-sandbox-cluster.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import type { KubeObject } from '../../lib/model/resource.ts';
import { scanCluster } from '../../lib/reconcile/scan-cluster.ts';
import { IDENTITY, OTHER_IDENTITY } from '../render/sops/age-vectors.ts';
import { yamlFile } from '../render/sops/build-sops.ts';
import { configMap, definition, reconcileWorld, type ReconcileWorld } from '../support/reconcile-world.ts';

const A = 'a' as ClusterName;
const CANARY = 'canary-2d9b41f0';

describe('what a render needs from outside of Git', () => {
  let sandbox: SandboxCluster;
  let kube: KubeApi;
  let world: ReconcileWorld;
  let namespace: string;
  let serverVersion: string;
  let worlds = 0;

  beforeAll(async () => {
    sandbox = await startSandboxCluster();
    const real = connectKube({ name: A, endpoint: sandbox.url, credential: { token: sandbox.token } });
    kube = { ...real, requestCounts: real.requestCounts, serverVersion: async () => serverVersion };
  });
  afterAll(async () => {
    await kube.close();
    await sandbox.close();
  });
  beforeEach(async () => {
    serverVersion = 'v1.33.0';
    namespace = `inputs-${worlds++}`;
    world = await reconcileWorld({ clusters: { [A]: kube }, installation: namespace });
    await put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  });

  async function refOf(kind: string, name: string) {
    const type = (await kube.discovery()).find('v1', kind);
    if (type === undefined) throw new Error(`no ${kind}`);
    return kind === 'Namespace' ? { type, name } : { type, namespace, name };
  }
  async function put(object: KubeObject): Promise<void> {
    const ref = await refOf(object.kind, object.metadata.name ?? '');
    await kube.apply(ref, object, { fieldManager: 'somebody', force: true });
  }
  const putVars = (data: Readonly<Record<string, string>>, name = 'vars') =>
    put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data });
  const app = (spec: Readonly<Record<string, unknown>>, name = 'web') => ({
    [`clusters/main/${name}.yaml`]: definition(name, {
      path: `apps/${name}`,
      clusters: [A],
      namespace,
      ...spec,
    }),
  });
  const dataOf = async (name: string, kind = 'ConfigMap') =>
    (await kube.get(await refOf(kind, name)))?.['data'] as Readonly<Record<string, string>> | undefined;
  const scan = () => scanCluster(world.deps, A, performance.now() + 60_000);
  const lastRun = async (name = 'web') => (await world.target(name)).lastRun;

  it('is read from ConfigMaps of the destination, and a change there renders again without a push', async () => {
    await putVars({ DOMAIN: 'one.example' });
    await world.push({
      ...app({ substitute: { from: [{ kind: 'ConfigMap', name: 'vars' }] } }),
      'apps/web/a.yaml': configMap('a', { host: '${DOMAIN}' }),
    });
    expect(await dataOf('a')).toEqual({ host: 'one.example' });
    expect(await scan()).toMatchObject({ inputsChanged: 0, woken: 0 });

    await putVars({ DOMAIN: 'two.example' });
    const outcome = await scan();
    await world.drain();

    expect(outcome).toMatchObject({ inputsChanged: 1, drifted: 0 });
    expect(await dataOf('a')).toEqual({ host: 'two.example' });
    const [run] = await world.deps.state.listRuns((await world.target('web')).target, 1);
    expect(run).toMatchObject({ reason: 'inputs', outcome: 'succeeded', counts: { changed: 1 } });
    expect(await scan()).toMatchObject({ inputsChanged: 0 });
  });

  it('is watched after a push that changed nothing for the target, too', async () => {
    await putVars({ DOMAIN: 'one.example' });
    const files = {
      ...app({ substitute: { from: [{ kind: 'ConfigMap', name: 'vars' }] } }),
      'apps/web/a.yaml': configMap('a', { host: '${DOMAIN}' }),
    };
    await world.push(files);
    await world.push({ ...files, 'README.md': 'more' });
    await putVars({ DOMAIN: 'two.example' });

    expect(await scan()).toMatchObject({ inputsChanged: 1 });
    await world.drain();

    expect(await dataOf('a')).toEqual({ host: 'two.example' });
  });

  it('is asked for once in a scan, however many targets use it, and by version only', async () => {
    await putVars({ DOMAIN: 'one.example' });
    world.secrets.set('values/shared', '{"GREETING":"hello"}');
    const names = ['one', 'two', 'three'];
    const from = [
      { kind: 'ConfigMap', name: 'vars' },
      { kind: 'SecretsManager', name: 'shared' },
    ];
    await world.push(
      Object.assign(
        {},
        ...names.map((name) => ({
          ...app({ substitute: { from } }, name),
          [`apps/${name}/a.yaml`]: configMap(name, { host: '${DOMAIN}' }),
        })),
      ) as Record<string, string>,
    );
    const asked: string[] = [];
    const { deps } = world;
    const counting = {
      ...deps,
      secrets: {
        currentVersion: async (...args: Parameters<typeof deps.secrets.currentVersion>) => {
          asked.push(args.join('/'));
          return deps.secrets.currentVersion(...args);
        },
      },
      connector: {
        connect: async () => ({
          ...kube,
          requestCounts: kube.requestCounts,
          getMetadata: async (...args: Parameters<KubeApi['getMetadata']>) => {
            asked.push(args[0].name);
            return kube.getMetadata(...args);
          },
        }),
      },
    };

    await scanCluster(counting, A, performance.now() + 60_000);

    expect(asked.sort()).toEqual(['values/shared', 'vars']);
  });

  it('fails the run while it does not exist, says what is missing, and is looked for again', async () => {
    await world.push({
      ...app({
        substitute: {
          from: [
            { kind: 'ConfigMap', name: 'vars' },
            { kind: 'SecretsManager', name: 'web' },
            { kind: 'Secret', name: 'maybe', optional: true },
          ],
        },
      }),
      'apps/web/a.yaml': configMap('a', { host: '${DOMAIN}' }),
    });
    const failed = await lastRun();
    expect(failed).toMatchObject({ outcome: 'failed' });
    expect(failed?.message).toContain(`ConfigMap ${namespace}/vars on cluster "a"`);
    expect(failed?.message).toContain('secret "web" in the role values (holdfast secret set values web)');
    expect(failed?.message).not.toContain('maybe');

    await putVars({ DOMAIN: 'late.example' });
    world.secrets.set('values/web', '{"GREETING":"hello"}');
    expect(await scan()).toMatchObject({ inputsChanged: 1 });
    await world.drain();

    expect(await dataOf('a')).toEqual({ host: 'late.example' });
  });

  it('counts as changed when an optional value appears, or a value goes', async () => {
    await world.push({
      ...app({
        substitute: { from: [{ kind: 'ConfigMap', name: 'vars', optional: true }], strategy: 'Always' },
      }),
      'apps/web/a.yaml': configMap('a', { host: '${DOMAIN:-none}' }),
    });
    expect(await dataOf('a')).toEqual({ host: 'none' });

    await putVars({ DOMAIN: 'there.example' });
    await scan();
    await world.drain();
    expect(await dataOf('a')).toEqual({ host: 'there.example' });

    const ref = await refOf('ConfigMap', 'vars');
    const live = await kube.get(ref);
    if (live !== undefined) await kube.delete(ref, live.metadata);
    await scan();
    await world.drain();
    expect(await dataOf('a')).toEqual({ host: 'none' });
  });

  it('is read from Secrets of the destination and from Secrets Manager, and is seen nowhere but in Secrets', async () => {
    await put({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'db', namespace },
      data: { PASSWORD: Buffer.from(CANARY).toString('base64'), BINARY: '/w==' },
    });
    world.secrets.set('values/web', JSON.stringify({ USER: `${CANARY}-user` }));
    const from = [
      { kind: 'Secret', name: 'db' },
      { kind: 'SecretsManager', name: 'web' },
    ];
    await world.push({
      ...app({ substitute: { from } }),
      'apps/web/a.yaml': JSON.stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'made' },
        stringData: { url: '${USER}:${PASSWORD}' },
      }),
    });

    const url = (await dataOf('made', 'Secret'))?.['url'] ?? '';
    expect(Buffer.from(url, 'base64').toString()).toBe(`${CANARY}-user:${CANARY}`);
    expect(await lastRun()).toMatchObject({ outcome: 'succeeded' });

    world.secrets.set('values/web', JSON.stringify({ USER: 'other' }));
    expect(await scan()).toMatchObject({ inputsChanged: 1 });
    await world.drain();
    const changed = (await dataOf('made', 'Secret'))?.['url'] ?? '';
    expect(Buffer.from(changed, 'base64').toString()).toBe(`other:${CANARY}`);
  });

  it('is planned with as it is applied', async () => {
    await putVars({ DOMAIN: 'one.example' });
    await world.push({
      ...app({ substitute: { from: [{ kind: 'ConfigMap', name: 'vars' }] } }),
      'apps/web/a.yaml': configMap('a', { host: '${DOMAIN}' }),
    });
    await putVars({ DOMAIN: 'two.example' });

    const { plan } = await planApplication(world.deps, await world.target('web'));

    expect(plan.actions).toMatchObject([{ kind: 'apply', reason: 'changed' }]);
  });

  it('is the version of the destination, for a chart: an upgrade renders it again', async () => {
    await world.push({
      ...app({}),
      'apps/web/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
      'apps/web/templates/a.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  version: {{ .Capabilities.KubeVersion }}\n  apps: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}\n  mine: {{ .Capabilities.APIVersions.Has "example.com/v1/Widget" | quote }}\n',
    });
    expect(await dataOf('a')).toEqual({ version: 'v1.33.0', apps: 'true', mine: 'false' });
    expect(await scan()).toMatchObject({ inputsChanged: 0 });

    serverVersion = 'v1.34.1-eks-0123';
    expect(await scan()).toMatchObject({ inputsChanged: 1 });
    await world.drain();

    expect(await dataOf('a')).toMatchObject({ version: 'v1.34.1' });
  }, 30_000);

  describe('decryption', () => {
    const encrypted = () =>
      yamlFile(
        (s) =>
          `apiVersion: ${s.plain('v1')}\nkind: ${s.plain('Secret')}\nmetadata:\n  name: ${s.plain('db')}\nstringData:\n  password: ${s.enc('stringData:password:', CANARY)}\n`,
        { metadata: { encrypted_regex: '^(data|stringData)$' } },
      );

    it('takes its age identities from the secrets, and fails until they are there', async () => {
      await world.push({ ...app({ decryption: { age: 'sops' } }), 'apps/web/a.yaml': encrypted() });
      expect((await lastRun())?.message).toBe(
        'spec.decryption.age: there is no secret "sops" in the role decryption: store the age identities with "holdfast secret set decryption sops"',
      );

      world.secrets.set('decryption/sops', `# comment\n${IDENTITY}\n`);
      await world.advance(600_000);

      const { password = '' } = (await dataOf('db', 'Secret')) ?? {};
      expect(Buffer.from(password, 'base64').toString()).toBe(CANARY);
    });

    it('fails for good with another key, until the key changes', async () => {
      world.secrets.set('decryption/sops', OTHER_IDENTITY);
      await world.push({ ...app({ decryption: { age: 'sops' } }), 'apps/web/a.yaml': encrypted() });
      expect((await lastRun())?.message).toContain('no key opens it');
      expect(await world.target('web')).not.toHaveProperty('nextAttemptAt');
      expect(await scan()).toMatchObject({ inputsChanged: 0 });

      world.secrets.set('decryption/sops', `${OTHER_IDENTITY}\n${IDENTITY}`);
      expect(await scan()).toMatchObject({ inputsChanged: 1 });
      await world.drain();

      expect(await lastRun()).toMatchObject({ outcome: 'succeeded' });
    });
  });
});
