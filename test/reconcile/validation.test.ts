import { planApplication } from '../../lib/cli/plan-application.ts';
import { fakeKube, type FakeKube } from '../kube/fake-kube.ts';
import { definition, reconcileWorld, type ReconcileWorld } from '../support/reconcile-world.ts';

const DEFINITIONS = {
  ConfigMap: {
    type: 'object',
    properties: {
      metadata: { type: 'object' },
      data: { type: 'object', additionalProperties: { type: 'string' } },
    },
    'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'ConfigMap' }],
  },
};
const configMap = (name: string, rest: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: default}\n${rest}\n`;

describe('an application that asks for validation', () => {
  let kube: FakeKube;
  let world: ReconcileWorld;

  beforeEach(async () => {
    kube = fakeKube();
    kube.definitions = DEFINITIONS;
    world = await reconcileWorld({ clusters: { a: kube } });
  });

  const push = (rest: string, validation?: 'strict') =>
    world.push({
      'clusters/main/web.yaml': definition('web', {
        path: 'app',
        clusters: ['a'],
        ...(validation === undefined ? {} : { render: { validation } }),
      }),
      'app/a.yaml': configMap('fine', 'data: {a: b}'),
      'app/b.yaml': configMap('faulty', rest),
    });
  const lastRun = async () => (await world.deps.state.listRuns((await world.target('web')).target, 1))[0];
  const applied = () => kube.calls.filter(({ verb }) => verb === 'apply').map(({ name }) => name);

  it('refuses the whole commit, with file and line, before anything is applied', async () => {
    await push('dta: {a: b}', 'strict');

    const run = await lastRun();
    expect(run?.outcome).toBe('failed');
    expect(run?.errors[0]?.error).toMatchObject({
      code: 'render-failed',
      message: 'app/b.yaml:1: ConfigMap default/faulty: dta: no such field; did you mean "data"?',
    });
    expect(applied()).toEqual([]);
  });

  it('shows the same in a plan', async () => {
    await push('dta: {a: b}', 'strict');

    const planning = planApplication(world.deps, await world.target('web'));

    await expect(planning).rejects.toThrow('app/b.yaml:1: ConfigMap default/faulty: dta: no such field');
  });

  it('applies the next commit, in which it is corrected', async () => {
    await push('dta: {a: b}', 'strict');
    await push('data: {a: b}', 'strict');

    expect((await lastRun())?.outcome).toBe('succeeded');
    expect(applied().toSorted()).toEqual(['faulty', 'fine']);
  });

  it('is the only one for which the document is read', async () => {
    await push('dta: {a: b}');

    expect(kube.calls.filter(({ name }) => name === 'openapi')).toEqual([]);
    expect(applied().toSorted()).toEqual(['faulty', 'fine']);
  });
});
