import { posix } from 'node:path';
import type { KustomizeOptions, RenderOptions } from '../model/application.ts';
import type { Json, JsonObject } from '../model/resource.ts';
import type { ClosureWalk, InputRole } from './closure-walk.ts';
import { editKustomization, kustomizationText } from './kustomization-edit.ts';
import { generateKustomization } from './kustomization-generate.ts';
import {
  isInline,
  isObject,
  KUSTOMIZATION_FILES,
  listAt,
  objectAt,
  resolve,
  resolvePath,
  type KustomizeWalk,
  type Place,
  type Visit,
} from './kustomization-place.ts';
import { literalValue, pathOf, visitPlugin } from './kustomization-plugins.ts';
import { mountRemoteBase } from './kustomization-remote.ts';
import { isRemote, isTakenForRepository, renderRefused, shownEntry } from './repository-path.ts';

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
  crds: each(visitYaml),
  configurations: each(visitYaml),
  patchesStrategicMerge: each(visitYamlOrInline),
  patches: each(visitPatch),
  patchesJson6902: each(visitPatch),
  replacements: each(visitPatch),
  openapi: visitPatch,
  configMapGenerator: each((walk, at, value) => visitGenerator(walk, at, value, 'raw')),
  secretGenerator: each((walk, at, value) => visitGenerator(walk, at, value, 'secret')),
  generators: each(visitPlugin),
  transformers: each(visitPlugin),
  validators: each(visitPlugin),
};

/** Chains of kustomizations that refer to each other; kustomize itself goes through all of them again and again. */
const MAX_NESTING = 100;

/**
 * Adds a kustomization and everything it refers to, with all its bases; where there is none, the one that is generated.
 *
 * The tool never reads a kustomization as it was written: it is given what was read here, as JSON, with what the
 * application sets on top and the places of remote bases. Where two YAML parsers disagree (line breaks that are none to
 * the other, tags, merges, colons in flow collections), an entry that only the tool sees would be followed unchecked.
 */
export async function addKustomization(
  walk: ClosureWalk,
  directory: string,
  options: RenderOptions,
): Promise<void> {
  const inside: KustomizeWalk = { ...walk, done: new Set(), remote: new Set(), above: [directory] };
  const present = await kustomizationIn(inside, directory);
  const path = present?.path ?? posix.join(directory, KUSTOMIZATION_FILES[0]);
  const written =
    present === undefined
      ? await generateKustomization(inside, directory)
      : await readKustomization(inside, present);
  const visited = await visitFields(inside, path, written);
  const edited = editKustomization(visited, await followEdits(inside, path, options.kustomize ?? {}));
  walk.replaceFile({ path, content: kustomizationText(edited) });
}

/** What the application adds refers to files as well. */
async function followEdits(
  walk: KustomizeWalk,
  file: string,
  options: KustomizeOptions,
): Promise<Omit<KustomizeOptions, 'ignoreMissingComponents'>> {
  const { components = [], ignoreMissingComponents = false, ...rest } = options;
  for (const [index, { patch }] of (rest.patches ?? []).entries()) {
    walk.addInline({ file, where: `spec.render.kustomize.patches[${index}]`, text: patch });
  }
  const present: string[] = [];
  for (const [index, entry] of components.entries()) {
    const at = { file, where: `spec.render.kustomize.components[${index}]` };
    const path = resolvePath(at, entry);
    if (ignoreMissingComponents && (await walk.look(path)) === undefined) {
      walk.addAbsent(path);
      continue;
    }
    await visitDirectory(walk, at, entry);
    present.push(entry);
  }
  return { ...rest, components: present };
}

async function enter(walk: KustomizeWalk, at: Place, directory: string): Promise<void> {
  const { above } = walk;
  if (above.includes(directory) || above.length >= MAX_NESTING) {
    const circle = [...above.slice(Math.max(0, above.indexOf(directory))), directory];
    const words = above.includes(directory) ? 'in a circle' : `more than ${MAX_NESTING} deep`;
    const shown = circle.slice(-10).join(' → ');
    throw renderRefused(at.file, at.where, `kustomizations refer to each other ${words}: ${shown}`);
  }
  if (walk.done.has(directory)) return;
  const present = await kustomizationIn(walk, directory);
  if (present === undefined) {
    const advice = 'add one, or name its files one by one';
    throw renderRefused(at.file, at.where, `${directory} holds no kustomization.yaml: ${advice}`);
  }
  const written = await readKustomization(walk, present);
  const visited = await visitFields({ ...walk, above: [...above, directory] }, present.path, written);
  walk.replaceFile({ path: present.path, content: kustomizationText(visited) });
  walk.done.add(directory);
}

interface KustomizationFile {
  readonly path: string;
  readonly oid: string;
}

async function kustomizationIn(
  walk: KustomizeWalk,
  directory: string,
): Promise<KustomizationFile | undefined> {
  const present: KustomizationFile[] = [];
  for (const name of KUSTOMIZATION_FILES) {
    const path = posix.join(directory, name);
    const found = await walk.look(path);
    if (found?.type === 'blob') present.push({ path, oid: found.oid });
    else walk.addAbsent(path);
  }
  const [first, second] = present;
  if (first !== undefined && second !== undefined) {
    const advice = 'and kustomize takes only one: remove one';
    throw renderRefused(first.path, 'name', `${second.path} lies beside it, ${advice}`);
  }
  return first;
}

async function readKustomization(walk: KustomizeWalk, { path, oid }: KustomizationFile): Promise<JsonObject> {
  walk.addFile(path, oid);
  const documents = await walk.readYaml(path, oid, { isRewritten: true });
  if (documents.length > 1) throw renderRefused(path, 'content', 'expected one document, got several');
  const kustomization = documents[0] ?? {};
  if (!isObject(kustomization)) throw renderRefused(path, 'content', 'expected a mapping');
  return kustomization;
}

