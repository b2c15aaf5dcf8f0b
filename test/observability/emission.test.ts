import { receiveWebhook } from '../../lib/webhook/receive-webhook.ts';
import { scanClusters } from '../../lib/reconcile/scan-clusters.ts';
import { sweep } from '../../lib/reconcile/sweep.ts';
import { KubeError } from '../../lib/cluster/kube-error.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import type { Log, LogFields } from '../../lib/model/log.ts';
import type { MetricName, Metrics } from '../../lib/model/metrics.ts';
import { fakeKube } from '../kube/fake-kube.ts';
import { aGithubDelivery, aPush, aWebhookWorld } from '../webhook/world.ts';
import {
  configMap,
  definition,
  handle,
  MAIN,
  reconcileWorld,
  type ReconcileWorld,
  SHOP,
} from '../support/reconcile-world.ts';
import { runSourceStage } from '../../lib/reconcile/source-stage.ts';

function recorder(): Metrics & {
  readonly seen: [MetricName, number][];
  of(name: MetricName): readonly number[];
} {
  const seen: [MetricName, number][] = [];
  return {
    seen,
    emit: (name, value = 1) => void seen.push([name, value]),
    of: (name) => seen.filter(([each]) => each === name).map(([, value]) => value),
  };
}

const APP = definition('web', {
  path: 'apps/web',
  clusters: ['here'],
  namespace: 'default',
  drift: 'report',
});
const FILES = { 'clusters/main/web.yaml': APP, 'apps/web/a.yaml': configMap('a', { k: '1' }) };

async function aWorld(log?: Log) {
  const kube = fakeKube();
  const metrics = recorder();
  const world = await reconcileWorld({ clusters: { here: kube }, ...(log === undefined ? {} : { log }) });
  const deps = { ...world.deps, metrics };
  return { kube, metrics, world, deps };
}

/** Works off what is due, with metrics. */
async function drain(world: ReconcileWorld, deps: ReconcileWorld['deps']): Promise<void> {
  for (;;) {
    const index = world.messages.findIndex(({ dueAt }) => dueAt <= world.clock.now);
    const [message] = index < 0 ? [] : world.messages.splice(index, 1);
    if (message === undefined) return;
    await handle(deps, message.wakeUp);
  }
}

