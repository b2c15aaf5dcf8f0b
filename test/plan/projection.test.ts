import fc from 'fast-check';
import { compareProjection } from '../../lib/plan/compare-projection.ts';
import { projectionOf, shapesOf } from '../../lib/plan/projection.ts';
import type { JsonObject, KubeObject, LiveObject, ManagedFieldsEntry } from '../../lib/model/resource.ts';
import { aConfigMap, anAppliedObject, anEntry, fieldsOf, KEY, MANAGER } from './world.ts';

const EARLIER = '2026-11-02T11:00:00Z';
const LATER = '2026-11-02T12:00:00Z';

function live(
  object: KubeObject,
  fieldsV1: JsonObject,
  others: readonly ManagedFieldsEntry[] = [],
): LiveObject {
  return anAppliedObject(object, { managedFields: [anEntry({ fieldsV1 }), ...others] });
}

const SERVICE: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 's', namespace: 'web', finalizers: ['example.com/b', 'example.com/a'] },
  spec: {
    clusterIP: '10.0.0.1',
    selector: { app: 'shop' },
    externalIPs: ['1.2.3.4'],
    ports: [
      { port: 443, protocol: 'TCP', name: 'https', targetPort: 8443 },
      { port: 80, protocol: 'TCP', name: 'http', targetPort: 8080 },
    ],
  },
};
const SERVICE_FIELDS: JsonObject = {
  'f:metadata': { 'f:finalizers': { '.': {}, 'v:"example.com/a"': {} } },
  'f:spec': {
    'f:externalIPs': {},
    'f:selector': {},
    'f:ports': {
      '.': {},
      'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:name': {}, 'f:targetPort': {} },
    },
  },
};

describe('a projection', () => {
  it('holds the fields that our entry owns, at their places, and nothing else', () => {
    const projection = projectionOf(live(SERVICE, SERVICE_FIELDS), MANAGER, KEY);

    expect(projection).toEqual({
      metadata: { finalizers: ['example.com/a'] },
      spec: {
        externalIPs: ['1.2.3.4'],
        selector: { app: 'shop' },
        ports: [{ port: 80, protocol: 'TCP', name: 'http', targetPort: 8080 }],
      },
      $shapes: {
        '/metadata/finalizers': 'set',
        '/spec/ports': ['port', 'protocol'],
        '/spec/selector': 'whole',
      },
    });
  });

  it('never holds the value of a Secret, nor a copy of it that kubectl left behind', () => {
    const secret: KubeObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: 's',
        namespace: 'web',
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"data":{"p":"aHVudGVyMg=="}}' },
      },
      data: { p: 'aHVudGVyMg==', q: 'aHVudGVyMg==' },
    };
    const fields = {
      'f:data': { 'f:p': {}, 'f:q': {} },
      'f:metadata': { 'f:annotations': { 'f:kubectl.kubernetes.io/last-applied-configuration': {} } },
    };

    const projection = projectionOf(live(secret, fields), MANAGER, KEY);

    expect(JSON.stringify(projection)).not.toContain('aHVudGVyMg');
    const { p, q } = projection['data'] as Record<string, string>;
    expect(p).toMatch(/^k1:[0-9a-f]{64}$/);
    expect(p).not.toBe(q);
  });

  it('keeps keys that JavaScript finds special', () => {
    const data = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
    const fields = JSON.parse('{"f:data":{"f:__proto__":{},"f:constructor":{}}}') as JsonObject;

    const projection = projectionOf(live(aConfigMap('a', data), fields), MANAGER, KEY);
    const drift = compareProjection(projection, live(aConfigMap('a', {}), fields), MANAGER, KEY);

    expect(JSON.stringify(projection)).toBe('{"data":{"__proto__":"x","constructor":"y"}}');
    expect(drift.map(({ path }) => path)).toEqual(['/data/__proto__', '/data/constructor']);
  });

  it('takes the fields of what was sent where the server keeps no managed fields', () => {
    const sent = aConfigMap('a', { a: '1' });
    const object = anAppliedObject(aConfigMap('a', { a: '1', b: '2' }), { managedFields: [] });

    const projection = projectionOf(object, MANAGER, KEY, sent);

    expect(projection).toEqual({ data: { a: '1' } });
  });

  it('leaves out what it does not understand', () => {
    const fields = { 'f:data': { 'x:?': {}, 'k:{broken': {}, 'f:a': {} } };

    expect(projectionOf(live(aConfigMap('a'), fields), MANAGER, KEY)).toEqual({ data: { a: '1' } });
  });
});

