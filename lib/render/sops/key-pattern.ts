import { sopsFault } from './sops-fault.ts';

type Test = (code: number) => boolean;
type Node =
  | { readonly kind: 'one'; readonly test: Test }
  | { readonly kind: 'all'; readonly parts: readonly Node[] }
  | { readonly kind: 'any'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly node: Node; readonly min: number; readonly max: number }
  | { readonly kind: 'start' | 'end' };
type Step =
  | { readonly kind: 'one'; readonly test: Test }
  | { readonly kind: 'split'; first: number; second: number }
  | { readonly kind: 'start' | 'end' | 'match' };

const MAX_LENGTH = 1_000;
const MAX_STEPS = 5_000;
const MAX_DEPTH = 50;

/**
 * The regular expressions of `encrypted_regex` and `unencrypted_regex`: Go's RE2 as far as rules about keys need it.
 * They come from Git, so they are not given to JavaScript's engine, which an expression can keep busy for ever: this
 * takes time proportional to text × expression.
 *
 * @returns whether it matches anywhere in a text
 * @throws HoldfastError `render-failed` for what is malformed or not supported
 */
export function compilePattern(pattern: string): (text: string) => boolean {
  if (pattern.length > MAX_LENGTH) throw unsupported(`longer than ${MAX_LENGTH} characters`);
  const steps: Step[] = [];
  compile(new PatternParser(pattern).parse(), steps);
  push(steps, { kind: 'match' });
  return (text) =>
    run(
      steps,
      Array.from(text, (character) => character.codePointAt(0) ?? 0),
    );
}

function unsupported(what: string): Error {
  return sopsFault(`the regular expression of sops.encrypted_regex or sops.unencrypted_regex: ${what}`);
}

function run(steps: readonly Step[], codes: readonly number[]): boolean {
  let current = new Set<number>();
  for (let at = 0; at <= codes.length; at += 1) {
    reach(steps, current, 0, at, codes.length);
    for (const place of current) if (steps[place]?.kind === 'match') return true;
    const next = new Set<number>();
    for (const place of current) {
      const step = steps[place];
      const code = codes[at];
      if (step?.kind === 'one' && code !== undefined && step.test(code))
        reach(steps, next, place + 1, at + 1, codes.length);
    }
    current = next;
  }
  return false;
}

function reach(steps: readonly Step[], reached: Set<number>, from: number, at: number, end: number): void {
  const open = [from];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    if (reached.has(place)) continue;
    reached.add(place);
    const step = steps[place];
    if (step?.kind === 'split') open.push(step.first, step.second);
    if (step?.kind === 'start' && at === 0) open.push(place + 1);
    if (step?.kind === 'end' && at === end) open.push(place + 1);
  }
}

function push(steps: Step[], step: Step): void {
  if (steps.length >= MAX_STEPS) throw unsupported('repeats too much');
  steps.push(step);
}

function compile(node: Node, steps: Step[]): void {
  switch (node.kind) {
    case 'one':
    case 'start':
    case 'end':
      push(steps, node);
      return;
    case 'all':
      for (const part of node.parts) compile(part, steps);
      return;
    case 'any':
      compileAny(node.parts, steps);
      return;
    case 'repeat':
      compileRepeat(node, steps);
  }
}

function compileAny([first, ...others]: readonly Node[], steps: Step[]): void {
  if (first === undefined) return;
  if (others.length === 0) return compile(first, steps);
  const split: Step = { kind: 'split', first: steps.length + 1, second: 0 };
  push(steps, split);
  compile(first, steps);
  const jump: Step = { kind: 'split', first: 0, second: 0 };
  push(steps, jump);
  split.second = steps.length;
  compileAny(others, steps);
  jump.first = steps.length;
  jump.second = steps.length;
}

function compileRepeat(node: Extract<Node, { readonly kind: 'repeat' }>, steps: Step[]): void {
  for (let count = 0; count < node.min; count += 1) compile(node.node, steps);
  if (node.max === Number.POSITIVE_INFINITY) {
    const start = steps.length;
    const split: Step = { kind: 'split', first: start + 1, second: 0 };
    push(steps, split);
    compile(node.node, steps);
    push(steps, { kind: 'split', first: start, second: start });
    split.second = steps.length;
    return;
  }
  const splits: Extract<Step, { readonly kind: 'split' }>[] = [];
  for (let count = node.min; count < node.max; count += 1) {
    const split: Step = { kind: 'split', first: steps.length + 1, second: 0 };
    push(steps, split);
    splits.push(split);
    compile(node.node, steps);
  }
  for (const split of splits) split.second = steps.length;
}

const isDigit: Test = (code) => code >= 0x30 && code <= 0x39;
const isWord: Test = (code) =>
  isDigit(code) || code === 0x5f || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
