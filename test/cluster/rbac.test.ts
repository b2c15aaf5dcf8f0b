import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { parseAllDocuments } from 'yaml';
import { runCli } from '../../lib/cli/main.ts';
import { checkRights, deployedTypes } from '../../lib/cli/doctor/check-rights.ts';
import { createAccessReviewer } from '../../lib/cluster/access-review.ts';
import { importKubeconfig } from '../../lib/cluster/import-kubeconfig.ts';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import type { KubeObject } from '../../lib/model/resource.ts';
import { scanCluster } from '../../lib/reconcile/scan-cluster.ts';
import { configMap, definition, reconcileWorld, type ReconcileWorld } from '../support/reconcile-world.ts';
import {
  aConfigMap,
  aNamespace,
  eventually,
  kubeconfigs,
  openCluster,
  openClusterWithToken,
  refOf,
  remove,
  uniqueName,
  withCluster,
} from './real-cluster.ts';

const CLUSTER = 'a' as ClusterName;
const ADMIN = { fieldManager: 'test', force: true };

/** What the command prints, under names of this test's own: the cluster is shared. */
async function printed(id: string, ...options: readonly string[]): Promise<readonly KubeObject[]> {
  let out = '';
  let err = '';
  const code = await runCli(['cluster', 'rbac', 'a', ...options], {
    io: {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      readStdin: async () => '',
      env: {},
      colours: false,
      now: Date.now,
      stop: new AbortController().signal,
    },
  });
  if (code !== 0) throw new Error(err);
  const text = out.replaceAll(/holdfast-(apply|read)/g, `${id}-$1`);
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}

