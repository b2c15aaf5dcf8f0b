// Control characters move a terminal's cursor, and bidirectional overrides make text read as something else.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const LONGEST = 120;

/** Text from Git or from a cluster, safe to show on a terminal. */
export function printable(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
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
