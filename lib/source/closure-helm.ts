import { posix } from 'node:path';
import type { HelmOptions, RenderOptions } from '../model/application.ts';
import { declaredDependencies, readMapping, type Dependency } from './chart-dependencies.ts';
import { chartMountPath, chartRequestOf, fetchChart } from './chart-elsewhere.ts';
import { chartIgnore, type ChartIgnore } from './chart-ignore.ts';
import { EXTERNAL_DIRECTORY, type ClosureWalk, type InputRole } from './closure-walk.ts';
import { freeName, isVendoredArchive, vendoredCharts, type Vendored } from './chart-vendored.ts';
import { renderRefused, resolveInRepository } from './repository-path.ts';

const MAX_NESTED_CHARTS = 16;

/**
 * Adds a chart, whole, the charts it depends on, and the values files. What is not vendored under charts/ is put there
 * for helm to see: a chart at file:// in the repository, and one of a chart repository as `Chart.lock` pins it.
 */
export async function addChart(walk: ClosureWalk, path: string, options: RenderOptions): Promise<void> {
  const { helm } = options;
  const directory = chartDirectory(path, helm);
  if (helm?.chart !== undefined) {
    await fetchChart(walk, chartRequestOf(helm.chart), { file: path, where: 'spec.render.helm.chart' });
  }
  const leftOut = await visitChart(walk, { from: directory, to: directory, isPlaced: false }, []);
  await settleIgnoreFile(walk, directory, leftOut);
  await addValuesFiles(walk, path, helm);
}

/** Where the chart lies that is rendered: at the application's path, or where what was fetched is put. */
export function chartDirectory(path: string, helm: HelmOptions | undefined): string {
  return helm?.chart === undefined ? path : chartMountPath(chartRequestOf(helm.chart));
}

/** The values files that a definition names, from the repository's root, in their order, there or not. */
export function valuesFilePaths(path: string, helm: HelmOptions | undefined): readonly string[] {
  return (helm?.valuesFiles ?? []).map((entry, index) =>
    // The file name only gives the directory from which the entry is meant.
    resolveOwn(posix.join(path, 'definition'), `spec.render.helm.valuesFiles[${index}]`, entry),
  );
}

async function addValuesFiles(walk: ClosureWalk, path: string, helm: HelmOptions | undefined): Promise<void> {
  for (const [index, file] of valuesFilePaths(path, helm).entries()) {
    const found = await walk.look(file);
    if (found?.type === 'blob') {
      walk.addFile(file, found.oid, 'values');
    } else if (found === undefined && helm?.ignoreMissingValuesFiles === true) {
      walk.addAbsent(file);
    } else {
      const why = found === undefined ? walk.whyAbsent(file) : `${file} is a directory: name a file`;
      throw renderRefused(path, `spec.render.helm.valuesFiles[${index}]`, why);
    }
  }
}

/** Where a chart lies in the repository or in what comes from elsewhere, and where helm sees it. */
interface ChartPlace {
  readonly from: string;
  readonly to: string;
  /** It is put into another chart, where helm would package it. */
  readonly isPlaced: boolean;
}

/** @returns which of the chart's files are left out of it */
async function visitChart(
  walk: ClosureWalk,
  place: ChartPlace,
  above: readonly string[],
): Promise<ChartIgnore> {
  const directory = place.from;
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
  const leftOut = await addFiles(walk, place, above);
  const vendored = await vendoredCharts(walk, directory);
  const inside = [...above, directory];
  await addDependencies(walk, place, { chart, vendored }, inside);
  for (const { from, directory: name, isArchive } of vendored.charts) {
    const to = posix.join(place.to, 'charts', name);
    if (isArchive) walk.copyDirectory({ from, to });
    // They may depend on charts beside this one themselves.
    await visitChart(walk, { from, to, isPlaced: false }, inside);
  }
  if (place.isPlaced) walk.copyDirectory({ from: directory, to: place.to, leftOut });
  return leftOut;
}

/** @returns which of its files are none of the chart's */
async function addFiles(
  walk: ClosureWalk,
  { from: directory, isPlaced }: ChartPlace,
  above: readonly string[],
): Promise<ChartIgnore> {
  const tree = await walk.look(directory);
  const isOwn = !isExternal(directory);
  // Of a published chart everything counts. A chart in charts/ came in with the outer one, and counts with its tree.
  const isPart = !isPlaced && above.some((outer) => isInside(directory, outer));
  const leftOut = isOwn && !isPart ? await chartIgnore(walk, directory) : () => false;
  if (tree !== undefined && !isPart) {
    await walk.addDirectory(directory, tree.oid, (_name, path) => {
      // An artefact of a chart at the repository's root holds what comes from elsewhere beside the chart's own files.
      if (isOwn && isExternal(path)) return false;
      const inChart = posix.relative(directory, path);
      return !isVendoredArchive(inChart) && !leftOut(inChart);
    });
  }
  await addRole(walk, posix.join(directory, 'values.yaml'), 'values');
  await addRole(walk, posix.join(directory, 'values.schema.json'), 'yaml');
  return leftOut;
}

