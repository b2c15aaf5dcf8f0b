import type { BenchCluster } from './bench-cluster.ts';
import { benchWorld, declaring } from './bench-world.ts';
import { below, configMapFiles } from './config-maps.ts';
import { requestsIn } from './kubectl.ts';
import {
  alternating,
  pairedRatio,
  milliseconds,
  ratioText,
  spread,
  type Measurement,
  type Outcome,
} from './measure.ts';

const OBJECTS = 1_000;
const ROUNDS = 5;
const WRITES = ['apply', 'patch', 'delete'];

/** A whole reconcile of new objects, source stage included, beside `kubectl apply --server-side` of the same files. */
export function measureNewObjects(cluster: BenchCluster): Measurement {
  return {
    name: 'new-objects',
    title: `A whole reconcile of ${OBJECTS} new ConfigMaps, beside kubectl apply --server-side`,
    async run(): Promise<Outcome> {
      const whole: number[] = [];
      const source: number[] = [];
      const target: number[] = [];
      const kubectl: number[] = [];
      await alternating(ROUNDS, [
        async (round) => {
          const namespace = await cluster.newNamespace();
          const bench = await benchWorld(cluster.kube, `bench-${round}`);
          const files = below('apps/web', configMapFiles(namespace, OBJECTS));
          const pushed = await bench.push({ ...declaring(['web']), ...files });
          const [ran] = (await bench.runTargets()).filter(({ run }) => run.counts.created === OBJECTS);
          await bench.close();
          if (ran === undefined) throw new Error(`no run created ${OBJECTS} objects`);
          source.push(pushed.wallMs);
          target.push(ran.wallMs);
          whole.push(pushed.wallMs + ran.wallMs);
        },
        async () => {
          const directory = await cluster.directoryOf(configMapFiles(await cluster.newNamespace(), OBJECTS));
          kubectl.push((await cluster.kubectl(['apply', '--server-side', '-f', directory])).wallMs);
        },
      ]);
      const ratio = pairedRatio(whole, kubectl);
      return {
        rows: [
          { what: 'holdfast, source and target stage', value: spread(whole) },
          { what: 'of that, the source stage', value: spread(source) },
          { what: 'of that, the target stage', value: spread(target) },
          { what: 'kubectl apply --server-side', value: spread(kubectl) },
        ],
        target: {
          claim: "at most 0.5 of kubectl's wall time",
          measured: ratioText(ratio),
          isMet: ratio <= 0.5,
        },
      };
    },
  };
}

/** One object of many changes: what is sent, beside what kubectl sends for the same change. */
export function measureOneChange(cluster: BenchCluster): Measurement {
  return {
    name: 'one-change',
    title: `One changed ConfigMap of ${OBJECTS}: requests sent, beside kubectl apply --server-side`,
    async run(): Promise<Outcome> {
      const namespace = await cluster.newNamespace();
      const bench = await benchWorld(cluster.kube, 'bench-change');
      const push = async (change?: { index: number; value: string }) => {
        const files = below('apps/web', configMapFiles(namespace, OBJECTS, change));
        await bench.push({ ...declaring(['web']), ...files });
        return await bench.runTargets();
      };
      await push();
      const walls: number[] = [];
      let requests: Readonly<Record<string, number>> = {};
      let writes = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const before = { ...cluster.kube.requestCounts };
        const [ran, ...others] = await push({ index: 7, value: `changed-${round}` });
        if (ran === undefined || others.length > 0) throw new Error('expected one run');
        if (ran.run.counts.changed !== 1) throw new Error(`run: ${JSON.stringify(ran.run.counts)}`);
        walls.push(ran.wallMs);
        requests = Object.fromEntries(
          Object.entries(cluster.kube.requestCounts).map(([verb, count]) => [
            verb,
            count - (before[verb] ?? 0),
          ]),
        );
        writes = Math.max(
          writes,
          WRITES.reduce((sum, verb) => sum + (requests[verb] ?? 0), 0),
        );
      }
      await bench.close();
      const files = configMapFiles(namespace, OBJECTS, { index: 7, value: 'peer' });
      const directory = await cluster.directoryOf(files);
      const peer = await cluster.kubectl([
        'apply',
        '--server-side',
        '--force-conflicts',
        '-v=6',
        '-f',
        directory,
      ]);
      const sent = Object.entries(requests).filter(([, count]) => count > 0);
      return {
        rows: [
          { what: 'holdfast, target stage', value: spread(walls) },
          {
            what: 'holdfast, requests of the last round',
            value: sent.map(([verb, count]) => `${count} ${verb}`).join(', '),
          },
          { what: 'kubectl apply --server-side', value: milliseconds(peer.wallMs) },
          { what: 'kubectl, PATCH requests', value: String(requestsIn(peer, 'PATCH')) },
        ],
        target: {
          claim: 'one write for one changed object',
          measured: `${writes} write`,
          isMet: writes === 1,
        },
      };
    },
  };
}
