import fc from 'fast-check';
import { buildPlan, type PlanInput } from '../../lib/plan/build-plan.ts';
import type { InventoryEntry, InventoryStatus } from '../../lib/model/inventory.ts';
import type { Observed, Verdict } from '../../lib/model/plan.ts';
import { type KubeObject, resourceId, resourceKey } from '../../lib/model/resource.ts';
import {
  aConfigMap,
  actionOn,
  aManifest,
  anAppliedObject,
  aPlanInput,
  aRejection,
  aWorld,
  kindsOf,
  recorded,
  TARGET,
  TIME,
} from './world.ts';

const A = aConfigMap('a');
const KEY_OF_A = resourceKey(resourceId(A));
const LIVE: Observed = { kind: 'live', metadata: anAppliedObject(A) };

function plan(more: Partial<PlanInput>) {
  return buildPlan(aPlanInput(more));
}

function withEntry(more: Partial<InventoryEntry>, verdict: Verdict = { kind: 'clean' }): Partial<PlanInput> {
  const entry = { ...recorded(A).entry, ...more };
  return {
    inventory: new Map([[KEY_OF_A, entry]]),
    verdicts: new Map([[KEY_OF_A, verdict]]),
    observation: new Map([[KEY_OF_A, LIVE]]),
  };
}

describe('the apply set', () => {
  it('holds what is new, marked, without what only a server sets', () => {
    const exported = {
      ...A,
      metadata: {
        ...A.metadata,
        uid: 'u',
        resourceVersion: '1',
        managedFields: [],
        labels: { app: 'x', 'holdfast.dev/target': 'another' },
        annotations: { 'holdfast.dev/epoch': '9', note: 'x' },
      },
    };

    const action = actionOn(plan({ manifests: [aManifest(exported)] }).actions, A);

    expect(action).toMatchObject({ kind: 'apply', reason: 'new', stage: 2 });
    expect(action.kind === 'apply' && action.object.metadata).toEqual({
      name: 'a',
      namespace: 'web',
      labels: { app: 'x', 'holdfast.dev/target': TARGET },
      annotations: { note: 'x' },
    });
    expect(action).not.toHaveProperty('live');
  });

  it('leaves a clean object of an unchanged render alone', () => {
    const { actions } = plan({ manifests: [aManifest(A)], ...withEntry({}) });

    expect(kindsOf(actions)).toEqual(['unchanged ConfigMap a']);
  });

  it('holds a changed render, under the version that was seen', () => {
    const { actions } = plan({ manifests: [aManifest(aConfigMap('a', { a: '2' }))], ...withEntry({}) });

    expect(actions).toMatchObject([
      { kind: 'apply', reason: 'changed', live: { uid: 'uid-of--ConfigMap-a', resourceVersion: '100' } },
    ]);
  });

  it('holds what is not clean', () => {
    const { actions } = plan({
      manifests: [aManifest(A)],
      ...withEntry({}, { kind: 'suspect', suspicion: 'edited' }),
    });

    expect(actions).toMatchObject([{ kind: 'apply', reason: 'drifted', suspicion: 'edited' }]);
  });

  it('creates what is missing without preconditions', () => {
    const { actions } = plan({
      manifests: [aManifest(A)],
      ...withEntry({}, { kind: 'suspect', suspicion: 'missing' }),
      observation: new Map([[KEY_OF_A, { kind: 'absent' }]]),
    });

    expect(actions).toMatchObject([{ kind: 'apply', reason: 'drifted', suspicion: 'missing' }]);
    expect(actions[0]).not.toHaveProperty('live');
  });

  it.each<[InventoryStatus, boolean, string]>([
    ['pending', false, 'changed'],
    ['pending', true, 'takeover'],
    ['deleting', false, 'changed'],
  ])(
    'holds what an earlier run left %s (takeover: %s), however clean it looks',
    (status, takeover, reason) => {
      const { actions } = plan({ manifests: [aManifest(A)], ...withEntry({ status }), takeover });

      expect(actions).toMatchObject([{ kind: 'apply', reason }]);
    },
  );

  it('leaves an unchanged object of unknown state alone, with a warning, unless somebody asked', () => {
    const unknown = withEntry({}, { kind: 'unknown', error: '503 of the list' });

    const scheduled = plan({ manifests: [aManifest(A)], ...unknown });
    const asked = plan({ manifests: [aManifest(A)], ...unknown, requested: true });

    expect(kindsOf(scheduled.actions)).toEqual(['unchanged ConfigMap a']);
    expect(scheduled.warnings).toEqual([
      'ConfigMap web/a: its state is unknown (503 of the list); left as it is',
    ]);
    expect(asked.actions).toMatchObject([{ kind: 'apply', reason: 'requested' }]);
  });

  it('applies a changed render of unknown state: a list that fails must not stop a push', () => {
    const { actions } = plan({
      manifests: [aManifest(aConfigMap('a', { a: '2' }))],
      ...withEntry({}, { kind: 'unknown', error: '503' }),
      observation: new Map([[KEY_OF_A, { kind: 'unknown', error: '503' }]]),
    });

    expect(actions).toMatchObject([{ kind: 'apply', reason: 'changed' }]);
    expect(actions[0]).not.toHaveProperty('live');
  });

  it('rejects what is being deleted, and keeps it', () => {
    const terminating = anAppliedObject(A, { deletionTimestamp: TIME });

    const { actions } = plan({
      manifests: [aManifest(A)],
      ...withEntry({}, { kind: 'suspect', suspicion: 'terminating' }),
      observation: new Map([[KEY_OF_A, { kind: 'live', metadata: terminating }]]),
    });

    expect(actions).toMatchObject([{ kind: 'reject', why: expect.stringContaining('retried') }]);
  });

  it.each([
    [
      'labels that are a list',
      { ...A, metadata: { ...A.metadata, labels: ['x'] as never } },
      /metadata.labels/,
    ],
    ['a value that JSON cannot carry', { ...A, data: { a: Number.NaN } }, /no place in JSON/],
    ['no name', { ...A, metadata: { generateName: 'a-', namespace: 'web' } }, /generateName/],
  ])('rejects a manifest with %s, and plans the others', (_name, object, why) => {
    const { actions } = plan({ manifests: [aManifest(object), aManifest(aConfigMap('b'))] });

    expect(actions.map(({ kind }) => kind).toSorted()).toEqual(['apply', 'reject']);
    expect(actions.find(({ kind }) => kind === 'reject')).toMatchObject({ why: expect.stringMatching(why) });
  });

  it('rejects both of two manifests of one object, naming both places, and touches nothing', () => {
    const twice = [
      { object: A, origin: { file: 'one.yaml', line: 3 } },
      { object: aConfigMap('a', { a: '2' }), origin: { file: 'two.yaml' } },
    ];

    const { actions } = plan({ manifests: twice, ...withEntry({}) });

    expect(kindsOf(actions)).toEqual(['reject ConfigMap a', 'reject ConfigMap a']);
    expect(actions[0]).toMatchObject({ why: expect.stringContaining('one.yaml:3 and two.yaml') });
  });
});

