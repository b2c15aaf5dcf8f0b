import type { CommitSha } from '../model/ids.ts';
import type { Source } from '../model/source.ts';

export interface TreeEntry {
  readonly name: string;
  readonly type: 'tree' | 'blob' | 'symlink' | 'submodule';
  readonly oid: string;
  readonly executable?: boolean;
}

/** One commit, object by object; nothing is ever checked out. */
export interface CommitReader {
  readonly commit: CommitSha;
  readonly rootTree: string;
  readTree(oid: string): Promise<readonly TreeEntry[]>;
  /** @throws HoldfastError `git-too-large` above `maxFileBytes` of the limits */
  readBlob(oid: string): Promise<Uint8Array>;
}

/** Where a repository is: a registered source, or one that is only read along the way. */
export interface GitAddress extends Source {
  /** Redirects to another origin are refused. @default those that stay on https are followed */
  readonly redirects?: 'same-origin';
}

/** Git over smart HTTP. Throws HoldfastError with the git-* codes. */
export interface GitHost {
  /** Full ref name → commit (annotated tags peeled). */
  listRefs(source: GitAddress): Promise<ReadonlyMap<string, CommitSha>>;
  /** Fetches exactly this commit at depth 1, or finds it in the warm cache. `release` lets the cache evict it. */
  open(source: GitAddress, commit: CommitSha): Promise<CommitReader & { release(): Promise<void> }>;
}
