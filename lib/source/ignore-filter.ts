import { posix } from 'node:path';
import type { TreeEntry } from './git-repository.ts';
import { isSpent, type Effort } from './glob.ts';
import { decidingPattern, type IgnorePattern, parseIgnoreFile } from './ignore-patterns.ts';
import { renderRefused } from './repository-path.ts';

/** Flux's name and our own, of which ours counts later where both lie in one directory. */
export const IGNORE_FILES = ['.sourceignore', '.holdfastignore'] as const;

const MAX_FILE_BYTES = 64 * 1024;
const MAX_PATTERNS = 2_000;
/** About a second. 10,000 files and 100 patterns need a third of it. */
const MOST_STEPS = 200_000_000;

export interface IgnoreFilter {
  /**
   * Reads the ignore files of a directory, once. The directory above it comes first.
   * @throws HoldfastError `render-refused` for ignore files that are no text or too large
   */
  enter(directory: string, entries: ReadonlyMap<string, TreeEntry>): Promise<void>;
  /** The pattern that leaves a path out; its directory has been entered. */
  ignoredBy(path: string, isDirectory: boolean): IgnorePattern | undefined;
  /** The same for a path that was looked for and may be in no directory that was entered: it, or a directory above it. */
  whatHides(path: string): IgnorePattern | undefined;
  /** Whether nothing in the directory can come back by a `!`, so that it need not be looked into. */
  isLeftOutWhole(directory: string): boolean;
}

export interface IgnoreFilterDeps {
  readonly readBlob: (oid: string) => Promise<Uint8Array>;
  /** An ignore file that is there, or could be: both decide what is rendered. */
  readonly noteFile: (path: string, oid: string) => void;
  readonly noteAbsent: (path: string) => void;
}

export function isIgnoreFile(path: string): boolean {
  return (IGNORE_FILES as readonly string[]).includes(posix.basename(path));
}

/** What the ignore files of one repository leave out. */
export function ignoreFilter(deps: IgnoreFilterDeps): IgnoreFilter {
  /** By directory: the patterns of its own files and of those above it, these first. */
  const patterns = new Map<string, Promise<readonly IgnorePattern[]>>();
  const settled = new Map<string, readonly IgnorePattern[]>();
  const effort: Effort = { steps: 0, mostSteps: MOST_STEPS };

  async function read(
    directory: string,
    entries: ReadonlyMap<string, TreeEntry>,
  ): Promise<readonly IgnorePattern[]> {
    const above = directory === '.' ? [] : ((await patterns.get(posix.dirname(directory))) ?? []);
    const own: IgnorePattern[] = [];
    for (const name of IGNORE_FILES) {
      const file = posix.join(directory, name);
      const entry = entries.get(name);
      if (entry?.type === 'symlink')
        throw renderRefused(file, 'symlink', 'symbolic links are not followed: commit the file itself');
      if (entry?.type !== 'blob') {
        deps.noteAbsent(file);
        continue;
      }
      deps.noteFile(file, entry.oid);
      own.push(...parseIgnoreFile(file, textOf(file, await deps.readBlob(entry.oid))));
    }
    const all = own.length === 0 ? above : [...above, ...own];
    if (all.length > MAX_PATTERNS) {
      throw renderRefused(
        own[0]?.file ?? directory,
        'content',
        `${all.length} patterns here and in the directories above, at most ${MAX_PATTERNS} are read`,
      );
    }
    settled.set(directory, all);
    return all;
  }

  function ignoredBy(path: string, isDirectory: boolean): IgnorePattern | undefined {
    const inEffect = settled.get(posix.dirname(path)) ?? [];
    if (inEffect.length === 0) return undefined;
    const deciding = decidingPattern(inEffect, path, isDirectory, effort);
    if (isSpent(effort)) {
      const files = [...new Set(inEffect.map(({ file }) => file))].join(', ');
      throw renderRefused(
        files,
        'content',
        'matching these patterns takes too long: use fewer or simpler ones',
      );
    }
    return deciding === undefined || deciding.isNegated ? undefined : deciding;
  }

  function whatHides(path: string): IgnorePattern | undefined {
    const names = path.split('/');
    for (let count = 1; count <= names.length; count += 1) {
      // It may be a directory that was passed over.
      const found = ignoredBy(names.slice(0, count).join('/'), true);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  return {
    async enter(directory, entries) {
      const known = patterns.get(directory) ?? read(directory, entries);
      patterns.set(directory, known);
      await known;
    },
    ignoredBy,
    whatHides,
    isLeftOutWhole: (directory) =>
      ignoredBy(directory, true) !== undefined &&
      !(settled.get(posix.dirname(directory)) ?? []).some(({ isNegated }) => isNegated),
  };
}

function textOf(file: string, bytes: Uint8Array): string {
  if (bytes.length > MAX_FILE_BYTES) {
    throw renderRefused(file, 'content', `${bytes.length} bytes, at most ${MAX_FILE_BYTES} are read`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw renderRefused(file, 'content', 'not UTF-8 text; save it as UTF-8');
  }
}
