import type { Command } from 'commander';
import { DEFAULT_TIMINGS } from '../../reconcile/deps.ts';
import type { Cli } from '../cli.ts';
import { parseInterval, parsePort } from '../options.ts';
import type { LocalCommandOptions } from '../run-local.ts';

export function addLocalCommand(program: Command, cli: Cli): void {
  program
    .command('local')
    .description('run an installation on this machine, until Ctrl-C')
    .option(
      '--port <port>',
      'of the webhook endpoint (default: the one of the last start, or any)',
      parsePort,
    )
    .option('--sandbox', 'also start a sandbox cluster, registered as "sandbox"')
    .option('--sweep <seconds>', 'how often sources are looked at without a push', parseInterval, 60)
    .option('--scan <seconds>', 'how often clusters are scanned for drift', parseInterval, 60)
    .option(
      '--lease <seconds>',
      'how long a target stays locked when this process is killed',
      parseInterval,
      DEFAULT_TIMINGS.leaseMs / 1000,
    )
    .option(
      '--remote-base <host...>',
      'from where kustomizations may have bases: github.com, http://127.0.0.1:3000',
    )
    .option(
      '--chart-origin <origin...>',
      'chart repositories that may be plain http and private: http://127.0.0.1:8080',
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
      // Loaded when it is needed: the other commands should not wait for the emulators.
      const { runLocal } = await import('../run-local.ts');
      await runLocal(cli, command.optsWithGlobals<LocalCommandOptions>());
    });
}
