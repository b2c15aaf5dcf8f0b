import { Agent, type Dispatcher } from 'undici';
import { HoldfastError } from '../model/errors.ts';
import { sha256, type CommitSha } from '../model/ids.ts';
import type { Source } from '../model/source.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import { guarded, packError, readerOfPack, type PackPlace } from './commit-reader.ts';
import { fetchPack } from './fetch-pack.ts';
import { authorizationOf } from './git-credentials.ts';
import { openGitHttp, refused, type GitHttp } from './git-http.ts';
import { DEFAULT_GIT_LIMITS, type GitLimits } from './git-limits.ts';
import { isSha1, listBranchesAndTags } from './git-refs.ts';
import type { CommitReader, GitHost } from './git-repository.ts';
import { guardedLookup, type ResolveHost } from './network-policy.ts';
import { packCache, type PackCache } from './pack-cache.ts';
import { indexPack, openPack, type PackLimits } from './pack.ts';
import { decodeStoredPack, encodeStoredPack, type StoredPack } from './stored-pack.ts';

export interface GitHostDependencies {
  readonly secrets: SecretStore;
  /** For the warm cache; may be shared between processes, and is made when it is not there. */
  readonly cacheDirectory: string;
  readonly limits?: GitLimits;
  /** Replaces the system's name resolution. */
  readonly lookup?: ResolveHost;
  /** Replaces the pooled connections, and with them the look at the addresses that are connected to. */
  readonly dispatcher?: Dispatcher;
}

type OpenCommit = CommitReader & { release(): Promise<void> };

/** One commit in memory, shared by all who have it open. */
interface Loaded {
  readonly reader: Promise<CommitReader>;
  readonly unhold: () => void;
  users: number;
}

/**
 * Git over smart HTTP: protocol 2 where the server speaks it, else 0.
 * Every failure is a HoldfastError: git-not-found, git-authentication, git-commit-missing, git-unreachable (worth
 * another try), git-too-large, git-corrupt, git-refused; and what the secret store throws.
 */
export function createGitHost(dependencies: GitHostDependencies): GitHost & { close(): Promise<void> } {
  const limits = { ...DEFAULT_GIT_LIMITS, ...dependencies.limits };
  const cache = packCache({ directory: dependencies.cacheDirectory, maxBytes: limits.cacheBytes });
  const connections = connectionPools(dependencies, limits.timeoutMs);
  const loaded = new Map<string, Loaded>();

  async function converse<T>(
    source: Source,
    talk: (http: GitHttp, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const attempt = async (authorization: string | undefined): Promise<T> => {
      const signal = AbortSignal.timeout(limits.timeoutMs);
      const dispatcher = connections.for(source);
      return talk(openGitHttp({ dispatcher, signal, authorization }, source), signal);
    };
    const authorization = await authorizationOf(dependencies.secrets, source);
    try {
      return await attempt(authorization);
    } catch (error) {
      if (!isAuthentication(error) || authorization === undefined) throw error;
      // The secret may have been rotated since it was cached.
      const renewed = await authorizationOf(dependencies.secrets, source, { fresh: true });
      if (renewed === authorization) throw error;
      return attempt(renewed);
    }
  }

  async function open(source: Source, commit: CommitSha): Promise<OpenCommit> {
    assertCommitSha(source, commit);
    const key = sha256(`${source.id}\n${source.url}\n${commit}`);
    let entry = loaded.get(key);
    if (entry === undefined) {
      const fetchIt = () => converse(source, (http, signal) => fetchStored(http, signal, commit, limits));
      const where = { place: `source "${source.id}"`, commit, maxFileBytes: limits.maxFileBytes };
      entry = {
        reader: load(cache, key, where, packLimits(limits), fetchIt),
        unhold: cache.hold(key),
        users: 0,
      };
      loaded.set(key, entry);
    }
    const current = entry;
    current.users += 1;
    let released = false;
    const release = async (): Promise<void> => {
      if (released) return;
      released = true;
      current.users -= 1;
      if (current.users > 0) return;
      current.unhold();
      if (loaded.get(key) === current) loaded.delete(key);
    };
    try {
      return { ...(await current.reader), release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  return {
    listRefs: (source) => converse(source, (http) => listBranchesAndTags(http)),
    open,
    close: () => connections.close(),
  };
}

/** From the warm cache if it is there and whole, else from the server. */
async function load(
  cache: PackCache,
  key: string,
  where: PackPlace,
  limits: PackLimits,
  fetchIt: () => Promise<StoredPack>,
): Promise<CommitReader> {
  const cached = await cache.load(key);
  if (cached !== undefined) {
    try {
      const stored = decodeStoredPack(cached);
      if (stored !== undefined) return readerOf(stored, where, limits);
    } catch {
      // Whatever is wrong with it, a fetched one decides.
    }
    await cache.remove(key);
  }
  const stored = await fetchIt();
  const reader = readerOf(stored, where, limits);
  await cache.store(key, encodeStoredPack(stored));
  return reader;
}

function readerOf(stored: StoredPack, where: PackPlace, limits: PackLimits): CommitReader {
  return guarded(where, () => readerOfPack(openPack(stored.pack, stored.index, limits), where));
}

async function fetchStored(
  http: GitHttp,
  signal: AbortSignal,
  commit: CommitSha,
  limits: Required<GitLimits>,
): Promise<StoredPack> {
  const pack = await fetchPack(http, commit, limits);
  try {
    return { pack, index: await indexPack(pack, packLimits(limits), signal) };
  } catch (error) {
    if (signal.aborted) {
      const message = `${http.place}, commit ${commit}: not fetched and read within ${limits.timeoutMs} ms`;
      throw new HoldfastError('git-too-large', message, { details: { place: http.place, commit } });
    }
    throw packError(error, { place: http.place, commit, maxFileBytes: limits.maxFileBytes });
  }
}

/** Deltas may be built on objects somewhat larger than what may be read. */
function packLimits(limits: Required<GitLimits>): PackLimits {
  return {
    maxObjectBytes: Math.max(limits.maxFileBytes * 4, 32 * 1024 * 1024),
    maxInflatedBytes: limits.maxPackBytes * 20,
  };
}

function assertCommitSha(source: Source, commit: string): void {
  if (isSha1(commit)) return;
  const place = `source "${source.id}"`;
  if (/^[0-9a-f]{64}$/.test(commit)) {
    throw refused(place, 'is asked for a sha256 commit, and Holdfast reads sha1 repositories only');
  }
  throw new HoldfastError('invalid-input', `${place}: commit "${commit}" is not 40 hexadecimal digits`);
}

function isAuthentication(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'git-authentication';
}

/** Two pools, because what a connection may lead to is decided when it is made. */
function connectionPools(dependencies: GitHostDependencies, timeoutMs: number) {
  const made = new Map<boolean, Agent>();
  const agent = (allowPrivate: boolean): Agent => {
    const existing = made.get(allowPrivate);
    if (existing !== undefined) return existing;
    const created = new Agent({
      connections: 8,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connect: {
        timeout: Math.min(timeoutMs, 10_000),
        lookup: guardedLookup({ resolve: dependencies.lookup, allowInternal: allowPrivate }),
      },
    });
    made.set(allowPrivate, created);
    return created;
  };
  return {
    for: (source: Source): Dispatcher =>
      dependencies.dispatcher ?? agent(source.allowPrivateNetwork === true),
    close: async () => {
      await Promise.all([...made.values()].map((each) => each.destroy()));
      made.clear();
    },
  };
}
