import type { Json } from '../model/resource.ts';
import { parseYaml } from '../render/parse-yaml.ts';
import { chartFailure } from './chart-errors.ts';
import { MEBIBYTE } from './chart-limits.ts';
import { parseVersion } from './version-range.ts';

/** One published version of a chart. */
export interface IndexEntry {
  readonly version: string;
  /** As written: relative to the repository, or absolute anywhere. */
  readonly urls: readonly string[];
  /** `sha256:…` of the archive. */
  readonly digest?: string;
}

/** Parsing takes up to a hundred times the size of a text in memory when the text means to. */
const MAX_PARSED_BYTES = 2 * MEBIBYTE;
const MAX_JSON_BYTES = 4 * MEBIBYTE;
/** All versions of one chart; the largest public ones come to 3 MiB. */
const MAX_CHART_BYTES = 8 * MEBIBYTE;
/** One version of a chart: some 3 KiB, more with much in its annotations. */
const MAX_ITEM_BYTES = MEBIBYTE / 4;
const MAX_VERSIONS = 20_000;
const YAML_OPTIONS = { limits: { maxDepth: 50, maxAliasWeight: MEBIBYTE } };

const NEWLINE = 10;
const SPACE = 32;
const HASH = 35;
const DASH = 45;
const CARRIAGE_RETURN = 13;

/**
 * The versions of one chart in an index.yaml. The whole is never parsed where it need not be: generated indexes have
 * each chart under a key of its own line, and each version begins with a dash at the same depth, so the parts that matter
 * are found by their indentation and read one by one. Large public indexes would otherwise take a gigabyte.
 * @returns undefined when the chart is not listed; entries that are broken, or that carry no version, are passed over as
 * helm does
 * @throws HoldfastError `chart-corrupt` for what is no index, `chart-too-large` for what could only be read as a whole
 */
export function readIndex(index: Buffer, name: string, place: string): readonly IndexEntry[] | undefined {
  const start = firstContent(index);
  if (index[start] === 0x7b) return entriesOf(parseJson(index, place), name, place);
  const found = findChart(index, name);
  if (found.kind === 'duplicate') {
    throw chartFailure('chart-corrupt', place, `its index lists chart "${name}" twice`);
  }
  if (found.kind === 'no-index') {
    throw chartFailure(
      'chart-corrupt',
      place,
      'its index.yaml is no chart index (a page for people to sign in, perhaps)',
    );
  }
  if (found.kind === 'absent') return undefined;
  if (found.kind === 'items') {
    const entries = readItems(index, found.items);
    if (entries !== undefined) return entries;
  }
  return entriesOf(parseWhole(index, place), name, place);
}

/** Of bytes, the end not included. */
interface Span {
  readonly start: number;
  readonly end: number;
}
type Found =
  | { readonly kind: 'items'; readonly items: readonly Span[] }
  | { readonly kind: 'absent' | 'duplicate' | 'no-index' | 'unusual' };

interface Line {
  readonly start: number;
  readonly end: number;
  readonly indent: number;
  /** The first character that is no space. */
  readonly first: number | undefined;
}

/** Lines with content, from `at` on; those that are indented further than `maxIndent` are passed over. */
function* linesFrom(index: Buffer, at: number, maxIndent = Number.POSITIVE_INFINITY): Generator<Line> {
  for (let start = at; start < index.length; ) {
    const newline = index.indexOf(NEWLINE, start);
    const end = newline < 0 ? index.length : newline;
    let content = start;
    while (content < end && content - start <= maxIndent && index[content] === SPACE) content += 1;
    const indent = content - start;
    const first = index[content];
    const blank = content >= end || first === CARRIAGE_RETURN || first === HASH;
    if (!blank && indent <= maxIndent) yield { start, end, indent, first };
    start = end + 1;
  }
}

function findChart(index: Buffer, name: string): Found {
  const entries = findEntries(index);
  if (typeof entries === 'string') return { kind: entries };
  const [firstLine] = linesFrom(index, entries.start);
  if (firstLine === undefined || firstLine.start >= entries.end) return { kind: 'absent' };
  const depth = firstLine.indent;
  let chart: Line | undefined;
  let end: number | undefined;
  for (const line of linesFrom(index, entries.start, depth)) {
    if (line.start >= entries.end) break;
    if (line.indent < depth) return { kind: 'unusual' };
    if (isItem(index, line)) continue;
    const key = keyOf(text(index, line.start + depth, line.end));
    if (key === undefined) return { kind: 'unusual' };
    if (chart !== undefined) end ??= line.start;
    if (key !== name) continue;
    if (chart !== undefined) return { kind: 'duplicate' };
    chart = line;
  }
  return chart === undefined ? { kind: 'absent' } : splitItems(index, chart, end ?? entries.end);
}

