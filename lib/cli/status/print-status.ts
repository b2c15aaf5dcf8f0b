import { printable } from '../../plan/printable.ts';
import { shorten, table } from '../output/table.ts';
import { shortSha } from '../output/words.ts';
import type { StatusDocument } from './collect-status.ts';

const LONGEST_MESSAGE = 160;

/** A table of the applications, and below it whatever else is not as it should be. */
export function statusLines(status: StatusDocument): readonly string[] {
  return [
    ...applicationLines(status),
    ...section(
      'SOURCES',
      status.sources.flatMap(({ source, error }) => (error === undefined ? [] : [`${source}: ${error}`])),
    ),
    ...section(
      'DEFINITIONS',
      status.roots.flatMap(({ root, errors, held }) => [
        ...errors.map(({ origin, message }) => `root ${root}: ${withOrigin(origin, message)}`),
        ...(held === undefined ? [] : [`root ${root}: held: ${held}`]),
      ]),
    ),
    ...section(
      'CLUSTERS',
      status.clusters.flatMap(({ cluster, error }) => (error === undefined ? [] : [`${cluster}: ${error}`])),
    ),
  ];
}

function applicationLines({ applications, roots }: StatusDocument): readonly string[] {
  if (applications.length === 0) {
    return [
      roots.length === 0
        ? 'No applications: register a place in Git where they are declared with "holdfast bootstrap".'
        : 'No applications yet.',
    ];
  }
  return table(
    ['APPLICATION', 'CLUSTER', 'WANTED', 'APPLIED', 'STATE', 'DRIFT', 'MESSAGE'],
    applications.map((each) => [
      each.application,
      each.cluster,
      shortSha(each.wantedRevision),
      shortSha(each.appliedRevision),
      each.state,
      each.drift === undefined ? '-' : String(each.drift),
      // The Message of a held removal holds the command that allows it, which must not be cut.
      each.state === 'Held' ? each.message : shorten(each.message, LONGEST_MESSAGE),
    ]),
  );
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${printable(line)}`)];
}

/** Messages about definitions often begin with the place themselves. */
function withOrigin(origin: string | undefined, message: string): string {
  return origin === undefined || message.startsWith(origin) ? message : `${origin}: ${message}`;
}
