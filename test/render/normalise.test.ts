import type { Manifest } from '../../lib/model/resource.ts';
import { normaliseManifests } from '../../lib/render/normalise.ts';
import { builtInScopeOf } from '../../lib/render/scopes.ts';

let line = 0;
function aManifest(object: Record<string, unknown>): Manifest {
  line += 1;
  const complete = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, ...object };
  return { object: complete, origin: { file: 'a.yaml', line } };
}
const normalise = (objects: readonly Record<string, unknown>[], targetNamespace?: string) =>
  normaliseManifests(objects.map(aManifest), {
    scopeOf: builtInScopeOf,
    ...(targetNamespace === undefined ? {} : { targetNamespace }),
  });
const one = (object: Record<string, unknown>) => normalise([object]).manifests[0]?.object;

const crd = (scope: string, group = 'x.io') => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `things.${group}` },
  spec: {
    group,
    scope,
    names: { kind: 'Thing' },
    versions: [
      { name: 'v1', served: true },
      { name: 'v0', served: false },
    ],
  },
});

describe('namespaces', () => {
  it('are given where a namespaced object has none, and kept where it has one', () => {
    const objects = [
      { metadata: { name: 'a' } },
      { metadata: { name: 'b', namespace: 'own' } },
      { metadata: { name: 'c', namespace: '' } },
    ];

    const chosen = normalise(objects, 'shop').manifests.map(({ object }) => object.metadata.namespace);
    const byDefault = normalise(objects).manifests.map(({ object }) => object.metadata.namespace);

    expect(chosen).toEqual(['shop', 'own', 'shop']);
    expect(byDefault).toEqual(['default', 'own', 'default']);
  });

  it('are taken off cluster-scoped objects', () => {
    const object = one({ kind: 'Namespace', metadata: { name: 'a', namespace: 'b' } });

    expect(object?.metadata).toEqual({ name: 'a' });
  });

  it('follow a CRD of the same set, wherever it stands', () => {
    const cluster = normalise([{ apiVersion: 'x.io/v1', kind: 'Thing' }, crd('Cluster')], 'shop');
    const namespaced = normalise([crd('Namespaced'), { apiVersion: 'x.io/v1', kind: 'Thing' }], 'shop');

    expect(cluster.manifests[0]?.object.metadata).toEqual({ name: 'a' });
    expect(namespaced.manifests[1]?.object.metadata).toEqual({ name: 'a', namespace: 'shop' });
  });

  it('rejects kinds that nobody knows, versions that are not served among them, and keeps the others', () => {
    const { manifests, rejections } = normalise([
      { apiVersion: 'y.io/v1', kind: 'Thing' },
      crd('Namespaced'),
      { apiVersion: 'x.io/v0', kind: 'Thing' },
      {},
    ]);

    expect(manifests.map(({ object }) => object.kind)).toEqual(['CustomResourceDefinition', 'ConfigMap']);
    expect(rejections.map(({ why }) => why)).toEqual([
      expect.stringContaining('no matches for kind "Thing" in version "y.io/v1"'),
      expect.stringContaining('no matches for kind "Thing" in version "x.io/v0"'),
    ]);
  });

  it('asks the cluster before the CRDs', () => {
    const { manifests } = normaliseManifests(
      [aManifest(crd('Cluster')), aManifest({ apiVersion: 'x.io/v1', kind: 'Thing' })],
      {
        scopeOf: (apiVersion, kind) => (kind === 'Thing' ? 'namespaced' : builtInScopeOf(apiVersion, kind)),
      },
    );

    expect(manifests[1]?.object.metadata.namespace).toBe('default');
  });
});

