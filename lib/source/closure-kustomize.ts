import type { RenderOptions } from '../model/application.ts';
import { posix } from 'node:path';
import type { ClosureWalk, Found } from './closure-walk.ts';
import { isRemote, renderRefused, resolveInRepository } from './repository-path.ts';

/** The names under which kustomize looks, in its order. */
export const KUSTOMIZATION_FILES = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'] as const;

interface Place {
  /** The file in which an entry is written; paths are relative to it. */
  readonly file: string;
  readonly where: string;
}

interface KustomizeWalk extends ClosureWalk {
  readonly done: Set<string>;
  /** The directories that lead here, outermost first. */
  readonly above: readonly string[];
}

type Visit = (walk: KustomizeWalk, at: Place, value: unknown) => Promise<void>;

const HARMLESS = 'harmless';
const FORBIDDEN = 'forbidden';

/** Every field of kustomize 5.7's Kustomization (api/types/kustomization.go), and what it refers to. */
const FIELDS: Readonly<Record<string, typeof HARMLESS | typeof FORBIDDEN | Visit>> = {
  apiVersion: HARMLESS,
  kind: HARMLESS,
  metadata: HARMLESS,
  namePrefix: HARMLESS,
  nameSuffix: HARMLESS,
  namespace: HARMLESS,
  commonLabels: HARMLESS,
  commonAnnotations: HARMLESS,
  labels: HARMLESS,
  images: HARMLESS,
  imageTags: HARMLESS,
  replicas: HARMLESS,
  vars: HARMLESS,
  sortOptions: HARMLESS,
  generatorOptions: HARMLESS,
  buildMetadata: HARMLESS,
  helmGlobals: FORBIDDEN,
  helmCharts: FORBIDDEN,
  helmChartInflationGenerator: FORBIDDEN,
  resources: each(visitResource),
  bases: each(visitDirectory),
  components: each(visitDirectory),
  crds: each(visitFile),
  configurations: each(visitFile),
  patchesStrategicMerge: each(visitFileOrInline),
  patches: each(visitPathMember),
  patchesJson6902: each(visitPathMember),
  replacements: each(visitPathMember),
  openapi: visitPathMember,
  configMapGenerator: each(visitGenerator),
  secretGenerator: each(visitGenerator),
  generators: each(visitPlugin),
  transformers: each(visitPlugin),
  validators: each(visitPlugin),
};

/** Adds a kustomization and everything it refers to, with all its bases. */
export async function addKustomization(
  walk: ClosureWalk,
  directory: string,
  _options: RenderOptions,
): Promise<void> {
  const file = posix.join(directory, KUSTOMIZATION_FILES[0]);
  await enter({ ...walk, done: new Set(), above: [] }, { file, where: 'path' }, directory);
}

async function enter(walk: KustomizeWalk, at: Place, directory: string): Promise<void> {
  if (walk.above.includes(directory)) {
    const circle = [...walk.above.slice(walk.above.indexOf(directory)), directory];
    throw renderRefused(
      at.file,
      at.where,
      `kustomizations refer to each other in a circle: ${circle.join(' → ')}`,
    );
  }
  if (walk.done.has(directory)) return;
  const { path, oid } = await kustomizationOf(walk, at, directory);
  walk.addFile(path, oid);
  const documents = await walk.readYaml(path, oid);
  if (documents.length > 1) throw renderRefused(path, 'content', 'expected one document, got several');
  const kustomization = documents[0] ?? {};
  if (!isObject(kustomization)) throw renderRefused(path, 'content', 'expected a mapping');
  const inside = { ...walk, above: [...walk.above, directory] };
  for (const [field, value] of Object.entries(kustomization)) await visitField(inside, path, field, value);
  walk.done.add(directory);
}

