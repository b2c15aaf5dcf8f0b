import fc from 'fast-check';
import { executePrune, type PruneAction, type PruneDeps } from '../../lib/apply/execute-prune.ts';
import { KubeError } from '../../lib/cluster/kube-error.ts';
import { MARK_LABEL, type TargetId } from '../../lib/model/ids.ts';
import { type KubeObject, type LiveObject, resourceId, versionOf } from '../../lib/model/resource.ts';
import { stageOf } from '../../lib/plan/order.ts';
import {
  aType,
  BUILT_IN,
  conflict,
  type FakeKube,
  fakeKube,
  ownEntry,
  refused,
  unreachable,
} from './fake-kube.ts';

const TARGET = 'aaaabbbbccccddddaaaabbbbccccdddd' as TargetId;
const MANAGER = `holdfast:${TARGET}`;

function aDeps(kube: FakeKube, changes: Partial<PruneDeps> = {}): PruneDeps {
  return {
    kube,
    target: TARGET,
    fieldManager: MANAGER,
    lease: { stillOurs: () => true },
    deadline: 1_000_000,
    now: () => 0,
    sleep: () => Promise.resolve(),
    keptUids: new Set(),
    ...changes,
  };
}

function anObject(kind: string, name: string, namespace?: string, apiVersion = 'v1'): KubeObject {
  return {
    apiVersion,
    kind,
    metadata: namespace === undefined ? { name } : { name, namespace },
  };
}

/** Puts an object into the cluster as this target would have applied it. */
function own(kube: FakeKube, object: KubeObject, changes: Partial<LiveObject['metadata']> = {}): LiveObject {
  const labelled = { ...object, metadata: { ...object.metadata, labels: { [MARK_LABEL]: TARGET } } };
  return kube.put(labelled, { managedFields: [ownEntry(MANAGER, labelled)], ...changes });
}

function aPrune(live: LiveObject, baselineUid: string | undefined = live.metadata.uid): PruneAction {
  const id = resourceId(live);
  return {
    kind: 'prune',
    id,
    entry: {
      id,
      version: versionOf(live.apiVersion),
      namespaced: id.namespace !== undefined,
      status: 'applied',
      desired: 'k1:00',
      ...(baselineUid === undefined
        ? {}
        : { baseline: { uid: baselineUid, resourceVersion: '1', metadata: '' as never } }),
    },
    stage: stageOf(id),
  };
}

function deletes(kube: FakeKube): readonly string[] {
  return kube.calls.filter((call) => call.verb === 'delete').map((call) => call.name);
}

