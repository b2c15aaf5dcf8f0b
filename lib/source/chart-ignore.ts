import { posix } from 'node:path';
import type { ClosureWalk } from './closure-walk.ts';
import { renderRefused } from './repository-path.ts';

/** Whether a file of a chart, by its path from the chart's directory, is left out of the chart. */
export type ChartIgnore = (path: string) => boolean;

/**
 * A chart's `.helmignore`, as helm reads it where it loads a directory (pkg/ignore). It counts for the whole directory,
 * vendored charts in it too, and for nothing that is put there afterwards: so it is applied here, before.
 * @throws HoldfastError `render-refused` for a pattern that helm does not take either
 */
export async function chartIgnore(walk: ClosureWalk, directory: string): Promise<ChartIgnore> {
  const file = posix.join(directory, '.helmignore');
  const found = await walk.look(file);
  if (found?.type !== 'blob') return () => false;
  const text = Buffer.from(await walk.readBlob(found.oid)).toString('utf8');
  const rules = text.split('\n').flatMap((line, index) => {
    const rule = parseRule(line);
    if (rule === 'unknown') {
      throw renderRefused(
        file,
        `line ${index + 1}`,
        'helm knows no "**", and wants brackets and backslashes closed',
      );
    }
    return rule === undefined ? [] : [rule];
  });
  const isIgnored = (path: string, isDirectory: boolean) => rules.some((rule) => rule(path, isDirectory));
  return (path) => {
    const names = path.split('/');
    return names.some((_, index) => isIgnored(names.slice(0, index + 1).join('/'), index < names.length - 1));
  };
}

type Rule = (path: string, isDirectory: boolean) => boolean;

function parseRule(line: string): Rule | 'unknown' | undefined {
  const written = line.trim();
  if (written === '' || written.startsWith('#')) return undefined;
  const negated = written.startsWith('!');
  const positive = negated ? written.slice(1) : written;
  const onlyDirectories = positive.endsWith('/');
  const bare = onlyDirectories ? positive.slice(0, -1) : positive;
  const pattern = written.includes('**') ? undefined : parsePattern(bare.replace(/^\//, ''));
  if (pattern === undefined) return 'unknown';
  // Without a slash, the file's own name counts.
  const subject = (path: string) => (bare.includes('/') ? path : posix.basename(path));
  // A negated rule leaves out everything else.
  if (negated)
    return (path, isDirectory) => (onlyDirectories && !isDirectory) || !matches(pattern, subject(path));
  return (path, isDirectory) => (isDirectory || !onlyDirectories) && matches(pattern, subject(path));
}

/** One character of a name: any but a slash, or one of a class. */
type Item = (character: string) => boolean;

/** What stands between two stars. */
interface Chunk {
  readonly afterStar: boolean;
  readonly items: readonly Item[];
}

/** The grammar of Go's filepath.Match; undefined for what it calls a bad pattern. */
function parsePattern(text: string): readonly Chunk[] | undefined {
  const characters = [...text];
  const chunks: { afterStar: boolean; items: Item[] }[] = [{ afterStar: false, items: [] }];
  for (let at = 0; at < characters.length; ) {
    const character = characters[at];
    const items = chunks.at(-1)?.items;
    if (character === '*') {
      if (items?.length === 0) chunks.pop();
      chunks.push({ afterStar: true, items: [] });
      at += 1;
    } else if (character === '[') {
      const found = parseClass(characters, at + 1);
      if (found === undefined) return undefined;
      items?.push(found.item);
      at = found.end;
    } else if (character === '?') {
      items?.push((each) => each !== '/');
      at += 1;
    } else {
      const literal = character === '\\' ? characters[at + 1] : character;
      if (literal === undefined) return undefined;
      items?.push((each) => each === literal);
      at += character === '\\' ? 2 : 1;
    }
  }
  return chunks;
}

function parseClass(
  characters: readonly string[],
  start: number,
): { readonly item: Item; readonly end: number } | undefined {
  const negated = characters[start] === '^';
  let at = negated ? start + 1 : start;
  const next = (): string | undefined => {
    const character = characters[at];
    if (character === undefined || character === '-' || character === ']') return undefined;
    at += character === '\\' ? 2 : 1;
    return character === '\\' ? characters[at - 1] : character;
  };
  const ranges: (readonly [string, string])[] = [];
  while (ranges.length === 0 || characters[at] !== ']') {
    const low = next();
    if (low === undefined) return undefined;
    if (characters[at] !== '-') {
      ranges.push([low, low]);
      continue;
    }
    at += 1;
    const high = next();
    if (high === undefined) return undefined;
    ranges.push([low, high]);
  }
  const code = (character: string) => character.codePointAt(0) ?? 0;
  const isIn = (each: string) =>
    ranges.some(([low, high]) => code(low) <= code(each) && code(each) <= code(high));
  return { item: (each) => isIn(each) !== negated, end: at + 1 };
}

/** As Go does it: every chunk at the first place where it fits, so it comes to an end on any pattern. */
function matches(chunks: readonly Chunk[], name: string): boolean {
  const characters = [...name];
  let at = 0;
  for (const [index, { afterStar, items }] of chunks.entries()) {
    const isLast = index === chunks.length - 1;
    if (afterStar && isLast && items.length === 0) return !characters.includes('/', at);
    const fits = (from: number) =>
      items.every((item, offset) => {
        const character = characters[from + offset];
        return character !== undefined && item(character);
      }) &&
      (!isLast || from + items.length === characters.length);
    let from = at;
    while (!fits(from)) {
      if (!afterStar || from >= characters.length || characters[from] === '/') return false;
      from += 1;
    }
    at = from + items.length;
  }
  return at === characters.length;
}
