import { once } from 'node:events';
import { isAbsolute, relative, resolve } from 'node:path';
import { createJsonLog } from '../compose/json-log.ts';
import { type LocalRuntime, startLocal } from '../local/local-installation.ts';
import {
  registerSandbox,
  SANDBOX_NAME,
  startSandbox,
  writeSandboxKubeconfig,
} from '../local/registered-sandbox.ts';
import type { SandboxCluster } from '../local/sandbox/start-sandbox-cluster.ts';
import type { Log } from '../model/log.ts';
import { DEFAULT_TIMINGS } from '../reconcile/deps.ts';
import type { Cli, GlobalOptions } from './cli.ts';
import { createConsoleLog } from './output/console-log.ts';

export interface LocalCommandOptions extends GlobalOptions {
  readonly port?: number;
  readonly sandbox?: boolean;
  /** Seconds, all three. */
  readonly sweep: number;
  readonly scan: number;
  readonly lease: number;
  readonly remoteBase?: readonly string[];
  readonly chartOrigin?: readonly string[];
}

/** Runs a local installation until Ctrl-C. */
export async function runLocal(cli: Cli, options: LocalCommandOptions): Promise<void> {
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
    elsewhere: { remoteBases: options.remoteBase ?? [], chartOrigins: options.chartOrigin ?? [] },
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
  const { installation, state, queue, newId } = deps;
  await registerSandbox(
    { installation, state, queue, secrets, now: () => deps.clock.now(), newId, log },
    sandbox,
  );
  return writeSandboxKubeconfig(sandbox, directory);
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
