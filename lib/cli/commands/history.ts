import type { Command } from 'commander';
import type { Run } from '../../model/run.ts';
import { printable } from '../../plan/printable.ts';
import { type Cli, type GlobalOptions, print, withInstallation } from '../cli.ts';
import { parseCount } from '../options.ts';
import { table } from '../output/table.ts';
import { ago, duration, isoTime, shortSha } from '../output/words.ts';
import { selectTargets } from '../select-targets.ts';

interface HistoryOptions extends GlobalOptions {
  readonly cluster?: string;
  readonly limit: number;
}

interface TargetHistory {
  readonly application: string;
  readonly target: string;
  readonly cluster: string;
  readonly runs: readonly Run[];
}

export function addHistoryCommand(program: Command, cli: Cli): void {
  program
    .command('history')
    .argument('<application>', 'namespace/name, root/name, or the beginning of a target id')
    .description('the runs of an application, newest first, with every error of every object')
    .option('--cluster <name>', 'only on this cluster')
    .option('--limit <count>', 'at most this many runs of each target', parseCount, 20)
    .addHelpText(
      'after',
      `
Examples:
  holdfast history shop/web
  holdfast history shop/web --cluster prod-eu --limit 1 --output json`,
    )
    .action(async (application: string, _options, command: Command) => {
      const options = command.optsWithGlobals<HistoryOptions>();
      await withInstallation(cli, options, async ({ deps }) => {
        const { cluster } = options;
        const targets = await selectTargets(deps.state, application, {
          gone: true,
          ...(cluster === undefined ? {} : { cluster }),
        });
        const histories: TargetHistory[] = [];
        for (const target of targets) {
          const runs = await deps.state.listRuns(target.target, options.limit);
          histories.push({
            application: target.title,
            target: target.target,
            cluster: target.cluster,
            runs,
          });
        }
        print(cli, options, { targets: histories.map(toDocument) }, () =>
          histories.flatMap((history, index) => [
            ...(index > 0 ? [''] : []),
            ...historyLines(cli.io.now(), history),
          ]),
        );
      });
    });
}

function toDocument(history: TargetHistory) {
  return {
    ...history,
    runs: history.runs.map(({ schema: _schema, startedAt, endedAt, ...run }) => ({
      ...run,
      startedAt: isoTime(startedAt),
      endedAt: isoTime(endedAt),
    })),
  };
}

function historyLines(now: number, { application, cluster, runs }: TargetHistory): readonly string[] {
  const head = `${printable(application)} on ${printable(cluster)}`;
  if (runs.length === 0) return [head, '  no runs yet'];
  const [header = '', ...rows] = table(
    ['STARTED', 'REASON', 'REVISION', 'OUTCOME', 'TOOK', 'CHANGES'],
    runs.map((run) => [
      ago(now, run.startedAt),
      run.reason,
      shortSha(run.revision),
      run.outcome,
      duration(run.endedAt - run.startedAt),
      describeCounts(run),
    ]),
  );
  return [
    head,
    `  ${header}`,
    ...rows.flatMap((row, index) => [`  ${row}`, ...detailLines(runs[index]).map((line) => `      ${line}`)]),
  ];
}

function describeCounts({ counts }: Run): string {
  const parts = Object.entries(counts).filter(([what, count]) => count > 0 && what !== 'unchanged');
  const unchanged = counts.unchanged > 0 ? `${counts.unchanged} unchanged` : 'nothing';
  return parts.length === 0 ? unchanged : parts.map(([what, count]) => `${count} ${what}`).join(', ');
}

function detailLines(run: Run | undefined): readonly string[] {
  if (run === undefined) return [];
  return [
    ...run.errors.map(({ object, origin, error }) => {
      const where = [object, origin === undefined ? undefined : `(${origin})`].filter(
        (part) => part !== undefined,
      );
      return printable(`error: ${where.length === 0 ? '' : `${where.join(' ')}: `}${error.message}`);
    }),
    ...run.warnings.map((warning) => printable(`warning: ${warning}`)),
  ];
}
