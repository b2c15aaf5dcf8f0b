import { posix } from 'node:path';
import type * as yaml from 'yaml';
import { HoldfastError } from '../model/errors.ts';
import type { ClosureEntry } from './closure.ts';
import type { CommitReader, TreeEntry } from './git-repository.ts';
import { renderRefused } from './repository-path.ts';

export interface ClosureLimits {
  /** Files that a render reads. Default 10,000. */
  readonly maxFiles?: number;
}

/** A walk over one commit that notes what it looks at. */
export interface ClosureWalk {
  /** What lies at a path from the repository's root. Refuses symlinks and submodules on the way. */
  look(path: string): Promise<Found | undefined>;
  /** What lies directly in a directory, symlinks and submodules left out. */
  list(path: string): Promise<readonly (Found & { readonly name: string })[]>;
  addFile(path: string, oid: string): void;
  /** A file that was looked for and is not there: its appearance changes the render. */
  addAbsent(path: string): void;
  /** The whole directory counts, with what will be new in it; `wanted` chooses the files that are read. */
  addDirectory(path: string, oid: string, wanted: (name: string) => boolean): Promise<void>;
  /** The documents of a small YAML file. */
  readYaml(path: string, oid: string): Promise<readonly unknown[]>;
  parseYaml(text: string, file: string, where: string): readonly unknown[];
  entries(): readonly ClosureEntry[];
}

export interface Found {
  readonly type: 'blob' | 'tree';
  readonly oid: string;
}

const DEFAULT_MAX_FILES = 10_000;
/** A directory may hold other things too, but a tree that repeats itself a thousandfold must come to an end. */
const LISTED_PER_FILE = 20;
const MAX_DEPTH = 100;
const MAX_PARSED_BYTES = 1024 * 1024;

/** Loads its parser on the first walk: the target stage starts from the same bundle and walks no commits. */
export async function closureWalk(reader: CommitReader, limits: ClosureLimits = {}): Promise<ClosureWalk> {
  const library = await import('yaml');
  const maxFiles = limits.maxFiles ?? DEFAULT_MAX_FILES;
  const noted = new Map<string, ClosureEntry>();
  let files = 0;
  let listed = 0;

  function note(entry: ClosureEntry): void {
    const key = `${entry.type} ${entry.path}`;
    if (noted.has(key)) return;
    noted.set(key, entry);
    if (entry.type === 'blob') files += 1;
    if (files > maxFiles) throw tooManyFiles(entry.path, maxFiles);
  }

  async function look(path: string): Promise<Found | undefined> {
    let found: Found = { type: 'tree', oid: reader.rootTree };
    if (path === '.') return found;
    const names = path.split('/');
    for (const [index, name] of names.entries()) {
      if (found.type !== 'tree') return undefined;
      const entry: TreeEntry | undefined = (await reader.readTree(found.oid)).find(
        (each) => each.name === name,
      );
      if (entry === undefined) return undefined;
      found = regular(entry, names.slice(0, index + 1).join('/'));
    }
    return found;
  }

  async function list(path: string): Promise<readonly (Found & { readonly name: string })[]> {
    const found = await look(path);
    if (found?.type !== 'tree') return [];
    return (await reader.readTree(found.oid)).flatMap(({ name, type, oid }) =>
      type === 'blob' || type === 'tree' ? [{ name, type, oid }] : [],
    );
  }

  async function addDirectory(path: string, oid: string, wanted: (name: string) => boolean): Promise<void> {
    note({ path, type: 'tree', oid });
    await descend(path, oid, wanted, 0);
  }

  async function descend(
    path: string,
    oid: string,
    wanted: (name: string) => boolean,
    depth: number,
  ): Promise<void> {
    if (depth > MAX_DEPTH) {
      throw new HoldfastError('git-too-large', `${path}: directories are nested more than ${MAX_DEPTH} deep`);
    }
    for (const entry of await reader.readTree(oid)) {
      const below = posix.join(path, entry.name);
      listed += 1;
      if (listed > maxFiles * LISTED_PER_FILE) throw tooManyFiles(below, maxFiles * LISTED_PER_FILE);
      const found = regular(entry, below);
      if (found.type === 'tree') await descend(below, found.oid, wanted, depth + 1);
      else if (wanted(entry.name)) note({ path: below, type: 'blob', oid: found.oid });
    }
  }

  async function readYaml(path: string, oid: string): Promise<readonly unknown[]> {
    const bytes = await reader.readBlob(oid);
    if (bytes.length > MAX_PARSED_BYTES) {
      throw renderRefused(
        path,
        'content',
        `${bytes.length} bytes, more than the ${MAX_PARSED_BYTES} that are parsed`,
      );
    }
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      throw renderRefused(path, 'content', 'not UTF-8 text; save it as UTF-8');
    }
    return parseYaml(library, text, path, 'content');
  }

  return {
    look,
    list,
    addFile: (path, oid) => note({ path, type: 'blob', oid }),
    addAbsent: (path) => note({ path, type: 'absent' }),
    addDirectory,
    readYaml,
    parseYaml: (text, file, where) => parseYaml(library, text, file, where),
    entries: () => [...noted.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry),
  };
}

/** YAML as kustomize and helm read it, as far as paths go: 1.1, with merge keys; strings stay strings. */
function parseYaml(library: typeof yaml, text: string, file: string, where: string): readonly unknown[] {
  try {
    const documents = library.parseAllDocuments(text, { version: '1.1', prettyErrors: false });
    if (!Array.isArray(documents)) return [];
    return documents.map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return document.toJS({ maxAliasCount: 100 }) as unknown;
    });
  } catch (error) {
    // The parser's message may quote the text, so only its code is told.
    const code =
      error instanceof Error && 'code' in error ? String(error.code) : 'too deep or too many aliases';
    throw renderRefused(file, where, `not valid YAML (${code})`);
  }
}

function regular(entry: TreeEntry, path: string): Found {
  if (entry.type === 'symlink') {
    throw renderRefused(path, 'symlink', 'symbolic links are not followed: commit the file itself');
  }
  if (entry.type === 'submodule') {
    throw renderRefused(
      path,
      'submodule',
      'submodules are not fetched: commit the files, or make it a source of its own',
    );
  }
  if (/[\p{Cc}\\\uFFFD]/u.test(entry.name)) {
    throw renderRefused(
      JSON.stringify(path),
      'name',
      'file names must be UTF-8 without control characters and backslashes',
    );
  }
  return { type: entry.type, oid: entry.oid };
}

function tooManyFiles(path: string, most: number): HoldfastError {
  return new HoldfastError(
    'git-too-large',
    `${path}: more than ${most} files in what is rendered: point spec.path at a smaller directory`,
    { details: { path, maxFiles: most } },
  );
}
