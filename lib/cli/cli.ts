import type { Environment } from '../compose/names.ts';
import type { LocalConnection } from '../local/connect-local.ts';
import type { RegisterDeps } from '../register/deps.ts';
import type { DescribeEksCluster } from './describe-eks-cluster.ts';
import type { ExitCode } from './exit-codes.ts';

/** What a command has of the world; tests give their own. */
export interface CliIo {
  out(text: string): void;
  err(text: string): void;
  readStdin(): Promise<string>;
  readonly env: Environment;
  /** Whether `out` is a terminal that shows colours. */
  readonly colours: boolean;
  now(): number;
  /** Aborted by Ctrl-C; a second one ends the process at once. */
  readonly stop: AbortSignal;
}

export type Installation = LocalConnection;
export type OutputFormat = 'table' | 'json';

/** Given to every command. */
export interface Cli {
  readonly io: CliIo;
  /** Sets what the process ends with. */
  exit(code: ExitCode): void;
  connect(directory: string): Promise<Installation>;
  /** By the outputs of a stack in AWS. */
  connectStack(file: string): Promise<Installation>;
  readonly describeEksCluster: DescribeEksCluster;
}

export interface GlobalOptions {
  readonly stateDir: string;
  /** Given: an installation in AWS, and not the local one. */
  readonly stackOutputs?: string;
  readonly output: OutputFormat;
}

/** Opens the installation, and lets go of it however the command ends. */
export async function withInstallation<T>(
  cli: Cli,
  options: GlobalOptions,
  use: (installation: Installation) => Promise<T>,
): Promise<T> {
  const installation = await (options.stackOutputs === undefined
    ? cli.connect(options.stateDir)
    : cli.connectStack(options.stackOutputs));
  try {
    return await use(installation);
  } finally {
    await installation.close();
  }
}

export function registerDeps(cli: Cli, installation: Installation): RegisterDeps {
  const { deps, secrets } = installation;
  return {
    installation: installation.installation,
    state: deps.state,
    queue: deps.queue,
    secrets,
    now: () => cli.io.now(),
    newId: deps.newId,
    log: deps.log,
  };
}

/** The document for programs, or the lines for people. */
export function print(
  cli: Cli,
  options: GlobalOptions,
  document: unknown,
  lines: () => readonly string[],
): void {
  const text = options.output === 'json' ? JSON.stringify(document, undefined, 2) : lines().join('\n');
  if (text !== '') cli.io.out(`${text}\n`);
}
