import { Command, CommanderError, Option } from 'commander';
import { printable } from '../plan/printable.ts';
import type { Cli, CliIo, Installation } from './cli.ts';
import { addBootstrapCommand } from './commands/bootstrap.ts';
import { addClusterCommand } from './commands/cluster.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addDriftCommand } from './commands/drift.ts';
import { addHistoryCommand } from './commands/history.ts';
import { addLocalCommand } from './commands/local.ts';
import { addPlanCommand } from './commands/plan.ts';
import { addReconcileCommand } from './commands/reconcile.ts';
import { addRenderCommand } from './commands/render.ts';
import { addSecretCommand } from './commands/secret.ts';
import { addSourceCommand } from './commands/source.ts';
import { addStatusCommand } from './commands/status.ts';
import { addTourCommand } from './commands/tour.ts';
import type { DescribeEksCluster } from './describe-eks-cluster.ts';
import { describeError, EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts';
import { processIo } from './process-io.ts';

export interface RunOptions {
  readonly io: CliIo;
  /** @default connectLocal: the installation of the state directory */
  readonly connect?: (directory: string) => Promise<Installation>;
  /** @default with the AWS SDK and the credentials of this shell */
  readonly describeEksCluster?: DescribeEksCluster;
}

const DEFAULT_STATE_DIRECTORY = '.holdfast';

/** The command line, without the process around it. Never throws: what goes wrong is one line and an exit code. */
export async function runCli(argv: readonly string[], options: RunOptions): Promise<ExitCode> {
  const { io } = options;
  let code: ExitCode = EXIT.ok;
  const cli: Cli = {
    io,
    exit: (given) => {
      code = given;
    },
    connect: options.connect ?? connect,
    connectStack,
    describeEksCluster: options.describeEksCluster ?? describeEks,
  };
  try {
    await buildProgram(cli).parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    // Commander has said it already.
    if (!(error instanceof CommanderError)) io.err(`error: ${printable(describeError(error))}\n`);
    if (io.env['HOLDFAST_DEBUG'] && error instanceof Error) io.err(`${error.stack}\n`);
    return exitCodeOf(error);
  }
}

/** Loaded when it is needed: help and usage errors should not wait for it. */
async function connect(directory: string): Promise<Installation> {
  const { connectLocal } = await import('../local/connect-local.ts');
  return connectLocal(directory);
}

async function connectStack(file: string): Promise<Installation> {
  const { connectStack } = await import('./connect-stack.ts');
  return connectStack(file);
}

const describeEks: DescribeEksCluster = async (clusterName, region) => {
  const { describeEksCluster } = await import('./describe-eks-cluster.ts');
  return describeEksCluster(clusterName, region);
};

/** The entry point of bin/holdfast.js. */
export async function main(argv: readonly string[]): Promise<void> {
  process.exitCode = await runCli(argv, { io: processIo() });
  // A connection that is kept alive must not keep a finished command waiting.
  setTimeout(() => process.exit(), 500).unref();
}

function buildProgram(cli: Cli): Command {
  const { io } = cli;
  const program = new Command('holdfast')
    .description('Serverless GitOps for Kubernetes: what Git says, holds fast.')
    .addOption(
      new Option('--state-dir <directory>', 'of the local installation')
        .env('HOLDFAST_STATE_DIR')
        .default(DEFAULT_STATE_DIRECTORY),
    )
    .addOption(
      new Option(
        '--stack-outputs <file>',
        'of an installation in AWS, as "cdk deploy --outputs-file" writes it; instead of --state-dir',
      ).env('HOLDFAST_STACK_OUTPUTS'),
    )
    .addOption(
      new Option('--output <format>', 'tables for people, JSON for programs')
        .choices(['table', 'json'])
        .default('table'),
    )
    .helpCommand(true)
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 error, 2 changes or drift found (plan, drift), 3 not found, 64 wrong usage.
Errors are one line on standard error; HOLDFAST_DEBUG=1 adds where they come from.

Example, from nothing to a deployed application:
  holdfast local --sandbox &
  holdfast source add shop --url https://github.com/acme/shop --provider github --token-file token.txt
  holdfast bootstrap main --source shop --path clusters/sandbox --cluster sandbox
  holdfast status --wait 60`,
    );
  addLocalCommand(program, cli);
  addSourceCommand(program, cli);
  addClusterCommand(program, cli);
  addSecretCommand(program, cli);
  addBootstrapCommand(program, cli);
  addStatusCommand(program, cli);
  addHistoryCommand(program, cli);
  addPlanCommand(program, cli);
  addReconcileCommand(program, cli);
  addDriftCommand(program, cli);
  addRenderCommand(program, cli);
  addDoctorCommand(program, cli);
  addTourCommand(program, cli);
  configure(program, io);
  return program;
}

/** Subcommands do not inherit these. */
function configure(command: Command, io: CliIo): void {
  command.exitOverride();
  command.configureOutput({
    writeOut: (text) => io.out(text),
    writeErr: (text) => io.err(text),
    getOutHelpWidth: () => 110,
    getErrHelpWidth: () => 110,
  });
  for (const child of command.commands) configure(child, io);
}
