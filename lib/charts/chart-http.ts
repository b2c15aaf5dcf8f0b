import { rootCertificates } from 'node:tls';
import { Agent, type Dispatcher } from 'undici';
import { assertPublicHost, guardedLookup, type ResolveHost } from '../source/network-policy.ts';
import { connectionError, discard, readBody, redirectOf, redirectTarget } from '../source/outbound-http.ts';
import { internalAddress, refused, tooLarge, unreachable } from './chart-errors.ts';
import type { ChartLimits } from './chart-limits.ts';

export interface ChartHttpOptions {
  /** scheme://host:port that may be plain http and have a private address. */
  readonly allowedOrigins: readonly string[];
  /** PEM, beside the ones Node.js knows. */
  readonly trustedCertificates: readonly string[];
  readonly resolve: ResolveHost | undefined;
  readonly limits: Required<ChartLimits>;
}

export interface ChartHttp {
  /** Whether this origin is spoken to without https. */
  allowsPlainHttp(origin: string): boolean;
  /** @param home where the definition says the chart is; decides what else may be reached */
  converse(home: URL, signal: AbortSignal): Conversation;
  close(): Promise<void>;
}

/** All requests for one chart. */
export interface Conversation {
  /**
   * GET, following redirects. Any status but a redirect's comes back; the body is read for 200 only.
   * @throws HoldfastError `chart-refused`, `chart-unreachable`, `chart-too-large`
   */
  get(url: URL, request: ChartGet): Promise<ChartAnswer>;
}

export interface ChartGet {
  readonly headers?: Readonly<Record<string, string>>;
  /** Goes to this origin, whatever redirects say. */
  readonly credential?: { readonly origin: string; readonly authorization: string } | undefined;
  readonly maxBytes: number;
  /** For the message when it is larger: "the archive", and the name of the limit. */
  readonly limit: readonly [what: string, name: string];
}

export interface ChartAnswer {
  readonly status: number;
  readonly body: Buffer;
  /** Where the redirects ended. */
  readonly url: URL;
  /** The first one of this name; '' when there is none. */
  header(name: string): string;
  /** For messages: what was asked for, and the host that answered when it is another. */
  readonly place: string;
  readonly retryAfter: boolean;
  readonly withCredential: boolean;
}

const MAX_REDIRECTS = 5;
const USER_AGENT = 'holdfast (helm)';

export function createChartHttp(options: ChartHttpOptions): ChartHttp {
  const allowed = new Set(options.allowedOrigins.map(originOf));
  const agents = connectionPools(options);
  const allowsPlainHttp = (origin: string) => origin.startsWith('http:') && allowed.has(origin);

  function converse(home: URL, signal: AbortSignal): Conversation {
    // A public repository must not lead to what only listed ones are meant to reach.
    const isAllowed = (url: URL) => allowed.has(home.origin) && allowed.has(url.origin);

    async function send(url: URL, request: ChartGet, place: string, within: AbortSignal) {
      assertSpoken(url, place, isAllowed(url));
      if (!isAllowed(url)) assertPublicHost(url.hostname, internalAddress);
      const { credential } = request;
      const withCredential = credential !== undefined && credential.origin === url.origin;
      const response = await agents
        .for(isAllowed(url))
        .request({
          origin: url.origin,
          path: `${url.pathname}${url.search}`,
          method: 'GET',
          headers: {
            'user-agent': USER_AGENT,
            'accept-encoding': 'identity',
            ...request.headers,
            ...(withCredential ? { authorization: credential.authorization } : {}),
          },
          signal: within,
        })
        .catch((cause: unknown) => {
          throw connectionError(cause, (reason, cause) => unreachable(place, reason, cause));
        });
      return { response, withCredential };
    }

    async function get(first: URL, request: ChartGet): Promise<ChartAnswer> {
      const within = AbortSignal.any([signal, AbortSignal.timeout(options.limits.requestTimeoutMs)]);
      let url = first;
      for (let redirects = 0; ; redirects += 1) {
        const place = placeOf(first, url);
        const { response, withCredential } = await send(url, request, place, within);
        const location = redirectOf(response);
        if (location === undefined) return answerOf(response, request, { url, place, withCredential });
        discard(response);
        if (redirects >= MAX_REDIRECTS) throw refused(place, `redirects more than ${MAX_REDIRECTS} times`);
        url = redirectTarget(location, url, {
          origin: first.origin,
          refuse: (what) => refused(place, what),
          allowsPlainHttp: isAllowed,
        });
      }
    }

    return { get };
  }

  return { allowsPlainHttp, converse, close: () => agents.close() };
}

function assertSpoken(url: URL, place: string, isAllowed: boolean): void {
  if (url.username !== '' || url.password !== '') {
    throw refused(place, 'leads to a URL that holds a user name or password');
  }
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isAllowed)) return;
  throw refused(place, `leads to ${url.protocol}//${url.host}, and only https is spoken there`);
}

async function answerOf(
  response: Dispatcher.ResponseData,
  request: ChartGet,
  about: Pick<ChartAnswer, 'url' | 'place' | 'withCredential'>,
): Promise<ChartAnswer> {
  const header = (name: string): string => {
    const value = response.headers[name];
    return (Array.isArray(value) ? value[0] : value) ?? '';
  };
  let body: Buffer = Buffer.alloc(0);
  if (response.statusCode === 200) body = await readLimited(response, request, about.place);
  else discard(response);
  return {
    ...about,
    status: response.statusCode,
    body,
    header,
    retryAfter: header('retry-after') !== '',
  };
}

async function readLimited(
  response: Dispatcher.ResponseData,
  { maxBytes, limit }: ChartGet,
  place: string,
): Promise<Buffer> {
  const excess = () => {
    discard(response);
    return tooLarge(place, limit[0], maxBytes, limit[1]);
  };
  if (Number(response.headers['content-length']) > maxBytes) throw excess();
  const chunks: Uint8Array[] = [];
  let size = 0;
  const fail = (cause: unknown) =>
    connectionError(cause, (reason, cause) => unreachable(place, reason, cause));
  for await (const chunk of readBody(response, fail)) {
    size += chunk.length;
    if (size > maxBytes) throw excess();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** Without the query, which may be a signature. */
function placeOf(first: URL, last: URL): string {
  const asked = `${first.origin}${first.pathname}`;
  return first.origin === last.origin ? asked : `${asked} (redirected to ${last.origin})`;
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new TypeError(
      `allowed origin ${JSON.stringify(text)}: expected scheme://host:port with http or https`,
    );
  }
  return url.origin;
}

/** Two pools, because what a connection may lead to is decided when it is made. */
function connectionPools({ resolve, trustedCertificates, limits }: ChartHttpOptions) {
  const made = new Map<boolean, Agent>();
  const certificates =
    trustedCertificates.length === 0 ? {} : { ca: [...rootCertificates, ...trustedCertificates] };
  const agent = (allowInternal: boolean): Agent => {
    const created = new Agent({
      connections: 8,
      headersTimeout: limits.requestTimeoutMs,
      bodyTimeout: limits.requestTimeoutMs,
      connect: {
        timeout: Math.min(limits.requestTimeoutMs, 10_000),
        lookup: guardedLookup({ resolve, allowInternal, refuse: internalAddress }),
        ...certificates,
      },
    });
    made.set(allowInternal, created);
    return created;
  };
  return {
    for: (allowInternal: boolean): Dispatcher => made.get(allowInternal) ?? agent(allowInternal),
    close: async () => {
      await Promise.all([...made.values()].map((each) => each.destroy()));
      made.clear();
    },
  };
}
