import { posix } from 'node:path';
import type { Json, JsonObject } from '../model/resource.ts';
import type { InputRole } from './closure-walk.ts';
import { kustomizationText } from './kustomization-edit.ts';
import {
  isInline,
  isInRepositoryOf,
  isObject,
  objectAt,
  resolve,
  type KustomizeWalk,
  type Place,
} from './kustomization-place.ts';
import { isRemote, isTooLong, renderRefused, resolveInRepository } from './repository-path.ts';

/** Which members of a built-in plug-in's configuration name files, and what those are. */
const FILE_MEMBERS: Readonly<Record<string, InputRole>> = {
  path: 'yaml',
  paths: 'yaml',
  targetFilePath: 'yaml',
  files: 'raw',
  envs: 'raw',
  env: 'raw',
};
const TEXT_MEMBERS = ['patch', 'patches', 'jsonOp'];
const FUNCTION_ANNOTATIONS = ['config.kubernetes.io/function', 'config.k8s.io/function'];
const MAX_DEPTH = 50;

/** A plug-in's configuration, in a file or inline. Directories are refused: what they build could be anything. */
export async function visitPlugin(walk: KustomizeWalk, at: Place, value: unknown): Promise<unknown> {
  if (isInline(value)) {
    walk.addInline({ file: at.file, where: at.where, text: value });
    const documents = walk.parseYaml(value, at.file, at.where, { isRewritten: true });
    return await rewritten(walk, { at, base: at.file }, documents);
  }
  const { path, found } = await resolve(walk, at, value);
  if (found.type === 'tree') {
    throw renderRefused(at.file, at.where, `${path} is a directory: name the configuration files one by one`);
  }
  walk.addFile(path, found.oid, 'yaml');
  const documents = await walk.readYaml(path, found.oid, { isRewritten: true });
  const place = { at: { file: path, where: 'configuration' }, base: at.file };
  walk.replaceFile({ path, content: await rewritten(walk, place, documents) });
  return value;
}

/** As with kustomizations, the tool is given what was read here. */
async function rewritten(
  walk: KustomizeWalk,
  place: PluginPlace,
  documents: readonly unknown[],
): Promise<string> {
  const texts: string[] = [];
  for (const document of documents) {
    texts.push(kustomizationText(await visitConfiguration(walk, place, document)));
  }
  return texts.join('\n---\n');
}

interface PluginPlace {
  readonly at: Place;
  /** The kustomization: plug-ins read their files relative to it, wherever their configuration lies. */
  readonly base: string;
  /** What its files and literals hold is secret. */
  readonly secret?: boolean;
}

async function visitConfiguration(
  walk: KustomizeWalk,
  place: PluginPlace,
  document: unknown,
): Promise<JsonObject> {
  const { at } = place;
  if (!isObject(document)) throw renderRefused(at.file, at.where, 'expected a mapping');
  if (typeof document['kind'] === 'string' && /helm/i.test(document['kind'])) {
    throw renderRefused(
      at.file,
      at.where,
      'charts are not rendered here: give the chart its own Application',
    );
  }
  if (!String(document['apiVersion'] ?? '').startsWith('builtin')) {
    throw renderRefused(
      at.file,
      at.where,
      'only built-in plug-ins (apiVersion: builtin) are run, never programs or containers',
    );
  }
  await visitMembers(walk, { ...place, secret: document['kind'] === 'SecretGenerator' }, document, 0);
  return document;
}

async function visitMembers(
  walk: KustomizeWalk,
  place: PluginPlace,
  value: Json | undefined,
  depth: number,
): Promise<void> {
  const { at } = place;
  if (depth > MAX_DEPTH) throw renderRefused(at.file, at.where, 'nested too deeply');
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) await visitMembers(walk, place, item, depth + 1);
    return;
  }
  if (!isObject(value)) return;
  for (const [key, member] of Object.entries(objectAt(at, value, Object.keys(FILE_MEMBERS)))) {
    if (FUNCTION_ANNOTATIONS.includes(key))
      throw renderRefused(at.file, at.where, `${key}: programs and containers are not run`);
    const inside = { ...place, at: { ...at, where: key } };
    const role = Object.hasOwn(FILE_MEMBERS, key) ? FILE_MEMBERS[key] : undefined;
    for (const text of textsOf(member)) {
      if (role !== undefined) await visitPath(walk, inside, text, role);
      if (TEXT_MEMBERS.includes(key)) walk.addInline({ file: at.file, where: key, text });
      if (key === 'literals' && place.secret === true)
        walk.addInline({ file: at.file, where: key, text: literalValue(text), secret: true });
    }
    await visitMembers(walk, place, member, depth + 1);
  }
}

/**
 * `path` is a file in one plug-in and a field of an object in another: what is there is read, what is not there is noted
 * as absent.
 */
async function visitPath(
  walk: KustomizeWalk,
  { at, base, secret }: PluginPlace,
  entry: string,
  role: InputRole,
): Promise<void> {
  const text = pathOf(entry);
  const remote = [entry, text].find(isRemote);
  if (remote !== undefined) resolveInRepository(at.file, at.where, remote);
  if (isInline(entry) || text === '' || isTooLong(text) || posix.isAbsolute(text) || /[\\\p{Cc}]/u.test(text))
    return;
  const path = posix.normalize(posix.join(posix.dirname(base), text));
  if (!isInRepositoryOf(base, path)) return;
  const found = await walk.look(path);
  const isContent = role === 'raw' && secret === true;
  if (found?.type === 'blob') walk.addFile(path, found.oid, isContent ? 'secret' : role);
  else if (found === undefined) walk.addAbsent(path);
}

/** `key=path` or only the path. */
export function pathOf(entry: string): string {
  return entry.slice(entry.indexOf('=') + 1);
}

/** Of `key=value`, without the quotes that kustomize takes off. */
export function literalValue(literal: string): string {
  return literal.slice(literal.indexOf('=') + 1).replace(/^(['"])(.*)\1$/s, '$2');
}

function textsOf(value: Json | undefined): readonly string[] {
  const items = Array.isArray(value) ? (value as readonly Json[]) : [value];
  return items.filter((item) => typeof item === 'string');
}
