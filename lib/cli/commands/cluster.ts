import type { Command } from 'commander';
import { importKubeconfig, type ImportedCluster } from '../../cluster/import-kubeconfig.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { ClusterName } from '../../model/ids.ts';
import { isGone } from '../../model/target-state.ts';
import { addCluster } from '../../register/add-cluster.ts';
import { removeCluster } from '../../register/remove-cluster.ts';
import { type Cli, type GlobalOptions, print, registerDeps, withInstallation } from '../cli.ts';
import { describeError, UsageError } from '../exit-codes.ts';
import { table } from '../output/table.ts';
import { ago, isoTime } from '../output/words.ts';
import { readText } from '../secret-input.ts';
import { addEks, EKS_OPTIONS, type EksAddOptions } from './cluster-eks.ts';
import { addClusterRbacCommand } from './cluster-rbac.ts';
import { printAdded, refuseOptions } from './cluster-added.ts';

interface AddOptions extends EksAddOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly readKubeconfig?: string;
  readonly readContext?: string;
  /** `--no-check` */
  readonly check: boolean;
}

const MAX_KUBECONFIG_BYTES = 1024 * 1024;
const CHECK_TIMEOUT_MS = 10_000;

export function addClusterCommand(program: Command, cli: Cli): void {
  const cluster = program.command('cluster').description('destinations');
  cluster
    .command('add')
    .argument('<name>', 'the name that definitions use: lower-case letters, digits and dashes')
    .description(
      'register a cluster, with two credentials of kubeconfigs (one that applies, one that only reads) or as an EKS cluster',
    )
    .option('--kubeconfig <file>', 'its user applies (- for standard input)')
    .option('--context <name>', 'default: its current-context')
    .option('--read-kubeconfig <file>', 'its user only reads, for the drift scan and for plans')
    .option(
      '--read-context <name>',
      'default: the current-context of the file; alone, a context of --kubeconfig',
    )
    .option(
      '--eks <cluster>',
      'an EKS cluster, by its name there; needs --region, and no credential is stored',
    )
    .option('--region <region>', 'of the EKS cluster')
    .option('--role-arn <arn>', 'assumed by who applies; default: the target stage comes as itself')
    .option('--external-id <id>', 'that the trust policy of --role-arn demands')
    .option('--read-role-arn <arn>', 'assumed by the drift scan; default: it comes as itself')
    .option('--read-external-id <id>', 'that the trust policy of --read-role-arn demands')
    .option('--endpoint <url>', 'of the EKS cluster; default: from eks:DescribeCluster')
    .option('--ca-file <file>', 'its CA as PEM; default: from eks:DescribeCluster')
    .option('--replace', 'change a registered cluster, for example to rotate its credentials')
    .option('--no-check', 'do not try to reach it from here first')
    .addHelpText(
      'after',
      `
Server, CA and credentials are copied; the file is not needed any more. A token or a client certificate is taken;
"exec", auth providers, references to files, basic authentication and insecure-skip-tls-verify are refused.

Examples:
  holdfast cluster add prod-eu --kubeconfig prod.yaml --context deployer --read-context reader
  holdfast cluster add prod-us --eks prod --region us-east-1
  kubectl config view --raw --minify --flatten | holdfast cluster add kind --kubeconfig -`,
    )
    .action(async (name: string, _options, command: Command) => {
      await runAdd(cli, name, command.optsWithGlobals<AddOptions>());
    });
  addClusterRbacCommand(cluster, cli);
  cluster
    .command('list')
    .description('the registered clusters')
    .action(async (_options, command: Command) => {
      await runList(cli, command.optsWithGlobals<GlobalOptions>());
    });
  cluster
    .command('remove')
    .argument('<name>')
    .option('--force', 'also while applications are deployed to it; what is there stays there')
    .description('forget a cluster and its credentials')
    .action(async (name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly force?: boolean }>();
      await withInstallation(cli, options, async (installation) => {
        await removeCluster(registerDeps(cli, installation), name, { force: options.force ?? false });
        print(cli, options, { removed: name }, () => [`Removed cluster ${name} and its credentials.`]);
      });
    });
}

async function runAdd(cli: Cli, name: string, options: AddOptions): Promise<void> {
  if ((options.kubeconfig === undefined) === (options.eks === undefined)) {
    throw new UsageError('give either --kubeconfig, or --eks with --region');
  }
  if (options.eks === undefined) return addWithCredentials(cli, name, options);
  refuseOptions(options, KUBECONFIG_OPTIONS, 'is for kubeconfigs: give --kubeconfig, or leave it out');
  return addEks(cli, name, options);
}

const KUBECONFIG_OPTIONS = ['context', 'readKubeconfig', 'readContext'] as const;

