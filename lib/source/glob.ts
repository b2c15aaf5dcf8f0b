/**
 * Globs over paths, matched in time proportional to glob × path. (Those in use translate to regular expressions that
 * backtrack: 6 stars against a name of 60 letters take seconds, and both the glob and the name come from Git.)
 */
export interface Glob {
  /**
   * Whether it matches the path, or one of the directories above it.
   * @param path relative, `/`-separated, without `.` and `..`
   */
  match(path: string, effort: Effort): GlobMatch;
}

interface GlobMatch {
  readonly itself: boolean;
  readonly above: boolean;
}

type Token =
  | { readonly kind: 'one'; readonly code: number }
  /** Any character but `/`. */
  | { readonly kind: 'any' }
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly Range[] }
  /** Any number of characters, none of them `/`. */
  | { readonly kind: 'star' }
  /** Any number of any characters. */
  | { readonly kind: 'all' }
  /** Any number of directories, each with its `/`: may be left by passing over it, or after a `/`. */
  | { readonly kind: 'directories' };

interface Range {
  readonly low: number;
  readonly high: number;
}

/**
 * `*` and `?` stand for anything but `/`, `[a-z]`, `[!a-z]` and `[[:alpha:]]` for one character, `\` takes away a
 * meaning. `**` between slashes stands for any number of directories, at the end for everything below.
 *
 * @param doubleStar what `**` means inside a name: `star` the same as `*`, as in Git; `all` anything with slashes
 * @returns undefined when it is malformed: an unclosed class, or a `\` at the end
 */
export function compileGlob(glob: string, doubleStar: 'star' | 'all'): Glob | undefined {
  const tokens = tokensOf([...glob], doubleStar);
  return tokens === undefined ? undefined : { match: (path, effort) => run(tokens, path, effort) };
}

/** What matching many globs against many paths may cost. Past `mostSteps` nothing matches any more, and the caller ends it. */
export interface Effort {
  steps: number;
  readonly mostSteps: number;
}

export function isSpent(effort: Effort): boolean {
  return effort.steps > effort.mostSteps;
}

/**
 * All ways through the glob at once: a list of places in it for each character of the path. Written for speed, because
 * every file is matched against every glob.
 */
function run(tokens: readonly Token[], path: string, effort: Effort): GlobMatch {
  const end = tokens.length;
  /** In which round a place was reached last. */
  const marks = new Uint32Array(end + 1);
  let active: number[] = [];
  let next = reach(tokens, 0, { marks, round: 1, places: [] });
  let above = false;
  let round = 1;
  for (let index = 0; index < path.length; index += 1) {
    const code = path.codePointAt(index) ?? 0;
    if (code > 0xffff) index += 1;
    if (code === SLASH && marks[end] === round) above = true;
    [active, next] = [next, active];
    next.length = 0;
    round += 1;
    effort.steps += active.length;
    const into = { marks, round, places: next };
    for (const at of active) {
      const token = tokens[at];
      if (token === undefined || !accepts(token, code)) continue;
      if (token.kind === 'star' || token.kind === 'all') reach(tokens, at, into);
      else if (token.kind !== 'directories') reach(tokens, at + 1, into);
      else {
        if (marks[at] !== round) next.push(at);
        marks[at] = round;
        // Amid directories it can only be left behind a slash.
        if (code === SLASH) reach(tokens, at + 1, into);
      }
    }
    if (next.length === 0 || isSpent(effort)) return { itself: false, above };
  }
  return { itself: marks[end] === round, above };
}

const SLASH = 0x2f;

interface Reached {
  readonly marks: Uint32Array;
  readonly round: number;
  readonly places: number[];
}

/** What may stand for nothing is passed over, so what follows it is reached with it. */
function reach(tokens: readonly Token[], from: number, { marks, round, places }: Reached): number[] {
  for (let at = from; marks[at] !== round; at += 1) {
    marks[at] = round;
    places.push(at);
    const kind = tokens[at]?.kind;
    if (kind !== 'star' && kind !== 'all' && kind !== 'directories') break;
  }
  return places;
}

