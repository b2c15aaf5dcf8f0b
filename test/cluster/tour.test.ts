import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { importKubeconfig } from '../../lib/cluster/import-kubeconfig.ts';
import { runTour } from '../../lib/local/tour/run-tour.ts';
import { TOUR_STEPS } from '../../lib/local/tour/steps.ts';
import { tourNames } from '../../lib/local/tour/tour-names.ts';
import { prepareTour, type TourCluster, type TourWorld } from '../../lib/local/tour/tour-world.ts';
import { silentLog } from '../../lib/model/log.ts';
import { quietListener, verdicts } from '../e2e/tour-listener.ts';
import { kubeconfigs, openCluster, uniqueName, withCluster } from './real-cluster.ts';

withCluster('the tour on real clusters', () => {
  let directory: string;
  let world: TourWorld | undefined;

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'holdfast-tour-'));
    world = undefined;
  });

  afterEach(async () => {
    const used = world?.names;
    await world?.close();
    await rm(directory, { recursive: true, force: true });
    if (used === undefined) return;
    for (const kubeconfig of kubeconfigs) {
      for (const { namespace } of [used.staging, used.production])
        await deleteNamespace(kubeconfig, namespace);
    }
  });

  it('comes true, with each environment on its own cluster where there are two', async () => {
    const clusters = kubeconfigs.slice(0, 2).map(clusterOf) as [TourCluster, ...TourCluster[]];
    const [first, ...others] = clusters.map(({ name }) => name);
    world = await prepareTour({
      directory,
      clusters,
      names: tourNames([first ?? '', ...others], `-${uniqueName('t')}`),
      log: silentLog,
      stop: new AbortController().signal,
    });

    const results = await runTour(world, quietListener);

    expect(verdicts(results)).toEqual(TOUR_STEPS.map(({ title }) => title));
  }, 180_000);
});

function clusterOf(kubeconfig: string, index: number): TourCluster {
  const { endpoint, caData, credential } = importKubeconfig(readFileSync(kubeconfig, 'utf8'));
  return {
    name: `real-${index + 1}`,
    endpoint,
    ...(caData === undefined ? {} : { caData }),
    apply: credential,
    read: credential,
  };
}

async function deleteNamespace(kubeconfig: string, name: string): Promise<void> {
  const kube = openCluster(kubeconfig);
  try {
    const type = (await kube.discovery()).find('v1', 'Namespace');
    if (type === undefined) return;
    const live = await kube.get({ type, name });
    if (live === undefined) return;
    const { uid, resourceVersion } = live.metadata;
    await kube.delete({ type, name }, { uid, resourceVersion });
  } finally {
    await kube.close();
  }
}