describe('spec.createNamespace', () => {
  const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'web' } };
  const key = resourceKey(resourceId(namespace));

  it('creates an absent namespace first, unmarked and never to be pruned', () => {
    const { actions } = plan({ manifests: [aManifest(A)], createNamespace: 'web' });

    expect(kindsOf(actions)).toEqual(['apply Namespace web', 'apply ConfigMap a']);
    expect(actions[0]).toMatchObject({
      stage: 0,
      object: { metadata: { annotations: { 'holdfast.dev/prune': 'disabled' } } },
    });
    expect(actions[0]).not.toHaveProperty('object.metadata.labels');
  });

  it('leaves a namespace that somebody else made alone', () => {
    const observation = new Map([[key, { kind: 'live', metadata: anAppliedObject(namespace) } as const]]);

    const { actions } = plan({ manifests: [aManifest(A)], createNamespace: 'web', observation });

    expect(kindsOf(actions)).toEqual(['apply ConfigMap a']);
  });

  it('gives way to a namespace that Git declares', () => {
    const { actions } = plan({ manifests: [aManifest(namespace)], createNamespace: 'web' });

    expect(kindsOf(actions)).toEqual(['apply Namespace web']);
    expect(actions[0]).toMatchObject({ origin: { file: 'web.yaml' } });
  });
});