describe('what is counted', () => {
  it('runs of targets by their outcome, with how long they took', async () => {
    const { metrics, world, deps } = await aWorld();
    world.git.push(FILES);
    await runSourceStage(deps, SHOP, { reason: 'push' });
    await drain(world, deps);
    expect(metrics.of('ReconcileSucceeded').length).toBeGreaterThan(0);
    expect(metrics.of('ReconcileFailed')).toEqual([]);
    expect(metrics.of('ReconcileDuration').length).toBe(metrics.of('ReconcileSucceeded').length);

    world.git.push({
      ...FILES,
      'apps/web/a.yaml': '{"apiVersion":"nowhere/v1","kind":"Ghost","metadata":{"name":"g"}}',
    });
    await runSourceStage(deps, SHOP, { reason: 'push' });
    await drain(world, deps);

    expect(metrics.of('ReconcileFailed')).toEqual([1]);
  });

  it('leases taken from workers that did not give them back', async () => {
    const { metrics, world, deps } = await aWorld();
    world.git.push(FILES);
    await runSourceStage(deps, SHOP, { reason: 'push' });
    await drain(world, deps);
    const { target } = await world.target('web');
    const ask = { kind: 'request' as const, now: world.clock.now };
    await deps.state.changeTarget(target, ask);
    await deps.state.changeTarget(target, {
      kind: 'acquire',
      now: world.clock.now,
      owner: 'dead',
      leaseMs: 1_000,
    });
    world.clock.now += 60_000;

    await handle(deps, { v: 1, kind: 'target', target, reason: 'sweep' });

    expect(metrics.of('LeaseStolen')).toEqual([1]);
  });

  it('looks at a Git server that failed', async () => {
    const { metrics, deps } = await aWorld();
    const git = {
      ...deps.git,
      listRefs: () => Promise.reject(new HoldfastError('git-unreachable', 'no answer', { retryable: true })),
    };

    await runSourceStage({ ...deps, git }, SHOP, { reason: 'push' });

    expect(metrics.seen).toEqual([['SourceFailed', 1]]);
  });

  it('targets that have been due for more than ten minutes, by the sweep', async () => {
    const { metrics, world, deps } = await aWorld();
    world.git.push(FILES);
    await runSourceStage(deps, SHOP, { reason: 'push' });
    await sweep(deps);
    world.clock.now += 11 * 60_000;
    await sweep(deps);

    const due = (await deps.state.dueTargets(world.clock.now, 100)).length;
    expect(due).toBeGreaterThan(0);
    expect(metrics.of('TargetsBehind')).toEqual([0, due]);
    expect(await deps.state.getSweep()).toEqual({ schema: 1, sweptAt: world.clock.now });
  });

  it('drifted targets, clusters that are away and scans that came to their end', async () => {
    const { kube, metrics, world, deps } = await aWorld();
    world.git.push(FILES);
    await runSourceStage(deps, SHOP, { reason: 'push' });
    await drain(world, deps);
    await deps.state.putCluster({
      schema: 1,
      name: 'away' as ClusterName,
      labels: {},
      endpoint: 'https://away.example',
      applySecret: 'a',
      readSecret: 'r',
    });
    kube.stored.clear();
    metrics.seen.length = 0;

    await scanClusters(deps, { deadline: performance.now() + 60_000 });

    expect(metrics.seen).toEqual([
      ['DriftedTargets', 1],
      ['UnreachableClusters', 1],
      ['ScanCompleted', 1],
    ]);
    metrics.seen.length = 0;
    await scanClusters(deps, { deadline: performance.now() + 60_000, only: 'here' });
    expect(metrics.seen).toEqual([]);
    await scanClusters(deps, { deadline: performance.now() });
    expect(metrics.of('ScanCompleted')).toEqual([]);
  });

  it('a cluster as away when nothing of it can be seen, and its targets as unknown, not as drifted', async () => {
    let isDown = false;
    const kube = fakeKube(() => {
      if (isDown) throw new KubeError('kube-unreachable', 'no answer', { retryable: true });
    });
    const metrics = recorder();
    const world = await reconcileWorld({ clusters: { here: kube } });
    const deps = { ...world.deps, metrics };
    world.git.push(FILES);
    await runSourceStage(deps, SHOP, { reason: 'push' });
    await drain(world, deps);
    metrics.seen.length = 0;
    isDown = true;

    const summary = await scanClusters(deps, { deadline: performance.now() + 60_000 });

    expect(summary).toMatchObject({ scanned: [], failed: [{ cluster: 'here', error: 'no answer' }] });
    expect(metrics.seen).toEqual([
      ['DriftedTargets', 0],
      ['UnreachableClusters', 1],
      ['ScanCompleted', 1],
    ]);
    expect(await deps.state.getClusterScan('here' as ClusterName)).toMatchObject({ error: 'no answer' });
    const drift = await deps.state.getDrift((await world.target('web')).target);
    expect(drift).toMatchObject({ clean: 0, findings: [], unknown: [{}] });
  });

  it('deliveries that woke a source, and those that were refused', async () => {
    const metrics = recorder();
    const { deps } = aWebhookWorld({ deps: { metrics } });

    await receiveWebhook(deps, aGithubDelivery(aPush()));
    await receiveWebhook(deps, aGithubDelivery(aPush(), { 'x-github-event': 'ping' }));
    await receiveWebhook(deps, aGithubDelivery(aPush(), {}, 'another secret'));
    await receiveWebhook(deps, { ...aGithubDelivery(aPush()), sourceId: 'unknown' });

    expect(metrics.seen).toEqual([
      ['WebhookAccepted', 1],
      ['WebhookUnauthorized', 1],
      ['WebhookUnauthorized', 1],
    ]);
  });
});

describe('what every line of a run carries', () => {
  it('delivery, source, target, revision and run', async () => {
    const lines: LogFields[] = [];
    const { world, deps } = await aWorld(memoryLog(lines));
    const { handleWakeUps } = await import('../../lib/reconcile/handle-wake-ups.ts');
    world.git.push(FILES);
    const body = JSON.stringify({
      v: 1,
      kind: 'source',
      source: SHOP,
      reason: 'push',
      deliveryId: 'delivery-1',
    });

    await handleWakeUps(deps, [{ messageId: 'm-1', body }], performance.now() + 60_000);
    for (const { wakeUp } of world.messages.splice(0)) {
      await handleWakeUps(
        deps,
        [{ messageId: 'm-2', body: JSON.stringify(wakeUp) }],
        performance.now() + 60_000,
      );
    }

    expect(lines.find(({ message }) => message === 'source looked at')).toMatchObject({
      source: SHOP,
      deliveryId: 'delivery-1',
    });
    const { target, wanted } = await world.target('web');
    const [run] = await deps.state.listRuns(target, 1);
    for (const message of ['plan built', 'run finished']) {
      expect(lines.find((line) => line['message'] === message && line['target'] === target)).toMatchObject({
        deliveryId: 'delivery-1',
        target,
        cluster: 'here',
        revision: wanted.kind === 'revision' ? wanted.revision : '',
        run: run?.id,
      });
    }
    expect(await deps.state.getRoot(MAIN)).toBeDefined();
  });
});

function memoryLog(lines: LogFields[], fields: LogFields = {}): Log {
  const at = (message: string, more?: LogFields) => void lines.push({ ...fields, ...more, message });
  return { info: at, warn: at, error: at, child: (more) => memoryLog(lines, { ...fields, ...more }) };
}
