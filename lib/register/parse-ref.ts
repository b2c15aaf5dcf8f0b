import { HoldfastError } from '../model/errors.ts';
import type { GitRef } from '../model/source.ts';

/** What git allows in a ref's name (git-check-ref-format) without the forms that only confuse. */
const REF_NAME =
  /^(?!.*(?:\.\.|\/\/|@\{|\/\.|\.lock(?:\/|$)))(?![-./])[^\s~^:?*[\]\\\p{Cc}]{1,250}(?<![./])$/u;

/**
 * `refs/heads/main`, `refs/tags/v1`, a full commit id, or the bare name of a branch.
 * @throws HoldfastError `invalid-input`
 */
export function parseRef(text: string): GitRef {
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) return { kind: 'commit', sha: text };
  if (text.startsWith('refs/heads/')) return parseNamedRef('branch', text.slice('refs/heads/'.length));
  if (text.startsWith('refs/tags/')) return parseNamedRef('tag', text.slice('refs/tags/'.length));
  if (text.startsWith('refs/')) {
    throw new HoldfastError(
      'invalid-input',
      `ref "${text.slice(0, 80)}": only branches and tags are followed`,
    );
  }
  return parseNamedRef('branch', text);
}

/** @throws HoldfastError `invalid-input` */
export function parseNamedRef(kind: 'branch' | 'tag', name: string): GitRef {
  if (!REF_NAME.test(name)) {
    throw new HoldfastError(
      'invalid-input',
      `${kind} ${JSON.stringify(name.slice(0, 80))}: not a name that git allows; give it without refs/heads/, such as main`,
    );
  }
  return { kind, name };
}
