import type { JsonObject } from '../model/resource.ts';
import { EXTERNAL_DIRECTORY } from './closure-walk.ts';
import type { ClosureWalk, Found } from './closure-walk.ts';
import { renderRefused, resolveInRepository } from './repository-path.ts';

/** The names under which kustomize looks, in its order. */
export const KUSTOMIZATION_FILES = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'] as const;

/** Where an entry is written; paths are relative to the file. */
export interface Place {
  readonly file: string;
  readonly where: string;
}

/** A walk that is inside a kustomization. */
export interface KustomizeWalk extends ClosureWalk {
  readonly done: Set<string>;
  /** Where remote bases were put. */
  readonly remote: Set<string>;
  /** The directories that lead here, outermost first. */
  readonly above: readonly string[];
}

/** Follows an entry. @returns the entry as the tool shall see it, the very same one where nothing is different */
export type Visit = (walk: KustomizeWalk, at: Place, value: unknown) => Promise<unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Go reads `Path` and spellings with `ſ` as `path`: a spelling that would be overlooked here is refused. */
export function objectAt(at: Place, value: unknown, keys: readonly string[]): JsonObject {
  if (!isObject(value)) throw renderRefused(at.file, at.where, 'expected a mapping');
  for (const key of Object.keys(value)) {
    const folded = key.normalize('NFKC').toLowerCase();
    const meant = keys.find((name) => name.toLowerCase() === folded);
    if (meant !== undefined && key !== meant) {
      throw renderRefused(at.file, at.where, `${JSON.stringify(key)}: write it as "${meant}"`);
    }
  }
  return value;
}

export function listAt(at: Place, object: JsonObject, key: string): readonly unknown[] {
  const value = object[key];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw renderRefused(at.file, `${at.where}.${key}`, 'expected a list');
  return value as readonly unknown[];
}

/** YAML in place of the name of a file. */
export function isInline(value: unknown): value is string {
  return typeof value === 'string' && (value.includes('\n') || value.trimStart().startsWith('{'));
}

/**
 * What an entry names. A kustomization of another repository reaches what is in that one, and ours what is in ours.
 * @throws HoldfastError `render-refused` also where nothing is
 */
export async function resolve(
  walk: ClosureWalk,
  at: Place,
  value: unknown,
): Promise<{ readonly path: string; readonly found: Found }> {
  const path = resolvePath(at, value);
  const found = await walk.look(path);
  if (found === undefined) throw renderRefused(at.file, at.where, walk.whyAbsent(path));
  return { path, found };
}

export function resolvePath(at: Place, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw renderRefused(at.file, at.where, 'expected a path');
  const path = resolveInRepository(at.file, at.where, value);
  if (repositoryOf(path) === repositoryOf(at.file)) return path;
  const shown = JSON.stringify(value.slice(0, 200));
  throw renderRefused(
    at.file,
    at.where,
    `${shown} leads out of the repository: only what lies in it is rendered`,
  );
}

/** Whether a path lies in the repository of a file that names it. */
export function isInRepositoryOf(file: string, path: string): boolean {
  return path !== '..' && !path.startsWith('../') && repositoryOf(path) === repositoryOf(file);
}

/** Where the repository that a path belongs to is mounted: `.holdfast-external/bases/<id>`, or '' for our own. */
function repositoryOf(path: string): string {
  const [first, kind = '', id = ''] = path.split('/');
  return first === EXTERNAL_DIRECTORY ? `${first}/${kind}/${id}` : '';
}
