import { executePrune } from '../../lib/apply/execute-prune.ts';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { fieldManagerOf, MARK_LABEL, type TargetId } from '../../lib/model/ids.ts';
import { type KubeObject, type LiveObject, resourceId } from '../../lib/model/resource.ts';
import {
  aConfigMap,
  aCrd,
  aNamespace,
  aPrune,
  applyAll,
  aTargetId,
  eventually,
  openCluster,
  pruneDeps,
  refOf,
  remove,
  uniqueName,
  withCluster,
} from './real-cluster.ts';

withCluster('pruning on a real cluster', () => {
  let kube: KubeApi;
  const namespace = uniqueName('hf-prune');

  beforeAll(async () => {
    kube = openCluster();
    await applyAll(kube, aTargetId(), [aNamespace(namespace)]);
  });

  afterAll(async () => {
    await remove(kube, aNamespace(namespace));
    await kube.close();
  });

  async function applyOne(target: TargetId, object: KubeObject): Promise<LiveObject> {
    const [live] = await applyAll(kube, target, [object]);
    if (live === undefined) {
      throw new Error('not applied');
    }
    return live;
  }

  async function lives(object: KubeObject): Promise<boolean> {
    const live = await kube.getMetadata(await refOf(kube, object));
    return live !== undefined && live.metadata.deletionTimestamp === undefined;
  }

  async function editByHand(object: KubeObject, patch: unknown): Promise<LiveObject> {
    return kube.mergePatch(await refOf(kube, object), patch, { fieldManager: 'kubectl-edit' });
  }

  it('deletes what is its own, and finds it gone the second time', async () => {
    const target = aTargetId();
    const live = await applyOne(target, aConfigMap(namespace, 'own'));

    const first = await executePrune(pruneDeps(kube, target), [aPrune(live)]);
    const second = await executePrune(pruneDeps(kube, target), [aPrune(live)]);

    expect(first.results[0]?.kind).toBe('pruned');
    expect(second.results[0]?.kind).toBe('pruned');
    expect(await lives(aConfigMap(namespace, 'own'))).toBe(false);
  });

  it('deletes its own object although a hand edit has moved its version', async () => {
    const target = aTargetId();
    const live = await applyOne(target, aConfigMap(namespace, 'moved'));
    await editByHand(live, { data: { b: '2' } });

    const { results } = await executePrune(pruneDeps(kube, target), [aPrune(live)]);

    expect(results[0]?.kind).toBe('pruned');
    expect(await lives(aConfigMap(namespace, 'moved'))).toBe(false);
  });

  it('keeps an object that somebody has recreated', async () => {
    const target = aTargetId();
    const object = aConfigMap(namespace, 'recreated');
    const live = await applyOne(target, object);
    await remove(kube, object);
    await kube.apply(await refOf(kube, object), object, { fieldManager: 'kubectl', force: false });

    const { results } = await executePrune(pruneDeps(kube, target), [aPrune(live)]);

    expect(results[0]).toMatchObject({ kind: 'released', why: expect.stringContaining('created anew') });
    expect(await lives(object)).toBe(true);
  });

  it.each([
    ['without the mark', { [MARK_LABEL]: null }, 'is gone'],
    ['with the mark of another target', { [MARK_LABEL]: 'someone-else' }, 'another target'],
  ])('keeps an object %s', async (_, labels, why) => {
    const target = aTargetId();
    const object = aConfigMap(namespace, uniqueName('marks'));
    const live = await applyOne(target, object);
    await editByHand(object, { metadata: { labels } });

    const { results } = await executePrune(pruneDeps(kube, target), [aPrune(live)]);

    expect(results[0]).toMatchObject({ kind: 'released', why: expect.stringContaining(why) });
    expect(await lives(object)).toBe(true);
  });

  it('keeps Endpoints that inherited the mark from a Service', async () => {
    const target = aTargetId();
    const service: KubeObject = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'marked', namespace },
      spec: { selector: { app: 'x' }, ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
    };
    await applyOne(target, service);
    const endpoints: KubeObject = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: 'marked', namespace },
    };
    const ref = await refOf(kube, endpoints);
    const copied = await eventually(() => kube.get(ref), 'the Endpoints exist');

    const { results } = await executePrune(pruneDeps(kube, target), [aPrune(copied)]);

    expect(copied.metadata.labels?.[MARK_LABEL]).toBe(target);
    expect(results[0]).toMatchObject({ kind: 'released', why: expect.stringContaining('field manager') });
    expect(await lives(endpoints)).toBe(true);
  });

  it('keeps an object whose live prune annotation is disabled', async () => {
    const target = aTargetId();
    const object = aConfigMap(namespace, 'kept');
    const live = await applyOne(target, object);
    await editByHand(object, { metadata: { annotations: { 'holdfast.dev/prune': 'disabled' } } });

    const { results } = await executePrune(pruneDeps(kube, target), [aPrune(live)]);

    expect(results[0]?.kind).toBe('released');
    expect(await lives(object)).toBe(true);
  });

  it('keeps an Ingress that moved to another API group', async () => {
    const target = aTargetId();
    const old: KubeObject = {
      apiVersion: 'extensions/v1beta1',
      kind: 'Ingress',
      metadata: { name: 'moved', namespace },
      spec: { backend: { serviceName: 'web', servicePort: 80 } },
    };
    const moved: KubeObject = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'moved', namespace },
      spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
    };
    const before = await applyOne(target, old);
    const after = await applyOne(target, moved);

    const { results } = await executePrune(
      pruneDeps(kube, target, { keptUids: new Set([after.metadata.uid]) }),
      [aPrune(before, resourceId(old))],
    );

    expect(after.metadata.uid).toBe(before.metadata.uid);
    expect(results[0]).toMatchObject({ kind: 'released', why: expect.stringContaining('another API group') });
    expect(await lives(moved)).toBe(true);
  });

  it('leaves what has finalizers terminating, and finds it gone later', async () => {
    const target = aTargetId();
    const object = aConfigMap(namespace, 'finalizers');
    const live = await applyOne(target, object);
    await editByHand(object, { metadata: { finalizers: ['example.com/hold'] } });

    const first = await executePrune(pruneDeps(kube, target), [aPrune(live)]);
    const second = await executePrune(pruneDeps(kube, target), [aPrune(live)]);
    await editByHand(object, { metadata: { finalizers: null } });
    const third = await executePrune(pruneDeps(kube, target), [aPrune(live)]);

    const kinds = [first, second, third].map((report) => report.results[0]?.kind);
    expect(kinds).toEqual(['terminating', 'terminating', 'pruned']);
  });

  it('withholds a namespace that holds something foreign, and deletes its own in it', async () => {
    const target = aTargetId();
    const inside = uniqueName('hf-foreign');
    const live = await applyAll(kube, target, [aNamespace(inside), aConfigMap(inside, 'own')]);
    const foreign = aConfigMap(inside, 'foreign');
    await kube.apply(await refOf(kube, foreign), foreign, { fieldManager: 'kubectl', force: false });

    const { results } = await executePrune(
      pruneDeps(kube, target),
      live.map((each) => aPrune(each)),
    );

    expect(results.map((result) => result.kind)).toEqual(['withheld', 'pruned']);
    expect(results[0]).toMatchObject({ why: expect.stringContaining(`ConfigMap ${inside}/foreign`) });
    expect(await lives(foreign)).toBe(true);
    await remove(kube, aNamespace(inside));
  });

  it('withholds a namespace that holds an object of its own which is not to go', async () => {
    const target = aTargetId();
    const inside = uniqueName('hf-partly');
    const live = await applyAll(kube, target, [aNamespace(inside), aConfigMap(inside, 'stays')]);

    const { results } = await executePrune(
      pruneDeps(kube, target),
      live.slice(0, 1).map((each) => aPrune(each)),
    );

    expect(results[0]?.kind).toBe('withheld');
    expect(await lives(aConfigMap(inside, 'stays'))).toBe(true);
    await remove(kube, aNamespace(inside));
  });

  it('deletes a namespace with all that it and its controllers made in it', async () => {
    const target = aTargetId();
    const inside = uniqueName('hf-whole');
    const app = { matchLabels: { app: 'x' } };
    const objects: readonly KubeObject[] = [
      aNamespace(inside),
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'runner', namespace: inside } },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace: inside },
        spec: { selector: { app: 'x' }, ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
      },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace: inside },
        spec: {
          replicas: 1,
          selector: app,
          template: {
            metadata: { labels: app.matchLabels },
            spec: { containers: [{ name: 'c', image: 'c' }] },
          },
        },
      },
    ];
    const live = await applyAll(kube, target, objects);
    const podType = (await kube.discovery()).find('v1', 'Pod');
    await eventually(async () => {
      const pods = podType && (await kube.listMetadata(podType, { namespace: inside }));
      return pods?.length === 1 ? true : undefined;
    }, 'the Deployment has a Pod');

    const pruneAll = async () => {
      const { results } = await executePrune(
        pruneDeps(kube, target),
        live.map((each) => aPrune(each)),
      );
      return results.map((result) => (result.kind === 'withheld' ? result.why : result.kind));
    };

    const first = await pruneAll();

    expect(first.slice(1)).toEqual(['pruned', 'pruned', 'pruned']);
    // The collector may be half way: a Pod whose ReplicaSet went a moment ago proves nothing, and the next run asks again.
    await eventually(
      async () => (['terminating', 'pruned'].includes((await pruneAll())[0] ?? '') ? true : undefined),
      'the namespace goes with all that was in it',
    );
  });

  it('withholds a CRD whose custom resources are not all to go, and deletes it with the last', async () => {
    const target = aTargetId();
    const group = `${uniqueName('hf')}.example.com`;
    const crd = aCrd(group, 'Gadget');
    const gadget = (name: string): KubeObject => ({
      apiVersion: `${group}/v1`,
      kind: 'Gadget',
      metadata: { name, namespace },
      spec: {},
    });
    const [crdLive, one] = await applyAll(kube, target, [crd, gadget('one')]);
    const two = gadget('two');
    await kube.apply(await refOf(kube, two), two, { fieldManager: 'kubectl', force: false });
    if (crdLive === undefined || one === undefined) {
      throw new Error('not applied');
    }

    const first = await executePrune(pruneDeps(kube, target), [aPrune(crdLive)]);
    await remove(kube, two);
    const second = await executePrune(pruneDeps(kube, target), [aPrune(crdLive), aPrune(one)]);

    expect(first.results[0]).toMatchObject({ kind: 'withheld', why: expect.stringContaining('Gadget') });
    expect(second.results.map((result) => result.kind)).toEqual(['terminating', 'pruned']);
    const ref = await refOf(kube, crd);
    await eventually(async () => ((await kube.get(ref)) === undefined ? true : undefined), 'the CRD is gone');
    // Discovery of a group that is just going may fail, which says nothing of its objects: the next run asks again.
    await eventually(async () => {
      const { results } = await executePrune(pruneDeps(kube, target), [aPrune(crdLive), aPrune(one)]);
      return results.every(({ kind }) => kind === 'pruned') ? true : undefined;
    }, 'both are known to be gone');
  });

  it('keeps an object whose own entry another manager of the same name style does not prove', async () => {
    const target = aTargetId();
    const object = aConfigMap(namespace, 'update-entry');
    // The label is right and the manager's name is right, but it was an update: no apply of ours.
    const ref = await refOf(kube, object);
    await kube.apply(ref, object, { fieldManager: 'kubectl', force: false });
    const live = await kube.mergePatch(
      ref,
      { metadata: { labels: { [MARK_LABEL]: target } } },
      { fieldManager: fieldManagerOf(target) },
    );

    const { results } = await executePrune(pruneDeps(kube, target), [aPrune(live)]);

    expect(results[0]?.kind).toBe('released');
    expect(await lives(object)).toBe(true);
  });
});
