import { lstatSync, readFileSync } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../model/errors.ts';
import type { CommitSha } from '../model/ids.ts';
import type { FileTree } from './file-tree.ts';
import type { CommitReader, TreeEntry } from './git-repository.ts';
import { renderRefused } from './repository-path.ts';

/**
 * A directory on this machine as if it were a commit, uncommitted changes included: closures and artefacts of it are
 * what a commit of it would give, with the same refusals. Its object ids are places, not hashes, so its digests say
 * nothing. `.git` is left out.
 * @throws HoldfastError `path-missing`
 */
export async function localDirectoryReader(directory: string): Promise<CommitReader> {
  const root = await rootOf(directory);
  // Only ids that a tree has given out are read: none can be made up to lead somewhere else.
  const known = new Set(['']);
  const place = (oid: string): string => {
    if (!known.has(oid)) throw new HoldfastError('path-missing', `${oid}: not read from ${directory}`);
    return path.join(root, oid);
  };
  return {
    commit: '0'.repeat(40) as CommitSha,
    rootTree: '',
    readTree: async (oid) => {
      const entries = await readdir(place(oid), { withFileTypes: true });
      return entries
        .filter(({ name }) => name !== '.git')
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .flatMap((entry): TreeEntry[] => {
          const below = path.posix.join(oid, entry.name);
          known.add(below);
          if (entry.isDirectory()) return [{ name: entry.name, type: 'tree', oid: below }];
          if (entry.isFile()) return [{ name: entry.name, type: 'blob', oid: below }];
          return entry.isSymbolicLink() ? [{ name: entry.name, type: 'symlink', oid: below }] : [];
        });
    },
    readBlob: async (oid) => {
      const file = place(oid);
      // Ten thousand small files: waiting for each costs several times what reading it does.
      if (!lstatSync(file).isFile()) throw renderRefused(oid, 'file', 'is no regular file any more');
      return readFileSync(file);
    },
  };
}

/**
 * All files of a directory on this machine, by path, read when they are asked for. `.git` is left out; links to files
 * inside are followed.
 * @throws HoldfastError `path-missing`; `render-refused` for links that leave the directory, lead nowhere or to a
 * directory
 */
export async function readLocalDirectory(directory: string): Promise<FileTree> {
  const root = await rootOf(directory);
  const files = new Map<string, string>();
  await collect(root, '', files);
  const paths = [...files.keys()].sort();
  return {
    paths,
    read: (file) => {
      const found = files.get(file);
      return found === undefined ? undefined : readFileSync(found);
    },
  };
}

async function collect(root: string, relative: string, files: Map<string, string>): Promise<void> {
  for (const entry of await readdir(path.join(root, relative), { withFileTypes: true })) {
    if (entry.name === '.git') continue;
    const below = path.posix.join(relative, entry.name);
    if (entry.isDirectory()) await collect(root, below, files);
    else if (entry.isFile()) files.set(below, path.join(root, below));
    else if (entry.isSymbolicLink()) files.set(below, await linkTarget(root, below));
  }
}

async function linkTarget(root: string, link: string): Promise<string> {
  const target = await realpath(path.join(root, link)).catch(() => undefined);
  if (target === undefined)
    throw renderRefused(link, 'symlink', 'leads nowhere: remove it, or commit the file itself');
  if (target !== root && !target.startsWith(root + path.sep)) {
    throw renderRefused(link, 'symlink', 'leaves the directory: commit the file itself');
  }
  if (!(await stat(target)).isFile()) {
    throw renderRefused(link, 'symlink', 'leads to a directory: commit the files themselves');
  }
  return target;
}

async function rootOf(directory: string): Promise<string> {
  const root = await realpath(directory).catch(() => undefined);
  if (root === undefined || !(await stat(root)).isDirectory()) {
    throw new HoldfastError('path-missing', `${directory}: no such directory`);
  }
  return root;
}
