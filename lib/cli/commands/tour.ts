import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import type { TourOptions } from '../run-tour-command.ts';

/** What `npm start` runs; for somebody who has just cloned the repository, so not in the list of commands. */
export function addTourCommand(program: Command, cli: Cli): void {
  program
    .command('tour', { hidden: true })
    .description('see the whole way of a push on a sandbox cluster')
    .option('--exit', 'end after the story, with exit code 1 if a step did not come true')
    .option('--keep-dir', 'leave the temporary directory behind')
    .action(async (options: TourOptions) => {
      const { runTourCommand } = await import('../run-tour-command.ts');
      await runTourCommand(cli, options);
    });
}