describe('pruning', () => {
  it('calls a custom resource gone with its CRD, although discovery still names its kind', async () => {
    const kube = fakeKube((call) => {
      if (call.kind === 'Gadget')
        throw new KubeError('kube-not-found', 'the server could not find the requested resource', {
          status: 404,
          retryable: false,
        });
    });
    kube.types = [...BUILT_IN, aType('shop.example.com/v1', 'Gadget')];
    const live = own(kube, anObject('Gadget', 'one', 'web', 'shop.example.com/v1'));

    const report = await executePrune(aDeps(kube), [aPrune(live)]);

    expect(report.results.map(({ kind }) => kind)).toEqual(['pruned']);
  });

  it('goes through the stages backwards, namespaces and CRDs last', async () => {
    const kube = fakeKube();
    const crd = own(kube, {
      ...anObject('CustomResourceDefinition', 'widgets.example.com', undefined, 'apiextensions.k8s.io/v1'),
      spec: {
        group: 'example.com',
        names: { kind: 'Widget', plural: 'widgets' },
        scope: 'Namespaced',
        versions: [{ name: 'v1', served: true }],
      },
    });
    const actions = [
      crd,
      own(kube, anObject('Namespace', 'web')),
      own(kube, anObject('ConfigMap', 'c', 'web')),
      own(kube, anObject('Deployment', 'd', 'web', 'apps/v1')),
      own(kube, anObject('Widget', 'w', 'web', 'example.com/v1')),
    ].map((live) => aPrune(live));

    const report = await executePrune(aDeps(kube, { concurrency: 1 }), actions);

    expect(report.results.map((result) => result.kind)).toEqual(Array(5).fill('pruned'));
    expect(deletes(kube)).toEqual(['w', 'd', 'c', 'web', 'widgets.example.com']);
  });

  it('judges anew what changes between the look and the delete', async () => {
    const kube = fakeKube((call, cluster) => {
      if (call.verb === 'delete') {
        // Another target took it over in that moment.
        cluster.put(anObject('ConfigMap', 'c', 'web'));
      }
    });
    const live = own(kube, anObject('ConfigMap', 'c', 'web'));

    const { results } = await executePrune(aDeps(kube), [aPrune(live)]);

    expect(results[0]?.kind).toBe('released');
    expect(kube.stored.size).toBe(1);
  });

  it('gives up on an object that never holds still', async () => {
    const kube = fakeKube((call) => {
      if (call.verb === 'delete') {
        throw conflict(409);
      }
    });

    const { results } = await executePrune(aDeps(kube), [
      aPrune(own(kube, anObject('ConfigMap', 'c', 'web'))),
    ]);

    expect(results[0]).toMatchObject({ kind: 'failed', error: { code: 'kube-conflict', retryable: true } });
    expect(deletes(kube)).toHaveLength(5);
  });

  it('judges by the mark alone what was written ahead and never recorded', async () => {
    const kube = fakeKube();
    const ours = own(kube, anObject('ConfigMap', 'ours', 'web'));
    const theirs = kube.put(anObject('ConfigMap', 'theirs', 'web'));

    const { results } = await executePrune(aDeps(kube), [
      aPrune(ours, undefined),
      { ...aPrune(theirs), entry: { ...aPrune(theirs, undefined).entry } },
    ]);

    expect(results.map((result) => result.kind)).toEqual(['pruned', 'released']);
  });

  it('never deletes a uid that is kept', async () => {
    const kube = fakeKube();
    const live = own(kube, anObject('ConfigMap', 'c', 'web'));

    const { results } = await executePrune(aDeps(kube, { keptUids: new Set([live.metadata.uid]) }), [
      aPrune(live),
    ]);

    expect(results[0]?.kind).toBe('released');
    expect(deletes(kube)).toEqual([]);
  });

  it('withholds what may have moved to another API group, when the move was not applied', async () => {
    const kube = fakeKube();
    kube.types = [...BUILT_IN, aType('extensions/v1beta1', 'Ingress')];
    const old = own(kube, anObject('Ingress', 'i', 'web', 'extensions/v1beta1'));
    const unsettled = [{ group: 'networking.k8s.io', kind: 'Ingress', namespace: 'web', name: 'i' }];

    const { results } = await executePrune(aDeps(kube, { unsettled }), [aPrune(old)]);

    expect(results[0]).toMatchObject({
      kind: 'withheld',
      why: expect.stringContaining('Ingress.networking.k8s.io web/i'),
    });
    expect(deletes(kube)).toEqual([]);
  });

  it('takes an object for gone whose kind is not served any more, and not when its group is down', async () => {
    const kube = fakeKube();
    const gone = { ...own(kube, anObject('Widget', 'w', 'web', 'example.com/v1')) };
    const unknown = { ...own(kube, anObject('Metric', 'm', 'web', 'metrics.k8s.io/v1beta1')) };
    kube.failedGroups = ['metrics.k8s.io/v1beta1'];

    const { results } = await executePrune(aDeps(kube), [aPrune(gone), aPrune(unknown)]);

    expect(results.map((result) => result.kind)).toEqual(['pruned', 'failed']);
  });

  it('reports every failing object and prunes the rest', async () => {
    const kube = fakeKube((call) => {
      if (call.verb === 'delete' && call.name === 'bad') {
        throw refused();
      }
      if (call.verb === 'get' && call.name === 'dark') {
        throw unreachable();
      }
    });
    const actions = ['bad', 'dark', 'good'].map((name) =>
      aPrune(own(kube, anObject('ConfigMap', name, 'web'))),
    );

    const { results } = await executePrune(aDeps(kube), actions);

    expect(results.map((result) => result.kind)).toEqual(['failed', 'failed', 'pruned']);
  });

  describe('a namespace', () => {
    function aWorld(before?: Parameters<typeof fakeKube>[0]): { kube: FakeKube; namespace: PruneAction } {
      const kube = fakeKube(before);
      return { kube, namespace: aPrune(own(kube, anObject('Namespace', 'web'))) };
    }

    it('is withheld when something in it is not to go', async () => {
      const { kube, namespace } = aWorld();
      kube.put(anObject('ConfigMap', 'foreign', 'web'));

      const { results } = await executePrune(aDeps(kube), [namespace]);

      expect(results[0]).toMatchObject({
        kind: 'withheld',
        why: expect.stringContaining('ConfigMap web/foreign'),
      });
    });

    it('is withheld when what was to go from it did not', async () => {
      const { kube, namespace } = aWorld((call) => {
        if (call.verb === 'delete' && call.name === 'stuck') {
          throw refused();
        }
      });
      const stuck = own(kube, anObject('ConfigMap', 'stuck', 'web'));

      const { results } = await executePrune(aDeps(kube), [namespace, aPrune(stuck)]);

      expect(results.map((result) => result.kind)).toEqual(['withheld', 'failed']);
    });

    it.each([
      ['a list in it fails', (kube: FakeKube) => kube],
      [
        'discovery of a group failed',
        (kube: FakeKube) => {
          kube.failedGroups = ['metrics.k8s.io/v1beta1'];
          return kube;
        },
      ],
    ])('is withheld when %s', async (what, change) => {
      const { kube, namespace } = aWorld((call) => {
        if (what.startsWith('a list') && call.verb === 'list' && call.kind === 'Secret') {
          throw refused('forbidden');
        }
      });
      change(kube);

      const { results } = await executePrune(aDeps(kube), [namespace]);

      expect(results[0]).toMatchObject({ kind: 'withheld', why: expect.stringContaining('cannot be seen') });
      expect(deletes(kube)).toEqual([]);
    });

    it('is deleted with what Kubernetes itself put into it', async () => {
      const { kube, namespace } = aWorld();
      const account = kube.put(anObject('ServiceAccount', 'default', 'web'));
      kube.put(anObject('ConfigMap', 'kube-root-ca.crt', 'web'));
      kube.put({
        ...anObject('Secret', 'default-token-abcde', 'web'),
        metadata: {
          name: 'default-token-abcde',
          namespace: 'web',
          annotations: { 'kubernetes.io/service-account.uid': account.metadata.uid },
        },
      });
      const service = own(kube, anObject('Service', 's', 'web'));
      kube.put(anObject('Endpoints', 's', 'web'));

      const { results } = await executePrune(aDeps(kube), [namespace, aPrune(service)]);

      expect(results.map((result) => result.kind)).toEqual(['pruned', 'pruned']);
    });

    it('is withheld for Endpoints without a Service and for the token of another account', async () => {
      const { kube, namespace } = aWorld();
      kube.put(anObject('Endpoints', 'leader', 'web'));
      kube.put({
        ...anObject('Secret', 'other-token', 'web'),
        metadata: {
          name: 'other-token',
          namespace: 'web',
          annotations: { 'kubernetes.io/service-account.uid': 'unknown' },
        },
      });

      const { results } = await executePrune(aDeps(kube), [namespace]);

      expect(results[0]).toMatchObject({
        why: expect.stringMatching(/(?=.*Endpoints web\/leader)(?=.*Secret web\/other-token)/),
      });
    });

    it('is deleted with what is owned by what goes, through any number of owners', async () => {
      const { kube, namespace } = aWorld();
      const deployment = own(kube, anObject('Deployment', 'd', 'web', 'apps/v1'));
      const ownedBy = (object: KubeObject, ...uids: readonly string[]): LiveObject =>
        kube.put(object, { ownerReferences: uids.map((uid) => ({ uid })) });
      const middle = ownedBy(anObject('ConfigMap', 'middle', 'web'), deployment.metadata.uid);
      ownedBy(anObject('ConfigMap', 'leaf', 'web'), middle.metadata.uid);

      const { results } = await executePrune(aDeps(kube), [namespace, aPrune(deployment)]);

      expect(results.map((result) => result.kind)).toEqual(['pruned', 'pruned']);
    });

    it('is withheld for objects that own each other, and for those with another owner too', async () => {
      const { kube, namespace } = aWorld();
      const deployment = own(kube, anObject('Deployment', 'd', 'web', 'apps/v1'));
      const a = kube.put(anObject('ConfigMap', 'a', 'web'));
      const b = kube.put(anObject('ConfigMap', 'b', 'web'), { ownerReferences: [{ uid: a.metadata.uid }] });
      kube.put(anObject('ConfigMap', 'a', 'web'), { ownerReferences: [{ uid: b.metadata.uid }] });
      kube.put(anObject('ConfigMap', 'both', 'web'), {
        ownerReferences: [{ uid: deployment.metadata.uid }, { uid: 'a-node' }],
      });

      const { results } = await executePrune(aDeps(kube), [namespace, aPrune(deployment)]);

      expect(results[0]).toMatchObject({
        kind: 'withheld',
        why: expect.stringMatching(/ConfigMap web\/b.*ConfigMap web\/a.*ConfigMap web\/both|web\/both/),
      });
    });

    it('is not withheld for views, which store nothing', async () => {
      const { kube, namespace } = aWorld();
      kube.types = [
        ...BUILT_IN,
        { ...aType('metrics.k8s.io/v1beta1', 'PodMetrics'), verbs: ['get', 'list'] },
      ];
      kube.put(anObject('PodMetrics', 'p', 'web', 'metrics.k8s.io/v1beta1'), { uid: '' });

      const { results } = await executePrune(aDeps(kube), [namespace]);

      expect(results[0]?.kind).toBe('pruned');
    });
  });

  it('gives every action exactly one result and never deletes what is not its own', async () => {
    const worlds = fc.uniqueArray(
      fc.record({
        name: fc.constantFrom(...'abcdefgh'),
        owner: fc.constantFrom(
          'ours',
          'ours',
          'unmarked',
          'copied',
          'other',
          'recreated',
          'kept',
          'disabled',
        ),
      }),
      { selector: (each) => each.name, minLength: 1 },
    );
    const troubles = fc.array(fc.constantFrom('ok', 'ok', 'unreachable', 'conflict', 'refused'), {
      maxLength: 40,
    });

    await fc.assert(
      fc.asyncProperty(worlds, troubles, fc.boolean(), async (objects, script, loses) => {
        let count = 0;
        const kube = fakeKube(() => {
          const trouble = script[count++];
          if (trouble === 'unreachable') {
            throw unreachable();
          }
          if (trouble === 'conflict') {
            throw conflict(409);
          }
          if (trouble === 'refused') {
            throw refused();
          }
        });
        const kept = new Set<string>();
        const actions = objects.map(({ name, owner }) => {
          const object = anObject('ConfigMap', name, 'web');
          const live = own(kube, object);
          switch (owner) {
            case 'ours':
              break;
            case 'unmarked':
              kube.put(object, { managedFields: [ownEntry(MANAGER, live)] });
              break;
            case 'copied':
              kube.put(live, { managedFields: [] });
              break;
            case 'other':
              kube.put({ ...live, metadata: { ...live.metadata, labels: { [MARK_LABEL]: 'x' } } });
              break;
            case 'recreated':
              own(kube, object, { uid: `new-${name}` });
              break;
            case 'kept':
              kept.add(live.metadata.uid);
              break;
            case 'disabled':
              kube.put(live, { annotations: { 'holdfast.dev/prune': 'disabled' } });
              break;
          }
          return aPrune(live);
        });
        const lease = { stillOurs: () => !loses || count < 5 };

        const report = await executePrune(aDeps(kube, { keptUids: kept, lease, concurrency: 3 }), actions);

        expect(report.results.map((result) => result.action)).toEqual(actions);
        expect(kube.inFlight()).toBe(0);
        for (const { name, owner } of objects) {
          if (owner !== 'ours') {
            expect(kube.stored.has(`ConfigMap/web/${name}`)).toBe(true);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
