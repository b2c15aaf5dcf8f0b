import type { RenderOptions } from '../model/application.ts';
import { posix } from 'node:path';
import type { ClosureWalk } from './closure-walk.ts';
import { renderRefused, resolveInRepository } from './repository-path.ts';

const MAX_NESTED_CHARTS = 16;

/**
 * Adds a chart, whole, and the charts it depends on by `file://`. Those from elsewhere must be vendored under charts/.
 */
export async function addChart(walk: ClosureWalk, directory: string, _options: RenderOptions): Promise<void> {
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
  const vendored = await vendoredCharts(walk, directory);
  const inside = [...above, directory];
  for (const dependency of declared) {
    if (!isVendored(vendored, dependency.name)) await visitDependency(walk, dependency, inside);
  }
  // They may depend on charts beside this one themselves.
  for (const path of vendored.directories.values()) await visitChart(walk, path, inside);
}

interface Vendored {
  /** By the chart's own name. */
  readonly directories: ReadonlyMap<string, string>;
  readonly archives: readonly string[];
}

async function vendoredCharts(walk: ClosureWalk, directory: string): Promise<Vendored> {
  const charts = posix.join(directory, 'charts');
  const directories = new Map<string, string>();
  const archives: string[] = [];
  for (const { name, type } of await walk.list(charts)) {
    if (type === 'blob') {
      if (/\.tgz$|\.tar\.gz$/.test(name)) archives.push(name);
      continue;
    }
    // Helm ignores names that begin with a dot or an underscore.
    const chart = /^[._]/.test(name)
      ? undefined
      : await readMapping(walk, posix.join(charts, name, 'Chart.yaml'));
    if (chart === undefined) continue;
    directories.set(typeof chart['name'] === 'string' ? chart['name'] : name, posix.join(charts, name));
  }
  return { directories, archives };
}

function isVendored(vendored: Vendored, name: string): boolean {
  return (
    vendored.directories.has(name) || vendored.archives.some((archive) => archive.startsWith(`${name}-`))
  );
}

interface Dependency {
  readonly file: string;
  readonly where: string;
  readonly name: string;
  readonly repository: string;
}

async function visitDependency(
  walk: ClosureWalk,
  dependency: Dependency,
  above: readonly string[],
): Promise<void> {
  const { file, where, name, repository } = dependency;
  if (!repository.startsWith('file://')) {
    const shown = repository === '' ? 'has no repository' : 'comes from elsewhere';
    throw renderRefused(
      file,
      where,
      `the chart "${name}" is not in charts/ and ${shown}: remote charts are not fetched; ` +
        'run "helm dependency build" and commit charts/',
    );
  }
  const path = resolveInRepository(file, `${where}.repository`, repository.slice('file://'.length) || '.');
  if ((await walk.look(posix.join(path, 'Chart.yaml')))?.type !== 'blob') {
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
    if (typeof entry !== 'object' || entry === null) return [];
    const { name, repository } = entry as Readonly<Record<string, unknown>>;
    const text = (value: unknown) => (typeof value === 'string' ? value : '');
    return [{ file, where: `dependencies[${index}]`, name: text(name), repository: text(repository) }];
  });
}
