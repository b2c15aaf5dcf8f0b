import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { connectKube } from '../../lib/cluster/connect-kube.ts';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { startSandboxCluster, type SandboxCluster } from '../../lib/local/sandbox/start-sandbox-cluster.ts';
import { MARK_LABEL, type ClusterName } from '../../lib/model/ids.ts';
import { type KubeObject, resourceId, resourceKey } from '../../lib/model/resource.ts';
import { IDENTITY } from '../render/sops/age-vectors.ts';
import { yamlFile } from '../render/sops/build-sops.ts';
import { configMap, definition, reconcileWorld, type ReconcileWorld } from '../support/reconcile-world.ts';
import { type CliWorld, cliWorld } from './cli-world.ts';

const A = 'a' as ClusterName;

describe('what holdfast render prints for an application, beside what a run applies', () => {
  let sandbox: SandboxCluster;
  let kube: KubeApi;
  let applied: KubeObject[];
  let world: ReconcileWorld;
  let cli: CliWorld;
  let directory: string;
  let namespace: string;
  let worlds = 0;

  beforeAll(async () => {
    sandbox = await startSandboxCluster();
    const real = connectKube({ name: A, endpoint: sandbox.url, credential: { token: sandbox.token } });
    kube = {
      ...real,
      requestCounts: real.requestCounts,
      apply: async (ref, object, options) => {
        const { fieldManager } = options;
        if (fieldManager.startsWith('holdfast:') && options.dryRun !== true) applied.push(object);
        return real.apply(ref, object, options);
      },
    };
  });
  afterAll(async () => {
    await kube.close();
    await sandbox.close();
  });
  beforeEach(async () => {
    applied = [];
    namespace = `render-${worlds++}`;
    directory = mkdtempSync(join(tmpdir(), 'holdfast-render-equality-'));
    // As in a work tree: what may be read ends here.
    mkdirSync(join(directory, '.git'));
    world = await reconcileWorld({ clusters: { [A]: kube }, installation: namespace });
    cli = cliWorld(world.deps);
    await put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  async function put(object: KubeObject): Promise<void> {
    const { kind } = object;
    const type = (await kube.discovery()).find('v1', kind);
    if (type === undefined) throw new Error(`no ${kind}`);
    const { name = '' } = object.metadata;
    const ref = kind === 'Namespace' ? { type, name } : { type, namespace, name };
    await kube.apply(ref, object, { fieldManager: 'somebody', force: true });
  }

  function write(path: string, content: string): string {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  /** Pushes, has it applied, and renders the same files on this machine. */
  async function both(
    spec: Readonly<Record<string, unknown>>,
    files: Readonly<Record<string, string>>,
    ...options: readonly string[]
  ) {
    const declared = {
      'clusters/main/web.yaml': definition('web', { path: 'apps/web', clusters: [A], namespace, ...spec }),
    };
    const all = { ...declared, ...files };
    for (const [path, content] of Object.entries(all)) write(path, content);
    await world.push(all);
    const { lastRun } = await world.target('web');
    const rendered = await cli.run(
      'render',
      '--application',
      join(directory, 'clusters/main/web.yaml'),
      '--output',
      'json',
      ...options,
    );
    return {
      run: lastRun,
      rendered,
      printed: byKey(rendered.out === '' ? [] : (JSON.parse(rendered.out) as readonly KubeObject[])),
      applied: byKey(applied.map(withoutMark)),
    };
  }

  it('is equal for plain manifests with everything that is set on top', async () => {
    const { printed, applied, run, rendered } = await both(
      {
        createNamespace: true,
        namespace: `${namespace}-new`,
        render: {
          plain: { include: ['*.yaml'], exclude: ['not-*'] },
          commonMetadata: { labels: { team: 'shop' }, annotations: { from: 'git' } },
        },
      },
      {
        'apps/web/a.yaml': `${configMap('a', { k: 'v' })}\n---\n${configMap('b', {}, namespace)}`,
        'apps/web/secret.yaml':
          'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {answer: "yes"}\ndata: {a: eA==}\n',
        'apps/web/job.yaml':
          'apiVersion: v1\nkind: Service\nmetadata: {name: web, creationTimestamp: null}\nspec: {ports: [{port: 80, targetPort: null}], selector: {app: web}}\n',
        'apps/web/generated.yaml':
          'apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: made-}\ndata: {a: "1"}\n',
        'apps/web/not-this.yaml': 'no manifest',
      },
    );

    expect(rendered.err).toBe('');
    expect(run).toMatchObject({ outcome: 'succeeded' });
    expect(Object.keys(printed)).toHaveLength(6);
    expect(printed).toEqual(applied);
  });

  it('is equal for a kustomization with options', async () => {
    const { printed, applied, run } = await both(
      {
        render: {
          kustomize: {
            namePrefix: 'eu-',
            images: [{ name: 'nginx', newTag: '1.27' }],
            replicas: [{ name: 'web', count: 4 }],
            patches: [
              {
                patch: '- {op: add, path: /metadata/labels, value: {patched: "true"}}',
                target: { kind: 'Deployment' },
              },
            ],
          },
        },
      },
      {
        'apps/web/kustomization.yaml':
          'resources: [../base]\nconfigMapGenerator: [{name: settings, literals: [a=1]}]\n',
        'apps/base/kustomization.yaml': 'resources: [deployment.yaml]\n',
        'apps/base/deployment.yaml':
          'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers: [{name: web, image: nginx, ports: [{containerPort: 80}], envFrom: [{configMapRef: {name: settings}}]}]\n',
      },
    );

    expect(run).toMatchObject({ outcome: 'succeeded' });
    expect(Object.keys(printed)).toHaveLength(2);
    expect(printed).toEqual(applied);
  });

  it('is equal for a chart with values from everywhere, for the same cluster, without its hooks', async () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db', namespace } };
    const shared = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'shared' } };
    await put({ ...secret, data: { password: Buffer.from('hunter2-password').toString('base64') } });
    await put({ ...shared, data: { 'values.yaml': 'greeting: hello\nreplicas: 3\n' } });
    world.secrets.set('values/token', 'a-token-of-eight');
    const discovery = await kube.discovery();

    const { printed, applied, run, rendered } = await both(
      {
        render: {
          releaseName: 'shop',
          helm: {
            valuesFrom: [
              { kind: 'ConfigMap', name: 'shared' },
              { kind: 'Secret', name: 'db', key: 'password', targetPath: 'db.password' },
              { kind: 'SecretsManager', name: 'token', targetPath: 'token' },
              { kind: 'ConfigMap', name: 'absent', optional: true },
            ],
            values: { replicas: 5 },
            parameters: [{ name: 'extra', value: '7' }],
          },
        },
      },
      {
        'apps/web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
        'apps/web/values.yaml': 'greeting: none\nreplicas: 1\nextra: 0\ndb: {password: ""}\n',
        'apps/web/templates/all.yaml':
          'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\ndata:\n  greeting: {{ .Values.greeting }}\n  replicas: {{ .Values.replicas | quote }}\n  extra: {{ .Values.extra | quote }}\n  version: {{ .Capabilities.KubeVersion }}\n  apps: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n  password: {{ .Values.db.password }}\n  token: {{ .Values.token }}\n',
        'apps/web/templates/hook.yaml':
          'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: before\n  annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: "3"}\n',
      },
      '--from',
      // As somebody writes it by hand.
      `Secret/${namespace}/db=${write('local/db.yaml', JSON.stringify({ ...secret, stringData: { password: 'hunter2-password' } }))}`,
      '--from',
      `ConfigMap/shared=${write('local/shared.yaml', JSON.stringify({ ...shared, data: { 'values.yaml': 'greeting: hello\nreplicas: 3\n' } }))}`,
      '--from',
      `SecretsManager/token=${write('local/token', 'a-token-of-eight\n')}`,
      '--kube-version',
      await kube.serverVersion(),
      '--api-versions',
      discovery.apiVersions().join(','),
    );

    expect(run).toMatchObject({ outcome: 'succeeded' });
    expect(Object.keys(printed)).toHaveLength(2);
    expect(printed).toEqual(applied);
    expect(rendered.err).toContain('1 hook of the chart is not run yet');
  }, 30_000);

  it('is equal for variables', async () => {
    await put({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'vars' },
      data: { DOMAIN: 'a.example' },
    });
    world.secrets.set('values/web', '{"PASSWORD": "hunter2-password"}');

    const { printed, applied, run } = await both(
      {
        substitute: {
          variables: { REGION: 'eu' },
          from: [
            { kind: 'ConfigMap', name: 'vars' },
            { kind: 'SecretsManager', name: 'web' },
          ],
        },
      },
      {
        'apps/web/a.yaml': configMap('a', {
          host: '${REGION}.${DOMAIN}',
          kept: '$${DOMAIN}',
          d: '${X:-none}',
        }),
        'apps/web/s.yaml':
          'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: "${PASSWORD}"}\n',
      },
      '--from',
      `ConfigMap/${namespace}/vars=${write('local/vars.yaml', configMap('vars', { DOMAIN: 'a.example' }))}`,
      '--from',
      `SecretsManager/web=${write('local/web.json', '{"PASSWORD": "hunter2-password"}')}`,
    );

    expect(run).toMatchObject({ outcome: 'succeeded' });
    expect(Object.keys(printed)).toHaveLength(2);
    expect(printed).toEqual(applied);
  });

  it('is equal for what SOPS encrypted', async () => {
    world.secrets.set('decryption/team', `${IDENTITY}\n`);

    const { printed, applied, run } = await both(
      { decryption: { age: 'team' } },
      {
        'apps/web/kustomization.yaml': 'resources: [s.yaml]\nnameSuffix: -eu\n',
        'apps/web/s.yaml': yamlFile(
          (s) =>
            `apiVersion: ${s.plain('v1')}\nkind: ${s.plain('Secret')}\nmetadata:\n  name: ${s.plain('s')}\nstringData:\n  p: ${s.enc('stringData:p:', 'plain')}\n`,
          { metadata: { encrypted_regex: '^stringData$' } },
        ),
      },
      '--age-key-file',
      write('local/keys.txt', `${IDENTITY}\n`),
    );

    expect(run).toMatchObject({ outcome: 'succeeded' });
    expect(Object.keys(printed)).toHaveLength(1);
    expect(printed).toEqual(applied);
  });
});

function byKey(objects: readonly KubeObject[]): Readonly<Record<string, KubeObject>> {
  return Object.fromEntries(objects.map((object) => [resourceKey(resourceId(object)), object]));
}

function withoutMark(object: KubeObject): KubeObject {
  const { labels, ...metadata } = object.metadata;
  const { [MARK_LABEL]: _mark, ...others } = labels ?? {};
  return {
    ...object,
    metadata: { ...metadata, ...(Object.keys(others).length === 0 ? {} : { labels: others }) },
  };
}
