import { chartFailure, digestMismatch, statusError } from './chart-errors.ts';
import type { Conversation } from './chart-http.ts';
import type { ChartLimits } from './chart-limits.ts';
import type { WantedChart } from './chart-request.ts';
import { chooseVersion, whatExists } from './choose-version.ts';
import { readIndex, type IndexEntry } from './helm-index.ts';
import type { IndexCache } from './index-cache.ts';
import type { PublishedChart } from './oci-registry.ts';

export interface RepositorySession {
  readonly conversation: Conversation;
  readonly indexes: IndexCache;
  /** For the repository's own origin; never for where its index leads. */
  readonly authorization: string | undefined;
}

/** A chart behind an index: its archive, or the place in a registry that some indexes name instead. */
export type IndexedChart =
  | { readonly kind: 'archive'; readonly chart: PublishedChart }
  | { readonly kind: 'oci'; readonly reference: string; readonly entry: IndexEntry };

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * Finds a chart in a repository that has an index.yaml.
 * @throws HoldfastError chart-*
 */
export async function findInRepository(
  session: RepositorySession,
  wanted: WantedChart,
  limits: Required<ChartLimits>,
): Promise<IndexedChart> {
  const { conversation, authorization } = session;
  const credential = authorization === undefined ? undefined : { origin: wanted.base.origin, authorization };
  const root =
    wanted.base.pathname === '/' ? wanted.base.origin : `${wanted.base.origin}${wanted.base.pathname}`;
  const index = await session.indexes.fetch(conversation, new URL(`${root}/index.yaml`), credential);
  const entry = chooseEntry(readIndex(index, wanted.name, wanted.place), wanted);
  if (entry.digest !== undefined && !DIGEST.test(entry.digest)) {
    throw chartFailure('chart-corrupt', wanted.place, 'its index has a digest that is not sha256');
  }
  if (wanted.digest !== undefined && entry.digest !== undefined && entry.digest !== wanted.digest) {
    throw digestMismatch(`${wanted.place} ${entry.version}`, wanted.digest, entry.digest);
  }
  const [address] = entry.urls;
  if (address === undefined) {
    throw chartFailure('chart-corrupt', wanted.place, `its index says not where version ${entry.version} is`);
  }
  if (address.startsWith('oci://')) return { kind: 'oci', reference: address, entry };
  const url = archiveUrl(address, root, wanted);
  return {
    kind: 'archive',
    chart: {
      digest: entry.digest ?? wanted.digest,
      version: entry.version,
      async download() {
        const answer = await conversation.get(url, {
          credential,
          maxBytes: limits.maxArchiveBytes,
          limit: ['the archive', 'maxArchiveBytes'],
        });
        if (answer.status === 200) return answer.body;
        if ((answer.status === 401 || answer.status === 403) && answer.url.origin !== wanted.base.origin) {
          const what = `answers ${answer.status}, and the credential goes to ${wanted.base.origin} alone`;
          throw chartFailure('chart-authentication', `${wanted.place}: its archive at ${answer.place}`, what);
        }
        throw statusError(answer);
      },
    },
  };
}

function chooseEntry(entries: readonly IndexEntry[] | undefined, wanted: WantedChart): IndexEntry {
  const { version, digest, place } = wanted;
  if (entries === undefined) {
    throw chartFailure('chart-not-found', place, 'its index does not list this chart');
  }
  const pinned = version === undefined && digest !== undefined;
  const byDigest = pinned ? entries.find((entry) => entry.digest === digest) : undefined;
  if (byDigest !== undefined) return byDigest;
  const versions = entries.map((entry) => entry.version);
  const chosen = chooseVersion(versions, version ?? '*');
  const entry = entries.find((each) => each.version === chosen);
  if (entry === undefined) {
    const asked = JSON.stringify(version ?? '*');
    const there = whatExists(versions, version ?? '*');
    throw chartFailure('chart-not-found', place, `no version matches ${asked}: ${there}`);
  }
  return entry;
}

/** Relative to the repository, whatever its index was redirected to, as helm has it. */
function archiveUrl(address: string, root: string, wanted: WantedChart): URL {
  if (!URL.canParse(address, `${root}/`)) {
    throw chartFailure('chart-corrupt', wanted.place, 'its index has an address that is no URL');
  }
  const url = new URL(address, `${root}/`);
  url.hash = '';
  return url;
}
