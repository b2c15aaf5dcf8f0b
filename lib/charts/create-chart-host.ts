import type { ResolveHost } from '../source/network-policy.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import { archiveCache, digestOf } from './archive-cache.ts';
import { chartAuthorization } from './chart-credentials.ts';
import { chartFailure, digestMismatch, isCode } from './chart-errors.ts';
import type { ChartHost, ChartRequest, FetchedChart } from './chart-host.ts';
import { createChartHttp, type Conversation } from './chart-http.ts';
import { DEFAULT_CHART_LIMITS, type ChartLimits } from './chart-limits.ts';
import { readOciReference, readRequest, type WantedChart } from './chart-request.ts';
import { isSameVersion } from './choose-version.ts';
import { awsEcrToken, ecrAuthorization, ecrRegion, type GetEcrToken } from './ecr-authorization.ts';
import { findInRepository } from './helm-repository.ts';
import { indexCache } from './index-cache.ts';
import { findInRegistry, type PublishedChart } from './oci-registry.ts';
import { registryTokens } from './registry-auth.ts';
import { unpackChart } from './unpack-chart.ts';

export interface ChartHostOptions {
  readonly secrets: SecretStore;
  /** For archives by digest; may be shared between processes, and is made (0700) when it is not there. */
  readonly cacheDirectory: string;
  /**
   * scheme://host[:port] of repositories and registries that may be plain http (for oci too) and have private
   * addresses. Only charts of listed origins may lead to other listed ones. @default none
   */
  readonly allowedOrigins?: readonly string[];
  /** PEM of certificate authorities that are trusted beside the public ones. @default none */
  readonly trustedCertificates?: readonly string[];
  readonly limits?: ChartLimits;
  /** Replaces the system's name resolution. */
  readonly lookup?: ResolveHost;
  /** Replaces the AWS SDK. @default the process's own credentials */
  readonly getEcrToken?: GetEcrToken;
  /** Milliseconds since 1970, for when tokens expire. @default the clock of the machine */
  readonly now?: () => number;
}

/** Where the credential for a request comes from; undefined for anonymous ones. */
type Authorize = (options: { readonly fresh: boolean }) => Promise<string | undefined>;

/**
 * Charts from repositories with an index.yaml and from OCI registries. Every failure is a HoldfastError: chart-not-found,
 * chart-authentication, chart-unreachable (worth another try), chart-too-large, chart-corrupt, chart-refused; and what
 * the secret store throws.
 */