describe('comparing with a projection', () => {
  const values = fc.jsonValue({ maxDepth: 4 });
  const bodies = fc.dictionary(
    fc.string().filter((name) => !['apiVersion', 'kind', 'metadata', '$shapes'].includes(name)),
    values,
  );

  it('finds no difference between an object and its own projection', () => {
    fc.assert(
      fc.property(bodies, (body) => {
        const object = { ...aConfigMap('a'), ...body };
        const there = live(object, fieldsOf(body));

        const projection = projectionOf(there, MANAGER, KEY, object);

        expect(compareProjection(projection, there, MANAGER, KEY)).toEqual([]);
        // Also after it was stored.
        expect(compareProjection(JSON.parse(JSON.stringify(projection)), there, MANAGER, KEY)).toEqual([]);
      }),
    );
  });

  it('finds every changed value, and only that', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string(), { minKeys: 1 }), fc.nat(), (data, pick) => {
        const there = live(aConfigMap('a', data), { 'f:data': fieldsOf(data) });
        const names = Object.keys(data);
        const name = names[pick % names.length] ?? '';
        const edited = Object.fromEntries(
          Object.entries(data).map(([each, value]) => [each, each === name ? `${value}!` : value]),
        );

        const projection = projectionOf(there, MANAGER, KEY);
        const drift = compareProjection(projection, { ...there, data: edited }, MANAGER, KEY);

        expect(drift).toMatchObject([{ applied: data[name], live: edited[name] }]);
        expect(drift).toHaveLength(1);
      }),
    );
  });

  const projection = projectionOf(live(SERVICE, SERVICE_FIELDS), MANAGER, KEY);
  const spec = SERVICE['spec'] as { ports: [JsonObject, JsonObject] };
  const compared = (changes: JsonObject, fields: JsonObject = SERVICE_FIELDS) =>
    compareProjection(projection, live({ ...SERVICE, spec: { ...spec, ...changes } }, fields), MANAGER, KEY);

  it('does not mind the order of keyed lists and sets, nor what others added', () => {
    const drift = compareProjection(
      projection,
      live(
        {
          ...SERVICE,
          metadata: { ...SERVICE.metadata, finalizers: ['example.com/c', 'example.com/a'] },
          spec: { ...spec, sessionAffinity: 'None', ports: [{ port: 1 }, spec.ports[1], spec.ports[0]] },
        },
        SERVICE_FIELDS,
      ),
      MANAGER,
      KEY,
    );

    expect(drift).toEqual([]);
  });

  it('names a field inside a list item by the key of the item', () => {
    const drift = compared({ ports: [spec.ports[0], { ...spec.ports[1], targetPort: 9 }] });

    expect(drift).toMatchObject([
      { path: '/spec/ports/[port=80,protocol=TCP]/targetPort', applied: 8080, live: 9 },
    ]);
  });

  it('finds list items and set members that are gone', () => {
    const gone = live({ ...SERVICE, metadata: { name: 's' }, spec: { ...spec, ports: [] } }, SERVICE_FIELDS);

    const drift = compareProjection(projection, gone, MANAGER, KEY);

    expect(drift).toMatchObject([
      { path: '/metadata/finalizers', applied: ['example.com/a'] },
      { path: '/spec/ports/[port=80,protocol=TCP]', applied: { name: 'http' } },
    ]);
  });

  it('compares what is owned as a whole as a whole', () => {
    const drift = compared({ selector: { app: 'shop', tier: 'web' }, externalIPs: ['1.2.3.4', '5.6.7.8'] });

    expect(drift.map(({ path }) => path)).toEqual(['/spec/externalIPs', '/spec/selector']);
  });

  it('tells an empty selector from none: the one means everything, the other nothing', () => {
    const policy = (peer: JsonObject): KubeObject => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'p', namespace: 'web' },
      spec: { ingress: [{ from: [peer] }] },
    });
    const fields = { 'f:spec': { 'f:ingress': {} } };
    const applied = projectionOf(live(policy({ podSelector: {} }), fields), MANAGER, KEY);

    const opened = compareProjection(
      applied,
      live(policy({ podSelector: {}, namespaceSelector: {} }), fields),
      MANAGER,
      KEY,
    );

    expect(opened.map(({ path }) => path)).toEqual(['/spec/ingress']);
  });

  it('takes null for absent', () => {
    const object = (command: null | undefined): KubeObject => ({
      ...aConfigMap('a'),
      spec: { containers: [{ name: 'c', command }] },
    });
    const fields = { 'f:spec': { 'f:containers': {} } };
    const applied = projectionOf(live(object(null), fields), MANAGER, KEY);

    expect(compareProjection(applied, live(object(undefined), fields), MANAGER, KEY)).toEqual([]);
  });

  describe('of a map that we left empty', () => {
    const sent = (annotations: Record<string, string>): KubeObject => ({
      ...aConfigMap('a'),
      metadata: { name: 'a', namespace: 'web', annotations },
    });
    const ours = { 'f:metadata': { 'f:annotations': {} } };
    const applied = projectionOf(live(sent({ theirs: 'before' }), ours), MANAGER, KEY, sent({}));

    it('does not take what others put into it for a modification', () => {
      expect(compareProjection(applied, live(sent({ theirs: 'x' }), ours), MANAGER, KEY)).toEqual([]);
    });

    it('finds that somebody took it over as a whole', () => {
      const drift = compareProjection(applied, live(sent({ theirs: 'x' }), {}), MANAGER, KEY);

      expect(drift.map(({ path }) => path)).toEqual(['/metadata/annotations']);
    });
  });

  it('finds no drift in a list that holds a key twice', () => {
    const object = {
      ...aConfigMap('a'),
      spec: {
        env: [
          { name: 'A', value: '1' },
          { name: 'A', value: '2' },
        ],
      },
    };
    const fields = { 'f:spec': { 'f:env': { 'k:{"name":"A"}': { 'f:name': {}, 'f:value': {} } } } };
    const there = live(object, fields);

    expect(compareProjection(projectionOf(there, MANAGER, KEY), there, MANAGER, KEY)).toEqual([]);
  });

  it('keeps shapes of fields whose names look alike apart', () => {
    const object = { ...aConfigMap('a'), spec: { 'a/b': { x: '1' }, a: { b: { x: '1' } } } };
    const fields = { 'f:spec': { 'f:a/b': {}, 'f:a': { 'f:b': { 'f:x': {} } } } };

    const shapes = shapesOf(projectionOf(live(object, fields), MANAGER, KEY));

    expect([...shapes]).toEqual([['/spec/a~1b', 'whole']]);
  });
});

