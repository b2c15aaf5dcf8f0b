import { arch, cpus, platform, totalmem } from 'node:os';
import { LAYER_BINARIES } from '../lib/render/tools.ts';
import { openBenchCluster, type BenchCluster } from './bench-cluster.ts';
import { measurePlanExecution } from './measure-apply.ts';
import { measureBundles } from './measure-bundles.ts';
import { measureFlood } from './measure-flood.ts';
import { measureMemory } from './measure-memory.ts';
import { measureNewObjects, measureOneChange } from './measure-reconcile.ts';
import { measureScan } from './measure-scan.ts';
import { measureUntouchedTargets } from './measure-untouched.ts';
import type { Measurement } from './measure.ts';
import { measureRenderChart, measureRenderKustomize, measureRenderPlain } from './render-documents.ts';
import { measureRenderRepository, measureRenderUnchanged } from './render-repository.ts';

/**
 * `npm run bench [-- NAME...]`: every measurement beside its peer, in the same run, as Markdown on standard output.
 * Ends with 1 when a target is missed. Most need a real cluster in HOLDFAST_TEST_KUBECONFIGS, which they fill and empty.
 */
async function main(names: readonly string[]): Promise<number> {
  const [kubeconfig] = (process.env['HOLDFAST_TEST_KUBECONFIGS'] ?? '').split(':').filter(Boolean);
  const cluster = kubeconfig === undefined ? undefined : await openBenchCluster(kubeconfig);
  try {
    const onCluster =
      cluster === undefined || kubeconfig === undefined
        ? []
        : [
            measureNewObjects(cluster),
            measurePlanExecution(cluster),
            measureOneChange(cluster),
            measureUntouchedTargets(cluster),
            measureScan(cluster),
            measureMemory(cluster, kubeconfig),
          ];
    const all = [
      ...onCluster,
      measureRenderPlain(),
      measureRenderKustomize(),
      measureRenderChart(),
      measureRenderRepository(),
      measureRenderUnchanged(),
      measureBundles(),
      measureFlood(),
    ];
    const unknown = names.filter((name) => !all.some((each) => each.name === name));
    if (unknown.length > 0) {
      console.error(`unknown: ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`);
      if (cluster === undefined) console.error(WITHOUT_CLUSTER);
      return 64;
    }
    console.log(`${machine(cluster)}\n`);
    if (cluster === undefined) console.log(`${WITHOUT_CLUSTER}\n`);
    return await measureAll(all.filter(({ name }) => names.length === 0 || names.includes(name)));
  } finally {
    await cluster?.close();
  }
}

const WITHOUT_CLUSTER =
  'The measurements that need a real cluster are skipped: set HOLDFAST_TEST_KUBECONFIGS to the path of a kubeconfig of one that may be filled and emptied.';

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
function machine(cluster: BenchCluster | undefined): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? 'unknown processor';
  const gigabytes = Math.round(totalmem() / 1024 ** 3);
  const parts = [
    `${processors.length} × ${model}, ${gigabytes} GB, ${platform()} ${arch()}`,
    `Node ${process.versions.node}`,
    `kubectl ${LAYER_BINARIES.kubectl.version}`,
    `helm ${LAYER_BINARIES.helm.version}`,
    ...(cluster === undefined
      ? []
      : [`Kubernetes ${cluster.serverVersion} with its etcd on the same machine`]),
  ];
  return `${parts.join(', ')}.`;
}

process.exitCode = await main(process.argv.slice(2));
