import type { Command } from 'commander';
import { printable } from '../../plan/printable.ts';
import { type Cli, type GlobalOptions, print, withInstallation } from '../cli.ts';
import type { Finding } from '../doctor/finding.ts';
import { EXIT } from '../exit-codes.ts';
import { shorten, table } from '../output/table.ts';
import { plural } from '../output/words.ts';

interface DoctorOptions extends GlobalOptions {
  readonly all?: boolean;
}

const LONGEST_MESSAGE = 160;

export function addDoctorCommand(program: Command, cli: Cli): void {
  program
    .command('doctor')
    .description('look at everything that an installation rests on, and say what is wrong and what to do')
    .option('--all', 'show also what is right')
    .addHelpText(
      'after',
      `
Looks at the table, the queues and their dead letters, the bucket, the secrets, every source and every cluster with both
of its credentials and their rights, the schedules, and what is behind or fails. It changes nothing. It looks from this
machine: what only the functions can reach is "skipped". Exit code 1 when there is a problem.

Examples:
  holdfast doctor
  holdfast doctor --stack-outputs outputs.json --output json`,
    )
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<DoctorOptions>();
      await withInstallation(cli, options, async (installation) => {
        // Needs every client there is.
        const { examine } = await import('../doctor/examine.ts');
        const findings = await examine(installation, cli.io.now);
        const problems = findings.filter(({ verdict }) => verdict === 'problem').length;
        print(cli, options, { healthy: problems === 0, findings }, () =>
          doctorLines(findings, options.all ?? false),
        );
        if (problems > 0) cli.exit(EXIT.error);
      });
    });
}

function doctorLines(findings: readonly Finding[], all: boolean): readonly string[] {
  const shown = all ? findings : findings.filter(({ verdict }) => verdict !== 'ok');
  const rows = shown.map(({ verdict, check, subject, message }) => [
    verdict === 'problem' || verdict === 'warning' ? verdict.toUpperCase() : verdict,
    check,
    subject,
    shorten(message, LONGEST_MESSAGE),
  ]);
  const count = (verdict: Finding['verdict']) =>
    findings.filter((finding) => finding.verdict === verdict).length;
  const summary = `${count('ok')} ok, ${plural(count('problem'), 'problem')}, ${plural(count('warning'), 'warning')}, ${count('skipped')} skipped.`;
  const advice = shown.flatMap(({ subject, action }) =>
    action === undefined ? [] : [`- ${subject}: ${action}`],
  );
  return [
    ...table(['', 'CHECK', 'SUBJECT', 'FINDING'], rows),
    ...(rows.length > 0 ? [''] : []),
    summary,
    ...(advice.length > 0 ? ['', 'What to do:', ...new Set(advice.map(printable))] : []),
  ];
}
