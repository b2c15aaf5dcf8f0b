import { createHash } from 'node:crypto';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { CommitSha } from '../../lib/model/ids.ts';
import type { CommitReader, GitHost, TreeEntry } from '../../lib/source/git-repository.ts';

type Files = Readonly<Record<string, string>>;

/** A Git server in memory: commits are file lists, trees and blobs have content-derived ids as in Git. */
export interface MemoryGit extends GitHost {
  /** Makes these files the head of a branch and returns the commit. */
  push(files: Files, branch?: string): CommitSha;
  /** Puts a branch back to an earlier commit, as a forced push does. */
  reset(commit: CommitSha, branch?: string): void;
  /** Thrown by the next calls while set. */
  fault: Error | undefined;
  readonly calls: { listRefs: number; open: number };
}

const oidOf = (text: string): string => createHash('sha1').update(text).digest('hex');

export function memoryGit(): MemoryGit {
  const refs = new Map<string, CommitSha>();
  const commits = new Map<string, Files>();
  const calls = { listRefs: 0, open: 0 };
  let pushes = 0;
  const git: MemoryGit = {
    calls,
    fault: undefined,
    push(files, branch = 'main') {
      const commit = oidOf(`commit ${pushes++}`) as CommitSha;
      commits.set(commit, { ...files });
      refs.set(`refs/heads/${branch}`, commit);
      return commit;
    },
    reset(commit, branch = 'main') {
      refs.set(`refs/heads/${branch}`, commit);
    },
    async listRefs() {
      calls.listRefs += 1;
      if (git.fault !== undefined) throw git.fault;
      return new Map(refs);
    },
    async open(_source, commit) {
      calls.open += 1;
      if (git.fault !== undefined) throw git.fault;
      const files = commits.get(commit);
      if (files === undefined) throw new HoldfastError('git-commit-missing', `commit ${commit} is not there`);
      return { ...readerOf(commit, files), release: async () => undefined };
    },
  };
  return git;
}

export function readerOf(commit: CommitSha, files: Files): CommitReader {
  const blobs = new Map<string, Uint8Array>();
  const trees = new Map<string, readonly TreeEntry[]>();
  const build = (prefix: string): string => {
    const entries = new Map<string, TreeEntry>();
    for (const [path, text] of Object.entries(files)) {
      if (!path.startsWith(prefix)) continue;
      const rest = path.slice(prefix.length);
      const [name = ''] = rest.split('/');
      if (entries.has(name)) continue;
      if (rest.includes('/')) {
        entries.set(name, { name, type: 'tree', oid: build(`${prefix}${name}/`) });
      } else {
        const oid = oidOf(`blob ${text}`);
        blobs.set(oid, Buffer.from(text));
        entries.set(name, { name, type: 'blob', oid });
      }
    }
    const sorted = [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const oid = oidOf(`tree ${JSON.stringify(sorted)}`);
    trees.set(oid, sorted);
    return oid;
  };
  const rootTree = build('');
  return {
    commit,
    rootTree,
    async readTree(oid) {
      const tree = trees.get(oid);
      if (tree === undefined) throw new Error(`no tree ${oid}`);
      return tree;
    },
    async readBlob(oid) {
      const blob = blobs.get(oid);
      if (blob === undefined) throw new Error(`no blob ${oid}`);
      return blob;
    },
  };
}
