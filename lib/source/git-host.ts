import { Agent, type Dispatcher } from 'undici';
import { HoldfastError } from '../model/errors.ts';
import { sha256, type CommitSha } from '../model/ids.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import { openCommit, type CommitPlace } from './commit-reader.ts';
import { fetchCommit } from './fetch-commit.ts';
import { authorizationOf } from './git-credentials.ts';
import { refused } from './git-errors.ts';
import { openGitHttp, type GitHttp } from './git-http.ts';
import { DEFAULT_GIT_LIMITS, type GitLimits } from './git-limits.ts';
import { headCommit, isSha1, listBranchesAndTags } from './git-refs.ts';
import type { CommitReader, GitAddress, GitHost } from './git-repository.ts';
import { guardedLookup, type ResolveHost } from './network-policy.ts';
import { repositoryCache, type RepositoryCache } from './repository-cache.ts';

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

/** One open commit, shared by all who read it. */
interface Loaded {
  readonly reader: Promise<CommitReader>;
  readonly unhold: () => Promise<void>;
  users: number;
}

/**
 * Git over smart HTTP, by isomorphic-git: refs over protocol 2 where the server speaks it, commits over protocol 0.
 * Every failure is a HoldfastError: git-not-found, git-authentication, git-commit-missing, git-unreachable (worth
 * another try), git-too-large, git-corrupt, git-refused; internal where the cache directory cannot be written; and what the secret
 * store throws.
 */
export function createGitHost(dependencies: GitHostDependencies): GitHost & {
  /** The commit of the server's HEAD; undefined for an empty repository. */
  head(source: GitAddress): Promise<CommitSha | undefined>;
  close(): Promise<void>;
} {
  const limits = { ...DEFAULT_GIT_LIMITS, ...dependencies.limits };
  const cache = repositoryCache({ directory: dependencies.cacheDirectory, maxBytes: limits.cacheBytes });
  const connections = connectionPools(dependencies, limits.timeoutMs);
  const loaded = new Map<string, Loaded>();

  async function converse<T>(
    source: GitAddress,
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

  async function open(source: GitAddress, commit: CommitSha): Promise<OpenCommit> {
    assertCommitSha(source, commit);
    const key = sha256(`${source.id}\n${source.url}\n${commit}`);
    let entry = loaded.get(key);
    if (entry === undefined) {
      const fetchInto = (gitdir: string) =>
        converse(source, (http, signal) => fetchCommit(http, commit, gitdir, { limits, signal }));
      const where = { place: `source "${source.id}"`, commit, maxFileBytes: limits.maxFileBytes };
      const unhold = cache.hold(key);
      entry = { reader: load(cache, key, where, fetchInto), unhold, users: 0 };
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
      if (loaded.get(key) === current) loaded.delete(key);
      await current.unhold();
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
    head: (source) => converse(source, (http) => headCommit(http)),
    close: () => connections.close(),
  };
}

/** From the warm cache if it is there and whole, else from the server. */
async function load(
  cache: RepositoryCache,
  key: string,
  where: CommitPlace,
  fetchInto: (gitdir: string) => Promise<void>,
): Promise<CommitReader> {
  const cached = await cache.find(key);
  if (cached !== undefined) {
    try {
      return await openCommit(cached, where);
    } catch {
      // Whatever is wrong with it, a fetched one decides.
      await cache.discard(key);
    }
  }
  const fetched = await cache.create(key, fetchInto);
  try {
    return await openCommit(fetched, where);
  } catch (error) {
    await cache.discard(key);
    throw error;
  }
}

function assertCommitSha(source: GitAddress, commit: string): void {
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
    for: (source: GitAddress): Dispatcher =>
      dependencies.dispatcher ?? agent(source.allowPrivateNetwork === true),
    close: async () => {
      await Promise.all([...made.values()].map((each) => each.destroy()));
      made.clear();
    },
  };
}