async function kustomizationOf(
  walk: KustomizeWalk,
  at: Place,
  directory: string,
): Promise<{ readonly path: string; readonly oid: string }> {
  const present: { path: string; oid: string }[] = [];
  for (const name of KUSTOMIZATION_FILES) {
    const path = posix.join(directory, name);
    const found = await walk.look(path);
    if (found?.type === 'blob') present.push({ path, oid: found.oid });
    else walk.addAbsent(path);
  }
  const [first, second] = present;
  if (first === undefined) {
    const advice = 'add one, or name its files one by one';
    throw renderRefused(at.file, at.where, `${directory} holds no kustomization.yaml: ${advice}`);
  }
  if (second !== undefined) {
    throw renderRefused(
      first.path,
      'name',
      `${second.path} lies beside it, and kustomize takes only one: remove one`,
    );
  }
  return first;
}

async function visitField(walk: KustomizeWalk, file: string, field: string, value: unknown): Promise<void> {
  const visit = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
  if (visit === undefined) {
    // Go matches names regardless of case: a "Resources" would be read by kustomize although it was not followed here.
    throw renderRefused(file, field, 'not a field of a kustomization; names are case-sensitive here');
  }
  if (visit === HARMLESS || value === null || value === undefined) return;
  if (visit === FORBIDDEN) {
    throw renderRefused(
      file,
      field,
      'charts in a kustomization are not rendered: give the chart its own Application',
    );
  }
  await visit(walk, { file, where: field }, value);
}

function each(visit: Visit): Visit {
  return async (walk, at, value) => {
    if (!Array.isArray(value)) throw renderRefused(at.file, at.where, 'expected a list');
    for (const [index, entry] of (value as readonly unknown[]).entries()) {
      await visit(walk, { file: at.file, where: `${at.where}[${index}]` }, entry);
    }
  };
}

async function visitResource(walk: KustomizeWalk, at: Place, value: unknown): Promise<void> {
  const { path, found } = await resolve(walk, at, value);
  if (found.type === 'blob') walk.addFile(path, found.oid);
  else await enter(walk, at, path);
}

async function visitDirectory(walk: KustomizeWalk, at: Place, value: unknown): Promise<void> {
  const { path, found } = await resolve(walk, at, value);
  if (found.type === 'blob')
    throw renderRefused(at.file, at.where, `${path} is a file, expected a directory`);
  await enter(walk, at, path);
}

async function visitFile(walk: KustomizeWalk, at: Place, value: unknown): Promise<void> {
  const { path, found } = await resolve(walk, at, value);
  if (found.type === 'tree')
    throw renderRefused(at.file, at.where, `${path} is a directory, expected a file`);
  walk.addFile(path, found.oid);
}

async function visitFileOrInline(walk: KustomizeWalk, at: Place, value: unknown): Promise<void> {
  if (!isInline(value)) await visitFile(walk, at, value);
}

/** patches, patchesJson6902, replacements and openapi: `path` names a file. */
async function visitPathMember(walk: KustomizeWalk, at: Place, value: unknown): Promise<void> {
  const object = objectAt(at, value, ['path', 'patch']);
  const { path } = object;
  if (path === undefined || path === null || path === '') return;
  await visitFile(walk, { ...at, where: `${at.where}.path` }, path);
}

async function visitGenerator(walk: KustomizeWalk, at: Place, value: unknown): Promise<void> {
  const object = objectAt(at, value, ['files', 'envs', 'env']);
  for (const [index, entry] of listAt(at, object, 'files').entries()) {
    const where = `${at.where}.files[${index}]`;
    // `key=path` or only the path
    await visitFile(
      walk,
      { ...at, where },
      typeof entry === 'string' ? entry.slice(entry.indexOf('=') + 1) : entry,
    );
  }
  for (const [index, entry] of listAt(at, object, 'envs').entries()) {
    await visitFile(walk, { ...at, where: `${at.where}.envs[${index}]` }, entry);
  }
  if (object['env'] !== undefined && object['env'] !== null && object['env'] !== '') {
    await visitFile(walk, { ...at, where: `${at.where}.env` }, object['env']);
  }
}