async function addWithCredentials(cli: Cli, name: string, options: AddOptions): Promise<void> {
  refuseOptions(options, EKS_OPTIONS, 'is for EKS clusters: give --eks, or leave it out');
  const { apply, read } = await importBoth(cli, options);
  let serverVersion: string | undefined;
  if (options.check) {
    serverVersion = await checkReachable(name, apply, 'apply');
    await checkReachable(name, read, 'read');
  }
  await withInstallation(cli, options, async (installation) => {
    const added = await addCluster(registerDeps(cli, installation), {
      name,
      endpoint: apply.endpoint,
      ...(apply.caData === undefined ? {} : { caData: apply.caData }),
      apply: apply.credential,
      read: read.credential,
      replace: options.replace ?? false,
    });
    const warnings = added.sameCredential
      ? [
          'the read credential is the apply credential, so the drift scan could write: give --read-kubeconfig or --read-context with one that only reads',
        ]
      : [];
    printAdded(cli, options, added, warnings, serverVersion);
  });
}

async function importBoth(
  cli: Cli,
  options: AddOptions,
): Promise<{ readonly apply: ImportedCluster; readonly read: ImportedCluster }> {
  if (options.kubeconfig === '-' && options.readKubeconfig === '-') {
    throw new UsageError('only one kubeconfig can come from standard input: put the other into a file');
  }
  const load = (option: string, file: string) =>
    file === '-' ? cli.io.readStdin() : readText(option, file, MAX_KUBECONFIG_BYTES);
  const text = await load('--kubeconfig', options.kubeconfig ?? '');
  const importFrom = (content: string, context: string | undefined) =>
    importKubeconfig(content, { allowLoopbackHttp: true, ...(context === undefined ? {} : { context }) });
  const apply = importFrom(text, options.context);
  const { readKubeconfig, readContext } = options;
  const read =
    readKubeconfig !== undefined
      ? importFrom(await load('--read-kubeconfig', readKubeconfig), readContext)
      : readContext !== undefined
        ? importFrom(text, readContext)
        : apply;
  if (read.endpoint !== apply.endpoint) {
    throw new HoldfastError(
      'invalid-input',
      `the read credential is for ${read.endpoint}, the apply credential for ${apply.endpoint}: give two contexts of one cluster`,
    );
  }
  return { apply, read };
}

/** @throws HoldfastError that says which of the two credentials did not get through, and why */
async function checkReachable(
  name: string,
  imported: ImportedCluster,
  role: 'apply' | 'read',
): Promise<string> {
  const { connectKube } = await import('../../cluster/connect-kube.ts');
  const kube = connectKube({
    name: name as ClusterName,
    endpoint: imported.endpoint,
    ...(imported.caData === undefined ? {} : { caData: imported.caData }),
    credential: imported.credential,
    requestTimeoutMs: CHECK_TIMEOUT_MS,
  });
  try {
    // Discovery needs a valid credential; the version alone is shown to everybody.
    await kube.discovery({ deadline: performance.now() + CHECK_TIMEOUT_MS });
    return await kube.serverVersion({ deadline: performance.now() + CHECK_TIMEOUT_MS });
  } catch (cause) {
    throw new HoldfastError(
      'kube-unreachable',
      `context "${imported.context}" (to ${role}) at ${imported.endpoint}: ${describeError(cause)}; correct it, or give --no-check if only the installation can reach it`,
      { cause },
    );
  } finally {
    await kube.close();
  }
}

interface ClusterRow {
  readonly cluster: string;
  readonly endpoint: string;
  readonly targets: number;
  readonly scannedAt?: string;
  readonly error?: string;
}

async function runList(cli: Cli, options: GlobalOptions): Promise<void> {
  await withInstallation(cli, options, async ({ deps }) => {
    const rows: ClusterRow[] = [];
    for (const cluster of await deps.state.listClusters()) {
      const scan = await deps.state.getClusterScan(cluster.name);
      const states = await deps.state.getTargets(await deps.state.listTargets(cluster.name));
      const targets = [...states.values()].filter((state) => !isGone(state));
      const scannedAt = isoTime(scan?.scannedAt);
      rows.push({
        cluster: cluster.name,
        endpoint: cluster.endpoint,
        targets: targets.length,
        ...(scannedAt === undefined ? {} : { scannedAt }),
        ...(scan?.error === undefined ? {} : { error: scan.error }),
      });
    }
    print(cli, options, { clusters: rows }, () =>
      rows.length === 0
        ? ['No clusters: register one with "holdfast cluster add".']
        : table(
            ['CLUSTER', 'ENDPOINT', 'TARGETS', 'SCANNED', 'ERROR'],
            rows.map((row) => [
              row.cluster,
              row.endpoint,
              String(row.targets),
              ago(cli.io.now(), row.scannedAt === undefined ? undefined : Date.parse(row.scannedAt)),
              row.error ?? '',
            ]),
          ),
    );
  });
}
