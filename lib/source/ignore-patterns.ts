import { compileGlob, type Effort, type Glob } from './glob.ts';

/** One line of an ignore file. */
export interface IgnorePattern {
  /** For messages: `.sourceignore:3`. */
  readonly file: string;
  readonly line: number;
  /** The directory of the file, `.` for the root: nothing outside of it is meant. */
  readonly directory: string;
  /** `!`: brings back what an earlier line left out. */
  readonly isNegated: boolean;
  /** Ended in `/`. */
  readonly directoriesOnly: boolean;
  readonly glob: Glob;
}

/**
 * The patterns of an ignore file, in Git's syntax. Lines that can match nothing are left out, as Git does.
 * @param file its path from the repository's root
 */
export function parseIgnoreFile(file: string, text: string): readonly IgnorePattern[] {
  const slash = file.lastIndexOf('/');
  const directory = slash < 0 ? '.' : file.slice(0, slash);
  return text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .flatMap((raw, index) => {
      const pattern = parseLine(raw.endsWith('\r') ? raw.slice(0, -1) : raw);
      return pattern === undefined ? [] : [{ ...pattern, file, line: index + 1, directory }];
    });
}

function parseLine(raw: string): Pick<IgnorePattern, 'isNegated' | 'directoriesOnly' | 'glob'> | undefined {
  if (raw.startsWith('#')) return undefined;
  let text = withoutTrailingBlanks(raw);
  const isNegated = text.startsWith('!');
  if (isNegated) text = text.slice(1);
  const directoriesOnly = text.endsWith('/');
  if (directoriesOnly) text = text.slice(0, -1);
  // Without a slash in front or within it means a name at any depth.
  const isAnchored = text.includes('/');
  if (text.startsWith('/')) text = text.slice(1);
  if (text === '') return undefined;
  const glob = compileGlob(isAnchored ? text : `**/${text}`, 'star');
  return glob === undefined ? undefined : { isNegated, directoriesOnly, glob };
}

/** Blanks at the end mean nothing, unless a `\` stands before them. */
function withoutTrailingBlanks(text: string): string {
  let end = text.length;
  while (text[end - 1] === ' ') end -= 1;
  let slashes = 0;
  while (text[end - 1 - slashes] === '\\') slashes += 1;
  return text.slice(0, slashes % 2 === 1 && end < text.length ? end + 1 : end);
}

/**
 * The pattern that decides about a path: the last one that matches it or a directory above it. So a later `!` brings
 * back a file of a directory that was left out, as in Flux; Git itself would not look into that directory any more.
 * @param patterns those of the directories above, outermost first
 */
export function decidingPattern(
  patterns: readonly IgnorePattern[],
  path: string,
  isDirectory: boolean,
  effort: Effort,
): IgnorePattern | undefined {
  return patterns.findLast((pattern) => {
    const relative = pattern.directory === '.' ? path : path.slice(pattern.directory.length + 1);
    const { itself, above } = pattern.glob.match(relative, effort);
    return above || (itself && (isDirectory || !pattern.directoriesOnly));
  });
}
