import { HoldfastError } from '../model/errors.ts';

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

export function isLoopback(hostname: string): boolean {
  return LOOPBACK.test(hostname);
}

/**
 * The URL of an API server: https, or http on loopback (the in-process sandbox cluster), maybe with a path prefix as
 * proxies like Rancher have it.
 *
 * @throws HoldfastError `invalid-input`
 */
export function parseEndpoint(endpoint: string): { readonly origin: string; readonly prefix: string } {
  let url: URL;
  try {
    url = new URL(endpoint);
  } catch (cause) {
    throw refused('is not a URL: give it as https://host:port', cause);
  }
  if (url.username !== '' || url.password !== '') {
    throw refused('carries user information: register the credential as a secret instead');
  }
  if (url.search !== '' || url.hash !== '') {
    throw refused('has a query or fragment: give it as https://host:port');
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw refused(`"${url.origin}" is plain http, which is allowed on loopback only: use https`);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw refused(`has the scheme "${url.protocol}": give it as https://host:port`);
  }
  return { origin: url.origin, prefix: url.pathname.replace(/\/+$/, '') };
}

function refused(problem: string, cause?: unknown): HoldfastError {
  return new HoldfastError('invalid-input', `cluster endpoint ${problem}`, { cause });
}
