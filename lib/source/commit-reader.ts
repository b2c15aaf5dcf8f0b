import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type * as git from 'isomorphic-git';
import { HoldfastError } from '../model/errors.ts';
import type { CommitSha } from '../model/ids.ts';
import { commitFailure, commitMissing } from './git-errors.ts';
import { isSha1 } from './git-refs.ts';
import type { CommitReader, TreeEntry } from './git-repository.ts';
import { loadGit } from './load-git.ts';

export interface CommitPlace {
  /** The source, for messages. */
  readonly place: string;
  readonly commit: CommitSha;
  readonly maxFileBytes: number;
}

/**
 * One commit in a bare repository that holds just that. The pack stays in memory until the reader is dropped.
 * @throws HoldfastError `git-commit-missing` when the repository does not hold the commit, `git-corrupt`
 */
export async function openCommit(gitdir: string, where: CommitPlace): Promise<CommitReader> {
  const { commit, maxFileBytes } = where;
  await checkIndexes(gitdir, where);
  const library = await loadGit();
  const cache = {};

  async function read(oid: string, type: 'commit' | 'tree' | 'blob'): Promise<unknown> {
    // The library leaves files as they are, and parses the other types.
    const found = await library.readObject({ fs, gitdir, oid, cache }).catch(async (error: unknown) => {
      throw await readFailure(error, { gitdir, oid, type }, where);
    });
    if (found.type === type) return found.object;
    throw commitFailure('git-corrupt', where, `${oid} is a ${found.type}, not a ${type}`);
  }

  const { tree } = (await read(commit, 'commit')) as git.CommitObject;
  if (!isSha1(tree ?? '')) throw commitFailure('git-corrupt', where, 'the commit names no tree');
  return {
    commit,
    rootTree: tree,
    readTree: async (oid) => entriesOf((await read(oid, 'tree')) as git.TreeObject, oid, where),
    readBlob: async (oid) => {
      const data = (await read(oid, 'blob')) as Uint8Array;
      if (data.length > maxFileBytes) {
        const what = `file ${oid} has ${data.length} bytes, more than ${maxFileBytes}`;
        throw commitFailure('git-too-large', where, what);
      }
      return data;
    },
  };
}

/**
 * The library checks the pack against its checksum but takes the index at its word, and a wrong offset in it would be
 * another file's content under the wanted name.
 */
async function checkIndexes(gitdir: string, where: CommitPlace): Promise<void> {
  const directory = path.join(gitdir, 'objects', 'pack');
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((each) => each.endsWith('.idx'))) {
    const index = await readFile(path.join(directory, name)).catch(() => Buffer.alloc(0));
    const checksum = createHash('sha1').update(index.subarray(0, -20)).digest();
    if (!checksum.equals(index.subarray(-20)))
      throw commitFailure('git-corrupt', where, `${name} is damaged`);
  }
}

async function readFailure(
  cause: unknown,
  { gitdir, oid, type }: { readonly gitdir: string; readonly oid: string; readonly type: string },
  where: CommitPlace,
): Promise<HoldfastError> {
  const { code, name } = cause as { readonly code?: string; readonly name?: string };
  const there = await stat(gitdir).catch(() => undefined);
  if (there === undefined) {
    const message = `${where.place}, commit ${where.commit}: its cached copy was removed while it was read; tried again later`;
    return new HoldfastError('git-unreachable', message, { retryable: true });
  }
  if (code === 'NotFoundError') {
    if (type === 'commit') return commitMissing(where.place, where.commit);
    return commitFailure('git-corrupt', where, `${type} ${oid} is not in what the server sent`);
  }
  // For example a mode or a name that git itself would not check out. The message quotes what is in the repository.
  return commitFailure(
    'git-corrupt',
    where,
    `${type} ${oid} cannot be read (${code ?? name ?? 'unknown reason'})`,
  );
}

function entriesOf(tree: git.TreeObject, oid: string, where: CommitPlace): readonly TreeEntry[] {
  const names = new Set<string>();
  return tree.map((entry) => {
    const { path: name, mode } = entry;
    if (name === '' || names.has(name) || !isSha1(entry.oid)) {
      const what = names.has(name) ? 'twice' : 'with nothing behind it';
      throw commitFailure('git-corrupt', where, `tree ${oid} holds ${JSON.stringify(name)} ${what}`);
    }
    names.add(name);
    const type = typeOf(entry);
    return { name, type, oid: entry.oid, ...(mode === '100755' ? { executable: true } : {}) };
  });
}

function typeOf({ type, mode }: git.TreeEntry): TreeEntry['type'] {
  if (type === 'tree') return 'tree';
  if (type === 'commit') return 'submodule';
  return mode === '120000' ? 'symlink' : 'blob';
}
