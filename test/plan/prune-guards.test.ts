import { buildPlan, type PlanInput } from '../../lib/plan/build-plan.ts';
import type { Observed } from '../../lib/model/plan.ts';
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
} from './world.ts';

function plan(more: Partial<PlanInput>) {
  return buildPlan(aPlanInput(more));
}

function configMaps(count: number, prefix = 'cm'): readonly KubeObject[] {
  return Array.from({ length: count }, (_, i) => aConfigMap(`${prefix}${i}`));
}

const countOf = (actions: readonly { readonly kind: string }[], kind: string): number =>
  actions.filter((action) => action.kind === kind).length;

const KEPT = aConfigMap('kept');
const GONE = aConfigMap('gone');

describe('pruning', () => {
  it('deletes what left Git, in the version that was seen', () => {
    const { actions } = plan({ manifests: [aManifest(KEPT)], ...aWorld([KEPT, GONE]) });

    expect(kindsOf(actions)).toEqual(['unchanged ConfigMap kept', 'prune ConfigMap gone']);
    expect(actions[1]).toMatchObject({ live: { uid: 'uid-of--ConfigMap-gone', resourceVersion: '100' } });
  });

  it('prunes an entry that was written ahead and never created', () => {
    const { baseline: _baseline, projection: _projection, ...entry } = recorded(GONE).entry;
    const world = aWorld([KEPT]);
    const inventory = new Map([
      ...world.inventory,
      [resourceKey(entry.id), { ...entry, status: 'pending' as const }] as const,
    ]);

    const { actions } = plan({ manifests: [aManifest(KEPT)], ...world, inventory });

    expect(actionOn(actions, GONE)).toMatchObject({ kind: 'prune' });
    expect(actionOn(actions, GONE)).not.toHaveProperty('live');
  });

  it('keeps everything where spec.prune is off, in the inventory too', () => {
    const { actions } = plan({ manifests: [aManifest(KEPT)], ...aWorld([KEPT, GONE]), prune: false });

    expect(actionOn(actions, GONE)).toMatchObject({ kind: 'withhold' });
  });

  it('lets go of what is gone anyway where spec.prune is off', () => {
    const observation = new Map<string, Observed>([[resourceKey(resourceId(GONE)), { kind: 'absent' }]]);

    const { actions } = plan({
      manifests: [aManifest(KEPT)],
      ...aWorld([KEPT, GONE]),
      observation,
      prune: false,
    });

    expect(actionOn(actions, GONE)).toMatchObject({ kind: 'release' });
  });
});

