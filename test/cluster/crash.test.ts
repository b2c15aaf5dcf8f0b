import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { assertConverged, assertLawful, beforeTheCrash, dieAt, recover } from '../support/crash-story.ts';
import { aNamespace, openCluster, remove, uniqueName, withCluster } from './real-cluster.ts';

withCluster('a worker that dies at any external call, on a real cluster', () => {
  let kube: KubeApi;
  beforeAll(() => {
    kube = openCluster();
  });
  afterAll(() => kube.close());

  it.each(['before', 'after'] as const)(
    '%s it is carried out: nothing is orphaned, nothing foreign touched, all converges',
    async (when) => {
      const points: string[] = [];
      for (let call = 1; ; call++) {
        const story = { kube, namespace: uniqueName('crash') };
        const world = await beforeTheCrash(story);

        const point = await dieAt(world, call, when);

        await assertLawful(world, story);
        await recover(world);
        await assertConverged(world, story);
        await remove(kube, aNamespace(story.namespace));
        if (point === undefined) break;
        points.push(point);
      }
      expect(points).toEqual(
        expect.arrayContaining([
          'kube.apply',
          'kube.delete',
          'state.changeTarget',
          'state.putBlob',
          'queue.send',
          'git.open',
        ]),
      );
    },
    300_000,
  );
});
