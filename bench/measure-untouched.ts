import type { BenchCluster } from './bench-cluster.ts';
import { allTargets, benchWorld, declaring } from './bench-world.ts';
import { below, configMapFiles } from './config-maps.ts';
import { requestsIn } from './kubectl.ts';
import { milliseconds, spread, type Measurement, type Outcome } from './measure.ts';

const TARGETS = 500;
const ROUNDS = 5;

/** A push that touches nothing that any of many targets reads: what it costs, beside applying them all again. */
export function measureUntouchedTargets(cluster: BenchCluster): Measurement {
  return {
    name: 'untouched-targets',
    title: `A push that touches none of the inputs of ${TARGETS} targets, beside kubectl apply of them all`,
    async run(): Promise<Outcome> {
      const namespace = await cluster.newNamespace();
      const bench = await benchWorld(cluster.kube, 'bench-untouched');
      const { world } = bench;
      const names = Array.from({ length: TARGETS }, (_, index) => `app-${String(index).padStart(3, '0')}`);
      const objects = Object.values(configMapFiles(namespace, TARGETS));
      const applications = Object.fromEntries(
        names.map((name, index) => [`${name}/config.yaml`, objects[index] ?? '']),
      );
      const files = { ...declaring(names), ...below('apps', applications) };
      await bench.push({ ...files, 'README.md': 'first' });
      await bench.runTargets();

      const walls: number[] = [];
      let renders = 0;
      let requests = 0;
      let behind = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const rendersBefore = world.renders.count;
        const requestsBefore = total(cluster.kube.requestCounts);
        const { wallMs } = await bench.push({ ...files, 'README.md': `round ${round}` });
        const ran = await bench.runTargets();
        walls.push(wallMs);
        renders += world.renders.count - rendersBefore + ran.length;
        requests += total(cluster.kube.requestCounts) - requestsBefore;
        const states = await allTargets(world);
        behind += states.filter(({ wanted, applied }) => {
          return wanted.kind !== 'revision' || applied?.revision !== wanted.revision;
        }).length;
      }
      await bench.close();
      if (behind > 0) throw new Error(`${behind} targets did not move to the new revision`);

      const directory = await cluster.directoryOf(applications);
      const peer = await cluster.kubectl([
        'apply',
        '--server-side',
        '--force-conflicts',
        '-v=6',
        '-R',
        '-f',
        directory,
      ]);
      return {
        rows: [
          { what: 'holdfast, source stage (all targets moved to the new revision)', value: spread(walls) },
          { what: `holdfast, renders in ${ROUNDS} pushes`, value: String(renders) },
          { what: `holdfast, requests to the cluster in ${ROUNDS} pushes`, value: String(requests) },
          { what: 'kubectl apply --server-side of the same files', value: milliseconds(peer.wallMs) },
          { what: 'kubectl, PATCH requests', value: String(requestsIn(peer, 'PATCH')) },
        ],
        target: {
          claim: 'no render and no request to the cluster',
          measured: `${renders} renders, ${requests} requests`,
          isMet: renders === 0 && requests === 0,
        },
      };
    },
  };
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
