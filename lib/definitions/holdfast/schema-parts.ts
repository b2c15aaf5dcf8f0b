import * as z from 'zod/mini';

const DNS_LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const RELATIVE_PATH = /^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$))[^\\\p{Cc}]{1,1024}$/u;

export const DNS_LABEL_WORDS = 'lower-case letters, digits and dashes, at most 63 characters';

/** A text of one form; `expected` finishes the sentence "expected …". */
export function text(pattern: RegExp, expected: string, description: string) {
  return z.string().check(z.regex(pattern, { error: expected }), z.describe(description));
}

/** Any text within a length; what it means is decided by whoever reads it. */
export function anyText(description: string, most = 1024) {
  return z
    .string()
    .check(
      z.minLength(1, { error: 'a text' }),
      z.maxLength(most, { error: `at most ${most} characters` }),
      z.describe(description),
    );
}

export function label(description: string) {
  return text(DNS_LABEL, DNS_LABEL_WORDS, description);
}

/** A path that stays in the repository. */
export function relativePath(description: string) {
  return z.string().check(
    z.regex(RELATIVE_PATH, {
      error: 'a path relative to the repository\'s root, without "..", such as apps/web',
    }),
    z.describe(description),
  );
}

/** A path that may climb, but is relative: where it ends is checked when the repository is at hand. */
export function path(description: string) {
  return text(
    /^(?![/-])[^\\\p{Cc}:]{1,1024}$/u,
    'a path relative to spec.path, such as values/production.yaml',
    description,
  );
}

/** Names of secrets in Secrets Manager, below the prefix of their role. */
export function secretName(description: string) {
  return text(/^[A-Za-z0-9_+=.@-]{1,200}$/, 'at most 200 letters, digits and _+=.@-', description);
}

export function flag(description: string) {
  return z.boolean().check(z.describe(description));
}

/** A limit on what is kept with the application wherever it is stored, in characters of JSON. */
export function atMost<T>(most: number) {
  return z.refine<T>((value) => JSON.stringify(value).length <= most, {
    error: `at most ${most} characters in all`,
  });
}
