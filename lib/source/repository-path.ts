import { posix } from 'node:path';
import { HoldfastError } from '../model/errors.ts';

/** What a tool may not be pointed at. `where` is the place in the file: `resources[2]`. */
export function renderRefused(file: string, where: string, why: string): HoldfastError {
  return new HoldfastError('render-refused', `${file}: ${where}: ${why}`, { details: { path: file } });
}

/**
 * A path as it is written in a file, from the repository's root; `.` for the root.
 * @throws HoldfastError `render-refused` for URLs, absolute paths and paths out of the repository
 */
export function resolveInRepository(file: string, where: string, entry: string): string {
  const shown = shownEntry(entry);
  if (isRemote(entry)) {
    throw renderRefused(
      file,
      where,
      `${shown} is remote: only what lies in the repository is rendered; commit a copy and refer to that`,
    );
  }
  if (isTooLong(entry)) {
    const why = `${shown} is longer than the ${MAX_PATH_LENGTH} characters of a path: correct it`;
    throw renderRefused(file, where, why);
  }
  if (posix.isAbsolute(entry) || /[\\\p{Cc}]/u.test(entry)) {
    const base = posix.dirname(file);
    throw renderRefused(file, where, `${shown} is not a relative path: write it relative to ${base}/`);
  }
  const path = posix.normalize(posix.join(posix.dirname(file), entry)).replace(/(.)\/$/, '$1');
  if (path === '..' || path.startsWith('../')) {
    throw renderRefused(
      file,
      where,
      `${shown} leads out of the repository: only what lies in it is rendered`,
    );
  }
  return path;
}

const MAX_PATH_LENGTH = 4096;

/** No file has such a path, and a megabyte of `../` takes minutes to normalise. */
export function isTooLong(path: string): boolean {
  return path.length > MAX_PATH_LENGTH;
}

/** Everything that kustomize or helm would fetch: schemes, `host:path`, `user@host:path`, GitHub short forms. */
export function isRemote(entry: string): boolean {
  const text = entry.trim();
  return (
    /^[a-z][a-z0-9+.-]*:/i.test(text) ||
    text.includes('://') ||
    text.startsWith('//') ||
    isScpLike(text) ||
    /(?:^|\/)(?:www\.)?github\.com[/:]/i.test(text) ||
    /\?(?:ref|version|timeout|submodules)=/.test(text)
  );
}

/** `user@host:path`. Not one expression: two open ends in it take hours over a megabyte of `@`. */
function isScpLike(text: string): boolean {
  const first = /^[^/\s]*/.exec(text)?.[0] ?? '';
  const at = first.indexOf('@', 1);
  return at > 0 && first.indexOf(':', at + 2) > 0;
}

/**
 * Whether kustomize takes the name of a directory for that of a repository, as it does with `user@host/org/repo` even
 * where such a directory exists.
 */
export function isTakenForRepository(entry: string): boolean {
  return isRemote(entry) || /^[a-z][a-z0-9-]*@[^/]+\//i.test(entry);
}

/** An entry in quotes, for a message: shortened, and without user names and passwords. */
export function shownEntry(entry: string): string {
  const shown = isRemote(entry) ? entry.replace(/(?<![^/@\s])[^/@\s]*@/g, '') : entry;
  return JSON.stringify(shown.slice(0, 200));
}
