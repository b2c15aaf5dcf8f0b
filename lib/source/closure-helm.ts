import { posix } from 'node:path';
import type { ClosureWalk } from './closure-walk.ts';
import { renderRefused, resolveInRepository } from './repository-path.ts';

const MAX_NESTED_CHARTS = 16;

/**
 * Adds a chart, whole, and the charts it depends on by `file://`. Those from elsewhere must be vendored under charts/.
 */
export async function addChart(walk: ClosureWalk, directory: string): Promise<void> {
  await visitChart(walk, directory, []);
}

async function visitChart(walk: ClosureWalk, directory: string, above: readonly string[]): Promise<void> {
  const file = posix.join(directory, 'Chart.yaml');
  if (above.includes(directory) || above.length >= MAX_NESTED_CHARTS) {
    const circle = [...above, directory].join(' → ');
    throw renderRefused(
      file,
      'dependencies',
      `charts depend on each other in a circle or too deeply: ${circle}`,
    );
  }
  const chart = await readMapping(walk, file);
  if (chart === undefined) {
    throw renderRefused(file, 'path', 'does not exist: add it, or correct spec.path or spec.render.tool');
  }
  const tree = await walk.look(directory);
  // A chart in a chart came in with the outer one, and counts with its tree.
  const inOuter = above.some((outer) => outer === '.' || directory.startsWith(`${outer}/`));
  if (tree !== undefined && !inOuter) await walk.addDirectory(directory, tree.oid, () => true);
  const legacy = posix.join(directory, 'requirements.yaml');
  const declared = [
    ...dependenciesOf(chart, file),
    ...dependenciesOf((await readMapping(walk, legacy)) ?? {}, legacy),
  ];
  for (const dependency of declared)
    await visitDependency(walk, directory, dependency, [...above, directory]);
}

interface Dependency {
  readonly file: string;
  readonly where: string;
  readonly repository: string;
}

async function visitDependency(
  walk: ClosureWalk,
  directory: string,
  { file, where, repository }: Dependency,
  above: readonly string[],
): Promise<void> {
  // Vendored or not, the renderer decides what is missing: it knows the names inside of archives.
  if (!repository.startsWith('file://')) return;
  const path = resolveInRepository(file, `${where}.repository`, repository.slice('file://'.length) || '.');
  if ((await walk.look(posix.join(path, 'Chart.yaml')))?.type !== 'blob') {
    if ((await walk.look(posix.join(directory, 'charts'))) !== undefined) {
      return walk.addAbsent(posix.join(path, 'Chart.yaml'));
    }
    throw renderRefused(file, `${where}.repository`, `${path}/Chart.yaml does not exist in the repository`);
  }
  await visitChart(walk, path, above);
}

async function readMapping(
  walk: ClosureWalk,
  file: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const found = await walk.look(file);
  if (found?.type !== 'blob') return undefined;
  const [document] = await walk.readYaml(file, found.oid);
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw renderRefused(file, 'content', 'expected a mapping');
  }
  return document as Readonly<Record<string, unknown>>;
}

function dependenciesOf(chart: Readonly<Record<string, unknown>>, file: string): readonly Dependency[] {
  const declared = chart['dependencies'];
  if (!Array.isArray(declared)) return [];
  return (declared as readonly unknown[]).flatMap((entry, index) => {
    const repository =
      typeof entry === 'object' && entry !== null && 'repository' in entry ? entry.repository : '';
    return typeof repository === 'string' ? [{ file, where: `dependencies[${index}]`, repository }] : [];
  });
}
