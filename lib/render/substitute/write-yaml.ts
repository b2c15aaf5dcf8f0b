import type { Json, JsonObject } from '../../model/resource.ts';
import { isObject } from '../parse-manifests.ts';
import { resolvePlainScalar } from '../go-scalars.ts';

/**
 * An object as the text in which Flux substitutes: what sigs.k8s.io/yaml (on go-yaml v2) writes, as far as a variable
 * can notice. Quotes of the source are gone; whether there are new ones decides what a value may become: `${N}` is
 * written plain, so 3 makes it a number, and `${A}: x` in single quotes.
 * test/render/write-yaml.test.ts holds what kubectl kustomize wrote.
 */
export function writeYaml(object: JsonObject): string {
  const lines: string[] = [];
  writeMap(lines, object, '');
  return `${lines.join('\n')}\n`;
}

function writeMap(lines: string[], map: JsonObject, indent: string, lead = indent): void {
  let prefix = lead;
  for (const key of Object.keys(map).sort()) {
    writeValue(lines, map[key] ?? null, { indent, prefix: `${prefix}${writeKey(key)}:` });
    prefix = indent;
  }
}

function writeValue(
  lines: string[],
  value: Json,
  at: { readonly indent: string; readonly prefix: string },
): void {
  const { indent, prefix } = at;
  if (Array.isArray(value) && value.length > 0) {
    lines.push(prefix);
    for (const item of value as readonly Json[]) writeItem(lines, item, indent);
  } else if (isObject(value) && Object.keys(value).length > 0) {
    lines.push(prefix);
    writeMap(lines, value, `${indent}  `);
  } else lines.push(`${prefix} ${writeLeaf(value, `${indent}  `)}`);
}

function writeItem(lines: string[], item: Json, indent: string): void {
  if (isObject(item) && Object.keys(item).length > 0) {
    writeMap(lines, item, `${indent}  `, `${indent}- `);
  } else if (Array.isArray(item) && item.length > 0) {
    // A list in a list begins on the line of its dash.
    const inner: string[] = [];
    for (const entry of item as readonly Json[]) writeItem(inner, entry, `${indent}  `);
    lines.push(`${indent}- ${(inner[0] ?? '').trimStart()}`, ...inner.slice(1));
  } else lines.push(`${indent}- ${writeLeaf(item, `${indent}  `)}`);
}

function writeLeaf(value: Json, indent: string): string {
  if (typeof value === 'string') return value.includes('\n') ? writeBlock(value, indent) : writeFlat(value);
  return JSON.stringify(value);
}

function writeKey(key: string): string {
  return key.includes('\n') || key === '<<' ? doubleQuoted(key) : writeFlat(key);
}

function writeFlat(text: string): string {
  if (resolvePlainScalar(text) !== text || hasSpecial(text)) return doubleQuoted(text);
  return isPlain(text) ? text : `'${text.replaceAll("'", "''")}'`;
}

/** Not printable to go-yaml: control characters, tabs, and everything beyond the basic plane. */
function hasSpecial(text: string): boolean {
  return /[\p{Cc}\p{Cs}\u2028\u2029\ufeff\ufffe\uffff]|[\u{10000}-\u{10ffff}]/u.test(text);
}

function isPlain(text: string): boolean {
  if (/^[-#,[\]{}&*!|>'"%@`?: ]/.test(text) && !/^[-?:][^ ]/.test(text)) return false;
  return !/^(?:---|\.\.\.)| $|:(?: |$)| #/.test(text);
}

function writeBlock(text: string, indent: string): string {
  if (/ $| \n/.test(text) || hasSpecial(text.replaceAll('\n', ''))) return doubleQuoted(text);
  const hint = /^[ \n]/.test(text) ? '2' : '';
  const chomp = text.endsWith('\n') ? (/^\n$|\n\n$/.test(text) ? '+' : '') : '-';
  const lines = (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
  return `|${hint}${chomp}\n${lines.map((line) => (line === '' ? '' : indent + line)).join('\n')}`;
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' };

function doubleQuoted(text: string): string {
  const escaped = text.replace(
    /["\\\p{Cc}\p{Cs}\u2028\u2029\ufeff\ufffe\uffff]|[\u{10000}-\u{10ffff}]/gu,
    (character) => {
      if (character === '"' || character === '\\') return `\\${character}`;
      const code = character.codePointAt(0) ?? 0;
      const hex = code.toString(16).toUpperCase();
      return (
        ESCAPES[character] ?? (code > 0xffff ? `\\U${hex.padStart(8, '0')}` : `\\u${hex.padStart(4, '0')}`)
      );
    },
  );
  return `"${escaped}"`;
}