withCluster('the RBAC that is printed, on a real cluster', () => {
  let admin: KubeApi;
  let reader: KubeApi;
  let tenant: KubeApi;
  let namespace: string;
  let other: string;
  let granted: KubeObject[];

  beforeAll(() => {
    admin = openCluster();
    reader = openClusterWithToken('reader-token');
    tenant = openClusterWithToken('tenant-token');
  });
  afterAll(() => Promise.all([admin, reader, tenant].map((kube) => kube.close())));

  beforeEach(async () => {
    namespace = uniqueName('rbac');
    other = uniqueName('rbac-other');
    granted = [];
    for (const name of [namespace, other])
      await admin.apply(await refOf(admin, aNamespace(name)), aNamespace(name), ADMIN);
  });
  afterEach(async () => {
    for (const object of [...granted].reverse()) await remove(admin, object);
    for (const name of [namespace, other]) await remove(admin, aNamespace(name));
  });

  async function grant(...options: readonly string[]): Promise<void> {
    for (const object of await printed(namespace, ...options)) {
      await admin.apply(await refOf(admin, object), object, ADMIN);
      granted.push(object);
    }
  }

  async function rejectionOf(work: Promise<unknown>): Promise<string | undefined> {
    return work.then(
      () => undefined,
      (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : 'another'),
    );
  }

  /** The authorizer of an API server learns of new roles a moment after they are stored. */
  async function untilAllowed(look: () => Promise<unknown>): Promise<void> {
    await eventually(
      async () => ((await rejectionOf(look())) === undefined ? true : undefined),
      'the rights to be known',
    );
  }

  function reviewerOf(token: string) {
    const { endpoint, caData } = importKubeconfig(readFileSync(kubeconfigs[0] ?? '', 'utf8'));
    return createAccessReviewer({
      name: CLUSTER,
      endpoint,
      ...(caData === undefined ? {} : { caData }),
      credential: { token },
    });
  }

  function files(value: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return {
      'clusters/main/web.yaml': definition('web', {
        path: 'apps/web',
        clusters: [CLUSTER],
        namespace,
        drift: 'report',
      }),
      'apps/web/a.yaml': configMap('a', { k: value }),
      'apps/web/b.yaml': configMap('b', { k: value }),
      'apps/web/c.yaml': configMap('c', { k: value }),
      'apps/web/secret.yaml': JSON.stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 's' },
        stringData: { k: value },
      }),
      'apps/web/deployment.yaml': JSON.stringify({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'd' },
        spec: {
          selector: { matchLabels: { app: 'd' } },
          template: {
            metadata: { labels: { app: 'd' } },
            spec: { containers: [{ name: 'c', image: 'registry.example/c:1' }] },
          },
        },
      }),
      ...more,
    };
  }

  function aWorld(kube: KubeApi): Promise<ReconcileWorld> {
    return reconcileWorld({ clusters: { [CLUSTER]: kube }, installation: namespace });
  }

  it('to read: a scan with it sees all drift, and every write is refused', async () => {
    const world = await aWorld(admin);
    await world.push(files('1'));
    const scanDeps = { ...world.deps, connector: { connect: async () => reader } };
    const scan = () => scanCluster(scanDeps, CLUSTER, performance.now() + 30_000);
    // Without it nothing is known, which is not the same as missing.
    expect(await scan()).toMatchObject({
      clean: 0,
      drifted: 0,
      unknown: 5,
      error: expect.stringContaining('forbidden'),
    });

    await grant('--read', '--user', 'reader');
    await untilAllowed(async () => reader.getMetadata(await refOf(admin, aConfigMap(namespace, 'a'))));
    expect(await scan()).toMatchObject({ clean: 5, drifted: 0, unknown: 0 });
    const edited = aConfigMap(namespace, 'a', { k: 'edited' });
    await admin.apply(await refOf(admin, edited), edited, { fieldManager: 'hand', force: true });
    expect(await scan()).toMatchObject({ clean: 4, drifted: 1, unknown: 0 });

    const ref = await refOf(admin, edited);
    const live = await reader.get(ref);
    const fresh = aConfigMap(namespace, 'fresh');
    const writes = [
      reader.apply(ref, edited, ADMIN),
      reader.apply(ref, edited, { ...ADMIN, dryRun: true }),
      reader.apply(await refOf(admin, fresh), fresh, ADMIN),
      reader.mergePatch(ref, { data: { k: '3' } }, { fieldManager: 'test' }),
      reader.jsonPatch(ref, [{ op: 'remove', path: '/data' }], { fieldManager: 'test' }),
      reader.delete(ref, {
        uid: live?.metadata.uid ?? '',
        resourceVersion: live?.metadata.resourceVersion ?? '',
      }),
      reader.apply(await refOf(admin, aNamespace(uniqueName('no'))), aNamespace(uniqueName('no')), ADMIN),
    ];
    expect(await Promise.all(writes.map(rejectionOf))).toEqual(writes.map(() => 'kube-forbidden'));

    const deployed = await deployedTypes(
      world.deps.state,
      { ...(await clusterOf(world)) },
      await reader.discovery(),
    );
    const reviewer = reviewerOf('reader-token');
    expect(await checkRights(reviewer, 'a', 'read', deployed)).toMatchObject([{ verdict: 'ok' }]);
    expect(await checkRights(reviewer, 'a', 'apply', deployed)).toMatchObject([
      { verdict: 'problem', message: expect.stringContaining(`create configmaps in ${namespace}`) },
    ]);
    await reviewer.close();
    const adminReviewer = reviewerOf('admin-token');
    expect(await checkRights(adminReviewer, 'a', 'apply', deployed)).toMatchObject([{ verdict: 'ok' }]);
    expect(await checkRights(adminReviewer, 'a', 'read', deployed)).toMatchObject([
      { verdict: 'warning', message: expect.stringContaining('patch configmaps') },
    ]);
    await adminReviewer.close();
  });

  it('to apply in a namespace: a whole run there, and nothing anywhere else', async () => {
    await grant('--namespace', namespace, '--user', 'tenant');
    await untilAllowed(async () => tenant.getMetadata(await refOf(admin, aConfigMap(namespace, 'none'))));
    const world = await aWorld(tenant);

    await world.push(files('1'));
    const applied = await world.target('web');
    const { 'apps/web/b.yaml': _left, ...fewer } = files('2');
    await world.push(fewer);
    const pruned = await world.target('web');

    expect(applied.lastRun).toMatchObject({ outcome: 'succeeded' });
    expect(pruned.lastRun).toMatchObject({ outcome: 'succeeded' });
    expect(await admin.get(await refOf(admin, aConfigMap(namespace, 'b')))).toBeUndefined();
    expect((await admin.get(await refOf(admin, aConfigMap(namespace, 'a'))))?.['data']).toEqual({ k: '2' });
    const elsewhere = aConfigMap(other, 'x');
    const powerful: KubeObject = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'more', namespace },
      rules: [{ apiGroups: [''], resources: ['pods/exec'], verbs: ['create'] }],
    };
    expect(
      await Promise.all([
        rejectionOf(tenant.apply(await refOf(admin, elsewhere), elsewhere, ADMIN)),
        rejectionOf(tenant.getMetadata(await refOf(admin, elsewhere))),
        rejectionOf(tenant.apply(await refOf(admin, powerful), powerful, ADMIN)),
        rejectionOf(tenant.apply(await refOf(admin, aNamespace(other)), aNamespace(other), ADMIN)),
      ]),
    ).toEqual(['kube-forbidden', 'kube-forbidden', 'kube-forbidden', 'kube-forbidden']);
  });

  it('to impersonate: as the ServiceAccount of the namespace, as no other, and never by itself', async () => {
    const { endpoint, caData = '' } = importKubeconfig(readFileSync(kubeconfigs[0] ?? '', 'utf8'));
    const dispatcher = new Agent({ connect: { ca: caData } });
    const create = async (as: string | undefined, where: string): Promise<number> => {
      const { statusCode, body } = await request(
        `${endpoint}/api/v1/namespaces/${where}/configmaps?dryRun=All`,
        {
          method: 'POST',
          dispatcher,
          headers: {
            authorization: 'Bearer tenant-token',
            'content-type': 'application/json',
            ...(as === undefined ? {} : { 'impersonate-user': as }),
          },
          body: JSON.stringify(aConfigMap(where, 'x')),
        },
      );
      await body.dump();
      return statusCode;
    };
    const account = `system:serviceaccount:${namespace}:holdfast`;

    await grant('--namespace', namespace, '--impersonate', '--user', 'tenant');
    await eventually(
      async () => ((await create(account, namespace)) === 201 ? true : undefined),
      'the rights to be known',
    );

    expect(await create(undefined, namespace)).toBe(403);
    expect(await create(account, other)).toBe(403);
    expect(await create(`system:serviceaccount:${namespace}:default`, namespace)).toBe(403);
    expect(await create(`system:serviceaccount:${other}:holdfast`, other)).toBe(403);
    expect(await create('admin', namespace)).toBe(403);
    await dispatcher.close();
  });
});

async function clusterOf(world: ReconcileWorld) {
  const cluster = await world.deps.state.getCluster(CLUSTER);
  if (cluster === undefined) throw new Error('not registered');
  return cluster;
}
