import { createHmac, randomBytes } from 'node:crypto';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { importKubeconfig } from '../../lib/cluster/import-kubeconfig.ts';
import { connectKube } from '../../lib/cluster/connect-kube.ts';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { startLocal, type LocalRuntime } from '../../lib/local/local-installation.ts';
import { applicationId, MARK_LABEL, targetId } from '../../lib/model/ids.ts';
import type { ClusterName, CommitSha, RootId, SourceId, TargetId } from '../../lib/model/ids.ts';
import { silentLog } from '../../lib/model/log.ts';
import { isGone, isSettled } from '../../lib/model/target-state.ts';
import { gitWorld, type GitWorld } from '../support/git-world.ts';
import { kubeconfigs, uniqueName } from './real-cluster.ts';

/** A directory that holds argocd-example-apps/ as its project publishes it. */
const compat = process.env['HOLDFAST_COMPAT'];
const withCompat = compat === undefined || kubeconfigs.length === 0 ? describe.skip : describe;

const SOURCE = 'examples' as SourceId;
const ROOT = 'compat' as RootId;
const CLUSTER = 'real' as ClusterName;

const SOCKS =
  'carts carts-db catalogue catalogue-db front-end orders orders-db payment queue-master rabbitmq session-db shipping user user-db'.split(
    ' ',
  );

/** Published applications, and what a cluster must hold of them. */
const APPLICATIONS = [
  { name: 'guestbook', objects: ['Deployment guestbook-ui', 'Service guestbook-ui'] },
  {
    name: 'kustomize-guestbook',
    objects: ['Deployment kustomize-guestbook-ui', 'Service kustomize-guestbook-ui'],
  },
  { name: 'helm-guestbook', objects: ['Deployment helm-guestbook', 'Service helm-guestbook'] },
  {
    name: 'sock-shop',
    objects: [
      ...SOCKS.flatMap((name) => [`Deployment ${name}`, `Service ${name}`]),
      'Ingress front-end-ingress',
    ],
  },
];

/** The kinds whose children carry the mark's label without being ours. */
const OWN_KINDS = ['v1/Service', 'apps/v1/Deployment', 'networking.k8s.io/v1/Ingress', 'v1/Namespace'];

