import { posix } from 'node:path';
import { isTooLong } from './repository-path.ts';

/** A directory in another Git repository, as an entry of a kustomization names it. */
export interface RemoteBase {
  /** `https://host/path`, `http://` where it is written so: of the repository alone. */
  readonly url: string;
  /** Of the directory in it; `.` for its root. */
  readonly path: string;
  /** A branch, a tag or a commit. Absent: what the server's HEAD is. */
  readonly ref?: string;
}

export type ParsedRemoteBase =
  | { readonly ok: true; readonly base: RemoteBase }
  /** `why` holds nothing of the entry that could be a credential. */
  | { readonly ok: false; readonly why: string };

const FORM = 'write it as https://host/organisation/repository//directory?ref=tag';
const COPY = 'commit a copy and refer to that';
const PARAMETERS = new Set(['ref', 'version', 'timeout', 'submodules']);

/**
 * Reads the forms of kustomize (api/internal/git/repospec.go) that go over HTTP: `https://host/org/repo//path?ref=v1`,
 * `https://host/org/repo.git/path`, `https://host/org/project/_git/repo/path`, `https://host/org/repo/path`,
 * `github.com/org/repo/…`, each also behind `git::`. `version` is an older name of `ref`; `timeout` and `submodules` mean
 * nothing here: times are limited anyway, and submodules are never fetched.
 */
export function parseRemoteBase(entry: string): ParsedRemoteBase {
  if (isTooLong(entry)) return refused('it is too long for an address');
  if (/[\s\p{Cc}\\#]/u.test(entry)) return refused(`it holds a character that no address has: ${FORM}`);
  const [address, query] = splitOnce(entry.replace(/^git::/i, ''), '?');
  const full = /^github\.com\//i.test(address) ? `https://${address}` : address;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(full)?.[1]?.toLowerCase();
  if (scheme !== 'https' && scheme !== 'http') return refused(whySchemeIsRefused(full, scheme));
  const [host, rest] = splitOnce(full.slice(scheme.length + '://'.length), '/');
  if (host.includes('@')) return refused(`it holds a user name or password: only public ones are fetched`);
  const parts = host === '' ? undefined : splitPath(rest);
  if (parts === undefined) return refused(`it names no Git repository: ${FORM}, or ${COPY}`);
  if (/\.(?:ya?ml|json)$/i.test(parts.path) || /\.(?:ya?ml|json)$/i.test(parts.repository)) {
    return refused(`it is a single file, and only directories with a kustomization are fetched: ${COPY}`);
  }
  const path = posix.normalize(parts.path === '' ? '.' : parts.path).replace(/(.)\/$/, '$1');
  if (path === '..' || path.startsWith('../') || posix.isAbsolute(path)) {
    return refused('its directory leads out of the repository');
  }
  const url = urlOf(`${scheme}://${host}/${parts.repository}`);
  if (url === undefined) return refused(`it is no address: ${FORM}`);
  return withRef({ url, path }, query);
}

function whySchemeIsRefused(address: string, scheme: string | undefined): string {
  if (scheme !== undefined) return `${scheme}:// is not spoken: ${FORM}`;
  if (/^[a-z0-9+.-]+::/i.test(address)) return `helpers such as ext:: are never run: ${FORM}`;
  if (/^file:/i.test(address)) return `file: is not read: ${COPY}`;
  if (/^[^/@]*@/.test(address)) return `ssh is not spoken: ${FORM}`;
  return FORM;
}

/** kustomize looks for these marks in this order, and else takes two names for the repository's path. */
function splitPath(rest: string): { readonly repository: string; readonly path: string } | undefined {
  const azure = rest.indexOf('_git/');
  const slashes = rest.indexOf('//');
  const suffix = rest.indexOf('.git');
  if (azure >= 0) return splitAt(rest, end(rest, azure + '_git/'.length), 1);
  if (slashes >= 0) return splitAt(rest, slashes, 2);
  if (suffix >= 0) return splitAt(rest, suffix + '.git'.length, 0);
  const [organisation = '', repository = '', ...directories] = rest.split('/');
  if (organisation === '' || repository === '') return undefined;
  return { repository: `${organisation}/${repository}`, path: directories.join('/') };
}

function splitAt(rest: string, at: number, skipped: number): ReturnType<typeof splitPath> {
  const repository = rest.slice(0, at);
  if (repository === '') return undefined;
  return { repository, path: rest.slice(at + skipped).replace(/^\//, '') };
}

/** Of the name that begins at a place. */
function end(rest: string, from: number): number {
  const slash = rest.indexOf('/', from);
  return slash < 0 ? rest.length : slash;
}

function withRef(base: RemoteBase, query: string): ParsedRemoteBase {
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys()) {
    if (!PARAMETERS.has(name)) return refused('it has a parameter other than ref: only that is understood');
  }
  const ref = parameters.get('ref') || parameters.get('version') || undefined;
  if (ref === undefined) return { ok: true, base };
  if (!/^[\p{L}\p{N}_][\p{L}\p{N}_./+@=-]{0,254}$/u.test(ref) || ref.includes('..')) {
    return refused('its ref is none: name a branch, a tag or a full commit');
  }
  return { ok: true, base: { ...base, ref } };
}

function urlOf(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || url.search !== '' || url.hash !== '' || url.hostname === '') return undefined;
  return `${url.origin}${url.pathname.replace(/(?<!\/)\/+$/, '')}`;
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}

function refused(why: string): ParsedRemoteBase {
  return { ok: false, why };
}
