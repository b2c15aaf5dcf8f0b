import { posix } from 'node:path';
import type { PlainOptions } from '../model/application.ts';
import { compileGlob, isSpent, type Effort, type Glob } from './glob.ts';
import { renderRefused } from './repository-path.ts';

const MAX_GLOBS = 100;
const MAX_GLOB_LENGTH = 1024;
/** What the braces of one glob may come to. */
const MAX_ALTERNATIVES = 256;
/** About a second. 10,000 files and 100 globs need a third of it. */
const MOST_STEPS = 200_000_000;

/**
 * Which files of a plain directory are manifests, by their path from the repository's root. Kustomizations and the like
 * are for the caller to leave out.
 *
 * In a glob `*` and `?` stay in one name, `**` between slashes is any number of directories and elsewhere any text,
 * `{a,b}` is either, `[a-z]` and `[!a-z]` one character, `\` takes away a meaning. An include may name files with any
 * ending; exclude wins.
 * @throws HoldfastError `render-refused` for a glob that is malformed or too large
 */
export function plainChoice(
  directory: string,
  options: PlainOptions | undefined,
  mostSteps = MOST_STEPS,
): (path: string) => boolean {
  const include = options?.include === undefined ? undefined : globsOf('include', options.include, directory);
  const exclude = globsOf('exclude', options?.exclude ?? [], directory);
  const recurse = options?.recurse ?? true;
  const effort: Effort = { steps: 0, mostSteps };
  const anyMatches = (globs: readonly Glob[], path: string): boolean => {
    const matches = globs.some((glob) => glob.match(path, effort).itself);
    if (!isSpent(effort)) return matches;
    const why = 'its globs take too long on these files: use fewer or simpler ones';
    throw renderRefused(directory, 'render.plain', why);
  };
  return (path) => {
    const relative = directory === '.' ? path : path.slice(directory.length + 1);
    if (!recurse && relative.includes('/')) return false;
    const isIncluded =
      include === undefined ? /\.(ya?ml|json)$/.test(posix.basename(path)) : anyMatches(include, relative);
    return isIncluded && !anyMatches(exclude, relative);
  };
}

function globsOf(field: 'include' | 'exclude', globs: readonly string[], directory: string): readonly Glob[] {
  const refused = (where: string, why: string) =>
    renderRefused(directory, `render.plain.${field}${where}`, why);
  if (globs.length > MAX_GLOBS) throw refused('', `${globs.length} globs, at most ${MAX_GLOBS} are read`);
  return globs.flatMap((glob, index) => {
    const where = `[${index}]`;
    if (glob === '' || glob.length > MAX_GLOB_LENGTH) {
      throw refused(where, `expected a glob of 1 to ${MAX_GLOB_LENGTH} characters, got ${glob.length}`);
    }
    // `./a` and `a//b` would never match: paths have no such parts.
    if (/^\/|\/\/|(?:^|\/)\.\.?(?:\/|$)/.test(glob)) {
      throw refused(
        where,
        `${JSON.stringify(glob)} has a part that no path has: write it relative to ${directory}`,
      );
    }
    const alternatives = expandBraces(glob);
    if (alternatives === 'too many') {
      throw refused(
        where,
        `its braces come to more than ${MAX_ALTERNATIVES} globs: write them out, or fewer`,
      );
    }
    return alternatives.map((alternative) => {
      const compiled = compileGlob(alternative, 'all');
      if (compiled === undefined) {
        throw refused(where, `${JSON.stringify(glob)} is malformed: close its "[", or put "\\" before it`);
      }
      return compiled;
    });
  });
}

/** `a{b,c{d,e}}` → ab, acd, ace. Braces without a comma, unclosed, escaped or in a class stand for themselves. */
function expandBraces(glob: string): readonly string[] | 'too many' {
  const done: string[] = [];
  const waiting = [glob];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const group = firstGroup(next);
    if (group === undefined) done.push(next);
    else {
      for (const part of group.parts) waiting.push(`${group.before}${part}${group.after}`);
    }
    if (done.length + waiting.length > MAX_ALTERNATIVES) return 'too many';
  }
  return done;
}

interface BraceGroup {
  readonly before: string;
  readonly parts: readonly string[];
  readonly after: string;
}

/** The first innermost group: what is around it is a group once more when it is gone. */
function firstGroup(glob: string): BraceGroup | undefined {
  const open: { start: number; readonly commas: number[] }[] = [];
  for (let at = 0; at < glob.length; at += 1) {
    const character = glob[at];
    if (character === '\\') at += 1;
    else if (character === '[') {
      const end = glob.indexOf(']', at + 2);
      if (end > 0) at = end;
    } else if (character === '{') open.push({ start: at, commas: [] });
    else if (character === ',') open.at(-1)?.commas.push(at);
    else if (character === '}') {
      const group = open.pop();
      if (group === undefined || group.commas.length === 0) continue;
      const bounds = [group.start, ...group.commas, at];
      return {
        before: glob.slice(0, group.start),
        parts: bounds.slice(1).map((end, index) => glob.slice((bounds[index] ?? 0) + 1, end)),
        after: glob.slice(at + 1),
      };
    }
  }
  return undefined;
}