function accepts(token: Token, code: number): boolean {
  switch (token.kind) {
    case 'one':
      return token.code === code;
    case 'any':
    case 'star':
      return code !== SLASH;
    case 'all':
    case 'directories':
      return true;
    case 'class':
      return (
        code !== SLASH && token.ranges.some(({ low, high }) => low <= code && code <= high) !== token.negated
      );
  }
}

function tokensOf(glob: readonly string[], doubleStar: 'star' | 'all'): readonly Token[] | undefined {
  const tokens: Token[] = [];
  for (let at = 0; at < glob.length; at += 1) {
    const character = glob[at] ?? '';
    if (character === '*') {
      const first = at;
      while (glob[at + 1] === '*') at += 1;
      const isWhole = at - first === 1 && (first === 0 || glob[first - 1] === '/');
      if (isWhole && glob[at + 1] === '/') {
        tokens.push({ kind: 'directories' });
        at += 1;
      } else if (isWhole && at + 1 === glob.length) tokens.push({ kind: 'all' });
      else tokens.push({ kind: at === first ? 'star' : doubleStar });
    } else if (character === '?') tokens.push({ kind: 'any' });
    else if (character === '[') {
      const read = classAt(glob, at + 1);
      if (read === undefined) return undefined;
      tokens.push(read.token);
      at = read.end;
    } else if (character === '\\') {
      at += 1;
      const escaped = glob[at];
      if (escaped === undefined) return undefined;
      tokens.push(one(escaped));
    } else tokens.push(one(character));
  }
  return tokens;
}

function one(character: string): Token {
  return { kind: 'one', code: character.codePointAt(0) ?? 0 };
}

const NAMED: Readonly<Record<string, readonly Range[]>> = {
  alnum: ranges('09', 'AZ', 'az'),
  alpha: ranges('AZ', 'az'),
  blank: ranges('\t\t', '  '),
  cntrl: ranges('\u0000\u001f', '\u007f\u007f'),
  digit: ranges('09'),
  graph: ranges('!~'),
  lower: ranges('az'),
  print: ranges(' ~'),
  punct: ranges('!/', ':@', '[`', '{~'),
  space: ranges('\t\r', '  '),
  upper: ranges('AZ'),
  xdigit: ranges('09', 'AF', 'af'),
};

function ranges(...pairs: readonly string[]): readonly Range[] {
  return pairs.map((pair) => ({ low: pair.charCodeAt(0), high: pair.charCodeAt(1) }));
}

/** A class from behind its `[`; the index of its `]`. */
function classAt(
  glob: readonly string[],
  start: number,
): { readonly token: Token; readonly end: number } | undefined {
  const negated = glob[start] === '!' || glob[start] === '^';
  const first = negated ? start + 1 : start;
  const found: Range[] = [];
  for (let at = first; at < glob.length; at += 1) {
    if (glob[at] === ']' && at > first) {
      return { token: { kind: 'class', negated, ranges: found }, end: at };
    }
    const name = glob[at] === '[' && glob[at + 1] === ':' ? nameAt(glob, at + 2) : undefined;
    if (name !== undefined) {
      const named = Object.hasOwn(NAMED, name) ? NAMED[name] : undefined;
      if (named === undefined) return undefined;
      found.push(...named);
      at += name.length + 3;
      continue;
    }
    if (glob[at] === '\\') at += 1;
    const low = glob[at]?.codePointAt(0);
    if (low === undefined) return undefined;
    let high = low;
    if (glob[at + 1] === '-' && glob[at + 2] !== undefined && glob[at + 2] !== ']') {
      at += glob[at + 2] === '\\' ? 3 : 2;
      const last = glob[at]?.codePointAt(0);
      if (last === undefined) return undefined;
      high = last;
    }
    found.push({ low, high });
  }
  return undefined;
}

/** The name in `[:name:]`, from behind the colon. */
function nameAt(glob: readonly string[], start: number): string | undefined {
  // The longest name has six letters; looking for the bracket to the end of the glob would take for ever.
  const end = glob.slice(start, start + 8).indexOf(']') + start;
  if (end <= start || glob[end - 1] !== ':') return undefined;
  return glob.slice(start, end - 1).join('');
}
