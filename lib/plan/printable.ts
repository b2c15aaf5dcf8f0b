// Control characters move a terminal's cursor, and bidirectional overrides make text read as something else.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const LONGEST = 120;

/** Text from Git or from a cluster, safe to show on a terminal. */
export function printable(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

/** A value on one line, cut where it gets long; `(none)` for what is absent. */
export function printableValue(value: unknown): string {
  if (value === undefined) {
    return '(none)';
  }
  const text = printable(JSON.stringify(value) ?? String(value));
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}… (${text.length} characters)` : text;
}