withCompat('published applications on a real cluster (HOLDFAST_COMPAT)', () => {
  let git: GitWorld;
  let local: LocalRuntime;
  let kube: KubeApi;
  let directory: string;
  const prefix = uniqueName('compat');
  const webhookSecret = randomBytes(16).toString('hex');

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'holdfast-compat-'));
    git = await gitWorld();
    const imported = importKubeconfig(await readFile(kubeconfigs[0] ?? '', 'utf8'));
    kube = connectKube({ ...imported, name: CLUSTER });
    local = await startLocal({ directory, sweepSeconds: 3600, scanSeconds: 3600, log: silentLog });
    const { deps, secrets } = local;
    await secrets.put('webhook', SOURCE, webhookSecret);
    await deps.state.putSource({ ...git.source, id: SOURCE, provider: 'github', webhookSecrets: [SOURCE] });
    const credential = JSON.stringify(imported.credential);
    await secrets.put('cluster-apply', CLUSTER, credential);
    await secrets.put('cluster-read', CLUSTER, credential);
    await deps.state.putCluster({
      schema: 1,
      name: CLUSTER,
      labels: {},
      endpoint: imported.endpoint,
      ...(imported.caData === undefined ? {} : { caData: imported.caData }),
      applySecret: CLUSTER,
      readSecret: CLUSTER,
    });
    await deps.state.putRoot({
      schema: 1,
      id: ROOT,
      installation: deps.installation,
      source: SOURCE,
      ref: { kind: 'branch', name: 'main' },
      path: 'applications',
      cluster: CLUSTER,
      base: 1,
    });
    await deps.state.linkRoot(ROOT, [SOURCE]);
  }, 60_000);

  afterAll(async () => {
    await local?.close();
    const namespaces = (await kube?.discovery())?.find('v1', 'Namespace');
    for (const { name } of APPLICATIONS) {
      if (namespaces === undefined) continue;
      const live = await kube.getMetadata({ type: namespaces, name: `${prefix}-${name}` });
      if (live !== undefined)
        await kube.delete({ type: namespaces, name: live.metadata.name }, live.metadata);
    }
    await kube?.close();
    await git?.close();
    await rm(directory, { recursive: true, force: true });
  }, 60_000);

  const targetOf = (name: string): TargetId => {
    const { installation } = local.deps;
    const id = applicationId({ installation, root: ROOT, dialect: 'holdfast', namespace: 'default', name });
    return targetId(id, CLUSTER);
  };

  async function pushAndTell(files: Parameters<GitWorld['commit']>[0]): Promise<CommitSha> {
    const commit = await git.commit(files);
    await git.push('main');
    const body = JSON.stringify({ ref: 'refs/heads/main', after: commit, deleted: false });
    const signature = createHmac('sha256', webhookSecret).update(body).digest('hex');
    const response = await fetch(`${local.webhookUrl}/${SOURCE}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-github-event': 'push',
        'x-github-delivery': commit,
        'x-hub-signature-256': `sha256=${signature}`,
      },
      body,
    });
    expect(response.status).toBe(202);
    return commit;
  }

  async function marked(target: TargetId): Promise<readonly string[]> {
    const discovery = await kube.discovery();
    const found: string[] = [];
    for (const kind of OWN_KINDS) {
      const slash = kind.lastIndexOf('/');
      const type = discovery.find(kind.slice(0, slash), kind.slice(slash + 1));
      if (type === undefined) continue;
      const listed = await kube.listMetadata(type, { labelSelector: `${MARK_LABEL}=${target}` });
      found.push(...listed.map(({ metadata }) => `${type.kind} ${metadata.name}`));
    }
    return found.sort();
  }

  it('applies them from one push', async () => {
    await cp(path.join(compat ?? '', 'argocd-example-apps'), git.work, { recursive: true });
    const definitions = APPLICATIONS.map(({ name }) => [
      `applications/${name}.yaml`,
      definition(name, `${prefix}-${name}`),
    ]);

    const commit = await pushAndTell({
      ...Object.fromEntries(definitions),
      // Stays to the end: a root that declares nothing any more is taken for an accident.
      'applications/resting.yaml': definition('resting', `${prefix}-resting`, {
        path: 'guestbook',
        suspend: true,
      }),
    });

    for (const { name, objects } of APPLICATIONS) {
      const state = await eventually(async () => {
        const current = await local.deps.state.getTarget(targetOf(name));
        return current !== undefined && current.lastRun !== undefined && isSettled(current)
          ? current
          : undefined;
      }, `${name} is applied`);
      expect(state.applied?.revision).toBe(commit);
      expect(await marked(targetOf(name))).toEqual([...objects].sort());
    }
  }, 120_000);

  it('judges them clean once they have rolled out', async () => {
    for (const { name } of APPLICATIONS) await rolledOut(`${prefix}-${name}`);

    await local.scan();

    for (const { name, objects } of APPLICATIONS) {
      const report = await local.deps.state.getDrift(targetOf(name));
      expect({ name, ...report }).toMatchObject({
        name,
        // The namespace that it asked for is one more.
        clean: objects.length + 1,
        findings: [],
        unknown: [],
        // Nothing had to be fetched to be sure of it.
        verified: {},
      });
    }
  }, 120_000);

  it('prunes each one whose definition leaves Git', async () => {
    for (const { name } of APPLICATIONS) {
      await pushAndTell({ [`applications/${name}.yaml`]: null });

      await eventually(async () => {
        const current = await local.deps.state.getTarget(targetOf(name));
        return current !== undefined && isGone(current) ? current : undefined;
      }, `${name} is gone`);
      expect(await marked(targetOf(name))).toEqual([]);
    }
  }, 120_000);

  async function rolledOut(namespace: string): Promise<void> {
    const deployments = (await kube.discovery()).find('apps/v1', 'Deployment');
    if (deployments === undefined) throw new Error('apps/v1 Deployment is not served');
    for (const { metadata } of await kube.listMetadata(deployments, { namespace })) {
      await eventually(async () => {
        const live = await kube.get({ type: deployments, namespace, name: metadata.name });
        const status = live?.['status'] as
          | { observedGeneration?: number; updatedReplicas?: number }
          | undefined;
        const isSeen = status?.observedGeneration === live?.metadata.generation;
        // Not readiness: no container runs where probes would be answered.
        return isSeen && (status?.updatedReplicas ?? 0) > 0 ? live : undefined;
      }, `${namespace}/${metadata.name} is rolled out`);
    }
  }
});

function definition(name: string, namespace: string, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Application',
    metadata: { name },
    spec: { source: SOURCE, path: name, clusters: [CLUSTER], namespace, createNamespace: true, ...more },
  });
}

/** Polls until `look` answers something: rollouts and removals take seconds on a busy machine. */
async function eventually<T>(look: () => Promise<T | undefined>, what: string): Promise<T> {
  const until = performance.now() + 90_000;
  while (performance.now() < until) {
    const found = await look();
    if (found !== undefined) return found;
    await delay(100);
  }
  throw new Error(`never happened: ${what}`);
}
