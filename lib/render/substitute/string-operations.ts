import { matchPrefixes } from './match-glob.ts';

/** `${#v}`: bytes, not characters. */
export function byteLength(value: string): string {
  return String(Buffer.byteLength(value));
}

/**
 * `${v:offset}` and `${v:offset:length}`, in bytes. A negative offset counts from the end, a negative length stops
 * before it. What is no number leaves the value as it is.
 *
 * @returns undefined when the cut goes through a character
 */
export function substring(value: string, offset: string, length?: string): string | undefined {
  const bytes = Buffer.from(value);
  const from = parseInteger(offset);
  if (from === undefined) return value;
  const start = from < 0 ? Math.max(0, bytes.length + from) : from;
  if (length === undefined) return decode(bytes.subarray(Math.min(start, bytes.length)));
  const count = parseInteger(length);
  if (count === undefined) return value;
  const end = count < 0 ? bytes.length + count : Math.min(bytes.length, start + count);
  return end <= start ? '' : decode(bytes.subarray(start, end));
}

/** As Go's strconv.Atoi: a sign and decimal digits within 64 bits, no blanks (`${v: -1}` is therefore the whole value). */
function parseInteger(text: string): number | undefined {
  if (!/^[-+]?[0-9]+$/.test(text) || text.replace(/^[-+]?0*/, '').length > 19) return undefined;
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return BigInt.asIntN(64, value) === value ? Number(value) : undefined;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

export function upperCase(value: string): string {
  return Array.from(value, (character) => simple(character, character.toUpperCase())).join('');
}

export function lowerCase(value: string): string {
  return Array.from(value, lowerOf).join('');
}

export function upperCaseFirst(value: string): string {
  const [first = ''] = value;
  return simple(first, first.toUpperCase()) + value.slice(first.length);
}

export function lowerCaseFirst(value: string): string {
  const [first = ''] = value;
  return lowerOf(first) + value.slice(first.length);
}

function lowerOf(character: string): string {
  return character === 'İ' ? 'i' : simple(character, character.toLowerCase());
}

/** Go maps one character to one: ß has no capital. */
function simple(character: string, mapped: string): string {
  return Array.from(mapped).length === 1 ? mapped : character;
}

export function replaceFirst(value: string, pattern: string, replacement: string): string {
  const at = value.indexOf(pattern);
  return at < 0 ? value : value.slice(0, at) + replacement + value.slice(at + pattern.length);
}

/** What `replaceAll` makes, in UTF-16 units, before it is made: it can be the product of both. */
export function lengthOfReplaceAll(value: string, pattern: string, replacement: string): number {
  if (pattern === '') return value.length + (value.length + 1) * replacement.length;
  let count = 0;
  for (let at = value.indexOf(pattern); at >= 0; at = value.indexOf(pattern, at + pattern.length)) count += 1;
  return value.length + count * (replacement.length - pattern.length);
}

/** An empty pattern lies before, between and after all characters, as in Go's strings.Replace. */
export function replaceAll(value: string, pattern: string, replacement: string): string {
  if (pattern !== '') return value.split(pattern).join(replacement);
  return `${replacement}${Array.from(value, (character) => character + replacement).join('')}`;
}

export function replacePrefix(value: string, pattern: string, replacement: string): string {
  return value.startsWith(pattern) ? replacement + value.slice(pattern.length) : value;
}

export function replaceSuffix(value: string, pattern: string, replacement: string): string {
  return value.endsWith(pattern) ? value.slice(0, value.length - pattern.length) + replacement : value;
}

export function removePrefix(value: string, glob: string, which: 'shortest' | 'longest'): string {
  const characters = Array.from(value);
  const match = matchPrefixes(Array.from(glob), characters);
  return match === undefined ? value : characters.slice(match[which]).join('');
}

/** Value and glob are both turned round, as in Flux: so classes and escapes are malformed here and match nothing. */
export function removeSuffix(value: string, glob: string, which: 'shortest' | 'longest'): string {
  return reversed(removePrefix(reversed(value), reversed(glob), which));
}

function reversed(text: string): string {
  return Array.from(text).reverse().join('');
}