describe('objects', () => {
  it('lose what only the server writes', () => {
    const object = one({
      metadata: {
        name: 'a',
        uid: 'u',
        resourceVersion: '1',
        generation: 2,
        creationTimestamp: null,
        managedFields: [],
        selfLink: '/x',
        labels: { a: 'b' },
      },
      status: { x: 1 },
      data: { status: 'kept' },
    });

    expect(object).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a', namespace: 'default', labels: { a: 'b' } },
      data: { status: 'kept' },
    });
  });

  it('lose nulls where Kubernetes drops them, and keep them where only a schema can tell', () => {
    const deployment = one({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      spec: {
        paused: null,
        template: {
          metadata: { creationTimestamp: null },
          spec: { volumes: [{ name: 'v', emptyDir: null }] },
        },
      },
    });
    const { manifests } = normalise([
      crd('Namespaced'),
      {
        apiVersion: 'x.io/v1',
        kind: 'Thing',
        metadata: { name: 'a', labels: null },
        spec: { nullable: null },
      },
    ]);

    expect(deployment?.spec).toEqual({ template: { metadata: {}, spec: { volumes: [{ name: 'v' }] } } });
    expect(manifests[1]?.object.spec).toEqual({ nullable: null });
    expect(manifests[1]?.object.metadata).toEqual({ name: 'a', namespace: 'default' });
  });

  it('have an empty text where a mapping of texts has null, as the API server reads it', () => {
    const config = one({ metadata: { name: 'a', labels: { l: null, m: 'n' } }, data: { A: null, B: 'b' } });
    const secret = one({ kind: 'Secret', stringData: { A: null } });
    const service = one({ kind: 'Service', spec: { selector: { a: null }, clusterIP: null } });
    const schema = { properties: { labels: { type: 'object', default: null }, matchLabels: null } };
    const definition = one({ ...crd('Namespaced'), spec: { ...crd('Namespaced').spec, schema } });

    expect(config).toMatchObject({ data: { A: '', B: 'b' }, metadata: { labels: { l: '', m: 'n' } } });
    expect(secret?.data).toEqual({ A: '' });
    expect(service?.spec).toEqual({ selector: { a: '' } });
    expect(definition?.spec).toMatchObject({ schema: { properties: { labels: { type: 'object' } } } });
    expect(JSON.stringify(definition)).not.toContain('""');
  });

  it('have their quantities as texts, wherever a kind takes one', () => {
    const resources = { limits: { cpu: 2, memory: '1Gi' }, requests: { cpu: 0.5 } };
    const texts = { limits: { cpu: '2', memory: '1Gi' }, requests: { cpu: '0.5' } };
    const pod = {
      containers: [
        { name: 'c', resources, env: [{ valueFrom: { resourceFieldRef: { divisor: 1 } } }, null] },
      ],
      overhead: { cpu: 1 },
      priority: 5,
      volumes: [{ emptyDir: { sizeLimit: 7 } }, { projected: { sources: [{ secret: {} }] } }],
    };

    const set = one({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      spec: { replicas: 2, template: { spec: pod }, volumeClaimTemplates: [{ spec: { resources } }] },
    });
    const quota = one({ kind: 'ResourceQuota', spec: { hard: { pods: 10, cpu: 1e3, 'requests.cpu': 0.1 } } });
    const scaler = one({
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      spec: { maxReplicas: 3, metrics: [{ pods: { target: { averageValue: 100 } } }] },
    });
    const other = one({ data: { limits: { cpu: 2 } } });

    expect(set?.spec).toMatchObject({
      replicas: 2,
      template: {
        spec: {
          containers: [
            { resources: texts, env: [{ valueFrom: { resourceFieldRef: { divisor: '1' } } }, null] },
          ],
          overhead: { cpu: '1' },
          priority: 5,
          volumes: [{ emptyDir: { sizeLimit: '7' } }, { projected: { sources: [{ secret: {} }] } }],
        },
      },
      volumeClaimTemplates: [{ spec: { resources: texts } }],
    });
    expect(quota?.spec).toEqual({ hard: { pods: '10', cpu: '1000', 'requests.cpu': '0.1' } });
    expect(scaler?.spec).toMatchObject({
      maxReplicas: 3,
      metrics: [{ pods: { target: { averageValue: '100' } } }],
    });
    expect(other?.data).toEqual({ limits: { cpu: 2 } });
  });

  it('have the texts of a Secret in data, which win over what stood there', () => {
    const secret = one({ kind: 'Secret', data: { a: 'eA==', b: 'eQ==' }, stringData: { a: 'ü', c: '' } });

    expect(secret).not.toHaveProperty('stringData');
    expect(secret?.data).toEqual({ a: 'w7w=', b: 'eQ==', c: '' });
  });

  it('have protocols in the ports of Services and containers of every workload', () => {
    const ports = [{ containerPort: 1 }, { containerPort: 2, protocol: 'UDP' }];
    const template = {
      spec: { containers: [{ name: 'a', ports }], initContainers: [{ name: 'b', ports }, { name: 'c' }] },
    };
    const expected = {
      containers: [{ name: 'a', ports: [{ containerPort: 1, protocol: 'TCP' }, ports[1]] }],
      initContainers: [
        { name: 'b', ports: [{ containerPort: 1, protocol: 'TCP' }, ports[1]] },
        { name: 'c' },
      ],
    };

    const service = one({ kind: 'Service', spec: { ports: [{ port: 1 }, { port: 1, protocol: 'UDP' }] } });
    const pod = one({ kind: 'Pod', spec: template.spec });
    const workloads = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'].map((kind) =>
      one({ apiVersion: 'apps/v1', kind, spec: { template } }),
    );
    const job = one({ apiVersion: 'batch/v1', kind: 'Job', spec: { template } });
    const cronJob = one({
      apiVersion: 'batch/v1beta1',
      kind: 'CronJob',
      spec: { jobTemplate: { spec: { template } } },
    });

    expect(service?.spec).toEqual({
      ports: [
        { port: 1, protocol: 'TCP' },
        { port: 1, protocol: 'UDP' },
      ],
    });
    expect(pod?.spec).toEqual(expected);
    for (const object of [...workloads, job]) expect(object?.spec).toEqual({ template: { spec: expected } });
    expect(cronJob?.spec).toEqual({ jobTemplate: { spec: { template: { spec: expected } } } });
  });

  it('pass unharmed through shapes that nobody expects', () => {
    const odd = [
      { kind: 'Service', spec: 'text' },
      { kind: 'Pod', metadata: { name: 'p' }, spec: { containers: 'text' } },
      { kind: 'Pod', metadata: { name: 'q' }, spec: { containers: ['text', { ports: 'text' }] } },
      { apiVersion: 'apps/v1', kind: 'Deployment', spec: [] },
    ];

    expect(normalise(odd).manifests.map(({ object }) => object.spec)).toEqual(odd.map(({ spec }) => spec));
  });

  it.each([
    [
      'labels that are no texts',
      { metadata: { name: 'a', labels: { v: 1.1 } } },
      'metadata.labels["v"]: expected text, got a number',
    ],
    [
      'annotations that are a list',
      { metadata: { name: 'a', annotations: ['x'] } },
      'metadata.annotations: expected a mapping',
    ],
    [
      'Secret texts that are numbers',
      { kind: 'Secret', stringData: { pin: 1234 } },
      'stringData["pin"]: expected text, got a number',
    ],
    [
      'Secret data that is text',
      { kind: 'Secret', data: 'x', stringData: { a: 'b' } },
      'data: expected a mapping',
    ],
  ])('rejects %s by itself, without the value, and under its right identity', (_what, object, why) => {
    const { manifests, rejections } = normalise([object, { metadata: { name: 'fine' } }], 'shop');

    expect(manifests.map((manifest) => manifest.object.metadata.name)).toEqual(['fine']);
    expect(rejections).toHaveLength(1);
    expect(rejections[0]?.why).toContain(why);
    expect(rejections[0]?.why).not.toContain('1234');
    expect(rejections[0]?.manifest.object.metadata.namespace).toBe('shop');
  });
});

