import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createJsonLog } from '../compose/json-log.ts';
import { SANDBOX_NAME, startSandbox, writeSandboxKubeconfig } from '../local/registered-sandbox.ts';
import { runTour, type StepResult, tourSteps } from '../local/tour/run-tour.ts';
import { tourNames } from '../local/tour/tour-names.ts';
import { prepareTour, stateDirectoryOf, type TourWorld } from '../local/tour/tour-world.ts';
import { TourStoppedError } from '../local/tour/until.ts';
import type { Cli } from './cli.ts';
import { EXIT } from './exit-codes.ts';
import { tellStory } from './output/story.ts';

export interface TourOptions {
  /** End after the story. */
  readonly exit?: boolean;
  readonly keepDir?: boolean;
}

const LOG_FILE = 'functions.log';

/** The tour in a temporary directory, which is gone when it ends, however it ends. */
export async function runTourCommand(cli: Cli, options: TourOptions): Promise<void> {
  const { io } = cli;
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-tour-'));
  const { stop } = io;
  try {
    await tour(cli, options, directory);
  } catch (error) {
    if (!(error instanceof TourStoppedError) && !stop.aborted) throw error;
    io.out('\nStopped.\n');
    cli.exit(EXIT.error);
  } finally {
    if (options.keepDir === true) io.out(`Everything is left in ${directory}\n`);
    else await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function tour(cli: Cli, options: TourOptions, directory: string): Promise<void> {
  const { io } = cli;
  io.out('Holdfast: a push to Git reaches the clusters, and stays there. Nothing runs in them.\n');
  const startedAt = performance.now();
  const sandbox = await startSandbox(directory, undefined);
  try {
    const world = await prepareTour({
      directory,
      names: tourNames([SANDBOX_NAME]),
      clusters: [
        {
          name: SANDBOX_NAME,
          endpoint: sandbox.url,
          apply: { token: sandbox.token },
          read: { token: sandbox.readToken },
        },
      ],
      log: createJsonLog((line) => appendFileSync(join(directory, LOG_FILE), line)),
      stop: io.stop,
    });
    try {
      const kubeconfig = await writeSandboxKubeconfig(sandbox, directory);
      io.out(
        `On this machine, until it ends: a Git server, the three functions, their queues and tables (emulated), and a\nsandbox cluster at ${sandbox.url}.\n`,
      );
      const results = await runTour(
        world,
        tellStory((text) => io.out(text), io.colours),
      );
      const ok = report(cli, results, performance.now() - startedAt, directory);
      if (!ok) cli.exit(EXIT.error);
      if (options.exit === true) return;
      io.out(whatNow(world, directory, kubeconfig));
      const stopped = once(io.stop, 'abort');
      if (!io.stop.aborted) await stopped;
      io.out('\nStopping.\n');
    } finally {
      await world.close();
    }
  } finally {
    await sandbox.close();
  }
}

function report(cli: Cli, results: readonly StepResult[], tookMs: number, directory: string): boolean {
  const passed = results.filter(({ ok }) => ok).length;
  const all = tourSteps();
  const took = `${(tookMs / 1000).toFixed(1)} s`;
  cli.io.out(
    passed === all
      ? `\nAll ${all} steps came true, in ${took}.\n`
      : `\n${passed} of ${all} steps came true, in ${took}. What the functions said is in ${join(directory, LOG_FILE)}\n`,
  );
  return passed === all;
}

function whatNow(world: TourWorld, directory: string, kubeconfig: string): string {
  const stateDir = stateDirectoryOf(directory);
  const { staging } = world.names;
  return `
It stays up for your own pushes:

  git clone ${world.repositoryUrl}      change something, commit, git push

and to look at it, in another terminal, here:

  npx holdfast status --state-dir ${stateDir}
  npx holdfast history shop/staging --state-dir ${stateDir}
  npx holdfast plan shop/production --state-dir ${stateDir}
  npx holdfast drift --scan --state-dir ${stateDir}

The sandbox cluster answers to the credentials in ${kubeconfig}
(namespaces ${staging.namespace} and ${world.names.production.namespace}), the functions write to ${join(directory, LOG_FILE)}.
Ctrl-C stops everything and cleans up.
`;
}
