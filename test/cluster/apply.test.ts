import { rootCertificates } from 'node:tls';
import { executePlan } from '../../lib/apply/execute-plan.ts';
import { releaseOwnership } from '../../lib/apply/release-ownership.ts';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { KubeError } from '../../lib/cluster/kube-error.ts';
import { observe } from '../../lib/cluster/observe.ts';
import { fieldManagerOf, MARK_LABEL } from '../../lib/model/ids.ts';
import type { KubeObject, LiveObject } from '../../lib/model/resource.ts';
import { resourceId, resourceKey } from '../../lib/model/resource.ts';
import { projectionOf } from '../../lib/plan/projection.ts';
import {
  aConfigMap,
  aCrd,
  aNamespace,
  anApply,
  applyAll,
  applyDeps,
  aTargetId,
  eventually,
  liveOf,
  openCluster,
  openClusterWithCa,
  openClusterWithToken,
  refOf,
  remove,
  uniqueName,
  withCluster,
} from './real-cluster.ts';

withCluster('apply on a real cluster', () => {
  let kube: KubeApi;
  const namespace = uniqueName('hf-apply');
  const hashKey = { id: 'k1', key: Buffer.alloc(32, 1) };

  beforeAll(async () => {
    kube = openCluster();
    await applyAll(kube, aTargetId(), [aNamespace(namespace)]);
  });

  afterAll(async () => {
    await remove(kube, aNamespace(namespace));
    await kube.close();
  });

  async function editByHand(object: KubeObject, patch: unknown): Promise<LiveObject> {
    return kube.mergePatch(await refOf(kube, object), patch, { fieldManager: 'kubectl-edit' });
  }

  it('applies a namespace, a CRD and everything in them in one go', async () => {
    const target = aTargetId();
    const inside = uniqueName('hf-one-go');
    const group = `${inside}.example.com`;
    const crd = aCrd(group, 'Widget');
    const widget = {
      apiVersion: `${group}/v1`,
      kind: 'Widget',
      metadata: { name: 'w', namespace: inside },
      spec: { size: 3 },
    };
    const objects = [widget, aConfigMap(inside, 'settings'), crd, aNamespace(inside)];

    const report = await executePlan(
      applyDeps(kube, target),
      objects.map((object) => anApply(object, target)),
    );

    expect(report.results.map((result) => result.kind)).toEqual(Array(4).fill('applied'));
    expect(report.interrupted).toBeUndefined();
    expect(liveOf(report.results[0])['spec']).toEqual({ size: 3 });
    await remove(kube, aNamespace(inside));
    await remove(kube, crd);
  });

  it('forces its way over a hand edit, and says so', async () => {
    const target = aTargetId();
    const object = aConfigMap(namespace, 'edited');
    const [first] = await applyAll(kube, target, [object]);
    const edited = await editByHand(object, { data: { a: 'by hand' } });

    const report = await executePlan(applyDeps(kube, target), [
      anApply(object, target, { reason: 'drifted', live: edited.metadata }),
    ]);

    expect(report.results[0]).toMatchObject({ kind: 'applied', forced: true });
    expect(liveOf(report.results[0])['data']).toEqual({ a: '1' });
    expect(liveOf(report.results[0]).metadata.uid).toBe(first?.metadata.uid);
  });

  it('forces its way over a hand edit of an object that it did not know', async () => {
    const target = aTargetId();
    const object = aConfigMap(namespace, 'adopted');
    await kube.apply(await refOf(kube, object), aConfigMap(namespace, 'adopted', { a: 'other' }), {
      fieldManager: 'kubectl',
      force: false,
    });

    const report = await executePlan(applyDeps(kube, target), [anApply(object, target)]);

    expect(report.results[0]).toMatchObject({ kind: 'applied', forced: true });
    expect(liveOf(report.results[0])['data']).toEqual({ a: '1' });
  });

  it('refuses an object of another target and names it, and applies the others', async () => {
    const theirs = aTargetId();
    const ours = aTargetId();
    await applyAll(kube, theirs, [aConfigMap(namespace, 'contested')]);

    const report = await executePlan(applyDeps(kube, ours), [
      anApply(aConfigMap(namespace, 'contested', { a: '2' }), ours),
      anApply(aConfigMap(namespace, 'free'), ours),
    ]);

    expect(report.results.map((result) => result.kind)).toEqual(['failed', 'applied']);
    expect(report.results[0]).toMatchObject({
      error: {
        code: 'foreign-owner',
        retryable: false,
        message: expect.stringContaining(fieldManagerOf(theirs)),
      },
    });
    const live = await kube.get(await refOf(kube, aConfigMap(namespace, 'contested')));
    expect(live?.['data']).toEqual({ a: '1' });
  });

  it('takes an object over once its first target has released it', async () => {
    const first = aTargetId();
    const second = aTargetId();
    const object = aConfigMap(namespace, 'handed-over');
    const [before] = await applyAll(kube, first, [object]);
    const ref = await refOf(kube, object);

    const released = await releaseOwnership(kube, ref, fieldManagerOf(first));
    const again = await releaseOwnership(kube, ref, fieldManagerOf(first));
    const report = await executePlan(applyDeps(kube, second), [anApply(object, second)]);

    expect([released, again]).toEqual([true, false]);
    const live = liveOf(report.results[0]);
    expect(live.metadata.uid).toBe(before?.metadata.uid);
    expect(live.metadata.labels?.[MARK_LABEL]).toBe(second);
    expect(live.metadata.managedFields?.map((entry) => entry.manager)).not.toContain(fieldManagerOf(first));
  });

  it('releases its own entry and leaves those of others', async () => {
    const target = aTargetId();
    const object = aConfigMap(namespace, 'shared');
    await applyAll(kube, target, [object]);
    await editByHand(object, { data: { b: 'by hand' } });
    const ref = await refOf(kube, object);

    await releaseOwnership(kube, ref, fieldManagerOf(target));

    const live = await kube.get(ref);
    expect(live?.metadata.managedFields?.map((entry) => entry.manager)).toEqual(['kubectl-edit']);
    expect(live?.['data']).toEqual({ a: '1', b: 'by hand' });
  });

  it('applies a known object that was deleted meanwhile as a new one', async () => {
    const target = aTargetId();
    const object = aConfigMap(namespace, 'deleted-meanwhile');
    const [before] = await applyAll(kube, target, [object]);
    await remove(kube, object);

    const report = await executePlan(applyDeps(kube, target), [
      anApply(object, target, { reason: 'changed', ...(before ? { live: before.metadata } : {}) }),
    ]);

    expect(liveOf(report.results[0]).metadata.uid).not.toBe(before?.metadata.uid);
  });

  it('adopts a known object that was recreated meanwhile, with its new uid', async () => {
    const target = aTargetId();
    const object = aConfigMap(namespace, 'recreated-meanwhile');
    const [before] = await applyAll(kube, target, [object]);
    await remove(kube, object);
    const recreated = await kube.apply(
      await refOf(kube, object),
      aConfigMap(namespace, 'recreated-meanwhile', { a: 'new' }),
      { fieldManager: 'kubectl', force: false },
    );

    const report = await executePlan(applyDeps(kube, target), [
      anApply(object, target, { reason: 'changed', ...(before ? { live: before.metadata } : {}) }),
    ]);

    const live = liveOf(report.results[0]);
    expect(live.metadata.uid).toBe(recreated.metadata.uid);
    expect(live['data']).toEqual({ a: '1' });
  });

  it('refuses a late request of a dead worker, once a new one has moved every version', async () => {
    const target = aTargetId();
    const object = aConfigMap(namespace, 'late');
    const [before] = await applyAll(kube, target, [object]);
    const seen = before?.metadata ?? { uid: '', resourceVersion: '' };

    const takeover = await executePlan(applyDeps(kube, target, { epochAnnotation: 7 }), [
      anApply(object, target, { reason: 'takeover', live: seen }),
    ]);
    const late = kube.apply(
      await refOf(kube, object),
      {
        ...aConfigMap(namespace, 'late', { a: 'old' }),
        metadata: {
          name: 'late',
          namespace,
          uid: seen.uid,
          resourceVersion: seen.resourceVersion,
        },
      },
      { fieldManager: fieldManagerOf(target), force: true },
    );

    await expect(late).rejects.toMatchObject({ code: 'kube-conflict' });
    const live = liveOf(takeover.results[0]);
    expect(live.metadata.resourceVersion).not.toBe(seen.resourceVersion);
    expect(live.metadata.annotations).toEqual({ 'holdfast.dev/epoch': '7' });
  });

  it('refuses a late request for an object that was deleted', async () => {
    const target = aTargetId();
    const object = aConfigMap(namespace, 'late-deleted');
    const [before] = await applyAll(kube, target, [object]);
    await remove(kube, object);
    const { uid, resourceVersion } = before?.metadata ?? { uid: '', resourceVersion: '' };

    const late = kube.apply(
      await refOf(kube, object),
      { ...object, metadata: { ...object.metadata, uid, resourceVersion } },
      { fieldManager: fieldManagerOf(target), force: true },
    );

    await expect(late).rejects.toMatchObject({ code: 'kube-conflict' });
    expect(await kube.get(await refOf(kube, object))).toBeUndefined();
  });

  it('takes away a field that left Git and that a hand edit holds in place', async () => {
    const target = aTargetId();
    const before = aConfigMap(namespace, 'survivor', { a: '1', b: '1' });
    const [applied] = await applyAll(kube, target, [before]);
    const previous = applied && projectionOf(applied, fieldManagerOf(target), hashKey, before);
    await editByHand(before, { data: { b: 'by hand' } });
    const edited = await editByHand(before, { data: { b: '1' } });
    const after = aConfigMap(namespace, 'survivor', { a: '1' });

    const report = await executePlan(applyDeps(kube, target, { previousFields: () => previous }), [
      anApply(after, target, { reason: 'changed', live: edited.metadata }),
    ]);

    expect(liveOf(report.results[0])['data']).toEqual({ a: '1' });
    expect(report.results[0]).toMatchObject({ kind: 'applied', warnings: [] });
  });

  it('tells of a container that left Git and that a hand edit holds in place', async () => {
    const target = aTargetId();
    const deployment = (names: readonly string[]): KubeObject => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'containers', namespace },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: 'containers' } },
        template: {
          metadata: { labels: { app: 'containers' } },
          spec: { containers: names.map((name) => ({ name, image: `${name}:1` })) },
        },
      },
    });
    const [applied] = await applyAll(kube, target, [deployment(['one', 'two'])]);
    const previous =
      applied && projectionOf(applied, fieldManagerOf(target), hashKey, deployment(['one', 'two']));
    const containers = (names: readonly string[]): unknown => ({
      spec: { template: { spec: { containers: names.map((name) => ({ name, image: `${name}:1` })) } } },
    });
    // Taken out and put back by hand: now the hand owns it, as server-side apply sees it.
    await editByHand(deployment([]), containers(['one']));
    const edited = await editByHand(deployment([]), containers(['one', 'two']));

    const report = await executePlan(applyDeps(kube, target, { previousFields: () => previous }), [
      anApply(deployment(['one']), target, { reason: 'changed', live: edited.metadata }),
    ]);

    expect(report.results[0]).toMatchObject({
      kind: 'applied',
      warnings: [expect.stringContaining('.spec.template.spec.containers[name="two"]')],
    });
  });

  it('says what to do about a field that cannot change, and deletes nothing', async () => {
    const target = aTargetId();
    const deployment = (app: string): KubeObject => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'immutable', namespace },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app } },
        template: { metadata: { labels: { app } }, spec: { containers: [{ name: 'c', image: 'c' }] } },
      },
    });
    const [applied] = await applyAll(kube, target, [deployment('one')]);

    const report = await executePlan(applyDeps(kube, target), [
      anApply(deployment('two'), target, {
        reason: 'changed',
        ...(applied ? { live: applied.metadata } : {}),
      }),
    ]);

    expect(report.results[0]).toMatchObject({
      kind: 'failed',
      error: {
        code: 'kube-invalid',
        retryable: false,
        message: expect.stringContaining('give the object another name'),
      },
    });
    const live = await kube.get(await refOf(kube, deployment('one')));
    expect(live?.metadata.uid).toBe(applied?.metadata.uid);
  });

  it('reports every failing object in one run and applies the rest', async () => {
    const target = aTargetId();
    const objects: readonly KubeObject[] = [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'unknown-field', namespace }, wrong: 1 },
      { apiVersion: 'nowhere.example.com/v1', kind: 'Nothing', metadata: { name: 'n', namespace } },
      { ...aConfigMap('hf-does-not-exist', 'no-namespace') },
      { apiVersion: 'apps/v1beta9', kind: 'Deployment', metadata: { name: 'old', namespace } },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'Not A Name', namespace } },
      aConfigMap(namespace, 'good'),
    ];

    const report = await executePlan(
      applyDeps(kube, target),
      objects.map((object) => anApply(object, target)),
    );

    const outcomes = report.results.map((result) =>
      result.kind === 'failed' ? [result.error.code, result.error.retryable] : result.kind,
    );
    expect(outcomes).toEqual([
      ['kube-invalid', false],
      ['unknown-kind', false],
      ['kube-not-found', false],
      ['unknown-kind', false],
      ['kube-invalid', false],
      'applied',
    ]);
  });

  it('never quotes a value of a Secret', async () => {
    const target = aTargetId();
    const secret = (name: string, data: unknown): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace },
      data,
    });

    const report = await executePlan(applyDeps(kube, target), [
      anApply(secret('number', { a: 8_675_309 }), target),
      anApply(secret('not-base64', { a: 'hunter2!!' }), target),
      anApply(secret('nested', { a: { b: 'hunter2' } }), target),
    ]);

    expect(report.results.map((result) => result.kind)).toEqual(['failed', 'failed', 'failed']);
    expect(JSON.stringify(report.results.map((r) => r.kind === 'failed' && r.error))).not.toMatch(
      /hunter2|8675309/,
    );
  });

  it('says of an object that is being deleted that it comes back once it is gone', async () => {
    const target = aTargetId();
    const object = aConfigMap(namespace, 'held');
    await applyAll(kube, target, [object]);
    const ref = await refOf(kube, object);
    const held = await editByHand(object, { metadata: { finalizers: ['example.com/hold'] } });
    const outcome = await kube.delete(ref, held.metadata);

    const report = await executePlan(applyDeps(kube, target), [anApply(object, target)]);

    expect(outcome).toBe('terminating');
    expect(report.results[0]).toMatchObject({
      kind: 'failed',
      error: { retryable: true, message: expect.stringContaining('example.com/hold') },
    });
    await editByHand(object, { metadata: { finalizers: null } });
    await eventually(async () => ((await kube.get(ref)) === undefined ? true : undefined), 'it is gone');
  });

  it('applies 1,000 objects, and repeats them without moving a version', async () => {
    const target = aTargetId();
    const objects = Array.from({ length: 1_000 }, (_, index) => aConfigMap(namespace, `many-${index}`));

    const before = await applyAll(kube, target, objects);
    const applies = kube.requestCounts['apply'];
    const after = await applyAll(kube, target, objects);

    expect(new Set(before.map((live) => live.metadata.uid)).size).toBe(1_000);
    expect(after.map((live) => live.metadata.resourceVersion)).toEqual(
      before.map((live) => live.metadata.resourceVersion),
    );
    expect((kube.requestCounts['apply'] ?? 0) - (applies ?? 0)).toBe(1_000);
  }, 60_000);

  it('observes what lives, what is gone, what lost its mark, and what is not served', async () => {
    const target = aTargetId();
    const objects = ['one', 'two', 'three', 'four'].map((name) => aConfigMap(namespace, `seen-${name}`));
    const [gone, unmarked] = objects;
    const live = await applyAll(kube, target, objects);
    await remove(kube, gone ?? aConfigMap(namespace, ''));
    await editByHand(unmarked ?? aConfigMap(namespace, ''), {
      metadata: { labels: { [MARK_LABEL]: null } },
    });
    const nothing = { group: 'nowhere.example.com', kind: 'Nothing', name: 'n' };
    const lists = kube.requestCounts['list'] ?? 0;

    const observation = await observe({
      kube,
      selector: `${MARK_LABEL}=${target}`,
      wanted: [
        ...objects.map((object) => ({ id: resourceId(object), version: 'v1', namespaced: true })),
        { id: nothing, version: 'v1', namespaced: false },
      ],
    });

    const kinds = objects.map((object) => observation.get(resourceKey(resourceId(object)))?.kind);
    expect(kinds).toEqual(['absent', 'live', 'live', 'live']);
    expect(observation.get(resourceKey(nothing))).toEqual({ kind: 'absent' });
    expect(observation.get(resourceKey(resourceId(objects[2] as KubeObject)))).toMatchObject({
      kind: 'live',
      metadata: { kind: 'ConfigMap', metadata: { uid: live[2]?.metadata.uid } },
    });
    expect((kube.requestCounts['list'] ?? 0) - lists).toBe(1);
  });

  it('lists more objects than a page holds', async () => {
    const type = (await refOf(kube, aConfigMap(namespace, 'x'))).type;

    const found = await kube.listMetadata(type, { namespace });

    expect(found.length).toBeGreaterThanOrEqual(1_000);
    expect(new Set(found.map((item) => item.metadata.name)).size).toBe(found.length);
  });

  it('rejects a server whose certificate another authority signed', async () => {
    const stranger = openClusterWithCa(rootCertificates[0] ?? '');

    const refused = stranger.discovery();

    await expect(refused).rejects.toMatchObject({
      code: 'kube-unreachable',
      message: expect.stringContaining("the server's certificate is not accepted"),
    });
    await stranger.close();
  });

  it('rejects a wrong token without saying it', async () => {
    const stranger = openClusterWithToken('not-a-token-of-this-cluster');

    const refused = stranger.discovery();

    await expect(refused).rejects.toMatchObject({ code: 'kube-unauthorized', retryable: false });
    await expect(refused).rejects.not.toThrow(/not-a-token-of-this-cluster/);
    await expect(refused).rejects.toBeInstanceOf(KubeError);
    await stranger.close();
  });
});