/** Where the block below the top-level key `entries` lies. */
function findEntries(index: Buffer): Span | 'no-index' | 'unusual' {
  let hasApiVersion = false;
  let start: number | undefined;
  let end: number | undefined;
  for (const line of linesFrom(index, firstContent(index), 0)) {
    if (line.first === DASH && text(index, line.start, line.end).startsWith('---')) continue;
    if (start !== undefined) end ??= line.start;
    const words = text(index, line.start, Math.min(line.end, line.start + 200)).trimEnd();
    if (/^["']?apiVersion["']?:\s*\S/.test(words)) hasApiVersion = true;
    if (/^["']?entries["']?:/.test(words)) {
      if (start !== undefined) return 'unusual';
      if (!/^["']?entries["']?:\s*(?:#.*)?$/.test(words)) return 'unusual';
      start = line.end + 1;
    }
  }
  if (!hasApiVersion) return 'no-index';
  if (start === undefined) return { start: index.length, end: index.length };
  return { start, end: end ?? index.length };
}

function splitItems(index: Buffer, key: Line, end: number): Found {
  const value = text(index, key.start, key.end)
    .replace(/^[^:]*:/, '')
    .replace(/(?:^|\s)#.*$/, '')
    .trim();
  if (value === '[]') return { kind: 'items', items: [] };
  if (value !== '' || end - key.end > MAX_CHART_BYTES) return { kind: 'unusual' };
  const starts: number[] = [];
  let depth: number | undefined;
  for (const line of linesFrom(index, key.end + 1)) {
    if (line.start >= end) break;
    depth ??= line.indent;
    if (line.indent > depth) continue;
    if (line.indent < depth || !isItem(index, line) || starts.length >= MAX_VERSIONS)
      return { kind: 'unusual' };
    starts.push(line.start);
  }
  return { kind: 'items', items: starts.map((start, at) => ({ start, end: starts[at + 1] ?? end })) };
}

function isItem(index: Buffer, line: Line): boolean {
  const next = index[line.start + line.indent + 1];
  return (
    line.first === DASH &&
    (next === SPACE || next === NEWLINE || next === CARRIAGE_RETURN || next === undefined)
  );
}

/** @returns undefined for anything but a plain or simply quoted key at the line's begin */
function keyOf(line: string): string | undefined {
  const match = /^(?:([\w][\w.-]*)|"([^"\\]*)"|'([^']*)')\s*:(?=\s|$)/.exec(line);
  return match?.[1] ?? match?.[2] ?? match?.[3];
}

/** @returns undefined when one of them cannot be read on its own: it may refer to another */
function readItems(index: Buffer, items: readonly Span[]): readonly IndexEntry[] | undefined {
  const entries: IndexEntry[] = [];
  for (const { start, end } of items) {
    if (end - start > MAX_ITEM_BYTES) return undefined;
    const [document, second] = parseYaml(index.toString('utf8', start, end), YAML_OPTIONS);
    if (document === undefined || !document.ok || second !== undefined) return undefined;
    const entry = Array.isArray(document.value) ? readEntry(document.value[0]) : undefined;
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

function parseWhole(index: Buffer, place: string): Json {
  if (index.length > MAX_PARSED_BYTES) throw tooLargeAsWhole(place, index.length, MAX_PARSED_BYTES);
  const [document, second] = parseYaml(index.toString('utf8'), YAML_OPTIONS);
  if (document?.ok !== true || second !== undefined) {
    const reason = document?.ok === false ? ` (line ${document.line}: ${document.message})` : '';
    throw chartFailure('chart-corrupt', place, `its index.yaml cannot be read${reason}`);
  }
  return document.value;
}

function parseJson(index: Buffer, place: string): Json {
  if (index.length > MAX_JSON_BYTES) throw tooLargeAsWhole(place, index.length, MAX_JSON_BYTES);
  try {
    return JSON.parse(index.toString('utf8')) as Json;
  } catch {
    // A flow mapping, which is YAML and nearly JSON.
    return parseWhole(index, place);
  }
}

function tooLargeAsWhole(place: string, size: number, limit: number): Error {
  return chartFailure(
    'chart-too-large',
    place,
    `its index has ${size} bytes and is written so that it can only be read as a whole, for which ` +
      `${limit / MEBIBYTE} MiB are the limit: write it as "helm repo index" does`,
  );
}

function entriesOf(document: Json, name: string, place: string): readonly IndexEntry[] | undefined {
  const { apiVersion, entries } = asObject(document);
  if (typeof apiVersion !== 'string' || apiVersion === '') {
    throw chartFailure('chart-corrupt', place, 'its index.yaml is no chart index: it has no apiVersion');
  }
  const charts = asObject(entries);
  if (!Object.hasOwn(charts, name)) return undefined;
  const versions = charts[name];
  if (!Array.isArray(versions)) return [];
  return versions.slice(0, MAX_VERSIONS).flatMap((value) => readEntry(value) ?? []);
}

/** @returns undefined for what helm passes over */
function readEntry(value: Json | undefined): IndexEntry | undefined {
  const { version, name, urls, digest } = asObject(value);
  if (typeof version !== 'string' || parseVersion(version) === undefined) return undefined;
  if (typeof name !== 'string' || name === '') return undefined;
  const addresses = Array.isArray(urls) ? urls.filter((url) => typeof url === 'string') : [];
  return {
    version,
    urls: addresses,
    ...(typeof digest === 'string' && digest !== '' ? { digest: normaliseDigest(digest) } : {}),
  };
}

/** Indexes have the bare digits. */
function normaliseDigest(digest: string): string {
  const lower = digest.trim().toLowerCase();
  return /^[0-9a-f]{64}$/.test(lower) ? `sha256:${lower}` : lower;
}

function asObject(value: Json | undefined): Readonly<Record<string, Json | undefined>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, Json>>)
    : {};
}

function text(index: Buffer, start: number, end: number): string {
  return index.toString('utf8', start, Math.min(end, start + 1_000));
}

/** Behind a byte order mark and white space. */
function firstContent(index: Buffer): number {
  let at = index[0] === 0xef && index[1] === 0xbb && index[2] === 0xbf ? 3 : 0;
  while (at < index.length && [SPACE, NEWLINE, CARRIAGE_RETURN, 9].includes(index[at] ?? 0)) at += 1;
  return at;
}
