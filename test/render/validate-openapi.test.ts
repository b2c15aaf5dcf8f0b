import { readOpenApi } from '../../lib/cluster/openapi.ts';
import type { Manifest } from '../../lib/model/resource.ts';
import { validateManifests } from '../../lib/render/validate-openapi.ts';

const ref = (name: string) => ({ $ref: `#/definitions/${name}` });
const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';

/** In the form of a real document, with the parts that tests are about. */
const DOCUMENT = {
  swagger: '2.0',
  definitions: {
    Meta: {
      type: 'object',
      properties: {
        name: { type: 'string' },
        namespace: { type: 'string' },
        labels: mapOf({ type: 'string' }),
      },
    },
    [QUANTITY]: { type: 'string' },
    IntOrString: { type: 'string', format: 'int-or-string' },
    Anything: {},
    Raw: { type: 'object' },
    Schema: { type: 'object', properties: { not: ref('Schema'), title: { type: 'string' } } },
    Port: {
      type: 'object',
      required: ['port'],
      properties: {
        port: { type: 'integer', format: 'int32' },
        targetPort: ref('IntOrString'),
        protocol: { type: 'string', enum: ['TCP', 'UDP'] },
      },
    },
    Deployment: kind('apps', 'Deployment', {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: ref('Meta'),
      spec: {
        type: 'object',
        required: ['selector'],
        properties: {
          replicas: { type: 'integer', format: 'int32' },
          ratio: { type: 'number', format: 'double' },
          paused: { type: 'boolean' },
          selector: mapOf({ type: 'string' }),
          limits: mapOf(ref(QUANTITY)),
          ports: { type: 'array', items: ref('Port') },
          data: mapOf({ type: 'string', format: 'byte' }),
          raw: ref('Raw'),
          anything: ref('Anything'),
          schema: ref('Schema'),
          nowhere: ref('Missing'),
        },
      },
    }),
    Thing: kind('x.io', 'Thing', {
      spec: {
        type: 'object',
        properties: {
          mode: { type: 'string', enum: ['a', 'b'] },
          port: { 'x-kubernetes-int-or-string': true },
          free: {
            type: 'object',
            'x-kubernetes-preserve-unknown-fields': true,
            properties: { n: { type: 'integer' } },
          },
          embedded: {
            type: 'object',
            'x-kubernetes-embedded-resource': true,
            properties: { spec: { type: 'object' } },
          },
          defaulted: { type: 'string', default: 'x' },
          nullable: { type: 'string', nullable: true },
        },
      },
    }),
  },
};

function kind(group: string, name: string, properties: object) {
  return {
    type: 'object',
    properties,
    'x-kubernetes-group-version-kind': [{ group, version: 'v1', kind: name }],
  };
}
function mapOf(schema: object) {
  return { type: 'object', additionalProperties: schema };
}

const aDeployment = (spec: object, more: object = {}, line = 3): Manifest => ({
  object: {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { selector: {}, ...spec },
    ...more,
  },
  origin: { file: 'app/web.yaml', line },
});
const aThing = (spec: object): Manifest => ({
  object: { apiVersion: 'x.io/v1', kind: 'Thing', metadata: { name: 't' }, spec },
  origin: { file: 'app/thing.yaml', line: 1 },
});
const document = readOpenApi(DOCUMENT);

function faultsOf(...manifests: readonly Manifest[]): readonly string[] {
  try {
    validateManifests(manifests, document);
    return [];
  } catch (error) {
    return (error as { details: { faults: readonly string[] } }).details.faults;
  }
}

describe('what the schemas allow', () => {
  it.each([
    [{ replicas: 3, paused: false, ratio: 0.5 }],
    [{ ratio: 2 }],
    [{ replicas: -(2 ** 31) }],
    [{ selector: { a: 'b' } }],
    [{ limits: { cpu: '500m', memory: '1.5Gi', a: '1e3', b: '.5', c: 2, d: '-1', e: '1E' } }],
    [
      {
        ports: [
          { port: 80, targetPort: 'http', protocol: 'TCP' },
          { port: 81, targetPort: 8080 },
        ],
      },
    ],
    [{ data: { a: 'eA==', b: '', c: 'eHh4\neHh4\n' } }],
    [{ raw: { any: [1] }, anything: 7 }],
    [{ schema: { not: { not: { title: 'x' } } } }],
    [{ nowhere: { x: 1 } }],
    [{ replicas: null, ports: [null] }],
  ])('passes: %j', (spec) => {
    expect(faultsOf(aDeployment(spec))).toEqual([]);
  });

  it.each([
    [{ mode: 'a', port: 80 }],
    [{ port: 'http' }],
    [{ free: { whatever: 1, n: 2 } }],
    [{ embedded: { apiVersion: 'v1', kind: 'Pod', metadata: { x: 1 }, spec: {} } }],
    [{ defaulted: null, nullable: null }],
  ])('passes in a custom resource: %j', (spec) => {
    expect(faultsOf(aThing(spec))).toEqual([]);
  });

  it('says nothing of kinds that it does not know', () => {
    const other = {
      object: { apiVersion: 'y.io/v1', kind: 'Other', metadata: { name: 'o' }, x: 1 },
      origin: { file: 'o' },
    };

    expect(faultsOf(other)).toEqual([]);
  });
});

