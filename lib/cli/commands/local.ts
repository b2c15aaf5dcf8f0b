import { once } from 'node:events';
import { isAbsolute, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { createJsonLog } from '../../compose/json-log.ts';
import { startLocal, type LocalRuntime } from '../../local/local-installation.ts';
import { registerSandbox, SANDBOX_NAME, startSandbox } from '../../local/registered-sandbox.ts';
import type { SandboxCluster } from '../../local/sandbox/start-sandbox-cluster.ts';
import type { Log } from '../../model/log.ts';
import { DEFAULT_TIMINGS } from '../../reconcile/deps.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { parseInterval, parsePort } from '../options.ts';
import { createConsoleLog } from '../output/console-log.ts';

interface LocalCommandOptions extends GlobalOptions {
  readonly port?: number;
  readonly sandbox?: boolean;
  readonly sweep: number;
  readonly scan: number;
  readonly lease: number;
}

export function addLocalCommand(program: Command, cli: Cli): void {
  program
    .command('local')
    .description('run an installation on this machine, until Ctrl-C')
    .option(
      '--port <port>',
      'of the webhook endpoint (default: the one of the last start, or any)',
      parsePort,
    )
    .option('--sandbox', `also start a sandbox cluster, registered as "${SANDBOX_NAME}"`)
    .option('--sweep <seconds>', 'how often sources are looked at without a push', parseInterval, 60)
    .option('--scan <seconds>', 'how often clusters are scanned for drift', parseInterval, 60)
    .option(
      '--lease <seconds>',
      'how long a target stays locked when this process is killed',
      parseInterval,
      DEFAULT_TIMINGS.leaseMs / 1000,
    )
    .addHelpText(
      'after',
      `
The same functions as in AWS, on emulators in this process; everything is kept in the state directory, and a killed
process loses nothing. Other commands find it by the same --state-dir.

Examples:
  holdfast local --sandbox
  holdfast local --state-dir ~/.holdfast --port 8080`,
    )
    .action(async (_options, command: Command) => {
      await run(cli, command.optsWithGlobals<LocalCommandOptions>());
    });
}

async function run(cli: Cli, options: LocalCommandOptions): Promise<void> {
  const { io } = cli;
  const directory = resolve(options.stateDir);
  const log = createLog(cli);
  const stopped = once(io.stop, 'abort');
  const runtime = await startLocal({
    directory,
    ...(options.port === undefined ? {} : { port: options.port }),
    timings: { ...DEFAULT_TIMINGS, leaseMs: options.lease * 1000 },
    sweepSeconds: options.sweep,
    scanSeconds: options.scan,
    log,
  });
  let sandbox: SandboxCluster | undefined;
  try {
    const lines = [`Holdfast runs in ${directory}`, `  webhooks    ${runtime.webhookUrl}/<source>`];
    if (options.sandbox === true) {
      sandbox = await startSandbox(directory, runtime.formerPorts[SANDBOX_NAME]);
      const kubeconfig = await addSandbox(runtime, sandbox, log);
      lines.push(`  sandbox     ${sandbox.url} (kubeconfig ${kubeconfig})`);
    }
    lines.push(
      `  status      holdfast status${stateDirOption(io.env, options.stateDir)}`,
      'Ctrl-C stops it.',
    );
    io.out(
      options.output === 'json'
        ? `${JSON.stringify({ directory, webhookUrl: runtime.webhookUrl, ...(sandbox === undefined ? {} : { sandboxUrl: sandbox.url }) })}\n`
        : `${lines.join('\n')}\n`,
    );
    if (!io.stop.aborted) await stopped;
    io.err('Stopping; what is under way is finished first (Ctrl-C again: at once).\n');
  } finally {
    await runtime.close();
    await sandbox?.close();
  }
}

async function addSandbox(runtime: LocalRuntime, sandbox: SandboxCluster, log: Log): Promise<string> {
  await runtime.saveExtraPorts({ [SANDBOX_NAME]: Number(new URL(sandbox.url).port) });
  const { deps, secrets, directory } = runtime;
  return registerSandbox(
    {
      installation: deps.installation,
      state: deps.state,
      queue: deps.queue,
      secrets,
      now: () => deps.clock.now(),
      newId: deps.newId,
      log,
    },
    sandbox,
    directory,
  );
}

/** Lines for people on a terminal; elsewhere JSON, as the functions write it in AWS. */
function createLog(cli: Cli): Log {
  const write = (line: string) => cli.io.err(line);
  return cli.io.colours
    ? createConsoleLog(write, { now: () => new Date(cli.io.now()) })
    : createJsonLog(write);
}

function stateDirOption(env: Cli['io']['env'], stateDir: string): string {
  const isDefault = stateDir === (env['HOLDFAST_STATE_DIR'] ?? '.holdfast');
  if (isDefault) return '';
  const shown = isAbsolute(stateDir) ? stateDir : relative(process.cwd(), resolve(stateDir)) || '.';
  return ` --state-dir ${shown}`;
}
