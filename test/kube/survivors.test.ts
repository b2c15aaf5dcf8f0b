import { describePath, findSurvivors, removalPatch } from '../../lib/apply/survivors.ts';
import type { JsonObject, KubeObject, LiveObject, ManagedFieldsEntry } from '../../lib/model/resource.ts';

const MANAGER = 'holdfast:t';

function sent(fields: Readonly<Record<string, unknown>>): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, ...fields };
}

function live(
  fields: Readonly<Record<string, unknown>>,
  fieldsV1: JsonObject,
  entry: Partial<ManagedFieldsEntry> = {},
): LiveObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    ...fields,
    metadata: {
      name: 'c',
      uid: 'u',
      resourceVersion: '7',
      managedFields: [
        { manager: MANAGER, operation: 'Apply', fieldsV1: {} },
        { manager: 'kubectl-edit', operation: 'Update', fieldsV1, ...entry },
      ],
    },
  };
}

function find(previous: Readonly<Record<string, unknown>>, before: KubeObject, after: LiveObject) {
  return findSurvivors({ previous, sent: before, live: after, fieldManager: MANAGER });
}

describe('fields that left Git and survive', () => {
  it('are found where another manager holds them, and taken away', () => {
    const after = live({ data: { a: '1', b: '2' } }, { 'f:data': { 'f:b': {} } });

    const survivors = find({ data: { a: '1', b: '1' } }, sent({ data: { a: '1' } }), after);

    expect(survivors.map(({ path, managers }) => [describePath(path), managers])).toEqual([
      ['.data.b', ['kubectl-edit']],
    ]);
    expect(removalPatch(survivors, after)).toEqual({
      metadata: { uid: 'u', resourceVersion: '7' },
      data: { b: null },
    });
  });

  it('are none when nobody owns them: the server put a default back', () => {
    const after = live({ spec: { replicas: 1 } }, { 'f:data': {} });

    expect(find({ spec: { replicas: 3 } }, sent({ spec: {} }), after)).toEqual([]);
  });

  it('are none while they are in Git', () => {
    const after = live({ data: { b: '2' } }, { 'f:data': { 'f:b': {} } });

    expect(find({ data: { b: '1' } }, sent({ data: { b: '3' } }), after)).toEqual([]);
  });

  it.each([
    ['another Apply manager', { operation: 'Apply', manager: 'helm' }],
    ['a controller', { manager: 'kube-controller-manager' }],
    ['an autoscaler through scale', { subresource: 'scale', manager: 'vpa' }],
  ] as const)('are told of and kept when they belong to %s', (_, entry) => {
    const after = live({ spec: { replicas: 5 } }, { 'f:spec': { 'f:replicas': {} } }, entry);

    const survivors = find({ spec: { replicas: 3 } }, sent({ spec: {} }), after);

    expect(survivors).toHaveLength(1);
    expect(removalPatch(survivors, after)).toBeUndefined();
  });

  it('are told of in keyed lists, item by item', () => {
    const previous = {
      spec: { ports: [{ port: 80, name: 'http' }, { port: 81 }] },
      $shapes: { '/spec/ports': ['port'] },
    };
    const after = live(
      { spec: { ports: [{ port: 80, name: 'http' }, { port: 81 }] } },
      { 'f:spec': { 'f:ports': { 'k:{"port":80}': { 'f:name': {} }, 'k:{"port":81}': { '.': {} } } } },
    );

    const survivors = find(previous, sent({ spec: { ports: [{ port: 80 }] } }), after);

    expect(survivors.map(({ path }) => describePath(path))).toEqual([
      '.spec.ports[port=80].name',
      '.spec.ports[port=81]',
    ]);
    expect(removalPatch(survivors, after)).toBeUndefined();
  });

  it('are told of in sets', () => {
    const previous = { metadata: { finalizers: ['a', 'b'] }, $shapes: { '/metadata/finalizers': 'set' } };
    const base = live({}, { 'f:metadata': { 'f:finalizers': { 'v:"b"': {} } } });
    const after = { ...base, metadata: { ...base.metadata, finalizers: ['b'] } };

    const survivors = find(previous, sent({}), after);

    expect(survivors.map(({ path }) => describePath(path))).toEqual(['.metadata.finalizers[="b"]']);
  });

  it('are taken away as a whole where they are owned as a whole', () => {
    const previous = { spec: { selector: { a: '1' } }, $shapes: { '/spec/selector': 'whole' } };
    const after = live({ spec: { selector: { a: '2' } } }, { 'f:spec': { 'f:selector': {} } });

    expect(removalPatch(find(previous, sent({ spec: {} }), after), after)).toMatchObject({
      spec: { selector: null },
    });
  });

  it('knows that stringData is stored as data', () => {
    const before: KubeObject = { ...sent({ stringData: { a: 'x' } }), kind: 'Secret' };
    const after = live({ data: { a: 'eA==' } }, { 'f:data': { 'f:a': {} } });

    expect(find({ data: { a: 'k1:00' } }, before, after)).toEqual([]);
  });

  it('survive any name of a key', () => {
    const data = Object.fromEntries([['__proto__', '1']]);
    const after = live({ data }, { 'f:data': { 'f:__proto__': {} } });

    const patch = removalPatch(find({ data }, sent({}), after), after);

    expect(JSON.stringify(patch)).toBe(
      '{"metadata":{"uid":"u","resourceVersion":"7"},"data":{"__proto__":null}}',
    );
  });

  it('are not looked for in identity, status and shapes', () => {
    const previous = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'c', uid: 'u' },
      status: { a: 1 },
    };
    const after = live({ status: { a: 1 } }, { 'f:status': { 'f:a': {} }, 'f:metadata': { 'f:name': {} } });

    expect(find(previous, sent({}), after)).toEqual([]);
  });
});
