import { posix } from 'node:path';

import type { Json, JsonObject } from '../model/resource.ts';
import { isObject } from './parse-manifests.ts';
import { isWorthHiding, parseInput, refused, resolveInside } from './preflight.ts';
import type { Preflight, PreflightContext } from './preflight.ts';

export interface HelmPreflight extends Preflight {
  readonly chartName: string;
  /**
   * Helm fetches what a values schema refers to, from the network and from the disk. Only where every schema stands on
   * its own may helm check the values against it.
   */
  readonly validateSchema: boolean;
}

interface Walk extends PreflightContext {
  readonly files: Map<string, string>;
  readonly secrets: Set<string>;
  validateSchema: boolean;
}

const MAX_NESTED_CHARTS = 16;

/**
 * Walks a chart and its dependencies. Those that are declared as `file://` and not vendored are put into `charts/`, as
 * `helm dependency build` would.
 *
 * @throws HoldfastError `render-refused` naming file and entry
 */
export function preflightHelm(context: PreflightContext, directory: string): HelmPreflight {
  const walk: Walk = { ...context, files: new Map(), secrets: new Set(), validateSchema: true };
  const chartName = visitChart(walk, { from: directory, to: directory }, []);
  return { files: walk.files, secrets: [...walk.secrets], chartName, validateSchema: walk.validateSchema };
}

/** Where a chart lies in the repository, and where it is put. */
interface ChartPlace {
  readonly from: string;
  readonly to: string;
}

function visitChart(walk: Walk, place: ChartPlace, above: readonly string[]): string {
  const file = posix.join(place.from, 'Chart.yaml');
  if (above.includes(place.from) || above.length >= MAX_NESTED_CHARTS) {
    throw refused(
      file,
      'dependencies',
      `charts depend on each other in a circle or too deeply: ${[...above, place.from].join(' → ')}`,
    );
  }
  const chart = readMapping(walk, file, true);
  const own = walk.tree.filesUnder(place.from);
  for (const path of own) walk.files.set(posix.join(place.to, posix.relative(place.from, path)), path);
  if (walk.files.size > walk.limits.maxFiles) throw refused(file, 'dependencies', 'too many files');
  checkValues(walk, place.from);
  const vendored = vendoredCharts(walk, place);
  const legacy = posix.join(place.from, 'requirements.yaml');
  const requirements = walk.tree.isFile(legacy) ? readMapping(walk, legacy, false) : {};
  const declared = [
    ...dependenciesOf(chart).map((dependency) => ({ dependency, file })),
    ...dependenciesOf(requirements).map((dependency) => ({ dependency, file: legacy })),
  ];
  for (const [index, { dependency, file: from }] of declared.entries()) {
    visitDependency(walk, { place, vendored, file: from, where: `dependencies[${index}]` }, dependency, [
      ...above,
      place.from,
    ]);
  }
  for (const sub of vendored.directories.values()) {
    visitChart(walk, { from: sub, to: posix.join(place.to, posix.relative(place.from, sub)) }, [
      ...above,
      place.from,
    ]);
  }
  return typeof chart.name === 'string' ? chart.name : '';
}

interface Vendored {
  /** By the chart's own name. */
  readonly directories: ReadonlyMap<string, string>;
  readonly archives: readonly string[];
}

function vendoredCharts(walk: Walk, place: ChartPlace): Vendored {
  const charts = posix.join(place.from, 'charts');
  const directories = new Map<string, string>();
  const archives: string[] = [];
  for (const path of walk.tree.filesUnder(charts)) {
    const [first, second, ...rest] = posix.relative(charts, path).split('/');
    if (first === undefined) continue;
    if (second === undefined && /\.tgz$|\.tar\.gz$/.test(first)) archives.push(first);
    // Helm ignores names that begin with a dot or an underscore.
    if (second === 'Chart.yaml' && rest.length === 0 && !/^[._]/.test(first)) {
      const name = readMapping(walk, path, false).name;
      directories.set(typeof name === 'string' ? name : first, posix.join(charts, first));
    }
  }
  // What lies in an archive is not looked into, so its schemas cannot be known to be harmless.
  if (archives.length > 0) walk.validateSchema = false;
  return { directories, archives };
}

function visitDependency(
  walk: Walk,
  at: {
    readonly place: ChartPlace;
    readonly vendored: Vendored;
    readonly file: string;
    readonly where: string;
  },
  dependency: JsonObject,
  above: readonly string[],
): void {
  const name = typeof dependency.name === 'string' ? dependency.name : '';
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    throw refused(
      at.file,
      `${at.where}.name`,
      'expected the name of a chart: letters, digits, dots and dashes',
    );
  }
  if (
    at.vendored.directories.has(name) ||
    at.vendored.archives.some((archive) => archive.startsWith(`${name}-`))
  )
    return;
  const repository = typeof dependency.repository === 'string' ? dependency.repository : '';
  if (!repository.startsWith('file://')) {
    const shown = repository.replace(/\/\/[^/@\s]*@/, '//');
    throw refused(
      at.file,
      at.where,
      `the chart "${name}" is not in charts/ and ${shown === '' ? 'has no repository' : `comes from ${JSON.stringify(shown)}`}: remote charts are not fetched; run "helm dependency build" and commit charts/`,
    );
  }
  const from = resolveInside(at.file, `${at.where}.repository`, repository.slice('file://'.length) || '.');
  if (!walk.tree.isFile(posix.join(from, 'Chart.yaml'))) {
    throw refused(at.file, `${at.where}.repository`, `${from}/Chart.yaml does not exist in the repository`);
  }
  visitChart(walk, { from, to: posix.join(at.place.to, 'charts', name) }, above);
}

function dependenciesOf(chart: JsonObject): readonly JsonObject[] {
  const declared = chart.dependencies;
  return Array.isArray(declared) ? (declared as readonly Json[]).filter(isObject) : [];
}

function checkValues(walk: Walk, directory: string): void {
  const values = posix.join(directory, 'values.yaml');
  if (walk.tree.isFile(values)) {
    for (const document of parseInput(walk, values)) collectSecrets(walk, document);
  }
  const schema = posix.join(directory, 'values.schema.json');
  if (walk.tree.isFile(schema) && !parseInput(walk, schema).every((document) => isSelfContained(document))) {
    walk.validateSchema = false;
  }
}

const SECRET_NAME = /pass(?:word|phrase)?$|secret|token|credential|private_?key|api_?key/i;

/** Values whose names say that they are secret are kept out of messages; templates may fail with them in hand. */
function collectSecrets(walk: Walk, value: Json, secret = false): void {
  if (typeof value === 'string') {
    if (secret && isWorthHiding(value)) walk.secrets.add(value);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value))
    collectSecrets(walk, inner, secret || SECRET_NAME.test(key));
}

const KNOWN_DIALECT =
  /^https?:\/\/json-schema\.org\/(?:draft-0[467]|draft\/2019-09|draft\/2020-12)\/schema#?$/;

/** A schema that refers to nothing but its own parts and the drafts that helm has built in. */
function isSelfContained(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, inner]) => {
    if (key === '$schema' && typeof inner === 'string') return KNOWN_DIALECT.test(inner);
    if (/^\$(?:ref|dynamicRef|recursiveRef)$/.test(key) && typeof inner === 'string')
      return inner.startsWith('#');
    return isSelfContained(inner);
  });
}

function readMapping(walk: Walk, file: string, uniqueKeys: boolean): JsonObject {
  const [document] = parseInput(walk, file, { uniqueKeys });
  if (!isObject(document)) throw refused(file, 'content', 'expected a mapping');
  return document;
}
