import { brotliDecompressSync } from 'node:zlib';
import type { ArtefactStore } from '../../lib/artefact/artefact-store.ts';
import { planApplication } from '../../lib/cli/plan-application.ts';
import { connectKube } from '../../lib/cluster/connect-kube.ts';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { createJsonLog } from '../../lib/compose/json-log.ts';
import { startSandboxCluster, type SandboxCluster } from '../../lib/local/sandbox/start-sandbox-cluster.ts';
import type { ClusterName, Digest } from '../../lib/model/ids.ts';
import { describePlan } from '../../lib/plan/describe-plan.ts';
import { scanCluster } from '../../lib/reconcile/scan-cluster.ts';
import type { TableRecord } from '../../lib/state/record-table.ts';
import { whySkipped, withTools } from '../render/tools-for-tests.ts';
import { IDENTITY } from '../render/sops/age-vectors.ts';
import { dotenvFile, yamlFile } from '../render/sops/build-sops.ts';
import { memoryTable } from '../support/memory-table.ts';
import { definition, reconcileWorld, type ReconcileWorld } from '../support/reconcile-world.ts';

const A = 'a' as ClusterName;
const CANARIES = {
  object: 'canary-in-an-object-3b1f',
  patch: 'canary-in-a-patch-9d20',
  environment: 'canary-in-variables-77c4',
  values: 'canary-in-helm-values-51ae',
  cluster: 'canary-in-the-cluster-06fd',
  stored: 'canary-in-secrets-manager-c2b8',
} as const;
const DATA_ONLY = { metadata: { encrypted_regex: '^(data|stringData)$' } };

function aSecret(name: string, key: string, value: string): string {
  return yamlFile(
    (s) =>
      `apiVersion: ${s.plain('v1')}\nkind: ${s.plain('Secret')}\nmetadata:\n  name: ${s.plain(name)}\nstringData:\n  ${key}: ${s.enc(`stringData:${key}:`, value)}\n`,
    DATA_ONLY,
  );
}

/** Everything that a Secret may be made of, in a kustomization and a chart. */
function files(chartKind: 'Secret' | 'ConfigMap', namespace: string): Record<string, string> {
  const spec = {
    clusters: [A],
    namespace,
    decryption: { age: 'sops' },
    substitute: {
      from: [
        { kind: 'Secret', name: 'live' },
        { kind: 'SecretsManager', name: 'stored' },
      ],
    },
  };
  const field = chartKind === 'Secret' ? 'stringData' : 'data';
  return {
    'clusters/main/apps.yaml': `${definition('web', { path: 'apps/web', ...spec })}\n---\n${definition('chart', { path: 'apps/chart', ...spec })}`,
    'apps/web/kustomization.yaml':
      'resources: [a.yaml, b.yaml]\npatches: [{path: patch.yaml}]\nsecretGenerator: [{name: env, envs: [some.env]}]\n',
    'apps/web/a.yaml': aSecret('db', 'password', CANARIES.object),
    'apps/web/b.yaml':
      'apiVersion: v1\nkind: Secret\nmetadata: {name: mixed}\nstringData: {a: "${LIVE}", b: "${STORED}"}\n',
    'apps/web/patch.yaml': aSecret('db', 'patched', CANARIES.patch),
    'apps/web/some.env': dotenvFile((s) => `PASSWORD=${s.enc('PASSWORD:', CANARIES.environment)}\n`),
    'apps/chart/Chart.yaml': 'apiVersion: v2\nname: chart\nversion: 1.0.0\n',
    'apps/chart/values.yaml': yamlFile((s) => `password: ${s.enc('password:', CANARIES.values)}\n`),
    'apps/chart/templates/a.yaml': `apiVersion: v1\nkind: ${chartKind}\nmetadata: {name: chart}\n${field}: {p: {{ .Values.password }}}\n`,
    'apps/chart/templates/b.yaml': '{{ if eq .Values.password "x" }}{{ fail "no" }}{{ end }}\n',
  };
}

