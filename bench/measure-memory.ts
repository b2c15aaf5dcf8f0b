import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type BoxTour,
  configMapApplication,
  configMapsOf,
  openBoxTour,
  settledAt,
  targetIn,
} from '../test/box/box-tour.ts';
import type { BoxFunction } from '../test/box/box.ts';
import type { BenchCluster } from './bench-cluster.ts';
import { megabytes, type Measurement, type Outcome } from './measure.ts';

const OBJECTS = 1_000;
const APPLICATION = 'memory';
/** Of the configured memory: what is above it, a larger target or a render takes. */
const MOST_SHARE = 0.5;

/** Peak memory of the deployed functions for a target of many objects, in the stack in a box. */
export function measureMemory(cluster: BenchCluster, kubeconfig: string): Measurement {
  return {
    name: 'memory',
    title: `Peak memory of each function for a target of ${OBJECTS} objects, in the stack in a box`,
    async run(): Promise<Outcome> {
      const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-bench-memory-'));
      const namespace = await cluster.newNamespace();
      const tour = await openBoxTour(directory, kubeconfig, randomBytes(4).toString('hex'));
      try {
        return await measureOf(tour, namespace);
      } finally {
        await tour.close();
        await rm(directory, { recursive: true, force: true });
      }
    },
  };
}

async function measureOf(tour: BoxTour, namespace: string): Promise<Outcome> {
  const { box, world } = tour;
  const values = Object.fromEntries(
    Array.from({ length: OBJECTS }, (_, index) => [`object-${index}`, 'x'.repeat(1_000)]),
  );
  const commit = await world.workTree.push(`${OBJECTS} objects`, {
    ...configMapApplication(tour.names, APPLICATION, namespace),
    ...configMapsOf(APPLICATION, values),
  });
  await settledAt(tour, targetIn(tour, APPLICATION), commit);
  await box.fire('drift-scan');
  const peaks = await Promise.all(
    Object.entries(box.functions).map(async ([role, each]) => ({
      role,
      peakBytes: await peakOf(each),
      memoryBytes: each.spec.memoryMb * 1024 * 1024,
    })),
  );
  return {
    rows: peaks.map(({ role, peakBytes, memoryBytes }) => ({
      what: role,
      value: `${megabytes(peakBytes)} of ${megabytes(memoryBytes)}`,
    })),
    target: {
      claim: `at most ${MOST_SHARE} of the memory of each function`,
      measured: peaks.map(({ role, peakBytes }) => `${role} ${megabytes(peakBytes)}`).join(', '),
      isMet: peaks.every(
        ({ peakBytes, memoryBytes }) => peakBytes > 0 && peakBytes <= MOST_SHARE * memoryBytes,
      ),
    },
  };
}

/** The most of any process that ran the function: the kernel's own high-water mark. */
async function peakOf(each: BoxFunction): Promise<number> {
  const peaks = await Promise.all(
    each.pids().map(async (pid) => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      return Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
    }),
  );
  return Math.max(0, ...peaks);
}
