import { buildPlan } from '../../lib/plan/build-plan.ts';
import type { PlanInput } from '../../lib/plan/build-plan.ts';
import type { KubeObject, Manifest } from '../../lib/model/resource.ts';
import { resourceId, resourceKey } from '../../lib/model/resource.ts';
import { aManifest, anAppliedObject, aPlanInput } from './world.ts';
import { recordApplied } from '../../lib/plan/record.ts';
import { KEY, MANAGER } from './world.ts';

function aSecret(password: string, more: Readonly<Record<string, string>> = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'db', namespace: 'shop' },
    data: { password, ...more },
  };
}

function drawn(object: KubeObject, volatile: readonly string[] = ['/data/password']): Manifest {
  return { ...aManifest(object), volatile };
}

/** What a run leaves behind that applied this manifest. */
function after(manifest: Manifest): Partial<PlanInput> {
  const [action] = buildPlan(aPlanInput({ manifests: [manifest] })).actions;
  if (action?.kind !== 'apply') throw new Error('expected an apply');
  const live = anAppliedObject(action.object);
  const { entry } = recordApplied(action, live, { fieldManager: MANAGER, key: KEY });
  const key = resourceKey(resourceId(manifest.object));
  return {
    inventory: new Map([[key, entry]]),
    verdicts: new Map([[key, { kind: 'clean' }]]),
    observation: new Map([[key, { kind: 'live', metadata: live }]]),
  };
}

function actionOn(manifest: Manifest, world: Partial<PlanInput>) {
  return buildPlan(aPlanInput({ ...world, manifests: [manifest] })).actions[0];
}

describe('a value that comes out differently each time', () => {
  it('is no change by itself', () => {
    const world = after(drawn(aSecret('b25l')));

    expect(actionOn(drawn(aSecret('dHdv')), world)).toMatchObject({ kind: 'unchanged' });
  });

  it('comes along when something else in the object changes', () => {
    const world = after(drawn(aSecret('b25l')));

    const action = actionOn(drawn(aSecret('dHdv', { user: 'eA==' })), world);

    expect(action).toMatchObject({
      kind: 'apply',
      reason: 'changed',
      object: { data: { password: 'dHdv' } },
    });
    expect(action).not.toHaveProperty('keep');
  });

  it.each([
    ['is gone', drawn({ ...aSecret('x'), data: {} })],
    ['is the same each time from now on', aManifest(aSecret('b25l'))],
    ['is joined by another one', drawn(aSecret('b25l', { user: 'eA==' }), ['/data/password', '/data/user'])],
  ])('is a change when it %s', (_what, manifest) => {
    const world = after(drawn(aSecret('b25l')));

    expect(actionOn(manifest, world)).toMatchObject({ kind: 'apply', reason: 'changed' });
  });

  it('stays as it lives where the object is put right', () => {
    const world = after(drawn(aSecret('b25l')));
    const key = resourceKey(resourceId(aSecret('')));

    const action = actionOn(drawn(aSecret('dHdv')), {
      ...world,
      verdicts: new Map([[key, { kind: 'suspect', suspicion: 'edited' }]]),
    });

    expect(action).toMatchObject({ kind: 'apply', reason: 'drifted', keep: ['/data/password'] });
  });

  it('may lie behind slashes, tildes and in lists, or nowhere', () => {
    const object = (value: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a', namespace: 'web', annotations: { 'x.io/a~b': value } },
      items: ['fixed', { x: value }],
    });
    const volatile = ['/metadata/annotations/x.io~1a~0b', '/items/1/x', '/items/7', '/not/there', '/items/x'];
    const world = after(drawn(object('one'), volatile));

    expect(actionOn(drawn(object('two'), volatile), world)).toMatchObject({ kind: 'unchanged' });
  });
});
