import { HoldfastError, type ErrorCode } from '../model/errors.ts';
import type { CommitSha } from '../model/ids.ts';
import { commitMissing } from './fetch-pack.ts';
import type { CommitReader, TreeEntry } from './git-repository.ts';
import { MalformedPack } from './pack-entry.ts';
import { OversizedPack, type Pack, type PackObject } from './pack.ts';

export interface PackPlace {
  /** Where the pack came from, for messages. */
  readonly place: string;
  readonly commit: CommitSha;
  readonly maxFileBytes: number;
}

/**
 * @throws HoldfastError `git-commit-missing` when the pack does not hold the commit, `git-corrupt` when it is none
 */
export function readerOfPack(pack: Pack, where: PackPlace): CommitReader {
  const { place, commit, maxFileBytes } = where;
  const object = (oid: string, type: PackObject['type']): Buffer => {
    const found = guarded(where, () => pack.read(oid));
    if (found === undefined) {
      // A commit is small: one that is not found is not there, whatever was skipped.
      if (type === 'commit') throw commitMissing(place, commit);
      if (pack.skipped) throw failure(where, 'git-too-large', `${type} ${oid} is too large to be read`);
      throw failure(where, 'git-corrupt', `${type} ${oid} is not in what the server sent`);
    }
    if (found.type !== type) throw failure(where, 'git-corrupt', `${oid} is a ${found.type}, not a ${type}`);
    return found.data;
  };
  const rootTree = treeOf(object(commit, 'commit'), where);
  return {
    commit,
    rootTree,
    readTree: async (oid) => parseTree(object(oid, 'tree'), oid, where),
    readBlob: async (oid) => {
      const data = object(oid, 'blob');
      if (data.length > maxFileBytes) {
        throw failure(
          where,
          'git-too-large',
          `file ${oid} has ${data.length} bytes, more than ${maxFileBytes}`,
        );
      }
      return data;
    },
  };
}

/** Turns what a pack throws into errors that say where. */
export function guarded<T>(where: PackPlace, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw packError(error, where);
  }
}

export function packError(error: unknown, where: PackPlace): unknown {
  if (error instanceof MalformedPack) {
    return failure(where, 'git-corrupt', `what the server sent is damaged: ${error.message}`);
  }
  if (error instanceof OversizedPack) {
    return failure(where, 'git-too-large', 'it unpacks to more than Holdfast takes');
  }
  return error;
}

function failure({ place, commit }: PackPlace, code: ErrorCode, what: string): HoldfastError {
  return new HoldfastError(code, `${place}, commit ${commit}: ${what}`, { details: { place, commit } });
}

function treeOf(commit: Buffer, where: PackPlace): string {
  const match = /^tree ([0-9a-f]{40})\n/.exec(commit.toString('latin1', 0, 46));
  if (match?.[1] === undefined) throw failure(where, 'git-corrupt', 'the commit names no tree');
  return match[1];
}

function parseTree(data: Buffer, oid: string, where: PackPlace): readonly TreeEntry[] {
  const corrupt = (what: string) => failure(where, 'git-corrupt', `tree ${oid} ${what}`);
  const entries: TreeEntry[] = [];
  const names = new Set<string>();
  for (let position = 0; position < data.length; ) {
    const nul = data.indexOf(0, position);
    const space = data.indexOf(0x20, position);
    if (nul < 0 || space < 0 || space > nul || nul + 21 > data.length) throw corrupt('is cut short');
    const mode = data.toString('latin1', position, space);
    const name = data.toString('utf8', space + 1, nul);
    // Names that git itself refuses to check out; nothing good comes with them.
    if (name === '' || name.includes('/') || /^(\.{1,2}|\.git)$/i.test(name)) {
      throw corrupt(`holds the forbidden name ${JSON.stringify(name)}`);
    }
    if (names.has(name)) throw corrupt(`holds ${JSON.stringify(name)} twice`);
    names.add(name);
    const type = typeOf(mode);
    if (type === undefined)
      throw corrupt(`holds ${JSON.stringify(name)} with the unknown mode ${mode.slice(0, 10)}`);
    const entry = { name, type, oid: data.toString('hex', nul + 1, nul + 21) };
    entries.push(type === 'blob' && mode.endsWith('755') ? { ...entry, executable: true } : entry);
    position = nul + 21;
  }
  return entries;
}

function typeOf(mode: string): TreeEntry['type'] | undefined {
  if (/^0?40000$/.test(mode)) return 'tree';
  // 100664 is in old repositories.
  if (/^100(644|755|664)$/.test(mode)) return 'blob';
  if (mode === '120000') return 'symlink';
  return mode === '160000' ? 'submodule' : undefined;
}
