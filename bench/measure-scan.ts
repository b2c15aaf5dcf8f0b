import { scanCluster } from '../lib/reconcile/scan-cluster.ts';
import { CLUSTER, type BenchCluster } from './bench-cluster.ts';
import { benchWorld, declaring } from './bench-world.ts';
import { below, configMapFiles } from './config-maps.ts';
import {
  alternating,
  median,
  megabytes,
  pairedRatio,
  milliseconds,
  ratioText,
  spread,
  timed,
  withPeakMemory,
  type Measurement,
  type Outcome,
} from './measure.ts';

const APPLICATIONS = 10;
const OBJECTS_EACH = 1_000;
const ROUNDS = 3;

/** Judging many clean objects, beside `kubectl diff --server-side` of the same files. */
export function measureScan(cluster: BenchCluster): Measurement {
  const objects = APPLICATIONS * OBJECTS_EACH;
  return {
    name: 'scan',
    title: `Judging ${objects} clean ConfigMaps of ${APPLICATIONS} targets, beside kubectl diff --server-side`,
    async run(): Promise<Outcome> {
      const bench = await benchWorld(cluster.kube, 'bench-scan');
      const { deps } = bench.world;
      const names = Array.from({ length: APPLICATIONS }, (_, index) => `app-${index}`);
      const applications: Record<string, string> = {};
      for (const name of names) {
        Object.assign(applications, below(name, configMapFiles(await cluster.newNamespace(), OBJECTS_EACH)));
      }
      await bench.push({ ...declaring(names), ...below('apps', applications) });
      await bench.runTargets();
      const directory = await cluster.directoryOf(applications);

      const ours: number[] = [];
      const peaks: number[] = [];
      const kubectl: number[] = [];
      const peerPeaks: number[] = [];
      let requests = '';
      await alternating(ROUNDS, [
        async () => {
          const { peakBytes, value } = await withPeakMemory(() =>
            timed(() => scanCluster(deps, CLUSTER, performance.now() + 300_000)),
          );
          const { clean, drifted, unknown, discarded } = value.value;
          if (clean !== objects || drifted + unknown + discarded > 0) {
            throw new Error(`not all clean: ${JSON.stringify(value.value)}`);
          }
          ours.push(value.wallMs);
          peaks.push(peakBytes);
          const sent = Object.entries(value.value.requests).filter(([, count]) => count > 0);
          requests = sent.map(([verb, count]) => `${count} ${verb}`).join(', ');
        },
        async () => {
          const run = await cluster.kubectl(['diff', '--server-side', '-R', '-f', directory]);
          kubectl.push(run.wallMs);
          if (run.peakBytes !== undefined) peerPeaks.push(run.peakBytes);
        },
      ]);
      await bench.close();
      const ratio = pairedRatio(ours, kubectl);
      return {
        rows: [
          { what: 'holdfast, drift scan of the cluster', value: spread(ours) },
          { what: 'holdfast, requests of one scan', value: requests },
          {
            what: 'holdfast, peak memory (the whole benchmark process, DynamoDB emulator included)',
            value: megabytes(Math.max(...peaks)),
          },
          { what: 'kubectl diff --server-side', value: spread(kubectl) },
          {
            what: 'kubectl, peak memory',
            value: peerPeaks.length === 0 ? 'not measured here' : megabytes(Math.max(...peerPeaks)),
          },
          { what: 'kubectl, for each object', value: milliseconds(median(kubectl) / objects) },
        ],
        target: {
          claim: "at most 0.05 of kubectl's wall time",
          measured: ratioText(ratio),
          isMet: ratio <= 0.05,
        },
      };
    },
  };
}
