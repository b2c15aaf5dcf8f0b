type GlobToken =
  | { readonly kind: 'star' }
  | { readonly kind: 'any' }
  | { readonly kind: 'one'; readonly character: string }
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly Range[] };

interface Range {
  readonly low: number;
  readonly high: number;
}

/**
 * How many characters the beginnings of a text have that a glob matches: the shortest and the longest, not counting
 * the empty one. Go's path.Match without the special role of `/`: `*`, `?`, `[a-z]`, `[^a-z]`, `\c`; anything malformed
 * matches nothing. Takes time proportional to text × glob, whatever they are.
 */
export function matchPrefixes(
  glob: readonly string[],
  text: readonly string[],
): { readonly shortest: number; readonly longest: number } | undefined {
  const tokens = compile(glob);
  if (tokens === undefined) return undefined;
  let active = reach(tokens, new Uint8Array(tokens.length + 1), 0);
  let shortest = 0;
  let longest = 0;
  for (const [index, character] of text.entries()) {
    const next = new Uint8Array(tokens.length + 1);
    let alive = false;
    for (const [at, token] of tokens.entries()) {
      if (active[at] !== 1 || !accepts(token, character)) continue;
      alive = true;
      reach(tokens, next, token.kind === 'star' ? at : at + 1);
    }
    if (!alive) break;
    active = next;
    if (active[tokens.length] !== 1) continue;
    if (shortest === 0) shortest = index + 1;
    longest = index + 1;
  }
  return longest === 0 ? undefined : { shortest, longest };
}

/** A star may stand for nothing, so what follows it is reached with it. */
function reach(tokens: readonly GlobToken[], states: Uint8Array, from: number): Uint8Array {
  for (let at = from; states[at] !== 1; at += 1) {
    states[at] = 1;
    if (tokens[at]?.kind !== 'star') break;
  }
  return states;
}

function accepts(token: GlobToken, character: string): boolean {
  switch (token.kind) {
    case 'star':
    case 'any':
      return true;
    case 'one':
      return token.character === character;
    case 'class': {
      const code = character.codePointAt(0) ?? 0;
      return token.ranges.some(({ low, high }) => low <= code && code <= high) !== token.negated;
    }
  }
}

function compile(glob: readonly string[]): readonly GlobToken[] | undefined {
  const tokens: GlobToken[] = [];
  for (let at = 0; at < glob.length; at += 1) {
    const character = glob[at] ?? '';
    if (character === '*') {
      // Several in a row are one.
      if (tokens.at(-1)?.kind !== 'star') tokens.push({ kind: 'star' });
    } else if (character === '?') tokens.push({ kind: 'any' });
    else if (character === '\\') {
      at += 1;
      const escaped = glob[at];
      if (escaped === undefined) return undefined;
      tokens.push({ kind: 'one', character: escaped });
    } else if (character === '[') {
      const read = compileClass(glob, at + 1);
      if (read === undefined) return undefined;
      tokens.push(read.token);
      at = read.end;
    } else tokens.push({ kind: 'one', character });
  }
  return tokens;
}

function compileClass(
  glob: readonly string[],
  start: number,
): { readonly token: GlobToken; readonly end: number } | undefined {
  const negated = glob[start] === '^';
  const ranges: Range[] = [];
  let at = negated ? start + 1 : start;
  while (glob[at] !== ']' || ranges.length === 0) {
    const low = readMember(glob, at);
    if (low === undefined) return undefined;
    const high = glob[low.next] === '-' ? readMember(glob, low.next + 1) : low;
    if (high === undefined) return undefined;
    ranges.push({ low: low.code, high: high.code });
    at = high.next;
  }
  return { token: { kind: 'class', negated, ranges }, end: at };
}

function readMember(
  glob: readonly string[],
  start: number,
): { readonly code: number; readonly next: number } | undefined {
  const first = glob[start];
  if (first === '-' || first === ']') return undefined;
  const at = first === '\\' ? start + 1 : start;
  const code = glob[at]?.codePointAt(0);
  return code === undefined ? undefined : { code, next: at + 1 };
}
