import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import type { KubeObject } from '../../lib/model/resource.ts';
import { normaliseManifests } from '../../lib/render/normalise.ts';
import { builtInScopeOf } from '../../lib/render/scopes.ts';
import { validateManifests } from '../../lib/render/validate-openapi.ts';
import {
  aCrd,
  applyAll,
  aTargetId,
  eventually,
  openCluster,
  remove,
  uniqueName,
  withCluster,
} from './real-cluster.ts';

withCluster('validation against the destination', () => {
  let kube: KubeApi;
  const group = `${uniqueName('validate')}.example.com`;
  const crd: KubeObject = {
    ...aCrd(group, 'Gadget'),
    spec: {
      ...(aCrd(group, 'Gadget')['spec'] as object),
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: {
                  type: 'object',
                  required: ['size'],
                  properties: {
                    size: { type: 'integer' },
                    mode: { type: 'string', enum: ['on', 'off'] },
                    port: { 'x-kubernetes-int-or-string': true },
                    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                    maybe: { type: 'string', nullable: true },
                  },
                },
              },
            },
          },
        },
      ],
    },
  };

  beforeAll(() => {
    kube = openCluster();
  });
  afterAll(async () => {
    await remove(kube, crd);
    await kube.close();
  });

  async function faultsOf(...objects: readonly object[]): Promise<readonly string[]> {
    const manifests = objects.map((object, index) => ({
      object: { metadata: { name: 'a', namespace: 'default' }, ...object } as unknown as KubeObject,
      origin: { file: 'a.yaml', line: index + 1 },
    }));
    const settled = normaliseManifests(manifests, {
      scopeOf: (v, k) => builtInScopeOf(v, k) ?? 'namespaced',
    });
    try {
      validateManifests(settled.manifests, await kube.openapi());
      return [];
    } catch (error) {
      return (error as { details: { faults: readonly string[] } }).details.faults;
    }
  }

  it('finds typing mistakes in every place, all at once', async () => {
    const faults = await faultsOf(
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        spec: {
          replcias: 2,
          selector: { matchLabels: { app: 'a' } },
          template: {
            metadata: { labels: { app: 'a', version: 1 } },
            spec: {
              containers: [
                {
                  name: 'c',
                  imagee: 'x',
                  ports: [{ containerPort: '80' }],
                  resources: { limits: { cpu: 'many' } },
                },
                { image: 'y', livenessProbe: { httpGet: { port: true } } },
              ],
            },
          },
        },
      },
      { apiVersion: 'v1', kind: 'Secret', data: { key: 'not base64!' } },
      {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'Ingress',
        spec: { rules: [{ http: { paths: [{ path: '/' }] } }] },
      },
    );

    expect(faults.map((fault) => fault.replace(/^(a\.yaml:\d+): \S+ \S+:/, '$1:')).toSorted()).toEqual([
      'a.yaml:1: spec.replcias: no such field; did you mean "replicas"?',
      'a.yaml:1: spec.template.metadata.labels.version: expected text, got a number: put it in quotes',
      'a.yaml:1: spec.template.spec.containers[0].imagee: no such field; did you mean "image"?',
      'a.yaml:1: spec.template.spec.containers[0].ports[0].containerPort: expected a whole number, got text: take away the quotes',
      'a.yaml:1: spec.template.spec.containers[0].resources.limits.cpu: not a quantity: expected a number with a unit, such as "500m" or "1Gi"',
      'a.yaml:1: spec.template.spec.containers[1].livenessProbe.httpGet.port: expected a whole number or text, got a boolean',
      'a.yaml:1: spec.template.spec.containers[1].name: missing, and required',
      'a.yaml:2: data.key: not base64: encode it, or use stringData in a Secret',
      'a.yaml:3: spec.rules[0].http.paths[0].backend: missing, and required',
    ]);
  });

  it('finds nothing in what the API server itself holds', async () => {
    const document = await kube.openapi();
    const discovery = await kube.discovery();
    let looked = 0;
    for (const type of discovery.listable()) {
      // Old objects of other suites may outlive their CRD's schema, and statuses of components are no objects.
      if (type.group.includes('example') || type.kind === 'ComponentStatus') continue;
      const [first] = await kube.listMetadata(type);
      if (first === undefined) continue;
      const { name, namespace } = first.metadata;
      const object = await kube.get({ type, name, ...(namespace === undefined ? {} : { namespace }) });
      if (object === undefined) continue;
      looked += 1;
      expect(() => validateManifests([{ object, origin: { file: type.kind } }], document)).not.toThrow();
    }
    expect(looked).toBeGreaterThan(10);
  });

  it('knows custom resources by the schema that the cluster publishes', async () => {
    const gadget = (spec: object) => ({ apiVersion: `${group}/v1`, kind: 'Gadget', spec });
    await applyAll(kube, aTargetId(), [crd]);
    await eventually(async () => {
      await kube.discovery({ refresh: true });
      return (await kube.openapi()).schemaOf(`${group}/v1`, 'Gadget');
    }, 'the schema of the CRD in the OpenAPI document');

    const fine = await faultsOf(gadget({ size: 1, mode: 'on', port: 'http', free: { x: [1] }, maybe: null }));
    const faulty = await faultsOf(gadget({ mode: 'of', sise: 1, port: {} }));

    expect(fine).toEqual([]);
    expect(faulty).toEqual([
      expect.stringContaining('spec.size: missing, and required'),
      expect.stringContaining('spec.mode: expected one of "on", "off"'),
      expect.stringContaining('spec.sise: no such field; did you mean "size"?'),
      expect.stringContaining('spec.port: expected a whole number or text, got a mapping'),
    ]);
  });
});