describe('duplicates', () => {
  it('rejects two objects that become one, naming both places', () => {
    const duplicate = () =>
      normaliseManifests(
        [
          {
            object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } },
            origin: { file: 'a.yaml', line: 3 },
          },
          {
            object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'shop' } },
            origin: { file: 'b.yaml', line: 9 },
          },
        ],
        { targetNamespace: 'shop', scopeOf: builtInScopeOf },
      );

    expect(duplicate).toThrow('ConfigMap shop/a is in a.yaml:3 and in b.yaml:9: keep one of each');
    expect(duplicate).toThrow(expect.objectContaining({ code: 'duplicate-resource' }));
  });

  it('rejects one object in two versions of its group', () => {
    const objects = ['apps/v1', 'apps/v1beta1'].map((apiVersion) => ({ apiVersion, kind: 'Deployment' }));

    expect(() => normalise(objects)).toThrow(/keep one/);
  });

  it('takes equal names of other kinds, groups and namespaces', () => {
    const { manifests } = normalise([
      {},
      { kind: 'Secret' },
      { metadata: { name: 'a', namespace: 'other' } },
      { kind: 'Event' },
      { apiVersion: 'events.k8s.io/v1', kind: 'Event' },
    ]);

    expect(manifests).toHaveLength(5);
  });
});
