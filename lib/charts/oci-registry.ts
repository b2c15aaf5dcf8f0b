import { createHash } from 'node:crypto';
import type { HoldfastError } from '../model/errors.ts';
import { chartFailure, digestMismatch, isCode, statusError } from './chart-errors.ts';
import type { ChartAnswer } from './chart-http.ts';
import { MAX_DOCUMENT_BYTES, type ChartLimits } from './chart-limits.ts';
import type { WantedChart } from './chart-request.ts';
import { chooseVersion, whatExists } from './choose-version.ts';
import { getFromRegistry, type RegistrySession } from './registry-auth.ts';
import { isStrictVersion, parseRange, parseVersion } from './version-range.ts';

/** Where one version of a chart is. */
export interface PublishedChart {
  /** `sha256:…` of the archive; undefined when the server does not say. */
  readonly digest: string | undefined;
  /** What the server calls it; undefined when a digest or a tag that is no version was asked for. */
  readonly version: string | undefined;
  /** Of an OCI artefact. */
  readonly manifestDigest?: string;
  /** The archive's bytes; whoever calls compares them with the digest. */
  download(): Promise<Buffer>;
}

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG_TYPE = 'application/vnd.cncf.helm.config.v1+json';
const LAYER_TYPES = [
  'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
  // What helm wrote before 3.7, and still reads.
  'application/tar+gzip',
];
const TAGS_PER_PAGE = 1_000;
const MAX_PAGES = 100;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * Finds a chart in a registry (OCI distribution specification 1.1, helm's media types).
 * @throws HoldfastError chart-*
 */
export async function findInRegistry(
  session: RegistrySession,
  wanted: WantedChart,
  limits: Required<ChartLimits>,
): Promise<PublishedChart> {
  const { manifest, tag } = await resolve(session, wanted);
  const layer = chartLayer(manifest, wanted.place);
  const version =
    tag === undefined || parseVersion(versionOf(tag)) === undefined ? undefined : versionOf(tag);
  if (wanted.digest !== undefined && wanted.digest !== manifest.digest && wanted.digest !== layer.digest) {
    throw digestMismatch(
      `${wanted.place}${tag === undefined ? '' : `, tag ${tag},`}`,
      wanted.digest,
      manifest.digest,
    );
  }
  const tooLargeLayer = `the archive has ${layer.size} bytes, and ${limits.maxArchiveBytes} are the limit maxArchiveBytes`;
  if (layer.size > limits.maxArchiveBytes) throw chartFailure('chart-too-large', wanted.place, tooLargeLayer);
  return {
    digest: layer.digest,
    version,
    manifestDigest: manifest.digest,
    async download() {
      const answer = await getFromRegistry(session, urlOf(session, `blobs/${layer.digest}`), {
        maxBytes: layer.size,
        limit: ['the archive', 'of what its manifest says'],
      });
      if (answer.status !== 200) throw statusError(answer);
      return answer.body;
    },
  };
}

interface Resolved {
  readonly manifest: Manifest;
  readonly tag: string | undefined;
}

async function resolve(session: RegistrySession, wanted: WantedChart): Promise<Resolved> {
  const { version = '*', digest } = wanted;
  if (wanted.version === undefined && digest !== undefined) {
    const manifest = await fetchManifest(session, digest, wanted.place);
    if (manifest === undefined) {
      throw chartFailure('chart-not-found', wanted.place, `the registry has no manifest ${digest}`);
    }
    return { manifest, tag: undefined };
  }
  const isExact = parseVersion(version) !== undefined || parseRange(version) === undefined;
  if (isExact) {
    const tag = version.replaceAll('+', '_');
    const manifest = await fetchManifest(session, tag, wanted.place);
    if (manifest !== undefined) return { manifest, tag };
  }
  const tags = await listTags(session, wanted.place).catch((error: unknown) => {
    // Some registries let nobody list: the missing tag is what there is to tell.
    if (isExact && !isCode(error, 'chart-unreachable')) return [];
    throw error;
  });
  // Of a version that leaves parts out, helm's tag of that name comes first, then the newest in the range.
  const tag = isExact && isStrictVersion(version) ? undefined : chooseTag(tags, version);
  if (tag === undefined) throw noSuchVersion(wanted, tags, version);
  const manifest = await fetchManifest(session, tag, wanted.place);
  if (manifest === undefined) throw noSuchVersion(wanted, tags, version);
  return { manifest, tag };
}

/** Of tags as helm does: only full versions count, so that moving tags such as 1.2 do not. */
function chooseTag(tags: readonly string[], range: string): string | undefined {
  if (tags.includes(range)) return range;
  const versions = tags.map(versionOf);
  const chosen =
    chooseVersion(versions.filter(isStrictVersion), range) ??
    chooseVersion(
      versions.filter((version) => version.startsWith('v') && isStrictVersion(version.slice(1))),
      range,
    );
  return chosen?.replaceAll('+', '_');
}

function versionOf(tag: string): string {
  return tag.replaceAll('_', '+');
}

function noSuchVersion(wanted: WantedChart, tags: readonly string[], version: string): HoldfastError {
  const there = whatExists(tags.map(versionOf), version);
  return chartFailure(
    'chart-not-found',
    wanted.place,
    `no version matches ${JSON.stringify(version)}: ${there}`,
  );
}

async function listTags(session: RegistrySession, place: string): Promise<readonly string[]> {
  const tags: string[] = [];
  let url: URL | undefined = urlOf(session, `tags/list?n=${TAGS_PER_PAGE}`);
  for (let pages = 0; url !== undefined; pages += 1) {
    if (pages >= MAX_PAGES) {
      throw chartFailure('chart-too-large', place, `its tags fill more than ${MAX_PAGES} pages`);
    }
    const answer: ChartAnswer = await getFromRegistry(session, url, {
      headers: { accept: 'application/json' },
      maxBytes: MAX_DOCUMENT_BYTES,
      limit: ['the list of tags', 'of all documents'],
    });
    if (answer.status === 404) {
      throw chartFailure('chart-not-found', place, 'the registry has no such chart, or hides it');
    }
    if (answer.status !== 200) throw statusError(answer);
    const { tags: page } = parseDocument(answer, place);
    if (Array.isArray(page)) tags.push(...page.filter((tag) => typeof tag === 'string'));
    url = nextPage(answer, url, place);
  }
  return tags;
}

function nextPage(answer: ChartAnswer, url: URL, place: string): URL | undefined {
  const target = /<([^<>]*)>\s*;[^,]*\brel="?next"?/i.exec(answer.header('link'))?.[1];
  if (target === undefined) return undefined;
  const next = URL.canParse(target, url.href) ? new URL(target, url) : undefined;
  if (next === undefined || next.origin !== url.origin) {
    throw chartFailure('chart-refused', place, 'the next page of its tags is on another host');
  }
  return next;
}

interface Manifest {
  readonly digest: string;
  readonly document: Readonly<Record<string, unknown>>;
}

/** @returns undefined when there is none of that tag or digest */
async function fetchManifest(
  session: RegistrySession,
  reference: string,
  place: string,
): Promise<Manifest | undefined> {
  const answer = await getFromRegistry(session, urlOf(session, `manifests/${reference}`), {
    headers: { accept: MANIFEST_TYPE },
    maxBytes: MAX_DOCUMENT_BYTES,
    limit: ['the manifest', 'of all documents'],
  });
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw statusError(answer);
  const digest = `sha256:${createHash('sha256').update(answer.body).digest('hex')}`;
  const told = answer.header('docker-content-digest');
  for (const expected of [reference, told]) {
    if (DIGEST.test(expected) && expected !== digest) {
      const what = `the manifest has the digest ${digest} and should have ${expected}`;
      throw chartFailure('chart-corrupt', place, what);
    }
  }
  return { digest, document: parseDocument(answer, place) };
}

function chartLayer(
  { document }: Manifest,
  place: string,
): { readonly digest: string; readonly size: number } {
  const { config, layers } = document;
  if (asObject(config)['mediaType'] !== CONFIG_TYPE || !Array.isArray(layers)) {
    throw chartFailure('chart-refused', place, 'what the registry has there is no helm chart');
  }
  const contents = layers
    .map(asObject)
    .filter(({ mediaType }) => LAYER_TYPES.some((each) => each === mediaType));
  const [layer] = contents;
  if (contents.length !== 1 || layer === undefined) {
    const what = `its manifest has ${contents.length} archives of a chart instead of one`;
    throw chartFailure('chart-corrupt', place, what);
  }
  const { digest, size } = layer;
  if (typeof digest !== 'string' || !DIGEST.test(digest)) {
    throw chartFailure(
      'chart-corrupt',
      place,
      'its manifest names the archive by something else than sha256',
    );
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw chartFailure('chart-corrupt', place, 'its manifest does not say how large the archive is');
  }
  return { digest, size };
}

function parseDocument(answer: ChartAnswer, place: string): Readonly<Record<string, unknown>> {
  try {
    return asObject(JSON.parse(answer.body.toString('utf8')));
  } catch {
    throw chartFailure('chart-corrupt', place, `${answer.place} answers with something else than JSON`);
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function urlOf(session: RegistrySession, rest: string): URL {
  return new URL(`${session.origin}/v2/${session.path}/${rest}`);
}