export function createChartHost(options: ChartHostOptions): ChartHost {
  const limits = { ...DEFAULT_CHART_LIMITS, ...options.limits };
  const now = options.now ?? Date.now;
  const http = createChartHttp({
    allowedOrigins: options.allowedOrigins ?? [],
    trustedCertificates: options.trustedCertificates ?? [],
    resolve: options.lookup,
    limits,
  });
  const archives = archiveCache({
    directory: options.cacheDirectory,
    maxBytes: limits.cacheBytes,
    maxArchiveBytes: limits.maxArchiveBytes,
  });
  const indexes = indexCache(limits);
  const tokens = registryTokens(now);
  const ecr = ecrAuthorization({ getToken: options.getEcrToken ?? awsEcrToken, now });
  const fetches = shared<FetchedChart>();
  const downloads = shared<Buffer>();

  function authorizer(wanted: WantedChart, credentials: string | undefined): Authorize {
    if (credentials !== undefined) {
      return ({ fresh }) => chartAuthorization(options.secrets, credentials, wanted.base.host, { fresh });
    }
    const { protocol, hostname } = wanted.base;
    const isEcr = wanted.kind === 'oci' && protocol === 'https:' && ecrRegion(hostname) !== undefined;
    return isEcr ? ({ fresh }) => ecr(hostname, { fresh }) : async () => undefined;
  }

  /** Once more with what the store or AWS says now, if that is something else: it may have been rotated. */
  async function authorized<T>(authorize: Authorize, attempt: (basic: string | undefined) => Promise<T>) {
    const authorization = await authorize({ fresh: false });
    try {
      return await attempt(authorization);
    } catch (error) {
      if (!isCode(error, 'chart-authentication') || authorization === undefined) throw error;
      const renewed = await authorize({ fresh: true });
      if (renewed === authorization) throw error;
      return attempt(renewed);
    }
  }

  function inRegistry(conversation: Conversation, wanted: WantedChart, basic: string | undefined) {
    const session = {
      conversation,
      origin: wanted.base.origin,
      path: `${wanted.base.pathname.slice(1)}/${wanted.name}`.replace(/^\//, ''),
      place: wanted.place,
      basic,
      tokens,
    };
    return findInRegistry(session, wanted, limits);
  }

  async function inRepository(
    conversation: Conversation,
    wanted: WantedChart,
    authorization: string | undefined,
  ): Promise<PublishedChart> {
    const found = await findInRepository({ conversation, indexes, authorization }, wanted, limits);
    if (found.kind === 'archive') return found.chart;
    const elsewhere = readOciReference(found.reference, wanted, http.allowsPlainHttp);
    // Another place than the one the credential is for.
    const chart = await authorized(authorizer(elsewhere, undefined), (basic) =>
      inRegistry(conversation, elsewhere, basic),
    );
    const { digest } = found.entry;
    if (digest !== undefined && chart.digest !== digest) {
      throw digestMismatch(elsewhere.place, digest, chart.digest ?? 'none');
    }
    return { ...chart, version: found.entry.version };
  }

  async function archiveOf(chart: PublishedChart, place: string): Promise<Buffer> {
    const { digest } = chart;
    if (digest === undefined) return chart.download();
    const cached = await archives.find(digest);
    if (cached !== undefined) return cached;
    const archive = await chart.download();
    const found = digestOf(archive);
    if (found !== digest) {
      const what = `the archive has the digest ${found} and should have ${digest}`;
      throw chartFailure('chart-corrupt', place, what);
    }
    await archives.keep(digest, archive);
    return archive;
  }

  async function fetchChart(request: ChartRequest): Promise<FetchedChart> {
    const wanted = readRequest(request, http.allowsPlainHttp);
    const conversation = http.converse(wanted.base, AbortSignal.timeout(limits.timeoutMs));
    const find = wanted.kind === 'oci' ? inRegistry : inRepository;
    const { chart, archive } = await authorized(authorizer(wanted, request.credentials), async (basic) => {
      const chart = await find(conversation, wanted, basic);
      const key = JSON.stringify([chart.digest, wanted.base.origin, request.credentials]);
      const load = () => archiveOf(chart, wanted.place);
      return { chart, archive: await (chart.digest === undefined ? load() : downloads(key, load)) };
    });
    const { files, name, version } = await unpackChart(archive, limits, wanted.place);
    if (name !== wanted.chartName) {
      const what = `its Chart.yaml has the name ${JSON.stringify(name.slice(0, 100))}`;
      throw chartFailure('chart-corrupt', wanted.place, what);
    }
    if (chart.version !== undefined && !isSameVersion(version, chart.version)) {
      const what = `its Chart.yaml has the version ${JSON.stringify(version.slice(0, 100))} instead of ${chart.version}`;
      throw chartFailure('chart-corrupt', wanted.place, what);
    }
    const { manifestDigest } = chart;
    return {
      name,
      version,
      digest: digestOf(archive),
      ...(manifestDigest === undefined ? {} : { manifestDigest }),
      files,
    };
  }

  return {
    fetch: (request) => fetches(keyOf(request), () => fetchChart(request)),
    close: () => http.close(),
  };
}

function keyOf({ repository, name, version, digest, credentials }: ChartRequest): string {
  return JSON.stringify([repository, name, version, digest, credentials]);
}

/** Who asks for what is under way waits for it. */
function shared<T>(): (key: string, start: () => Promise<T>) => Promise<T> {
  const underWay = new Map<string, Promise<T>>();
  return (key, start) => {
    const existing = underWay.get(key);
    if (existing !== undefined) return existing;
    const started = start().finally(() => underWay.delete(key));
    underWay.set(key, started);
    return started;
  };
}
