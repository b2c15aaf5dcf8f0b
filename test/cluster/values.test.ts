import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import type { KubeObject } from '../../lib/model/resource.ts';
import { scanCluster } from '../../lib/reconcile/scan-cluster.ts';
import { until } from '../local/runtime/fake-sqs.ts';
import { configMap, definition, reconcileWorld, type ReconcileWorld } from '../support/reconcile-world.ts';
import { openCluster, uniqueName, withCluster } from './real-cluster.ts';

const CLUSTER = 'a' as ClusterName;

withCluster('values of a real cluster', () => {
  let kube: KubeApi;
  let world: ReconcileWorld;
  let namespace: string;

  beforeAll(() => {
    kube = openCluster();
  });
  afterAll(() => kube.close());
  beforeEach(async () => {
    namespace = uniqueName('values');
    world = await reconcileWorld({ clusters: { [CLUSTER]: kube }, installation: namespace });
    await put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  });
  afterEach(() => remove('v1', 'Namespace', namespace));

  async function refOf(apiVersion: string, kind: string, name: string) {
    const type = (await kube.discovery()).find(apiVersion, kind);
    if (type === undefined) throw new Error(`no ${kind}`);
    return type.namespaced ? { type, namespace, name } : { type, name };
  }
  async function put(object: KubeObject): Promise<void> {
    const ref = await refOf(object.apiVersion, object.kind, object.metadata.name ?? '');
    await kube.apply(ref, object, { fieldManager: 'somebody', force: true });
  }
  async function remove(apiVersion: string, kind: string, name: string): Promise<void> {
    const ref = await refOf(apiVersion, kind, name);
    const live = await kube.get(ref);
    if (live !== undefined) await kube.delete(ref, live.metadata);
  }
  const putValue = (kind: 'ConfigMap' | 'Secret', name: string, data: Readonly<Record<string, string>>) =>
    put({ apiVersion: 'v1', kind, metadata: { name, namespace }, data });
  const encode = (text: string) => Buffer.from(text).toString('base64');
  const app = (spec: Readonly<Record<string, unknown>>) => ({
    'clusters/main/web.yaml': definition('web', {
      path: 'apps/web',
      clusters: [CLUSTER],
      namespace,
      ...spec,
    }),
  });
  const dataOf = async (name: string, kind = 'ConfigMap') =>
    (await kube.get(await refOf('v1', kind, name)))?.['data'];
  const scan = () => scanCluster(world.deps, CLUSTER, performance.now() + 60_000);

  it('render again when they change there, and only then', async () => {
    await putValue('ConfigMap', 'vars', { DOMAIN: 'one.example' });
    await putValue('Secret', 'db', { PASSWORD: encode('first') });
    const from = [
      { kind: 'ConfigMap', name: 'vars' },
      { kind: 'Secret', name: 'db' },
    ];
    await world.push({
      ...app({ substitute: { from } }),
      'apps/web/a.yaml': configMap('a', { host: '${DOMAIN}' }),
      'apps/web/b.yaml': JSON.stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'b' },
        stringData: { url: 'app:${PASSWORD}@${DOMAIN}' },
      }),
    });
    expect(await dataOf('a')).toEqual({ host: 'one.example' });
    expect(await scan()).toMatchObject({ inputsChanged: 0, drifted: 0 });

    await putValue('ConfigMap', 'vars', { DOMAIN: 'two.example' });
    await putValue('Secret', 'db', { PASSWORD: encode('second') });
    expect(await scan()).toMatchObject({ inputsChanged: 1 });
    await world.drain();

    expect(await dataOf('a')).toEqual({ host: 'two.example' });
    expect(await dataOf('b', 'Secret')).toEqual({ url: encode('app:second@two.example') });
    expect(await scan()).toMatchObject({ inputsChanged: 0, drifted: 0 });
  }, 60_000);

  it('tell a chart what the cluster is and serves, and render it again when that changes', async () => {
    const group = `${uniqueName('caps')}.example`;
    const crd: KubeObject = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `widgets.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
        versions: [
          { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
        ],
      },
    };
    await world.push({
      ...app({}),
      'apps/web/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
      'apps/web/templates/a.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  version: {{ .Capabilities.KubeVersion.Version }}\n  widgets: {{ .Capabilities.APIVersions.Has "${group}/v1/Widget" | quote }}\n`,
    });
    const version = await kube.serverVersion();
    expect(await dataOf('a')).toEqual({ version, widgets: 'false' });

    await put(crd);
    try {
      await until(async () =>
        (await kube.discovery({ refresh: true })).apiVersions().includes(`${group}/v1/Widget`),
      );
      expect(await scan()).toMatchObject({ inputsChanged: 1 });
      await world.drain();

      expect(await dataOf('a')).toEqual({ version, widgets: 'true' });
    } finally {
      await remove('apiextensions.k8s.io/v1', 'CustomResourceDefinition', `widgets.${group}`);
    }
  }, 60_000);
});