/** A built-in plug-in's configuration, in a file or inline. Directories are refused: what they build could be anything. */
async function visitPlugin(walk: KustomizeWalk, at: Place, value: unknown): Promise<void> {
  if (isInline(value)) {
    for (const document of walk.parseYaml(value, at.file, at.where))
      await visitPluginMembers(walk, at, document, 0);
    return;
  }
  const { path, found } = await resolve(walk, at, value);
  if (found.type === 'tree') {
    throw renderRefused(at.file, at.where, `${path} is a directory: name the configuration files one by one`);
  }
  walk.addFile(path, found.oid);
  for (const document of await walk.readYaml(path, found.oid))
    await visitPluginMembers(walk, at, document, 0);
}

const PLUGIN_PATHS = ['path', 'paths', 'files', 'envs', 'env'];
const MAX_PLUGIN_DEPTH = 50;

/**
 * Plug-ins read their files relative to the kustomization, wherever their configuration lies. `path` is a file in one
 * plug-in and a field of an object in another: what is there is read, what is not there is noted as absent.
 */
async function visitPluginMembers(
  walk: KustomizeWalk,
  at: Place,
  value: unknown,
  depth: number,
): Promise<void> {
  if (depth > MAX_PLUGIN_DEPTH) throw renderRefused(at.file, at.where, 'nested too deeply');
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) await visitPluginMembers(walk, at, item, depth + 1);
    return;
  }
  if (!isObject(value)) return;
  for (const [key, member] of Object.entries(objectAt(at, value, PLUGIN_PATHS))) {
    if (PLUGIN_PATHS.includes(key)) {
      for (const entry of Array.isArray(member) ? (member as readonly unknown[]) : [member]) {
        if (typeof entry === 'string')
          await visitPluginPath(walk, { ...at, where: `${at.where}: ${key}` }, entry);
      }
    }
    await visitPluginMembers(walk, at, member, depth + 1);
  }
}

async function visitPluginPath(walk: KustomizeWalk, at: Place, entry: string): Promise<void> {
  const text = entry.slice(entry.indexOf('=') + 1);
  const remote = [entry, text].find(isRemote);
  if (remote !== undefined) resolveInRepository(at.file, at.where, remote);
  if (isInline(entry) || text === '' || posix.isAbsolute(text) || /[\\\p{Cc}]/u.test(text)) return;
  const path = posix.normalize(posix.join(posix.dirname(at.file), text));
  if (path.startsWith('..')) return;
  const found = await walk.look(path);
  if (found?.type === 'blob') walk.addFile(path, found.oid);
  else if (found === undefined) walk.addAbsent(path);
}

async function resolve(
  walk: KustomizeWalk,
  at: Place,
  value: unknown,
): Promise<{ readonly path: string; readonly found: Found }> {
  if (typeof value !== 'string' || value === '') throw renderRefused(at.file, at.where, 'expected a path');
  const path = resolveInRepository(at.file, at.where, value);
  const found = await walk.look(path);
  if (found === undefined) {
    const advice = 'correct the path or commit the file';
    throw renderRefused(at.file, at.where, `${path} does not exist in the repository: ${advice}`);
  }
  return { path, found };
}

function isInline(value: unknown): value is string {
  return typeof value === 'string' && (value.includes('\n') || value.trimStart().startsWith('{'));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

/** Go reads `Path` and spellings with `ſ` as `path`: a spelling that would be overlooked here is refused. */
function objectAt(at: Place, value: unknown, keys: readonly string[]): Readonly<Record<string, unknown>> {
  if (!isObject(value)) throw renderRefused(at.file, at.where, 'expected a mapping');
  for (const key of Object.keys(value)) {
    const folded = key.normalize('NFKC').toLowerCase();
    if (key !== folded && keys.includes(folded)) {
      throw renderRefused(at.file, at.where, `${JSON.stringify(key)}: write it as "${folded}"`);
    }
  }
  return value;
}

function listAt(at: Place, object: Readonly<Record<string, unknown>>, key: string): readonly unknown[] {
  const value = object[key];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw renderRefused(at.file, `${at.where}.${key}`, 'expected a list');
  return value as readonly unknown[];
}
