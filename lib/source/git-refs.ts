import type * as git from 'isomorphic-git';
import { HoldfastError } from '../model/errors.ts';
import type { CommitSha } from '../model/ids.ts';
import { refKey, type GitRef } from '../model/source.ts';
import { listingClient } from './git-client.ts';
import { fromGitLibrary, refused } from './git-errors.ts';
import type { GitHttp } from './git-http.ts';
import { loadGit } from './load-git.ts';

/**
 * Branches and tags of a repository by full name; annotated tags are peeled. Symbolic refs such as HEAD and refs that
 * hosts keep for themselves (pull requests) are left out: no application can follow them.
 */
export async function listBranchesAndTags(http: GitHttp): Promise<ReadonlyMap<string, CommitSha>> {
  const remote = { http: listingClient(http), url: http.place };
  const refs = await listed(remote, http.place).catch((error: unknown) => {
    throw fromGitLibrary(error, http.place);
  });
  return new Map(
    refs
      .filter(({ ref }) => /^refs\/(heads|tags)\/./.test(ref))
      // A branch without a commit yet, where a server tells of it.
      .filter(({ oid }) => oid !== 'unborn')
      .map(({ ref, oid, peeled }) => [ref, commitOf(peeled ?? oid, http.place)]),
  );
}

/** The commit of the server's HEAD: of the branch that it shows to whoever names none. */
export async function headCommit(http: GitHttp): Promise<CommitSha | undefined> {
  const library = await loadGit();
  const remote = { http: listingClient(http), url: http.place };
  try {
    const info = await library.getRemoteInfo2({ ...remote, protocolVersion: 2 });
    assertSha1(info, http.place);
    const refs =
      info.protocolVersion === 1
        ? (info.refs ?? [])
        : await library.listServerRefs({ ...remote, protocolVersion: 2, prefix: 'HEAD' });
    const oid = refs.find(({ ref }) => ref === 'HEAD')?.oid;
    return oid === undefined || oid === 'unborn' ? undefined : commitOf(oid, http.place);
  } catch (error) {
    throw fromGitLibrary(error, http.place);
  }
}

type Remote = Pick<Parameters<typeof git.listServerRefs>[0], 'http' | 'url'>;

async function listed(remote: Remote, place: string): Promise<readonly git.ServerRef[]> {
  const library = await loadGit();
  const info = await library.getRemoteInfo2({ ...remote, protocolVersion: 2 });
  assertSha1(info, place);
  if (info.protocolVersion === 1) return info.refs ?? [];
  // Protocol 2 can leave out what hosts keep for themselves, often far more than the rest; the library asks for one
  // prefix at a time.
  const parts = await Promise.all(
    ['refs/heads/', 'refs/tags/'].map((prefix) =>
      library.listServerRefs({ ...remote, protocolVersion: 2, prefix, peelTags: true }),
    ),
  );
  return parts.flat();
}

/** @throws HoldfastError `git-refused` for a repository with other object ids */
export function assertSha1(info: git.GetRemoteInfo2Result, place: string): void {
  const format = info.capabilities['object-format'];
  if (format !== undefined && format !== 'sha1') {
    throw refused(
      place,
      'keeps its objects under other than sha1 ids, and Holdfast reads sha1 repositories only',
    );
  }
}

function commitOf(oid: string, place: string): CommitSha {
  if (isSha1(oid)) return oid as CommitSha;
  throw new HoldfastError('git-corrupt', `${place} lists a ref that is none`, { details: { place } });
}

export function isSha1(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}

/**
 * The commit that a ref means now.
 * @throws HoldfastError `git-ref-missing` when there is no such branch or tag; `invalid-input` for a commit that is not
 * given in full
 */
export function resolveRef(refs: ReadonlyMap<string, CommitSha>, ref: GitRef): CommitSha {
  if (ref.kind === 'commit') {
    const sha = ref.sha.toLowerCase();
    if (isSha1(sha)) return sha as CommitSha;
    throw new HoldfastError('invalid-input', `commit "${ref.sha}": give all 40 hexadecimal digits`);
  }
  const commit = refs.get(refKey(ref));
  if (commit === undefined) {
    throw new HoldfastError('git-ref-missing', `there is no ${ref.kind} "${ref.name}" in the repository`, {
      details: { ref: refKey(ref) },
    });
  }
  return commit;
}
