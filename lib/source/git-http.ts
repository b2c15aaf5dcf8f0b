import type { Dispatcher } from 'undici';
import { HoldfastError } from '../model/errors.ts';
import type { Source } from '../model/source.ts';
import type { GitAddress } from './git-repository.ts';
import { refused } from './git-errors.ts';
import { assertPublicHost } from './network-policy.ts';
import { connectionError, discard, readBody, redirectOf, redirectTarget } from './outbound-http.ts';

/** One conversation with one repository: the base URL moves when the server redirects, the credential does not. */
export interface GitHttp {
  /** scheme://host/path of the source, for messages. */
  readonly place: string;
  /** GET, following redirects; `path` is appended to the repository's URL. */
  get(path: string, headers: Readonly<Record<string, string>>): Promise<GitAnswer>;
  /** POST to where the last GET ended. A redirect of it is refused, as git itself does. */
  post(path: string, headers: Readonly<Record<string, string>>, body: Uint8Array): Promise<GitAnswer>;
}

export interface GitAnswer {
  readonly contentType: string;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface GitHttpOptions {
  readonly dispatcher: Dispatcher;
  /** Aborts every request of the conversation. */
  readonly signal: AbortSignal;
  readonly authorization: string | undefined;
}

const MAX_REDIRECTS = 5;
// GitHub and others choose by this prefix whether they talk to git or to a browser.
const USER_AGENT = 'git/2.40.0 (holdfast)';

/** @throws HoldfastError `git-refused` for a URL that the source's configuration does not allow */
export function openGitHttp(options: GitHttpOptions, source: GitAddress): GitHttp {
  const origin = parseSourceUrl(source);
  const place = placeOf(origin);
  let base = origin;

  async function send(
    method: 'GET' | 'POST',
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | null,
  ): Promise<Dispatcher.ResponseData> {
    if (source.allowPrivateNetwork !== true) assertPublicHost(url.hostname);
    const sameOrigin = url.origin === origin.origin;
    const credentials =
      options.authorization !== undefined && sameOrigin ? { authorization: options.authorization } : {};
    try {
      return await options.dispatcher.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers: {
          'user-agent': USER_AGENT,
          'accept-encoding': 'identity',
          pragma: 'no-cache',
          ...headers,
          ...credentials,
        },
        body,
        signal: options.signal,
      });
    } catch (cause) {
      throw unreachable(place, cause);
    }
  }

  async function get(path: string, headers: Readonly<Record<string, string>>): Promise<GitAnswer> {
    let url = new URL(`${base.href}${path}`);
    for (let redirects = 0; ; redirects += 1) {
      const response = await send('GET', url, headers, null);
      const location = redirectOf(response);
      if (location === undefined) {
        const answer = await accept(response, place, options.authorization !== undefined);
        if (redirects > 0) base = baseAfterRedirect(url, path, place);
        return answer;
      }
      discard(response);
      if (redirects >= MAX_REDIRECTS) {
        throw refused(place, `redirects more than ${MAX_REDIRECTS} times`);
      }
      url = redirectTarget(location, url, {
        origin: origin.origin,
        refuse: (what) => refused(place, what),
      });
      if (source.redirects === 'same-origin' && url.origin !== origin.origin) {
        throw refused(place, `redirects to another host (${url.origin})`);
      }
    }
  }

  async function post(
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
  ): Promise<GitAnswer> {
    const response = await send('POST', new URL(`${base.href}${path}`), headers, body);
    if (redirectOf(response) !== undefined) {
      discard(response);
      throw refused(place, 'redirects in the middle of a fetch');
    }
    return accept(response, place, options.authorization !== undefined);
  }

  return { place, get, post };
}

function parseSourceUrl(source: Source): URL {
  const wrong = (what: string) =>
    new HoldfastError('git-refused', `source "${source.id}": ${what}`, { details: { source: source.id } });
  let url: URL;
  try {
    url = new URL(source.url);
  } catch {
    throw wrong('its URL cannot be parsed: use https://host/path');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw wrong(`its URL has the scheme ${url.protocol} and only https:// is spoken`);
  }
  if (url.username !== '' || url.password !== '') {
    throw wrong('its URL holds a user name or password: put them into a secret and name it as gitSecret');
  }
  if (url.search !== '' || url.hash !== '') {
    throw wrong('its URL holds a query or a fragment: give the repository alone');
  }
  if (url.protocol === 'http:' && source.allowHttp !== true) {
    throw wrong('its URL is plain http: use https, or set allowHttp on the source if that is meant');
  }
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

/** Scheme, host and path: nothing that could be a credential. */
function placeOf(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** The server moved the repository: later requests of this conversation go to the new place. */
function baseAfterRedirect(url: URL, path: string, place: string): URL {
  const question = path.indexOf('?');
  const suffix = question < 0 ? path : path.slice(0, question);
  if (!url.pathname.endsWith(suffix)) {
    throw refused(
      place,
      'redirects to a place that is no Git repository (a page for people to sign in, perhaps)',
    );
  }
  const base = new URL(url.origin);
  base.pathname = url.pathname.slice(0, -suffix.length);
  return base;
}

async function accept(
  response: Dispatcher.ResponseData,
  place: string,
  withCredential: boolean,
): Promise<GitAnswer> {
  const { statusCode, headers } = response;
  if (statusCode === 200) {
    const contentType = headers['content-type'];
    return {
      contentType: typeof contentType === 'string' ? contentType : '',
      body: readBody(response, (cause) => unreachable(place, cause)),
    };
  }
  discard(response);
  throw statusError(statusCode, headers['retry-after'] !== undefined, place, withCredential);
}

function statusError(
  status: number,
  retryAfter: boolean,
  place: string,
  withCredential: boolean,
): HoldfastError {
  const details = { status, place };
  // Azure DevOps answers 203 with a page for people to sign in.
  if (status === 401 || status === 203 || (status === 403 && !retryAfter)) {
    const advice = withCredential
      ? 'its secret (gitSecret) is wrong, has expired, or may not read this repository'
      : 'it wants a credential: store one as a secret in the role git and name it as gitSecret';
    return new HoldfastError('git-authentication', `${place} answers ${status}: ${advice}`, { details });
  }
  if (status === 404 || status === 410) {
    const message = `${place} answers ${status}: no such repository, or the credential may not see it`;
    return new HoldfastError('git-not-found', message, { details });
  }
  if (status === 408 || status === 429 || status === 403 || status >= 500) {
    const message = `${place} answers ${status}: the Git server is busy or broken; tried again later`;
    return new HoldfastError('git-unreachable', message, { details, retryable: true });
  }
  return refused(place, `answers ${status}, which is not how a Git server speaks`);
}

function unreachable(place: string, cause: unknown): HoldfastError {
  return connectionError(cause, (reason) => {
    const message = `${place} cannot be reached (${reason}); tried again later`;
    return new HoldfastError('git-unreachable', message, {
      details: { place, reason },
      retryable: true,
      cause,
    });
  });
}