describe('what the schemas rule out', () => {
  it.each([
    [{ replcias: 3 }, 'spec.replcias: no such field; did you mean "replicas"?'],
    [{ wholly: 3 }, 'spec.wholly: no such field'],
    [{ 'a.b/c': 3 }, 'spec["a.b/c"]: no such field'],
    [{ replicas: '3' }, 'spec.replicas: expected a whole number, got text: take away the quotes'],
    [{ replicas: 1.5 }, 'spec.replicas: expected a whole number, got a fraction'],
    [{ replicas: 2 ** 31 }, 'spec.replicas: does not fit into 32 bits'],
    [{ paused: 'no' }, 'spec.paused: expected true or false, got text: take away the quotes'],
    [{ ratio: [] }, 'spec.ratio: expected a number, got a list'],
    [{ selector: { a: 1 } }, 'spec.selector.a: expected text, got a number: put it in quotes'],
    [{ selector: { a: true } }, 'spec.selector.a: expected text, got a boolean: put it in quotes'],
    [{ selector: 'a=b' }, 'spec.selector: expected a mapping, got text'],
    [
      { limits: { cpu: 'lots' } },
      'spec.limits.cpu: not a quantity: expected a number with a unit, such as "500m" or "1Gi"',
    ],
    [{ limits: { cpu: {} } }, 'spec.limits.cpu: expected a quantity, got a mapping'],
    [{ ports: { port: 80 } }, 'spec.ports: expected a list, got a mapping'],
    [
      { ports: [{ port: '80' }] },
      'spec.ports[0].port: expected a whole number, got text: take away the quotes',
    ],
    [{ ports: [{ port: 1 }, { prot: 2 }] }, 'spec.ports[1].port: missing, and required'],
    [
      { ports: [{ port: 1, targetPort: 1.5 }] },
      'spec.ports[0].targetPort: expected a whole number or text, got a number',
    ],
    [{ ports: [{ port: 1, protocol: 'tcp' }] }, 'spec.ports[0].protocol: expected one of "TCP", "UDP"'],
    [{ data: { a: 'not base64!' } }, 'spec.data.a: not base64: encode it, or use stringData in a Secret'],
    [
      { schema: { not: { not: { titel: 'x' } } } },
      'spec.schema.not.not.titel: no such field; did you mean "title"?',
    ],
  ])('is refused: %j', (spec, message) => {
    const faults = faultsOf(aDeployment(spec));

    expect(faults[0]).toBe(`app/web.yaml:3: Deployment.apps shop/web: ${message}`);
  });

  it.each([
    [{ mode: 'c' }, 'spec.mode: expected one of "a", "b"'],
    [{ mode: null }, 'spec.mode: expected text, got nothing'],
    [{ free: { n: 'x' } }, 'spec.free.n: expected a whole number, got text: take away the quotes'],
    [{ embedded: { metdata: {} } }, 'spec.embedded.metdata: no such field'],
    [{ port: true }, 'spec.port: expected a whole number or text, got a boolean'],
  ])('is refused in a custom resource: %j', (spec, message) => {
    expect(faultsOf(aThing(spec))).toEqual([`app/thing.yaml:1: Thing.x.io t: ${message}`]);
  });

  it('is told for every object and field at once, and no value is quoted', () => {
    const manifests = [
      aDeployment({ a1: 'hunter2', replicas: 'hunter2', data: { x: 'hunter2!' } }),
      aDeployment({ selector: undefined }, { spec: {}, sepc: {} }, 30),
    ];

    expect(() => validateManifests(manifests, document)).toThrow(
      expect.objectContaining({ code: 'render-failed', retryable: false }),
    );
    const faults = faultsOf(...manifests);
    expect(faults).toHaveLength(5);
    expect(faults.slice(3)).toEqual([
      'app/web.yaml:30: Deployment.apps shop/web: spec.selector: missing, and required',
      'app/web.yaml:30: Deployment.apps shop/web: sepc: no such field; did you mean "spec"?',
    ]);
    expect(JSON.stringify(faults)).not.toContain('hunter2');
  });

  it('ends with a bounded number of faults', () => {
    const spec = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`x${index}`, 1]));

    expect(faultsOf(aDeployment(spec)).length).toBeLessThanOrEqual(1_000);
  });
});

describe('a custom resource whose CRD is in the same render', () => {
  const aCrd = (schema: object | undefined, group = 'x.io'): Manifest => ({
    object: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `things.${group}` },
      spec: {
        group,
        names: { kind: 'Thing' },
        versions: [{ name: 'v1', ...(schema === undefined ? {} : { schema: { openAPIV3Schema: schema } }) }],
      },
    },
    origin: { file: 'app/crd.yaml', line: 1 },
  });
  const schema = {
    type: 'object',
    properties: { spec: { type: 'object', properties: { fresh: { type: 'string' } } } },
  };

  it('is checked against that one, not against what the cluster still knows', () => {
    expect(faultsOf(aCrd(schema), aThing({ fresh: 'x' }))).toEqual([]);
    expect(faultsOf(aCrd(schema), aThing({ mode: 'a' }))).toEqual([
      'app/thing.yaml:1: Thing.x.io t: spec.mode: no such field',
    ]);
  });

  it('may hold anything where that one has no schema', () => {
    expect(faultsOf(aCrd(undefined), aThing({ whatever: 1 }))).toEqual([]);
  });
});

describe('an OpenAPI document', () => {
  it.each([[undefined], [null], ['text'], [[]], [{}], [{ definitions: [] }]])('rejects %j', (value) => {
    expect(() => readOpenApi(value)).toThrow(expect.objectContaining({ code: 'kube-error' }));
  });

  it('may refer to itself without end', () => {
    const circle = readOpenApi({ definitions: { A: ref('B'), B: ref('A') } });

    expect(circle.resolve({ ref: 'A' })).toBeUndefined();
  });
});