const isBlank: Test = (code) => code === 0x20 || (code >= 0x09 && code <= 0x0d && code !== 0x0b);
const CLASSES: Readonly<Record<string, Test>> = { d: isDigit, w: isWord, s: isBlank };

/** Held state: the place in the pattern, and whether case counts. */
class PatternParser {
  readonly #pattern: string;
  #at = 0;
  #depth = 0;
  #ignoreCase = false;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  parse(): Node {
    if (this.#pattern.startsWith('(?i)')) {
      this.#ignoreCase = true;
      this.#at = 4;
    }
    const node = this.#alternatives();
    if (this.#at < this.#pattern.length) throw unsupported('a ")" without "("');
    return node;
  }

  #alternatives(): Node {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw unsupported('nested too deeply');
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    this.#depth -= 1;
    return { kind: 'any', parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#pattern.length && !'|)'.includes(this.#peek())) parts.push(this.#repeated());
    return { kind: 'all', parts };
  }

  #repeated(): Node {
    const node = this.#atom();
    const times = this.#times();
    if (times === undefined) return node;
    // Greedy or not makes no difference to whether it matches.
    this.#take('?');
    if ('*+?{'.includes(this.#peek() || ' ')) throw unsupported('two repetitions in a row');
    return { kind: 'repeat', node, ...times };
  }

  #times(): { readonly min: number; readonly max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#take('?')) return { min: 0, max: 1 };
    if (this.#peek() !== '{') return undefined;
    const match = /^\{(\d{1,3})(,(\d{0,3}))?\}/.exec(this.#pattern.slice(this.#at, this.#at + 16));
    if (match === null) throw unsupported('"{" is not the beginning of a repetition: escape it');
    this.#at += match[0].length;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3]);
    if (max < min) throw unsupported('a repetition that ends before it begins');
    return { min, max };
  }

  #atom(): Node {
    const character = this.#next();
    switch (character) {
      case '^':
        return { kind: 'start' };
      case '$':
        return { kind: 'end' };
      case '.':
        return { kind: 'one', test: (code) => code !== 0x0a };
      case '(':
        return this.#group();
      case '[':
        return { kind: 'one', test: this.#class() };
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
      case '{':
        throw unsupported(`"${character}" repeats nothing`);
      default:
        return { kind: 'one', test: this.#is(character) };
    }
  }

  #group(): Node {
    if (this.#take('?') && !this.#take(':')) throw unsupported('groups other than (…) and (?:…)');
    const node = this.#alternatives();
    if (!this.#take(')')) throw unsupported('a "(" without ")"');
    return node;
  }

  #escape(): Node {
    const character = this.#next();
    if (character === 'A') return { kind: 'start' };
    if (character === 'z') return { kind: 'end' };
    return { kind: 'one', test: this.#escaped(character) };
  }

  #escaped(character: string): Test {
    const known = CLASSES[character.toLowerCase()];
    if (known !== undefined) return character === character.toLowerCase() ? known : (code) => !known(code);
    if (/[A-Za-z0-9]/.test(character)) throw unsupported(`"\\${character}" is not supported`);
    return this.#is(character);
  }

  #class(): Test {
    const negated = this.#take('^');
    const tests: Test[] = [];
    do tests.push(this.#member());
    while (this.#peek() !== ']');
    this.#at += 1;
    return (code) => tests.some((test) => test(code)) !== negated;
  }

  #member(): Test {
    if (this.#pattern.startsWith('[:', this.#at)) throw unsupported('[:classes:] are not supported');
    const first = this.#next();
    if (first === '\\') return this.#escaped(this.#next());
    const isRange = this.#peek() === '-' && this.#pattern.charAt(this.#at + 1) !== ']';
    if (!isRange) return this.#is(first);
    this.#at += 1;
    const last = this.#next();
    const low = first.codePointAt(0) ?? 0;
    const high = last.codePointAt(0) ?? 0;
    if (last === '\\' || high < low) throw unsupported('a range that ends before it begins, or at an escape');
    const within: Test = (code) => code >= low && code <= high;
    return this.#ignoreCase ? (code) => casesOf(code).some(within) : within;
  }

  #is(character: string): Test {
    const wanted = character.codePointAt(0) ?? 0;
    return this.#ignoreCase ? (code) => casesOf(code).includes(wanted) : (code) => code === wanted;
  }

  #peek(): string {
    return this.#pattern.charAt(this.#at);
  }

  #next(): string {
    const code = this.#pattern.codePointAt(this.#at);
    if (code === undefined) throw unsupported('ends too early');
    const character = String.fromCodePoint(code);
    this.#at += character.length;
    return character;
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at += 1;
    return true;
  }
}

function casesOf(code: number): readonly number[] {
  const character = String.fromCodePoint(code);
  return [character, character.toLowerCase(), character.toUpperCase()].map(
    (form) => form.codePointAt(0) ?? 0,
  );
}
