import type { Command } from 'commander';
import { type Cli, type GlobalOptions, print, withInstallation } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { poll } from '../poll.ts';
import { collectStatus, type StatusDocument } from '../status/collect-status.ts';
import { statusLines } from '../status/print-status.ts';
import { parseSeconds } from '../options.ts';

interface StatusOptions extends GlobalOptions {
  readonly application?: string;
  readonly wait?: number;
}

export function addStatusCommand(program: Command, cli: Cli): void {
  program
    .command('status')
    .description('where every application stands, and what is wrong with sources, definitions and clusters')
    .option(
      '--application <name>',
      'only this one: namespace/name, root/name, or the beginning of a target id',
    )
    .option(
      '--wait <seconds>',
      'wait until everything is applied; exit code 1 if it is not by then',
      parseSeconds,
    )
    .addHelpText(
      'after',
      `
States: Applied, Progressing, Failed (tried again by itself), Invalid (this commit cannot be rendered; what was applied
stays), Held (something that left Git waits for consent), Suspended, Removing.

Examples:
  holdfast status
  holdfast status --application shop/web --output json
  git push && holdfast status --wait 60`,
    )
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<StatusOptions>();
      await withInstallation(cli, options, async ({ deps }) => {
        const look = () => collectStatus(deps.state, options.application);
        const { status, settled } = await waitFor(cli, options, look);
        print(cli, options, status, () => statusLines(status));
        if (options.wait !== undefined && !settled) cli.exit(EXIT.error);
      });
    });
}

async function waitFor(
  cli: Cli,
  options: StatusOptions,
  look: () => Promise<StatusDocument>,
): Promise<{ readonly status: StatusDocument; readonly settled: boolean }> {
  let status = await look();
  if (options.wait === undefined) return { status, settled: true };
  const settled = await poll(
    async () => {
      if (isApplied(status)) return true;
      status = await look();
      return isApplied(status) ? true : undefined;
    },
    { seconds: options.wait, stop: cli.io.stop },
  );
  return { status, settled: settled === true };
}

/** Everything that is declared is applied, and everything that is declared could be read. */
export function isApplied({ applications, roots, sources }: StatusDocument): boolean {
  return (
    applications.length > 0 &&
    applications.every(({ state }) => state === 'Applied' || state === 'Suspended') &&
    roots.every(({ errors, held }) => errors.length === 0 && held === undefined) &&
    sources.every(({ error }) => error === undefined)
  );
}
