import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type SandboxCluster, startSandboxCluster } from '../../lib/local/sandbox/start-sandbox-cluster.ts';
import { runTour } from '../../lib/local/tour/run-tour.ts';
import { TOUR_STEPS } from '../../lib/local/tour/steps.ts';
import { tourNames } from '../../lib/local/tour/tour-names.ts';
import { prepareTour, type TourCluster, type TourWorld } from '../../lib/local/tour/tour-world.ts';
import { silentLog } from '../../lib/model/log.ts';
import { quietListener, verdicts } from './tour-listener.ts';

const TITLES = TOUR_STEPS.map(({ title }) => title);

describe('the tour on sandbox clusters', () => {
  let directory: string;
  let sandboxes: SandboxCluster[];
  let world: TourWorld | undefined;

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'holdfast-tour-'));
    sandboxes = [];
    world = undefined;
  });

  afterEach(async () => {
    await world?.close();
    for (const sandbox of sandboxes) await sandbox.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function aSandbox(name: string): Promise<TourCluster> {
    const sandbox = await startSandboxCluster({ availableAfterMs: 20 });
    sandboxes.push(sandbox);
    return {
      name,
      endpoint: sandbox.url,
      apply: { token: sandbox.token },
      read: { token: sandbox.readToken },
    };
  }

  it('comes true step by step on one', async () => {
    const cluster = await aSandbox('sandbox');
    world = await prepareTour({
      directory,
      clusters: [cluster],
      names: tourNames(['sandbox']),
      log: silentLog,
      stop: new AbortController().signal,
    });

    const results = await runTour(world, quietListener);

    expect(verdicts(results)).toEqual(TITLES);
  }, 90_000);

  it('comes true with each environment on a cluster of its own', async () => {
    const clusters = [await aSandbox('one'), await aSandbox('two')] as const;
    world = await prepareTour({
      directory,
      clusters,
      names: tourNames(['one', 'two']),
      log: silentLog,
      stop: new AbortController().signal,
    });

    const results = await runTour(world, quietListener);

    expect(verdicts(results)).toEqual(TITLES);
  }, 90_000);

  it('says which step did not come true, and why, and ends there', async () => {
    const cluster = await aSandbox('sandbox');
    // A cluster that takes no Deployments.
    sandboxes[0]?.setFault((request) =>
      request.method === 'PATCH' && request.path.includes('/deployments/') ? { status: 403 } : undefined,
    );
    world = await prepareTour({
      directory,
      clusters: [cluster],
      names: tourNames(['sandbox']),
      log: silentLog,
      stop: new AbortController().signal,
      patienceSeconds: 4,
    });

    const results = await runTour(world, quietListener);

    expect(results).toHaveLength(1);
    expect(results[0]).toMatchObject({
      ok: false,
      reason: expect.stringContaining('Deployment') as unknown,
    });
  }, 60_000);
});
