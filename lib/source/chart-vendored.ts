import { posix } from 'node:path';
import { DEFAULT_CHART_LIMITS } from '../charts/chart-limits.ts';
import { unpackChart } from '../charts/unpack-chart.ts';
import { HoldfastError } from '../model/errors.ts';
import { sha256 } from '../model/ids.ts';
import { readMapping } from './chart-dependencies.ts';
import { EXTERNAL_DIRECTORY, type ClosureWalk } from './closure-walk.ts';
import { fileTreeReader, type FileTree } from './file-tree.ts';

/** The charts that lie under the charts/ of another one. */
export interface Vendored {
  /** Their own names. */
  readonly names: ReadonlySet<string>;
  readonly charts: readonly VendoredChart[];
  /** The names of directories that are in use in charts/. */
  readonly taken: Set<string>;
}

export interface VendoredChart {
  readonly from: string;
  /** The name of its directory in the charts/ that helm sees. */
  readonly directory: string;
  /** An archive is unpacked elsewhere, and helm is given the directory in its place. */
  readonly isArchive: boolean;
}

export async function vendoredCharts(walk: ClosureWalk, directory: string): Promise<Vendored> {
  const below = posix.join(directory, 'charts');
  const entries = await walk.list(below);
  const taken = new Set(entries.map(({ name }) => name));
  const candidates: VendoredChart[] = entries
    // Helm ignores names that begin with a dot or an underscore.
    .filter(({ name, type }) => type === 'tree' && !/^[._]/.test(name))
    .map(({ name }) => ({ from: posix.join(below, name), directory: name, isArchive: false }));
  for (const { from, stem } of await unpackedArchives(walk, directory)) {
    candidates.push({ from, directory: freeName(stem, taken), isArchive: true });
  }
  const names = new Set<string>();
  const charts: VendoredChart[] = [];
  for (const candidate of candidates) {
    const chart = await readMapping(walk, posix.join(candidate.from, 'Chart.yaml'));
    if (chart === undefined) continue;
    names.add(typeof chart['name'] === 'string' ? chart['name'] : candidate.directory);
    charts.push(candidate);
  }
  return { names, charts, taken };
}

/** Helm does not mind what the directory of a chart in charts/ is called. */
export function freeName(name: string, taken: Set<string>): string {
  let free = name;
  for (let count = 2; taken.has(free); count += 1) free = `${name}-${count}`;
  taken.add(free);
  return free;
}

/** Whether a file of a chart, by its path from the chart's directory, is the archive of a chart in it. */
export function isVendoredArchive(path: string): boolean {
  return /^(?:charts\/[^/]+\/)*charts\/[^/._][^/]*\.tgz$/.test(path);
}

/**
 * Archives are unpacked by us, with the limits of fetched charts, and put beside the repository: so that what is in them
 * is checked like everything else. An artefact holds them unpacked.
 */
async function unpackedArchives(
  walk: ClosureWalk,
  directory: string,
): Promise<readonly { readonly from: string; readonly stem: string }[]> {
  const place = posix.join(EXTERNAL_DIRECTORY, 'vendored', sha256(directory).slice(0, 16));
  if (walk.isArtefact) {
    return (await walk.list(place)).map(({ name }) => ({ from: posix.join(place, name), stem: name }));
  }
  const found: { from: string; stem: string }[] = [];
  for (const { name, oid, type } of await walk.list(posix.join(directory, 'charts'))) {
    if (type !== 'blob' || !isVendoredArchive(`charts/${name}`)) continue;
    const archive = posix.join(directory, 'charts', name);
    const stem = name.slice(0, -'.tgz'.length);
    const from = posix.join(place, stem);
    found.push({ from, stem });
    if (walk.isMounted(from)) continue;
    const bytes = await walk.readBlob(oid);
    const chart = await unpackChart(Buffer.from(bytes), DEFAULT_CHART_LIMITS, archive);
    count(walk, chart.files, archive);
    walk.mount(from, `sha256:${sha256(bytes)}`, fileTreeReader(chart.files));
  }
  return found;
}

function count(walk: ClosureWalk, files: FileTree, archive: string): void {
  try {
    walk.countUnpacked(files);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    throw new HoldfastError(error.code, `${archive}: ${error.message}`, { details: error.details });
  }
}
