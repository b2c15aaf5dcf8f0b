const MASK = '***';
/** Below this, what a text comes to in base64 is too likely to stand in something else. */
const MIN_ENCODED = 6;

/**
 * A message without these texts, however whoever wrote it may have put them down: as they are, escaped as in JSON and Go,
 * in base64, also with something before or behind them.
 */
export function maskTexts(message: string, texts: readonly string[]): string {
  const forms = texts.flatMap((text) => [text, ...formsOf(text)]);
  // Longest first: one may hold another.
  return [...new Set(forms)]
    .sort((a, b) => b.length - a.length)
    .reduce((rest, form) => rest.replaceAll(form, MASK), message);
}

function formsOf(text: string): readonly string[] {
  const escaped = JSON.stringify(text).slice(1, -1);
  const encoded = Buffer.byteLength(text) < MIN_ENCODED ? [] : inBase64(text);
  return escaped === text ? encoded : [escaped, ...encoded];
}

/** The digits that stand in the base64 of every text that holds this one, wherever it begins. */
export function inBase64(text: string): readonly string[] {
  const bytes = Buffer.from(text);
  return [0, 1, 2].map((offset) => {
    const digits = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    return digits.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  });
}