describe('the plan as a whole', () => {
  const names = ['a', 'b', 'c', 'd'];
  const kinds = ['ConfigMap', 'Namespace', 'Ingress'];
  const objects = names.flatMap((name) => kinds.map((kind): KubeObject => ({ ...aConfigMap(name), kind })));
  const object = fc.constantFrom(...objects);
  const verdict = fc.constantFrom<Verdict>(
    { kind: 'clean' },
    { kind: 'suspect', suspicion: 'edited' },
    { kind: 'suspect', suspicion: 'missing' },
    { kind: 'unknown', error: 'x' },
  );
  const entries = fc.uniqueArray(
    fc.record({
      object,
      verdict,
      status: fc.constantFrom<InventoryStatus>('pending', 'applied', 'deleting'),
      observed: fc.constantFrom('live', 'absent', 'unknown', 'none'),
    }),
    { selector: (entry) => resourceKey(resourceId(entry.object)) },
  );
  const input = fc
    .record({
      entries,
      manifests: fc.array(object),
      rejections: fc.array(object, { maxLength: 2 }),
      mode: fc.constantFrom('reconcile' as const, 'remove' as const),
      prune: fc.boolean(),
      takeover: fc.boolean(),
      requested: fc.boolean(),
      createNamespace: fc.option(fc.constantFrom('a', 'n'), { nil: undefined }),
      minPruneCount: fc.constantFrom(1, 5),
    })
    .map(({ entries: given, manifests, rejections, createNamespace, ...rest }): PlanInput => {
      const keyed = given.map((each) => ({ ...each, key: resourceKey(resourceId(each.object)) }));
      return aPlanInput({
        ...rest,
        ...(createNamespace === undefined ? {} : { createNamespace }),
        manifests: manifests.map(aManifest),
        rejections: rejections.map((each) => aRejection(each)),
        inventory: new Map(
          keyed.map(({ key, object: each, status }) => [key, { ...recorded(each).entry, status }]),
        ),
        verdicts: new Map(keyed.map(({ key, verdict: each }) => [key, each])),
        observation: new Map(
          keyed
            .filter(({ observed }) => observed !== 'none')
            .map(({ key, object: each, observed }): [string, Observed] => [
              key,
              observed === 'live'
                ? { kind: 'live', metadata: anAppliedObject(each) }
                : observed === 'absent'
                  ? { kind: 'absent' }
                  : { kind: 'unknown', error: 'x' },
            ]),
        ),
      });
    });

  it('has every manifest and every entry of the inventory in exactly one action', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { actions } = buildPlan(given);

        const wanted = actions.filter(({ kind }) => ['apply', 'unchanged', 'reject'].includes(kind));
        const leaving = actions.filter(({ kind }) => ['prune', 'release', 'withhold'].includes(kind));
        const covered = new Set(wanted.map(({ id }) => resourceKey(id)));
        const left = leaving.map(({ id }) => resourceKey(id));
        expect(new Set(left).size).toBe(left.length);
        for (const key of given.inventory.keys()) {
          expect(covered.has(key)).toBe(!left.includes(key));
        }
        const declared = [...given.manifests, ...(given.rejections ?? []).map(({ manifest }) => manifest)];
        const made = wanted.filter(
          (action) => !('origin' in action) || action.origin.file !== '(createNamespace)',
        );
        if (given.mode === 'reconcile') {
          for (const manifest of declared) {
            expect(covered.has(resourceKey(resourceId(manifest.object)))).toBe(true);
          }
          expect(made.filter(({ kind }) => kind !== 'unchanged').length).toBeLessThanOrEqual(declared.length);
        } else {
          expect(wanted).toEqual([]);
        }
      }),
    );
  });

  it('never prunes what is not in the inventory, is in Git, or is declared by a rejected manifest', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { actions } = buildPlan(given);

        const declared = new Set(
          given.mode === 'remove'
            ? []
            : [...given.manifests, ...(given.rejections ?? []).map(({ manifest }) => manifest)].map(
                ({ object: each }) => resourceKey(resourceId(each)),
              ),
        );
        for (const action of actions.filter(({ kind }) => kind === 'prune')) {
          expect(given.inventory.has(resourceKey(action.id))).toBe(true);
          expect(declared.has(resourceKey(action.id))).toBe(false);
          expect(given.prune).toBe(true);
        }
      }),
    );
  });

  it('applies by ascending stage, then prunes by descending stage', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { actions } = buildPlan(given);

        const applies = actions.flatMap((action) => (action.kind === 'apply' ? [action.stage] : []));
        const prunes = actions.flatMap((action) => (action.kind === 'prune' ? [action.stage] : []));
        expect(applies).toEqual(applies.toSorted());
        expect(prunes).toEqual(prunes.toSorted().toReversed());
        expect(actions.findLastIndex(({ kind }) => kind === 'apply')).toBeLessThan(
          actions.findIndex(({ kind }) => kind === 'prune') === -1
            ? actions.length
            : actions.findIndex(({ kind }) => kind === 'prune'),
        );
      }),
    );
  });

  it('is the same plan whatever the order of the manifests', () => {
    const manifests = objects.map(aManifest);

    const forwards = plan({ manifests });
    const backwards = plan({ manifests: manifests.toReversed() });

    expect(backwards).toEqual(forwards);
  });

  it('changes nothing where everything is clean', () => {
    const world = aWorld(objects);

    const { actions } = plan({ manifests: objects.map(aManifest), ...world });

    expect(new Set(actions.map(({ kind }) => kind))).toEqual(new Set(['unchanged']));
  });
});