withTools(`what was decrypted${whySkipped}`, () => {
  let sandbox: SandboxCluster;
  let kube: KubeApi;
  let world: ReconcileWorld;
  let lines: string[];
  let table: ReturnType<typeof memoryTable>;
  let artefacts: Map<Digest, Uint8Array>;
  let worlds = 0;
  let namespace: string;

  beforeAll(async () => {
    sandbox = await startSandboxCluster();
    kube = connectKube({ name: A, endpoint: sandbox.url, credential: { token: sandbox.token } });
  });
  afterAll(async () => {
    await kube.close();
    await sandbox.close();
  });
  beforeEach(async () => {
    namespace = `decrypted-${worlds++}`;
    lines = [];
    table = memoryTable();
    artefacts = new Map();
    const store: ArtefactStore = {
      has: async (digest) => artefacts.has(digest),
      put: async (digest, bytes) => void artefacts.set(digest, bytes),
      get: async (digest) => artefacts.get(digest),
    };
    world = await reconcileWorld({
      clusters: { [A]: kube },
      table,
      artefacts: store,
      installation: namespace,
      // Without the redactor: nothing may reach it in the first place.
      log: createJsonLog((line) => lines.push(line)),
    });
    world.secrets.set('decryption/sops', IDENTITY);
    world.secrets.set('values/stored', JSON.stringify({ STORED: CANARIES.stored }));
    await put('Namespace', namespace, {});
    await put('Secret', 'live', { data: { LIVE: Buffer.from(CANARIES.cluster).toString('base64') } });
  });

  async function refOf(kind: string, name: string) {
    const type = (await kube.discovery()).find('v1', kind);
    if (type === undefined) throw new Error(`no ${kind}`);
    return kind === 'Namespace' ? { type, name } : { type, namespace, name };
  }
  async function put(kind: string, name: string, fields: Readonly<Record<string, unknown>>): Promise<void> {
    const ref = await refOf(kind, name);
    const metadata = kind === 'Namespace' ? { name } : { name, namespace };
    await kube.apply(
      ref,
      { apiVersion: 'v1', kind, metadata, ...fields },
      { fieldManager: 'somebody', force: true },
    );
  }
  const decoded = async (name: string, key: string) => {
    const { data } = (await kube.get(await refOf('Secret', name))) as unknown as {
      readonly data: Readonly<Record<string, string>>;
    };
    return Buffer.from(data[key] ?? '', 'base64').toString();
  };
  const seen = (): string => [...table.records.values()].map(textOf).join('\n') + lines.join('\n');
  const expectNothingSeen = (text: string): void => {
    for (const canary of Object.values(CANARIES)) {
      expect(text).not.toContain(canary);
      expect(text).not.toContain(Buffer.from(canary).toString('base64').slice(0, -4));
      expect(text).not.toContain(Buffer.from(canary).toString('hex'));
    }
  };

  it('is in the cluster’s Secrets, and in no record, artefact, log line, plan or report', async () => {
    await world.push(files('Secret', namespace));

    expect(await decoded('db', 'password')).toBe(CANARIES.object);
    expect(await decoded('db', 'patched')).toBe(CANARIES.patch);
    expect(await decoded('mixed', 'a')).toBe(CANARIES.cluster);
    expect(await decoded('mixed', 'b')).toBe(CANARIES.stored);
    expect(await decoded('chart', 'p')).toBe(CANARIES.values);

    await put('Secret', 'db', { stringData: { password: 'by-hand' } });
    await scanCluster(world.deps, A, performance.now() + 60_000);
    const { plan, changes } = await planApplication(world.deps, await world.target('web'));
    expect(plan.actions.some(({ kind }) => kind === 'apply')).toBe(true);

    expectNothingSeen(seen() + describePlan(plan, changes).join('\n'));
    for (const bytes of artefacts.values()) expectNothingSeen(inflated(bytes));
    expect(seen()).toContain('run finished');
  }, 30_000);

  it('is in no record and log line when it would go elsewhere, or a tool fails over it', async () => {
    await world.push(files('ConfigMap', namespace));
    expect((await world.target('chart')).lastRun?.message).toContain(
      'ConfigMap chart: contains a value that comes from apps/chart/values.yaml',
    );

    await world.push({
      ...files('Secret', namespace),
      'apps/chart/templates/b.yaml': '{{ fail (printf "over %s" .Values.password) }}\n',
      'apps/web/b.yaml': 'apiVersion: v1\nkind: Secret\nmetadata: {name: "a/${LIVE}"}\n',
    });

    expect((await world.target('chart')).lastRun?.message).toContain('over ***');
    expect((await world.target('web')).lastRun?.message).toContain('cannot be a name');
    expectNothingSeen(seen());
  }, 30_000);
});

function textOf({ body, bytes }: TableRecord): string {
  return body + (bytes === undefined ? '' : inflated(bytes));
}

function inflated(bytes: Uint8Array): string {
  try {
    return brotliDecompressSync(bytes).toString('latin1');
  } catch {
    return Buffer.from(bytes).toString('latin1');
  }
}
