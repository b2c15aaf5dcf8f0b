import type { Command } from 'commander';
import type { Digest } from '../../model/ids.ts';
import type { TargetState } from '../../model/target-state.ts';
import { requestTargets, type RequestOutcome } from '../../register/request-target.ts';
import type { StateStore } from '../../state/state-store.ts';
import { type Cli, type GlobalOptions, print, registerDeps, withInstallation } from '../cli.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { parseSeconds } from '../options.ts';
import { table } from '../output/table.ts';
import { poll } from '../poll.ts';
import { selectTargets } from '../select-targets.ts';

interface ReconcileOptions extends GlobalOptions {
  readonly cluster?: string;
  readonly allowPrune?: string;
  readonly wait?: number;
}

/** How a request ended; `waiting`: not waited for, or not done in time. */
interface ReconcileResult {
  readonly application: string;
  readonly target: string;
  readonly cluster: string;
  readonly result: 'requested' | 'succeeded' | 'failed' | 'resting' | 'waiting';
  readonly message: string;
}

export function addReconcileCommand(program: Command, cli: Cli): void {
  program
    .command('reconcile')
    .argument('<application>', 'namespace/name, root/name, or the beginning of a target id')
    .description('look at its source and run it now, whatever back-off it is in')
    .option('--cluster <name>', 'only on this cluster')
    .option('--allow-prune <digest>', 'permit the deletion that is held back, as its message says, once')
    .option(
      '--wait <seconds>',
      'wait for the run; exit code 1 if it fails or is not done by then',
      parseSeconds,
    )
    .addHelpText(
      'after',
      `
What is wanted now is run, and the source is looked at: a newer commit is applied right after.

Examples:
  holdfast reconcile shop/web --wait 60
  holdfast reconcile shop/web --cluster prod-eu --allow-prune 5d41402abc4b2a76b9719d911017c592...`,
    )
    .action(async (application: string, _options, command: Command) => {
      await run(cli, application, command.optsWithGlobals<ReconcileOptions>());
    });
}

async function run(cli: Cli, application: string, options: ReconcileOptions): Promise<void> {
  const { cluster, allowPrune } = options;
  if (allowPrune !== undefined && !/^[0-9a-f]{64}$/.test(allowPrune)) {
    throw new UsageError('--allow-prune: give the whole digest of the message, 64 hex digits');
  }
  await withInstallation(cli, options, async (installation) => {
    const targets = await selectTargets(
      installation.deps.state,
      application,
      cluster === undefined ? {} : { cluster },
    );
    const outcomes = await requestTargets(
      registerDeps(cli, installation),
      targets,
      allowPrune as Digest | undefined,
    );
    const results: ReconcileResult[] = [];
    const deadline = performance.now() + (options.wait ?? 0) * 1000;
    for (const [index, outcome] of outcomes.entries()) {
      const before = targets[index];
      if (before === undefined) continue;
      const seconds = Math.max(0, (deadline - performance.now()) / 1000);
      results.push(
        await resultOf(
          cli,
          installation.deps.state,
          before,
          outcome,
          options.wait === undefined ? undefined : seconds,
        ),
      );
    }
    print(cli, options, { targets: results }, () =>
      table(
        ['APPLICATION', 'CLUSTER', 'RESULT', 'MESSAGE'],
        results.map((each) => [each.application, each.cluster, each.result, each.message]),
      ),
    );
    if (results.some(({ result }) => result === 'failed' || result === 'waiting')) cli.exit(EXIT.error);
  });
}

async function resultOf(
  cli: Cli,
  state: StateStore,
  before: TargetState,
  outcome: RequestOutcome,
  waitSeconds: number | undefined,
): Promise<ReconcileResult> {
  const { title: application, target, cluster } = before;
  const result = (word: ReconcileResult['result'], message: string): ReconcileResult => ({
    application,
    target,
    cluster,
    result: word,
    message,
  });
  if (outcome.kind === 'resting') {
    const { wanted } = before;
    return wanted.kind === 'invalid'
      ? result('resting', `its source is looked at again; as it was last seen: ${wanted.error.message}`)
      : result('resting', 'suspended, or gone: there is nothing to run');
  }
  if (waitSeconds === undefined) return result('requested', 'runs now; "holdfast history" shows the result');
  const ended = await poll(
    async () => {
      const now = await state.getTarget(target);
      if (now === undefined || now.lease !== undefined || now.lastRun === undefined) return undefined;
      if (now.handled >= outcome.requested) return result('succeeded', now.lastRun.message);
      const isNewRun = now.lastRun.id !== before.lastRun?.id;
      return isNewRun && now.lastRun.outcome === 'failed' ? result('failed', now.lastRun.message) : undefined;
    },
    { seconds: waitSeconds, stop: cli.io.stop },
  );
  return ended ?? result('waiting', 'not done yet; "holdfast status" shows where it stands');
}
