import { arch, cpus, platform, totalmem } from 'node:os';
import { LAYER_BINARIES } from '../lib/render/tools.ts';
import { openBenchCluster, type BenchCluster } from './bench-cluster.ts';
import { measurePlanExecution } from './measure-apply.ts';
import { measureNewObjects, measureOneChange } from './measure-reconcile.ts';
import { measureScan } from './measure-scan.ts';
import { measureUntouchedTargets } from './measure-untouched.ts';
import type { Measurement } from './measure.ts';

/**
 * `npm run bench [-- NAME...]`: every measurement beside its peer, in the same run, as Markdown on standard output.
 * Ends with 1 when a target is missed. Needs a real cluster in HOLDFAST_TEST_KUBECONFIGS, which it fills and empties.
 */
async function main(names: readonly string[]): Promise<number> {
  const [kubeconfig] = (process.env['HOLDFAST_TEST_KUBECONFIGS'] ?? '').split(':').filter(Boolean);
  if (kubeconfig === undefined) {
    console.log('Every measurement needs a real cluster and is skipped:');
    console.log(
      'set HOLDFAST_TEST_KUBECONFIGS to the path of a kubeconfig of one that may be filled and emptied.',
    );
    return 0;
  }
  const cluster = await openBenchCluster(kubeconfig);
  try {
    const all = [
      measureNewObjects(cluster),
      measurePlanExecution(cluster),
      measureOneChange(cluster),
      measureUntouchedTargets(cluster),
      measureScan(cluster),
    ];
    const unknown = names.filter((name) => !all.some((each) => each.name === name));
    if (unknown.length > 0) {
      console.error(`unknown: ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`);
      return 64;
    }
    console.log(`${machine(cluster)}\n`);
    return await measureAll(all.filter(({ name }) => names.length === 0 || names.includes(name)));
  } finally {
    await cluster.close();
  }
}

async function measureAll(measurements: readonly Measurement[]): Promise<number> {
  const missed: string[] = [];
  for (const { name, title, run } of measurements) {
    console.log(`## ${title}\n`);
    const { rows, target } = await run();
    console.log('| what | measured |\n|---|---|');
    for (const row of rows) console.log(`| ${row.what} | ${row.value} |`);
    console.log(`\n**${target.measured}**: ${target.claim}: ${target.isMet ? 'met' : 'MISSED'}.\n`);
    if (!target.isMet) missed.push(name);
  }
  if (missed.length > 0) console.log(`missed: ${missed.join(', ')}`);
  return missed.length > 0 ? 1 : 0;
}

/** What the numbers depend on, and nothing that names a machine. */
function machine(cluster: BenchCluster): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? 'unknown processor';
  const gigabytes = Math.round(totalmem() / 1024 ** 3);
  return [
    `${processors.length} × ${model}, ${gigabytes} GB, ${platform()} ${arch()},`,
    `Node ${process.versions.node}, kubectl ${LAYER_BINARIES.kubectl.version},`,
    `Kubernetes ${cluster.serverVersion} with its etcd on the same machine.`,
  ].join(' ');
}

process.exitCode = await main(process.argv.slice(2));
