import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { OpenElsewhere, SourceStageDeps } from '../../lib/reconcile/deps.ts';
import { runSourceStage } from '../../lib/reconcile/source-stage.ts';
import { memoryCommit } from '../support/memory-commit.ts';
import {
  configMap,
  definition,
  reconcileWorld,
  SHOP,
  type ReconcileWorld,
} from '../support/reconcile-world.ts';

const app = (name: string, path: string) => ({
  [`clusters/main/${name}.yaml`]: definition(name, { path, clusters: ['a'] }),
});
const BASE = 'https://git.example.com/org/bases//base?ref=v1';

describe('what a source stage reads from elsewhere', () => {
  let world: ReconcileWorld;
  let closed: number;

  beforeEach(async () => {
    // Nothing is applied here: only what is wanted is looked at.
    world = await reconcileWorld({ clusters: { a: {} as KubeApi } });
    closed = 0;
    world.git.push({
      ...app('near', 'apps/near'),
      ...app('far', 'apps/far'),
      'apps/near/a.yaml': configMap('a', { k: '1' }),
      'apps/far/kustomization.yaml': JSON.stringify({ resources: [BASE] }),
    });
  });

  const run = (openBase: NonNullable<OpenElsewhere['elsewhere']['openBase']>) => {
    const deps: SourceStageDeps = {
      ...world.deps,
      elsewhere: () => ({ elsewhere: { openBase }, close: async () => void (closed += 1) }),
    };
    return runSourceStage(deps, SHOP, { reason: 'push' });
  };
  const away = async () => {
    throw new HoldfastError('git-unreachable', 'git.example.com cannot be reached', { retryable: true });
  };
  const base = (k: string) => async () =>
    memoryCommit({ 'base/kustomization.yaml': 'resources: [b.yaml]', 'base/b.yaml': configMap('b', { k }) });

  it('is part of what a target renders, and is let go of', async () => {
    const outcome = await run(base('1'));

    expect(outcome).toMatchObject({ kind: 'looked', invalid: 0 });
    expect((await world.target('far')).wanted).toMatchObject({ kind: 'revision' });
    expect(closed).toBe(1);
  });

  it('is another closure when it moved, without any push of ours', async () => {
    await run(base('1'));
    const before = await world.target('far');

    await run(base('2'));

    const after = await world.target('far');
    expect(after.wantedSeq).toBe(before.wantedSeq + 1);
    expect((await world.target('near')).wantedSeq).toBe(1);
  });

  it('holds back only those who need it while it cannot be reached, and is tried again', async () => {
    const outcome = await run(away);

    expect(outcome).toEqual({ kind: 'failed', code: 'git-unreachable' });
    expect((await world.target('near')).wanted).toMatchObject({ kind: 'revision' });
    await expect(world.target('far')).rejects.toThrow('no target');
    expect(world.messages.map(({ wakeUp }) => `${wakeUp.kind} ${wakeUp.reason}`)).toEqual(
      expect.arrayContaining(['target push', 'source retry']),
    );
    expect(closed).toBe(1);

    await run(base('1'));

    expect((await world.target('far')).wanted).toMatchObject({ kind: 'revision' });
  });

  it('is refused with a reason where nothing may be fetched', async () => {
    await runSourceStage(world.deps, SHOP, { reason: 'push' });

    expect((await world.target('far')).wanted).toMatchObject({
      kind: 'invalid',
      error: { code: 'render-refused', message: expect.stringContaining('are not fetched here') },
    });
  });
});
