import { HoldfastError } from '../model/errors.ts';
import type { CommitSha, SourceId } from '../model/ids.ts';
import { isSha1 } from './git-refs.ts';
import type { CommitReader, GitAddress, GitHost } from './git-repository.ts';
import { memoizedReader } from './memoized-reader.ts';

export interface RemoteBasesDependencies {
  readonly git: GitHost & { head(address: GitAddress): Promise<CommitSha | undefined> };
  /** See parseAllowedBases. */
  readonly allowed: readonly string[];
}

/** Repositories that kustomizations refer to, fetched without a credential. */
export interface RemoteBases {
  /**
   * @param url as parseRemoteBase gives it
   * @param ref a branch, a tag, a full ref name or a full commit. @default the server's HEAD
   * @throws HoldfastError `render-refused` for a host that is not allowed; `git-ref-missing`; git-*
   */
  open(url: string, ref: string | undefined): Promise<CommitReader>;
  /** Lets go of everything that was opened. */
  close(): Promise<void>;
}

/** What an installation may fetch bases from. */
export type AllowedBase =
  /** Over https, at public addresses, on the port of https. */
  | { readonly kind: 'host'; readonly host: string }
  /** Also over http, on any port and at private addresses, if that is how it is written. */
  | { readonly kind: 'origin'; readonly origin: string };

/**
 * For one run of the source stage: a ref is looked up once in it, so that all applications see the same commit, and a
 * server that does not answer is asked once.
 * @throws HoldfastError `invalid-input` for an entry of `allowed` that is neither a host nor an origin
 */
export function createRemoteBases(dependencies: RemoteBasesDependencies): RemoteBases {
  const { git } = dependencies;
  const allowed = parseAllowedBases(dependencies.allowed);
  const listed = new Map<string, Promise<ReadonlyMap<string, CommitSha>>>();
  const opened = new Map<string, Promise<CommitReader>>();
  const releases: (() => Promise<void>)[] = [];

  async function commitOf(address: GitAddress, ref: string | undefined): Promise<CommitSha> {
    if (ref === undefined) {
      const head = await git.head(address);
      if (head === undefined) throw refMissing(`${address.url} has no HEAD: name a branch or a tag as ?ref=`);
      return head;
    }
    const lower = ref.toLowerCase();
    if (isSha1(lower)) return lower as CommitSha;
    const refs = await once(listed, address.url, () => git.listRefs(address));
    // The order in which `git fetch` understands a short name.
    const commit = [ref, `refs/${ref}`, `refs/tags/${ref}`, `refs/heads/${ref}`]
      .map((name) => refs.get(name))
      .find((found) => found !== undefined);
    if (commit !== undefined) return commit;
    const advice = /^[0-9a-f]{7,39}$/.test(lower) ? '; a commit has to be given in full' : '';
    throw refMissing(`there is no branch or tag "${ref}" in ${address.url}${advice}`);
  }

  async function openAt(address: GitAddress, ref: string | undefined): Promise<CommitReader> {
    const commit = await commitOf(address, ref);
    return await once(opened, `${address.url}\n${commit}`, async () => {
      const reader = await git.open(address, commit);
      releases.push(() => reader.release());
      return memoizedReader(reader);
    });
  }

  const asked = new Map<string, Promise<CommitReader>>();
  return {
    open: (url, ref) =>
      once(asked, `${url}\n${ref ?? ''}`, async () => {
        const address = addressOf(url, allowed);
        return await openAt(address, ref).catch((error: unknown) => {
          throw inWordsOfBases(error, url);
        });
      }),
    async close() {
      // What is still being opened would be held for good.
      await Promise.allSettled(asked.values());
      await Promise.allSettled(releases.splice(0).map((release) => release()));
    },
  };
}

/**
 * `github.com`: https only, public addresses only. `http://127.0.0.1:8080`, `https://git.internal`: that origin, as it is.
 * @throws HoldfastError `invalid-input` naming the entry
 */
export function parseAllowedBases(entries: readonly string[]): readonly AllowedBase[] {
  return entries.map((entry) => {
    const isOrigin = entry.includes('://');
    const url = URL.parse(isOrigin ? entry : `https://${entry}`);
    const plain =
      url !== null && url.username === '' && url.password === '' && !/[^a-z0-9.:[\]-]/.test(url.hostname);
    if (
      plain &&
      isOrigin &&
      /^https?:$/.test(url.protocol) &&
      entry.toLowerCase().replace(/\/$/, '') === url.origin
    )
      return { kind: 'origin', origin: url.origin };
    if (plain && !isOrigin && entry.toLowerCase() === url.hostname)
      return { kind: 'host', host: url.hostname };
    throw new HoldfastError(
      'invalid-input',
      `remote bases: ${JSON.stringify(entry)} is neither a host such as github.com nor an origin such as https://git.example.com:8443`,
    );
  });
}

function addressOf(address: string, allowed: readonly AllowedBase[]): GitAddress {
  const url = new URL(address);
  const isOrigin = allowed.some((entry) => entry.kind === 'origin' && entry.origin === url.origin);
  const isHost = allowed.some(
    (entry) => entry.kind === 'host' && url.protocol === 'https:' && url.host === entry.host,
  );
  if (!isOrigin && !isHost) {
    throw new HoldfastError(
      'render-refused',
      `bases are not fetched from ${url.origin}: allow it to the installation, or commit a copy and refer to that`,
      { details: { origin: url.origin } },
    );
  }
  return {
    schema: 1,
    id: 'remote-base' as SourceId,
    url: address,
    provider: 'generic',
    webhookSecrets: [],
    // Where a base comes from is decided by the list alone, and no server on it may send us elsewhere.
    redirects: 'same-origin',
    ...(isOrigin ? { allowPrivateNetwork: true, allowHttp: url.protocol === 'http:' } : {}),
  };
}

/** The advice of a Git source does not fit: a base has no settings of its own. */
function inWordsOfBases(error: unknown, url: string): unknown {
  if (!(error instanceof HoldfastError)) return error;
  const { code, retryable, details } = error;
  const options = { retryable, details, cause: error };
  if (code === 'git-authentication') {
    const message = `${url} wants a credential, and only public repositories are fetched as bases: commit a copy`;
    return new HoldfastError(code, message, options);
  }
  if (code === 'git-refused' && typeof details['host'] === 'string') {
    const message = `${details['host']} is a loopback, link-local or private address: allow the whole origin to the installation if that is meant`;
    return new HoldfastError(code, message, options);
  }
  return error;
}

function refMissing(message: string): HoldfastError {
  return new HoldfastError('git-ref-missing', message);
}

function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const made = known.get(key) ?? make();
  known.set(key, made);
  return made;
}