describe('comparing Secrets', () => {
  const secret = (data: Record<string, string>): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', namespace: 'web' },
    data,
  });
  const fields = { 'f:data': { 'f:p': {}, 'f:q': {} } };
  const applied = projectionOf(live(secret({ p: 'cA==', q: 'cQ==' }), fields), MANAGER, KEY);
  const next = { id: 'k2', key: new Uint8Array(32).fill(9) };

  it('finds a changed value and shows hashes only', () => {
    const drift = compareProjection(applied, live(secret({ p: 'Zm9v', q: 'cQ==' }), fields), MANAGER, KEY);

    expect(drift.map(({ path }) => path)).toEqual(['/data/p']);
    expect(JSON.stringify(drift)).not.toMatch(/Zm9v|cA==/);
  });

  it('compares by the key that the projection names, also after a rotation', () => {
    const there = live(secret({ p: 'cA==', q: 'cQ==' }), fields);

    expect(compareProjection(applied, there, MANAGER, [next, KEY])).toEqual([]);
    expect(compareProjection(applied, there, MANAGER, [next])).toHaveLength(2);
    expect(JSON.stringify(compareProjection(applied, there, MANAGER, []))).not.toContain('cA==');
  });
});

describe('attribution', () => {
  const object = aConfigMap('a', { a: '1', b: '2' });
  const applied = projectionOf(live(object, { 'f:data': { 'f:a': {}, 'f:b': {} } }), MANAGER, KEY);
  const edited = aConfigMap('a', { a: 'x', b: '2' });
  const by = (...entries: readonly ManagedFieldsEntry[]) =>
    compareProjection(applied, anAppliedObject(edited, { managedFields: entries }), MANAGER, KEY)[0];
  const owns = (manager: string, time?: string): ManagedFieldsEntry => ({
    manager,
    operation: 'Update',
    fieldsV1: { 'f:data': { 'f:a': {} } },
    ...(time === undefined ? {} : { time }),
  });

  it('names the manager that owns the field now, and when it wrote', () => {
    expect(by(owns('kubectl-edit', LATER))).toMatchObject({ manager: 'kubectl-edit', time: LATER });
  });

  it('takes the last of several writers, and ourselves only when we are alone', () => {
    expect(by(owns('kubectl-edit', EARLIER), owns('hpa', LATER))).toMatchObject({ manager: 'hpa' });
    expect(by(owns(MANAGER, LATER), owns('kubectl-edit', EARLIER))).toMatchObject({
      manager: 'kubectl-edit',
    });
    expect(by(owns(MANAGER, LATER))).toMatchObject({ manager: MANAGER, time: LATER });
  });

  it('gives no time where the entry has none', () => {
    expect(by(owns('scaler'))).toEqual({ path: '/data/a', applied: '1', live: 'x', manager: 'scaler' });
  });

  it.each(['ancient-changes', 'before-first-apply', ''])(
    'says "unknown" of the made-up manager "%s"',
    (manager) => {
      expect(by(owns(manager, LATER))).toEqual({
        path: '/data/a',
        applied: '1',
        live: 'x',
        manager: 'unknown',
      });
    },
  );

  it('says "unknown" of a removed field, which leaves no manager behind', () => {
    const there = anAppliedObject(aConfigMap('a', { b: '2' }), {
      managedFields: [owns('kubectl-edit', LATER)],
    });
    const gone = { ...there, metadata: { ...there.metadata, managedFields: [] } };

    expect(compareProjection(applied, gone, MANAGER, KEY)).toEqual([
      { path: '/data/a', applied: '1', manager: 'unknown' },
    ]);
  });

  it('finds the owner of a list item by its key', () => {
    const drift = compareProjection(
      projectionOf(live(SERVICE, SERVICE_FIELDS), MANAGER, KEY),
      live(
        {
          ...SERVICE,
          spec: { ...(SERVICE['spec'] as JsonObject), ports: [{ port: 80, protocol: 'TCP', name: 'x' }] },
        },
        {},
        [
          {
            manager: 'kubectl-edit',
            operation: 'Update',
            fieldsV1: { 'f:spec': { 'f:ports': { 'k:{"protocol":"TCP","port":80}': { 'f:name': {} } } } },
          },
        ],
      ),
      MANAGER,
      KEY,
    );

    expect(drift.find(({ path }) => path.endsWith('/name'))?.manager).toBe('kubectl-edit');
    expect(drift.find(({ path }) => path.endsWith('/targetPort'))?.manager).toBe('unknown');
  });
});