async function addRole(walk: ClosureWalk, file: string, role: InputRole): Promise<void> {
  const found = await walk.look(file);
  if (found?.type === 'blob') walk.addFile(file, found.oid, role);
}

/**
 * Helm would apply the ignore file of the chart to all that was put into it, which it does not do to archives; and that
 * of a published chart a second time. It has been applied already, but to what is there as part of another chart.
 */
async function settleIgnoreFile(walk: ClosureWalk, directory: string, leftOut: ChartIgnore): Promise<void> {
  const path = posix.join(directory, '.helmignore');
  const { copies, entries } = walk.result();
  const isDone = isExternal(directory) || copies.length > 0;
  if (!isDone || (await walk.look(path))?.type !== 'blob') return;
  const hidden = entries.flatMap((entry) => {
    if (entry.type !== 'blob' || !isInside(entry.path, directory)) return [];
    const inChart = posix.relative(directory, entry.path);
    return leftOut(inChart) ? [`/${inChart.replace(/[*?[\\]/g, '\\$&')}\n`] : [];
  });
  walk.replaceFile({ path, content: hidden.join('') });
}

function isInside(path: string, outer: string): boolean {
  return outer === '.' ? !isExternal(path) : path.startsWith(`${outer}/`);
}

function isExternal(path: string): boolean {
  return path.startsWith(`${EXTERNAL_DIRECTORY}/`);
}

async function addDependencies(
  walk: ClosureWalk,
  place: ChartPlace,
  { chart, vendored }: { readonly chart: Readonly<Record<string, unknown>>; readonly vendored: Vendored },
  inside: readonly string[],
): Promise<void> {
  const declared = await declaredDependencies(walk, place.from, chart);
  const missing = declared.list
    .map((dependency, index) => ({ dependency, index }))
    .filter(({ dependency }) => !vendored.names.has(dependency.name));
  const isRemote = missing.some(({ dependency }) => !dependency.repository.startsWith('file://'));
  const locked = isRemote ? await declared.locked() : [];
  const placed = new Set<string>();
  for (const { dependency, index } of missing) {
    const version = locked[index] ?? dependency.version;
    const from = await dependencyDirectory(walk, place.from, { ...dependency, version });
    // The same chart under two aliases is there once.
    if (placed.has(from)) continue;
    placed.add(from);
    const to = posix.join(place.to, 'charts', freeName(dependency.name, vendored.taken));
    await visitChart(walk, { from, to, isPlaced: true }, inside);
  }
}

async function dependencyDirectory(
  walk: ClosureWalk,
  chart: string,
  dependency: Dependency,
): Promise<string> {
  const { file, where, name, repository, version } = dependency;
  const absent = `the chart "${name}" is not in charts/`;
  if (isExternal(chart)) {
    throw renderRefused(
      file,
      where,
      `${absent}, where a published chart has its dependencies: publish it again`,
    );
  }
  if (repository === '') {
    throw renderRefused(file, where, `${absent} and has no repository: commit it to charts/, or name one`);
  }
  if (/^(?:@|alias:)/.test(repository)) {
    throw renderRefused(
      file,
      `${where}.repository`,
      `${JSON.stringify(repository.slice(0, 80))} names a repository of somebody's own helm: write its URL`,
    );
  }
  if (/^(?:https?|oci):\/\//.test(repository)) {
    const request = { repository, name, ...(version === undefined ? {} : { version }) };
    return await fetchChart(walk, request, { file, where });
  }
  if (!repository.startsWith('file://')) {
    throw renderRefused(
      file,
      `${where}.repository`,
      'expected https://, oci:// or file:// with a path in the repository; or commit the chart to charts/',
    );
  }
  const path = resolveOwn(file, `${where}.repository`, repository.slice('file://'.length) || '.');
  if ((await walk.look(posix.join(path, 'Chart.yaml')))?.type !== 'blob') {
    throw renderRefused(file, `${where}.repository`, walk.whyAbsent(posix.join(path, 'Chart.yaml')));
  }
  return path;
}

/** A path in the repository itself. */
function resolveOwn(file: string, where: string, entry: string): string {
  const path = resolveInRepository(file, where, entry);
  if (path === EXTERNAL_DIRECTORY || isExternal(path)) {
    throw renderRefused(file, where, `${EXTERNAL_DIRECTORY} is reserved for what comes from elsewhere`);
  }
  return path;
}
