import fc from 'fast-check';
import { baselineOf } from '../../lib/plan/baseline.ts';
import { judge, judgeAll } from '../../lib/plan/judge.ts';
import type { InventoryEntry } from '../../lib/model/inventory.ts';
import type { Verdict } from '../../lib/model/plan.ts';
import type { KubeObject, LiveObject } from '../../lib/model/resource.ts';
import { aConfigMap, anAppliedObject, anEntry, MANAGER, recorded, TIME } from './world.ts';

const CLEAN: Verdict = { kind: 'clean' };
const CRD = { uid: 'crd-uid', generation: 3 };

const DEPLOYMENT: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'shop', namespace: 'web', labels: { app: 'shop' } },
  spec: { replicas: 1 },
};

const WIDGET: KubeObject = {
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name: 'w', namespace: 'web' },
  spec: { size: 1 },
};

/** Every way in which metadata can differ; `resourceVersion` always moves with it. */
const CHANGES: Readonly<Record<string, Partial<LiveObject['metadata']>>> = {
  'another generation': { generation: 8 },
  'no generation': { generation: 0 },
  'own entry with another time': { managedFields: [anEntry({ time: '2026-11-02T10:00:01Z' })] },
  'own entry with other fields': {
    managedFields: [anEntry({ apiVersion: 'apps/v1', fieldsV1: { 'f:spec': {} } })],
  },
  'own entry gone': { managedFields: [] },
  'managedFields stripped': { managedFields: undefined as never },
  'a label changed': { labels: { app: 'other' } },
  'a label added': { labels: { app: 'shop', more: 'x' } },
  'labels gone': { labels: {} },
  'an annotation added': { annotations: { note: 'x' } },
  'a finalizer added': { finalizers: ['example.com/x'] },
  'an owner added': { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u' }] },
};

function world(object: KubeObject, generation?: number, crd?: typeof CRD) {
  const more = generation === undefined ? {} : { generation };
  const live = anAppliedObject(object, more);
  const { entry: base } = recorded(object);
  const entry: InventoryEntry = { ...base, baseline: baselineOf(live, MANAGER, crd) };
  const judged = (changed: Partial<LiveObject['metadata']>, verified?: InventoryEntry['baseline']): Verdict =>
    judge(
      entry,
      { kind: 'live', metadata: { ...live, metadata: { ...live.metadata, ...changed } } },
      MANAGER,
      crd,
      verified,
    );
  return { live, entry, judged };
}

describe('the judge', () => {
  it('takes an untouched object for clean', () => {
    expect(world(DEPLOYMENT, 7).judged({})).toEqual(CLEAN);
    expect(world(aConfigMap('a')).judged({})).toEqual(CLEAN);
  });

  it('takes an object whose status was written for clean, where the generation means something', () => {
    const status = anEntry({
      manager: 'kube-controller-manager',
      operation: 'Update',
      subresource: 'status',
    });
    const { live, judged } = world(DEPLOYMENT, 7);

    const verdict = judged({
      resourceVersion: '105',
      managedFields: [status, ...(live.metadata.managedFields ?? [])],
    });

    expect(verdict).toEqual(CLEAN);
  });

  it('takes a DaemonSet for clean whose list item lacks the annotation that whole objects carry', () => {
    const annotations = { 'deprecated.daemonset.template.generation': '1' };
    const whole = { ...DEPLOYMENT, kind: 'DaemonSet', metadata: { ...DEPLOYMENT.metadata, annotations } };

    expect(world(whole, 7).judged({ resourceVersion: '105', annotations: {} })).toEqual(CLEAN);
  });

  it('takes a custom resource whose status was written for clean', () => {
    expect(world(WIDGET, 1, CRD).judged({ resourceVersion: '105' })).toEqual(CLEAN);
  });

  it.each(Object.entries(CHANGES))('suspects a Deployment with %s', (_name, change) => {
    const verdict = world(DEPLOYMENT, 7).judged({ resourceVersion: '101', ...change });

    expect(verdict).toEqual({ kind: 'suspect', suspicion: 'edited' });
  });

  it.each([
    'ConfigMap',
    'Secret',
    'Service',
    'ServiceAccount',
    'PersistentVolumeClaim',
    'Namespace',
    'PriorityClass',
    'HorizontalPodAutoscaler',
  ])('suspects any new version of a %s, whatever its generation says', (kind) => {
    const object = { ...aConfigMap('a'), kind };

    const verdict = world(object, 1).judged({ resourceVersion: '101', generation: 1 });

    expect(verdict).toEqual({ kind: 'suspect', suspicion: 'edited' });
  });

  it('suspects any new version of a kind of an unknown group that is no custom resource', () => {
    expect(world(WIDGET, 1).judged({ resourceVersion: '101' })).toEqual({
      kind: 'suspect',
      suspicion: 'edited',
    });
  });

  it('suspects any single change of uid, generation, own entry or metadata', () => {
    const changes = fc.constantFrom<Partial<LiveObject['metadata']>>(
      ...Object.values(CHANGES),
      { uid: 'another' },
      { deletionTimestamp: TIME },
    );
    const noise = fc.record(
      { annotations: fc.constant({}), finalizers: fc.constant([]), resourceVersion: fc.string() },
      { requiredKeys: ['resourceVersion'] },
    );
    const { judged } = world(DEPLOYMENT, 7);

    fc.assert(
      fc.property(changes, noise, (change, more) => {
        fc.pre(more.resourceVersion !== '100');
        expect(judged({ ...more, ...change }).kind).toBe('suspect');
      }),
    );
  });

  it('says what it suspects', () => {
    const { entry, judged } = world(DEPLOYMENT, 7);
    const { baseline: _baseline, ...unverified } = entry;
    const live = anAppliedObject(DEPLOYMENT);

    expect(judged({ uid: 'another' })).toEqual({ kind: 'suspect', suspicion: 'recreated' });
    expect(judged({ deletionTimestamp: TIME })).toEqual({ kind: 'suspect', suspicion: 'terminating' });
    expect(judge(entry, { kind: 'absent' }, MANAGER)).toEqual({ kind: 'suspect', suspicion: 'missing' });
    expect(judge(unverified, { kind: 'live', metadata: live }, MANAGER)).toEqual({
      kind: 'suspect',
      suspicion: 'unverified',
    });
  });

  it.each([
    ['raised', { ...CRD, generation: 4 }],
    ['recreated', { ...CRD, uid: 'another' }],
    ['unknown now', undefined],
  ])('suspects a custom resource whose CRD was %s, even at the same resourceVersion', (_name, crd) => {
    const { entry, live } = world(WIDGET, 1, CRD);

    const verdict = judge(entry, { kind: 'live', metadata: live }, MANAGER, crd);

    expect(verdict).toEqual({ kind: 'suspect', suspicion: 'crd-changed' });
  });

  it('takes what a later look verified for clean', () => {
    const { live, judged } = world(aConfigMap('a'));
    const later = { resourceVersion: '120', annotations: { note: 'x' } };
    const verified = baselineOf({ ...live, metadata: { ...live.metadata, ...later } }, MANAGER);

    expect(judged(later, verified)).toEqual(CLEAN);
    expect(judged({ ...later, resourceVersion: '121' }, verified).kind).toBe('suspect');
  });

  it('refuses a verified baseline of another object', () => {
    const { live, judged } = world(aConfigMap('a'));
    const recreated = { uid: 'another', resourceVersion: '120' };
    const verified = baselineOf({ ...live, metadata: { ...live.metadata, ...recreated } }, MANAGER);

    expect(judged(recreated, verified)).toEqual({ kind: 'suspect', suspicion: 'recreated' });
  });

  it('says nothing of an object whose list failed, or that was not looked at', () => {
    const { entry } = world(aConfigMap('a'));

    const verdicts = judgeAll({
      inventory: new Map([
        ['failed', entry],
        ['forgotten', entry],
      ]),
      observation: new Map([['failed', { kind: 'unknown', error: '503' }]]),
      fieldManager: MANAGER,
    });

    expect(verdicts.get('failed')).toEqual({ kind: 'unknown', error: '503' });
    expect(verdicts.get('forgotten')).toMatchObject({ kind: 'unknown' });
  });
});
