import { HoldfastError } from '../model/errors.ts';
import type { ChartRequest } from './chart-host.ts';
import { refused } from './chart-errors.ts';
import { parseRange } from './version-range.ts';

/** A request that has been looked at: what it asks for can be asked of a server. */
export interface WantedChart {
  readonly kind: 'http' | 'oci';
  /** Of the repository or of the registry's path, over http(s), without a slash at the end. */
  readonly base: URL;
  /** Under which the repository lists it; in a registry the path from its base. */
  readonly name: string;
  /** What its Chart.yaml has to say. */
  readonly chartName: string;
  readonly version: string | undefined;
  readonly digest: string | undefined;
  /** For messages: the repository and the chart. */
  readonly place: string;
}

/** What helm takes as a name. Not a leading dot or dash: names become paths and arguments. */
const CHART_NAME = /^\w[\w.-]{0,249}$/;
/** The distribution specification's grammar of a repository. */
const REGISTRY_PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const REGISTRY_TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * @param allowsPlainHttp whether this origin (http://host:port) is spoken to without https
 * @throws HoldfastError `chart-refused` that says what is wrong with the request
 */
export function readRequest(
  request: ChartRequest,
  allowsPlainHttp: (origin: string) => boolean,
): WantedChart {
  const kind = request.repository.startsWith('oci://') ? 'oci' : 'http';
  const { base, place } = readRepository(request, kind, allowsPlainHttp);
  const wrong = (what: string) => refused(`chart ${JSON.stringify(request.name)} of ${place}:`, what);
  const version = request.version?.trim();
  const registryPath = `${base.pathname.slice(1)}/${request.name}`.replace(/^\//, '');
  const nameIsFine =
    kind === 'http'
      ? CHART_NAME.test(request.name)
      : registryPath.length <= 255 && REGISTRY_PATH.test(registryPath) && request.name !== '';
  if (!nameIsFine) throw wrong('this is no name that a chart can have there');
  if (version !== undefined && !isVersionWish(version, kind)) {
    throw wrong(
      `version ${JSON.stringify(version.slice(0, 100))} is neither a version nor a range of versions`,
    );
  }
  if (request.digest !== undefined && !DIGEST.test(request.digest)) {
    throw wrong('its digest has to be sha256: and 64 hexadecimal digits');
  }
  return {
    kind,
    base,
    name: request.name,
    chartName: request.name.split('/').at(-1) ?? request.name,
    version: version === '' ? undefined : version,
    digest: request.digest,
    place: `chart "${request.name}" of ${place}`,
  };
}

/** A registry also has tags that are no versions, such as latest. */
function isVersionWish(version: string, kind: WantedChart['kind']): boolean {
  return (
    version === '' || parseRange(version) !== undefined || (kind === 'oci' && REGISTRY_TAG.test(version))
  );
}

function readRepository(
  request: ChartRequest,
  kind: WantedChart['kind'],
  allowsPlainHttp: (origin: string) => boolean,
): { readonly base: URL; readonly place: string } {
  // The text is not quoted: it may hold a password.
  const wrong = (what: string) =>
    new HoldfastError('chart-refused', `chart ${JSON.stringify(request.name)}: ${what}`);
  let url: URL;
  try {
    url = new URL(kind === 'oci' ? request.repository.replace(/^oci:/, 'https:') : request.repository);
  } catch {
    throw wrong('its repository is no URL: use https://host/path or oci://host/path');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw wrong(`its repository has the scheme ${url.protocol} and only https:// and oci:// are spoken`);
  }
  if (url.username !== '' || url.password !== '') {
    throw wrong('its repository URL holds a user name or password: put them into a secret and name it');
  }
  if (url.search !== '' || url.hash !== '') {
    throw wrong('its repository URL holds a query or a fragment: give the repository alone');
  }
  if (url.protocol === 'http:' && !allowsPlainHttp(url.origin)) {
    throw wrong(
      `its repository ${url.origin} is plain http: use https, or list that origin among the allowed origins for ` +
        'charts of this installation if that is meant',
    );
  }
  url.pathname = url.pathname.replace(/(?<!\/)\/+$/, '');
  const path = url.pathname === '/' ? '' : url.pathname;
  const place = `${kind === 'oci' ? `oci://${url.host}` : url.origin}${path}`;
  return { base: kind === 'oci' ? registryUrl(url, allowsPlainHttp) : url, place };
}

/** Docker Hub's registry has another name than its images; plain http is for origins that are listed. */
function registryUrl(url: URL, allowsPlainHttp: (origin: string) => boolean): URL {
  const plain = new URL(url.href.replace(/^https:/, 'http:'));
  if (allowsPlainHttp(plain.origin)) return plain;
  if (url.hostname === 'docker.io' || url.hostname === 'index.docker.io') {
    return new URL(url.href.replace(url.hostname, 'registry-1.docker.io'));
  }
  return url;
}

/**
 * What an `oci://host/path:tag` or `…@sha256:…` of an index means. The chart's name stays the one that was asked for.
 * @throws HoldfastError `chart-refused`
 */
export function readOciReference(
  reference: string,
  wanted: WantedChart,
  allowsPlainHttp: (origin: string) => boolean,
): WantedChart {
  const match = /^(oci:\/\/[^@]*?)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(reference);
  const [, place = '', tag, digest] = match ?? [];
  const slash = place.lastIndexOf('/');
  const version = tag?.replaceAll('_', '+');
  if (match === null || slash < 'oci://x'.length || (version === undefined && digest === undefined)) {
    throw refused(wanted.place, 'is listed with an oci:// address that has no tag or cannot be read');
  }
  const request = {
    repository: place.slice(0, slash),
    name: place.slice(slash + 1),
    ...(version === undefined ? {} : { version }),
    ...(digest === undefined ? {} : { digest }),
  };
  return { ...readRequest(request, allowsPlainHttp), chartName: wanted.chartName };
}