describe('the guards', () => {
  it('an empty render deletes nothing: a path that was emptied by mistake, or a template that renders to nothing', () => {
    const world = aWorld([KEPT]);

    const built = plan({
      ...world,
      // Not even with an allowance.
      allowance: { deleteSet: plan(world).deleteSet, revision: 'c1' },
    });

    expect(kindsOf(built.actions)).toEqual(['withhold ConfigMap kept']);
    expect(built.pruneHeld).toMatch(/render is empty/);
  });

  it('an empty render with a namespace to create is an empty render', () => {
    const built = plan({ ...aWorld([KEPT]), createNamespace: 'web' });

    expect(actionOn(built.actions, KEPT)).toMatchObject({ kind: 'withhold' });
  });

  it('the removal of a target is no empty render', () => {
    const objects = configMaps(20);

    const built = plan({ ...aWorld(objects), mode: 'remove', manifests: objects.map(aManifest) });

    expect(countOf(built.actions, 'prune')).toBe(20);
    expect(built).not.toHaveProperty('pruneHeld');
  });

  it('the removal of a target that does not prune leaves its objects where they are', () => {
    const built = plan({ ...aWorld([KEPT]), mode: 'remove', prune: false });

    expect(kindsOf(built.actions)).toEqual(['release ConfigMap kept']);
  });

  describe('most of a target: a bad merge that drops a directory', () => {
    const objects = configMaps(10);
    const world = aWorld(objects);
    const keeping = (count: number) => objects.slice(0, count).map(aManifest);

    it('is held, and the message says how to allow it', () => {
      const built = plan({ ...world, manifests: keeping(4) });

      expect(countOf(built.actions, 'withhold')).toBe(6);
      expect(countOf(built.actions, 'unchanged')).toBe(4);
      expect(built.pruneHeld).toContain('6 of 10 objects');
      expect(built.pruneHeld).toContain(`holdfast reconcile local/shop --allow-prune ${built.deleteSet}`);
    });

    it('still applies what the same commit changes', () => {
      const built = plan({ ...world, manifests: [...keeping(4), aManifest(aConfigMap('new'))] });

      expect(kindsOf(built.actions)).toContain('apply ConfigMap new');
    });

    it('goes ahead with an allowance for this revision and this set', () => {
      const { deleteSet } = plan({ ...world, manifests: keeping(4) });

      const built = plan({ ...world, manifests: keeping(4), allowance: { deleteSet, revision: 'c1' } });

      expect(countOf(built.actions, 'prune')).toBe(6);
      expect(built).not.toHaveProperty('pruneHeld');
    });

    it('refuses an allowance for another revision or another set', () => {
      const { deleteSet } = plan({ ...world, manifests: keeping(4) });

      const later = plan({ ...world, manifests: keeping(4), allowance: { deleteSet, revision: 'c0' } });
      const more = plan({ ...world, manifests: keeping(3), allowance: { deleteSet, revision: 'c1' } });

      expect(later.pruneHeld).toBeDefined();
      expect(more.pruneHeld).toBeDefined();
    });

    it('does not hold half of it, nor fewer objects than the least that counts', () => {
      const few = configMaps(4);

      expect(plan({ ...world, manifests: keeping(5) })).not.toHaveProperty('pruneHeld');
      expect(plan({ ...aWorld([...few, KEPT]), manifests: [aManifest(KEPT)] })).not.toHaveProperty(
        'pruneHeld',
      );
    });

    it('goes on with what an earlier run decided', () => {
      const inventory = new Map(
        [...world.inventory].map(([key, entry], i) =>
          i < 4 ? [key, entry] : [key, { ...entry, status: 'deleting' as const }],
        ),
      );

      const built = plan({ ...world, inventory, manifests: keeping(4) });

      expect(countOf(built.actions, 'prune')).toBe(6);
    });

    it('does not count what is gone already: a failed first run, whose objects were never created', () => {
      const observation = new Map(
        [...world.observation.keys()].map((key) => [key, { kind: 'absent' } as const]),
      );

      const built = plan({ ...world, observation, manifests: configMaps(10, 'renamed').map(aManifest) });

      expect(countOf(built.actions, 'prune')).toBe(10);
    });

    it('does not count namespaces and CRDs', () => {
      const namespaces = Array.from(
        { length: 8 },
        (_, i): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: `n${i}` } }),
      );

      const built = plan({
        ...aWorld([...namespaces, ...objects]),
        manifests: [...namespaces.map(aManifest), ...keeping(4)],
      });

      expect(built.pruneHeld).toContain('6 of 10 objects');
    });
  });

  describe('a generator that renames all its ConfigMaps', () => {
    const before = Array.from({ length: 8 }, (_, i) => aConfigMap(`conf${i}-2b4h6k8mgt`));
    const after = Array.from({ length: 8 }, (_, i) => aConfigMap(`conf${i}-5c7d9f2bhk`));

    it('is no mass deletion: each has its successor', () => {
      const built = plan({ ...aWorld(before), manifests: after.map(aManifest) });

      expect(countOf(built.actions, 'prune')).toBe(8);
    });

    it('is one where the successors are missing', () => {
      const built = plan({ ...aWorld([...before, KEPT]), manifests: [aManifest(KEPT)] });

      expect(countOf(built.actions, 'withhold')).toBe(8);
    });

    it('pairs within a kind and a namespace only', () => {
      const secrets = after.map((object): KubeObject => ({ ...object, kind: 'Secret' }));

      const built = plan({ ...aWorld(before), manifests: secrets.map(aManifest) });

      expect(built.pruneHeld).toContain('8 of 8 objects');
    });
  });

  describe('an API group move: extensions and networking.k8s.io are one Ingress with one uid', () => {
    const ingress = (apiVersion: string): KubeObject => ({
      apiVersion,
      kind: 'Ingress',
      metadata: { name: 'i', namespace: 'web' },
    });
    const old = ingress('extensions/v1beta1');
    const moved = ingress('networking.k8s.io/v1');
    const world = aWorld([old]);
    const { uid } = anAppliedObject(old).metadata;
    const seen = (more = {}): Observed => ({
      kind: 'live',
      metadata: anAppliedObject(moved, { uid, ...more }),
    });
    const observation = (observed: Observed) =>
      new Map([...world.observation, [resourceKey(resourceId(moved)), observed]]);

    it('lets go of the old identity instead of deleting the object', () => {
      const built = plan({ ...world, observation: observation(seen()), manifests: [aManifest(moved)] });

      expect(actionOn(built.actions, moved)).toMatchObject({ kind: 'apply' });
      expect(actionOn(built.actions, old)).toMatchObject({ kind: 'release' });
    });

    it('does not delete it before the new identity was looked at', () => {
      const built = plan({ ...world, manifests: [aManifest(moved)] });

      expect(actionOn(built.actions, old)).toMatchObject({ kind: 'withhold' });
    });

    it('deletes it where the new identity is known to be another object', () => {
      const built = plan({
        ...world,
        observation: observation({ kind: 'absent' }),
        manifests: [aManifest(moved)],
      });

      expect(actionOn(built.actions, old)).toMatchObject({ kind: 'prune' });
    });

    it('does not delete or forget it either while the new identity cannot be applied', () => {
      const built = plan({
        ...world,
        observation: observation(seen()),
        rejections: [aRejection(moved)],
        manifests: [aManifest(KEPT)],
      });

      expect(actionOn(built.actions, old)).toMatchObject({ kind: 'withhold' });
    });
  });

  it('keeps the object of a manifest that was rejected before its namespace was known', () => {
    const rejected = { ...GONE, metadata: { name: 'gone' } };

    const built = plan({
      ...aWorld([KEPT, GONE]),
      manifests: [aManifest(KEPT)],
      rejections: [aRejection(rejected)],
    });

    expect(actionOn(built.actions, GONE)).toMatchObject({ kind: 'withhold' });
  });

  it('keeps all objects of a kind while a manifest of it has no name', () => {
    const nameless = { ...GONE, metadata: { generateName: 'g-' } };

    const built = plan({ ...aWorld([KEPT, GONE]), manifests: [aManifest(KEPT), aManifest(nameless)] });

    expect(actionOn(built.actions, GONE)).toMatchObject({ kind: 'withhold' });
  });

  it('hands an object that moved to another target over instead of deleting it', () => {
    const built = plan({
      ...aWorld([KEPT, GONE]),
      manifests: [aManifest(KEPT)],
      claimedElsewhere: new Map([[resourceKey(resourceId(GONE)), 'local/other']]),
    });

    expect(actionOn(built.actions, GONE)).toMatchObject({
      kind: 'release',
      why: expect.stringContaining('local/other'),
    });
  });
});
