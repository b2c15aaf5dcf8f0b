import fs from 'node:fs';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type * as git from 'isomorphic-git';
import type { CommitSha } from '../model/ids.ts';
import { checkPackAnswer, wholeAnswer } from './git-answer.ts';
import { fetchingClient, listingClient } from './git-client.ts';
import { commitFailure, commitMissing, fromGitLibrary, refused } from './git-errors.ts';
import type { GitHttp } from './git-http.ts';
import type { GitLimits } from './git-limits.ts';
import { assertSha1, isSha1 } from './git-refs.ts';
import { scanPack } from './pack-scan.ts';
import { loadGit } from './load-git.ts';

/** Framing and progress on top of the pack itself. */
const FRAMING_ALLOWANCE = 1.02;
const FRAMING_BYTES = 1024 * 1024;
/** What a pack may unpack to, times what it may be packed. */
const INFLATION = 8;

export interface FetchCommitOptions {
  readonly limits: Required<GitLimits>;
  /** Ends the work between the requests too: unpacking takes time of its own. */
  readonly signal: AbortSignal;
}

/**
 * Fetches exactly one commit, without its history, into a bare repository in `gitdir`, which must exist and be empty.
 * isomorphic-git fetches over protocol 0. There a server gives out the tips of its refs, and any other commit only when
 * it says so (uploadpack.allowReachableSHA1InWant and its kin, as the large hosts do); a commit behind an annotated tag
 * is asked for as that tag. Whether the commit did come, who reads it finds out.
 * @throws HoldfastError with the git-* codes
 */
export async function fetchCommit(
  http: GitHttp,
  commit: CommitSha,
  gitdir: string,
  { limits, signal }: FetchCommitOptions,
): Promise<void> {
  const { place } = http;
  const assertInTime = (): void => {
    if (!signal.aborted) return;
    const what = `not fetched and read within ${limits.timeoutMs} ms`;
    throw commitFailure('git-too-large', { place, commit }, what);
  };
  const receive = async (chunks: AsyncIterable<Uint8Array>): Promise<readonly Buffer[]> => {
    const maxBytes = Math.ceil(limits.maxPackBytes * FRAMING_ALLOWANCE) + FRAMING_BYTES;
    const answer = await wholeAnswer(chunks, { maxBytes, place, what: `commit ${commit}` });
    const { packets, pack } = checkPackAnswer(answer, place, commit);
    if (pack.length > limits.maxPackBytes) {
      const what = `it is larger than ${limits.maxPackBytes} bytes, packed`;
      throw commitFailure('git-too-large', { place, commit }, what);
    }
    await scanPack(pack, {
      place,
      commit,
      maxObjectBytes: limits.maxPackBytes,
      maxInflatedBytes: limits.maxPackBytes * INFLATION,
      assertInTime,
    });
    return packets;
  };
  const library = await loadGit();
  try {
    const info = await library.getRemoteInfo2({ http: listingClient(http), url: place, protocolVersion: 1 });
    const want = wantFor(info, commit, place);
    await library.init({ fs, gitdir, dir: gitdir, bare: true });
    // Where it fetches from is of no use later, but without a configured remote the library fails after the fetch.
    await library.addRemote({ fs, gitdir, remote: 'origin', url: place, force: true });
    await library.fetch({
      fs,
      gitdir,
      http: fetchingClient(http, want, receive),
      remote: 'origin',
      ref: want.oid,
      depth: 1,
      singleBranch: true,
      tags: false,
      // Called, and awaited, at every hundredth of the indexing, which gives way to nobody otherwise.
      onProgress: async () => {
        await yieldToOthers();
        assertInTime();
      },
    });
  } catch (error) {
    throw fromGitLibrary(error, `${place}, commit ${commit}`);
  }
}

function wantFor(
  info: git.GetRemoteInfo2Result,
  commit: CommitSha,
  place: string,
): { readonly oid: string; readonly capabilities: readonly string[] } {
  assertSha1(info, place);
  if (info.protocolVersion !== 1)
    throw refused(place, 'does not speak protocol 0, over which commits are fetched');
  const has = (name: string) => info.capabilities[name] !== undefined;
  const refs = info.refs ?? [];
  const isTip = refs.some(({ oid }) => oid === commit);
  const servesAny = has('allow-reachable-sha1-in-want') || has('allow-tip-sha1-in-want');
  const tag = refs.find(({ peeled }) => peeled === commit)?.oid;
  const oid = isTip || (servesAny && tag === undefined) ? commit : tag;
  if (oid === undefined || !isSha1(oid)) throw commitMissing(place, commit);
  if (!has('shallow')) throw refused(place, 'cannot serve one commit without its history (no shallow fetch)');
  if (!has('side-band-64k')) throw refused(place, 'is too old: it knows no side-band-64k');
  return { oid, capabilities: ['shallow', 'side-band-64k', 'ofs-delta'].filter(has) };
}
