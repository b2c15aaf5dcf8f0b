import { buildPlan } from '../../lib/plan/build-plan.ts';
import { describePlan } from '../../lib/plan/describe-plan.ts';
import { diffObjects } from '../../lib/plan/diff-objects.ts';
import { type KubeObject, resourceId, resourceKey } from '../../lib/model/resource.ts';
import { aConfigMap, aManifest, anAppliedObject, aPlanInput, aRejection, aWorld } from './world.ts';

const SECRET: KubeObject = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's', namespace: 'web' },
  type: 'Opaque',
};

describe('a described plan', () => {
  it('has a line for each change, the fields that change, and a summary', () => {
    const old = aConfigMap('changed', { a: '1' });
    const world = aWorld([old, aConfigMap('same'), aConfigMap('gone')]);
    const plan = buildPlan(
      aPlanInput({
        ...world,
        manifests: [
          aManifest(aConfigMap('new')),
          aManifest(aConfigMap('same')),
          aManifest(aConfigMap('changed', { a: '2' })),
        ],
        rejections: [aRejection({ apiVersion: 'x.y/v1', kind: 'Widget', metadata: { name: 'w' } })],
      }),
    );

    const lines = describePlan(
      plan,
      new Map([[resourceKey(resourceId(old)), { before: anAppliedObject(old) }]]),
    );

    expect(lines).toEqual([
      '~ change ConfigMap web/changed',
      '    /data/a: "1" -> "2"',
      '    /metadata/labels: (none) -> {"holdfast.dev/target":"0123456789abcdef0123456789abcdef"}',
      '+ create ConfigMap web/new',
      '! reject Widget.x.y w (w.yaml:1): no matches for kind',
      '- prune ConfigMap web/gone',
      '1 to create, 1 to change, 1 to prune, 1 unchanged, 1 rejected',
    ]);
  });

  it('says why nothing is pruned', () => {
    const plan = buildPlan(aPlanInput(aWorld([aConfigMap('a')])));

    expect(describePlan(plan).filter((line) => line.startsWith('!'))).toEqual([
      expect.stringContaining('! held ConfigMap web/a: the render is empty'),
      expect.stringContaining('! the render is empty'),
    ]);
  });

  it('prints nothing that moves a cursor or turns text around', () => {
    const hostile = aConfigMap('a\u001b[2J\u202e', { 'k\n': 'v\r\u0007' });
    const plan = buildPlan(aPlanInput({ manifests: [aManifest(hostile)] }));
    const changes = new Map([
      [resourceKey(resourceId(hostile)), { before: anAppliedObject(aConfigMap('a')) }],
    ]);

    const text = describePlan(plan, changes).join('');

    // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
    expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(text).toContain('a\\u001b[2J\\u202e');
  });
});

describe('a diff of two objects', () => {
  it('shows no value of a Secret, however it differs', () => {
    const before = { ...SECRET, data: { a: 'aHVudGVyMg==', b: 'Yg==' } };
    const copy = { 'kubectl.kubernetes.io/last-applied-configuration': 'aHVudGVyMg==' };

    const diffs = [
      diffObjects(before, { ...SECRET, stringData: { a: 'swordfish', b: 'b' } }),
      diffObjects(before, SECRET),
      diffObjects(SECRET, before),
      diffObjects({ ...before, metadata: { ...SECRET.metadata, annotations: copy } }, SECRET),
      diffObjects(before, { ...SECRET, data: 'swordfish' }),
    ];

    expect(JSON.stringify(diffs)).not.toMatch(/hunter2|swordfish|aHVudGVyMg|c3dvcmRmaXNo/);
    expect(diffs[0]).toEqual([{ path: '/data/a', before: '(secret)', after: '(secret)' }]);
  });

  it('matches list items by their names', () => {
    const pod = (image: string, order: readonly string[]): KubeObject => ({
      ...aConfigMap('p'),
      spec: { containers: order.map((name) => ({ name, image: name === 'a' ? image : 'x' })) },
    });

    expect(diffObjects(pod('1', ['a', 'b']), pod('2', ['b', 'a']))).toEqual([
      { path: '/spec/containers/[name=a]/image', before: '1', after: '2' },
    ]);
  });

  it('does not count what the server keeps for itself', () => {
    const object = anAppliedObject(aConfigMap('a'));
    const later = { ...object, status: { x: 1 }, metadata: { ...object.metadata, resourceVersion: '101' } };

    expect(diffObjects(object, later)).toEqual([]);
  });

  it('can leave out what only the live object has', () => {
    const live = aConfigMap('a', { a: '1', defaulted: 'x' });

    expect(diffObjects(live, aConfigMap('a', { a: '2' }), { onlyAfter: true })).toEqual([
      { path: '/data/a', before: '1', after: '2' },
    ]);
  });
});
