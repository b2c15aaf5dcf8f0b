import { classify } from '../../lib/drift/classify.ts';
import { describeDrift } from '../../lib/drift/describe-drift.ts';
import type { KubeObject, LiveObject, ManagedFieldsEntry } from '../../lib/model/resource.ts';
import { aConfigMap, anEntry, KEY, MANAGER, recorded, TIME } from '../plan/world.ts';

const LATER = '2026-11-02T12:00:00Z';
const { entry, live, projection } = recorded(aConfigMap('a', { a: '1', b: '2' }));

const edit = (manager: string, time: string, ...names: readonly string[]): ManagedFieldsEntry => ({
  manager,
  operation: 'Update',
  time,
  fieldsV1: { 'f:data': Object.fromEntries(names.map((name) => [`f:${name}`, {}])) },
});

function edited(data: Record<string, string>, ...managedFields: readonly ManagedFieldsEntry[]): LiveObject {
  return { ...live, data, metadata: { ...live.metadata, resourceVersion: '120', managedFields } };
}

describe('classifying a suspect', () => {
  it('finds nothing where our fields are as they were', () => {
    const touched = { ...live, metadata: { ...live.metadata, annotations: { note: 'x' } } };

    expect(classify(entry, projection, touched, MANAGER, KEY)).toBeUndefined();
  });

  it('calls changed fields modified, and names everybody behind them and the last time', () => {
    const object = edited({ a: 'x', b: 'y' }, edit('kubectl-edit', TIME, 'a'), edit('hpa', LATER, 'b'));

    const finding = classify(entry, projection, object, MANAGER, KEY);

    expect(finding).toMatchObject({ kind: 'modified', by: ['hpa', 'kubectl-edit'], at: LATER });
    expect(finding?.fields).toHaveLength(2);
  });

  it('calls an absent object missing, by nobody known', () => {
    expect(classify(entry, projection, undefined, MANAGER, KEY)).toEqual({
      id: entry.id,
      kind: 'missing',
      fields: [],
      by: ['unknown'],
    });
  });

  it('finds that an object is being deleted, and that it was recreated with the same fields', () => {
    const { metadata } = live;

    const terminating = { ...live, metadata: { ...metadata, deletionTimestamp: LATER } };
    const recreated = { ...live, metadata: { ...metadata, uid: 'another' } };

    expect(classify(entry, projection, terminating, MANAGER, KEY)?.fields).toMatchObject([
      { path: '/metadata/deletionTimestamp', live: LATER },
    ]);
    expect(classify(entry, projection, recreated, MANAGER, KEY)?.fields).toMatchObject([
      { path: '/metadata/uid', live: 'another' },
    ]);
  });

  it('finds a change that somebody made under our name', () => {
    const own = anEntry({ time: LATER, fieldsV1: { 'f:data': { 'f:a': {}, 'f:b': {} } } });

    const finding = classify(entry, projection, edited({ a: 'x', b: '2' }, own), MANAGER, KEY);

    expect(finding).toMatchObject({ kind: 'modified', by: [MANAGER] });
  });

  it('names nobody for a write that left no trace, as through scale on older servers', () => {
    const scaled = {
      ...live,
      data: { a: 'x', b: '2' },
      metadata: { ...live.metadata, resourceVersion: '120' },
    };

    expect(classify(entry, projection, scaled, MANAGER, KEY)).toMatchObject({
      by: ['unknown'],
      fields: [{ path: '/data/a', manager: 'unknown' }],
    });
  });

  it('does not take what our own unfinished apply wrote for drift, but does so with what others wrote', () => {
    const pending = { ...entry, status: 'pending' } as const;
    const own = anEntry({ time: LATER, fieldsV1: { 'f:data': { 'f:a': {} } } });

    const mine = classify(pending, projection, edited({ a: 'x', b: '2' }, own), MANAGER, KEY);
    const theirs = classify(
      pending,
      projection,
      edited({ a: 'x', b: 'y' }, own, edit('hpa', LATER, 'b')),
      MANAGER,
      KEY,
    );

    expect(mine).toBeUndefined();
    expect(theirs?.by).toEqual(['hpa']);
  });

  it('says nothing of what never lived and of what is to go', () => {
    const { baseline: _baseline, ...unborn } = entry;

    expect(classify({ ...unborn, status: 'pending' }, {}, undefined, MANAGER, KEY)).toBeUndefined();
    expect(classify({ ...entry, status: 'deleting' }, projection, undefined, MANAGER, KEY)).toBeUndefined();
  });
});

describe('described drift', () => {
  it('says what, where, by whom and when', () => {
    const object = edited({ b: 'y' }, edit('kubectl-edit', LATER, 'b'));

    const finding = classify(entry, projection, object, MANAGER, KEY);

    expect(finding && describeDrift(finding)).toEqual([
      `~ modified ConfigMap web/a, by kubectl-edit, somebody unknown at ${LATER}`,
      '    /data/a: "1" -> (none) (unknown)',
      '    /data/b: "2" -> "y" (kubectl-edit)',
    ]);
  });

  it('shows neither the value of a Secret nor its hash', () => {
    const secret = (data: Record<string, string>): KubeObject => ({
      ...aConfigMap('s', data),
      kind: 'Secret',
    });
    const applied = recorded(secret({ p: 'cA==' }));
    const there = { ...applied.live, data: { p: 'Zm9v' } };

    const finding = classify(applied.entry, applied.projection, there, MANAGER, KEY);
    const text = (finding ? describeDrift(finding) : []).join('\n');

    expect(text).toContain('/data/p: (secret) -> (secret)');
    expect(`${text}${JSON.stringify(finding)}`).not.toMatch(/cA==|Zm9v/);
    expect(text).not.toContain('k1:');
  });
});