/** @returns the very same kustomization where nothing has to be written differently */
async function visitFields(
  walk: KustomizeWalk,
  file: string,
  kustomization: JsonObject,
): Promise<JsonObject> {
  let visited = kustomization;
  for (const [field, value] of Object.entries(kustomization)) {
    const seen = await visitField(walk, file, field, value);
    if (seen !== value) visited = { ...visited, [field]: seen as Json };
  }
  return visited;
}

async function visitField(
  walk: KustomizeWalk,
  file: string,
  field: string,
  value: unknown,
): Promise<unknown> {
  const visit = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
  if (visit === undefined) {
    // Go matches names regardless of case: a "Resources" would be read by kustomize although it was not followed here.
    throw renderRefused(file, field, 'not a field of a kustomization; names are case-sensitive here');
  }
  if (visit === HARMLESS || value === null || value === undefined) return value;
  if (visit === FORBIDDEN) {
    throw renderRefused(
      file,
      field,
      'charts in a kustomization are not rendered: give the chart its own Application',
    );
  }
  return await visit(walk, { file, where: field }, value);
}

function each(visit: Visit): Visit {
  return async (walk, at, value) => {
    if (!Array.isArray(value)) throw renderRefused(at.file, at.where, 'expected a list');
    const seen: unknown[] = [];
    for (const [index, entry] of (value as readonly unknown[]).entries()) {
      seen.push(await visit(walk, { file: at.file, where: `${at.where}[${index}]` }, entry));
    }
    return seen.some((entry, index) => entry !== (value as readonly unknown[])[index]) ? seen : value;
  };
}

async function visitResource(walk: KustomizeWalk, at: Place, value: unknown): Promise<unknown> {
  if (typeof value === 'string' && isRemote(value)) return await visitRemote(walk, at, value);
  const { path, found } = await resolve(walk, at, value);
  if (found.type === 'blob') walk.addFile(path, found.oid, 'yaml');
  else await enterOwn(walk, at, { path, value });
  return value;
}

async function visitDirectory(walk: KustomizeWalk, at: Place, value: unknown): Promise<unknown> {
  if (typeof value === 'string' && isRemote(value)) return await visitRemote(walk, at, value);
  const { path, found } = await resolve(walk, at, value);
  if (found.type === 'blob')
    throw renderRefused(at.file, at.where, `${path} is a file, expected a directory`);
  await enterOwn(walk, at, { path, value });
  return value;
}

async function enterOwn(
  walk: KustomizeWalk,
  at: Place,
  { path, value }: { readonly path: string; readonly value: unknown },
): Promise<void> {
  if (isTakenForRepository(String(value))) {
    const why = `kustomize would take ${shownEntry(String(value))} for an address: rename the directory`;
    throw renderRefused(at.file, at.where, why);
  }
  await enter(walk, at, path);
}

async function visitRemote(walk: KustomizeWalk, at: Place, value: string): Promise<string> {
  const { path, entry } = await mountRemoteBase(walk, at, value, walk.remote);
  await enter(walk, at, path);
  return entry;
}

async function visitFile(walk: KustomizeWalk, at: Place, value: unknown, role: InputRole): Promise<unknown> {
  const { path, found } = await resolve(walk, at, value);
  if (found.type === 'tree')
    throw renderRefused(at.file, at.where, `${path} is a directory, expected a file`);
  walk.addFile(path, found.oid, role);
  return value;
}

function visitYaml(walk: KustomizeWalk, at: Place, value: unknown): Promise<unknown> {
  return visitFile(walk, at, value, 'yaml');
}

async function visitYamlOrInline(walk: KustomizeWalk, at: Place, value: unknown): Promise<unknown> {
  if (!isInline(value)) return await visitYaml(walk, at, value);
  walk.addInline({ file: at.file, where: at.where, text: value });
  return value;
}

/** patches, patchesJson6902, replacements and openapi: `path` names a file, `patch` holds YAML itself. */
async function visitPatch(walk: KustomizeWalk, at: Place, value: unknown): Promise<unknown> {
  const { path, patch } = objectAt(at, value, ['path', 'patch']);
  if (path !== undefined && path !== null && path !== '')
    await visitYaml(walk, { ...at, where: `${at.where}.path` }, path);
  if (typeof patch === 'string') walk.addInline({ file: at.file, where: `${at.where}.patch`, text: patch });
  return value;
}

async function visitGenerator(
  walk: KustomizeWalk,
  at: Place,
  value: unknown,
  role: InputRole,
): Promise<unknown> {
  const object = objectAt(at, value, ['files', 'envs', 'env', 'literals', 'options']);
  for (const [index, entry] of listAt(at, object, 'files').entries()) {
    const where = `${at.where}.files[${index}]`;
    await visitFile(walk, { ...at, where }, typeof entry === 'string' ? pathOf(entry) : entry, role);
  }
  for (const [index, entry] of listAt(at, object, 'envs').entries()) {
    await visitFile(walk, { ...at, where: `${at.where}.envs[${index}]` }, entry, role);
  }
  const { env } = object;
  if (env !== undefined && env !== null && env !== '')
    await visitFile(walk, { ...at, where: `${at.where}.env` }, env, role);
  if (role !== 'secret') return value;
  for (const literal of listAt(at, object, 'literals')) {
    const text = literalValue(String(literal));
    walk.addInline({ file: at.file, where: `${at.where}.literals`, text, secret: true });
  }
  return value;
}
