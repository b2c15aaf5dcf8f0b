/** A piece of a text in Flux's grammar: itself, or `${name operator arguments}`. */
export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'expansion';
      readonly name: string;
      /** '' for `${name}`, '#' without arguments for `${#name}`. */
      readonly operator: string;
      readonly arguments: readonly TemplateNode[];
    };

/** What cannot be substituted. The reason never quotes the text, which may be a Secret's. */
export class TemplateFault extends Error {
  /** Where the outermost expansion begins, in UTF-16 units. */
  readonly offset: number;

  constructor(offset: number, reason: string) {
    super(reason);
    this.offset = offset;
  }
}

/** Nobody nests defaults deeper, and every level is a level of our own stack. */
const MAX_DEPTH = 100;

/**
 * The grammar of fluxcd/pkg/envsubst, oddities included: what Flux accepts means the same here, and what it refuses is
 * refused. Oddities that a reader would take for mistakes carry a comment.
 *
 * @throws TemplateFault
 */
export function parseTemplate(text: string): readonly TemplateNode[] {
  const reader = new TemplateReader(text);
  const nodes: TemplateNode[] = [];
  while (!reader.isAtEnd()) nodes.push(reader.readNode());
  return nodes;
}

const WITHIN = 'unable to parse the substitution within it';
const BAD = 'bad substitution';

/** Held state: the place in the text. */
class TemplateReader {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #outermost = 0;

  constructor(text: string) {
    this.#text = text;
  }

  isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  readNode(): TemplateNode {
    if (this.#startsExpansion()) {
      this.#outermost = this.#at;
      return this.#readExpansion();
    }
    // Outside of an expansion only `$$` is an escape, and any `$$` is one, also before something that is no brace.
    return { kind: 'text', text: this.#readText('', (next) => (next === '$$' ? '$' : undefined)) };
  }

  #startsExpansion(): boolean {
    return this.#text.startsWith('${', this.#at);
  }

  /** Up to the next expansion or one of `stops`. `unescape` is given two characters. */
  #readText(stops: string, unescape: (pair: string) => string | undefined): string {
    const parts: string[] = [];
    let from = this.#at;
    while (!this.isAtEnd() && !this.#startsExpansion()) {
      const next = this.#text.charAt(this.#at);
      const escaped =
        next === '$' || next === '\\' ? unescape(this.#text.slice(this.#at, this.#at + 2)) : undefined;
      if (escaped !== undefined) {
        parts.push(this.#text.slice(from, this.#at), escaped);
        this.#at += 2;
        from = this.#at;
      } else if (stops.includes(next)) break;
      else this.#at += 1;
    }
    parts.push(this.#text.slice(from, this.#at));
    return parts.join('');
  }

  #readExpansion(): TemplateNode {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw this.#fault(`nested more than ${MAX_DEPTH} deep`);
    this.#at += 2;
    const node = this.#peek() === '#' ? this.#readLength() : this.#readOperation();
    this.#depth -= 1;
    return node;
  }

  #readLength(): TemplateNode {
    this.#at += 1;
    const name = this.#readName();
    if (name === '') throw this.#fault(BAD);
    return this.#closed(name, '#', []);
  }

  #readOperation(): TemplateNode {
    const name = this.#readName();
    if (name === '') throw this.#fault('unable to parse the variable name');
    switch (this.#peek()) {
      case '}':
        return this.#closed(name, '', []);
      case ':':
        return '=-?+'.includes(this.#text.charAt(this.#at + 1) || ' ')
          ? this.#readDefault(name, 2)
          : this.#readSubstring(name);
      case '=':
        return this.#readDefault(name, 1);
      case ',':
      case '^':
        return this.#closed(name, this.#readOperator(',^', 2), []);
      case '/':
        return this.#readReplacement(name);
      case '#':
        return this.#readRemoval(name, '#');
      case '%':
        return this.#readRemoval(name, '%');
      default:
        // Also `${v-d}`, which Flux documents but does not parse.
        throw this.#fault('missing closing brace');
    }
  }

  #readDefault(name: string, length: number): TemplateNode {
    const operator = this.#text.slice(this.#at, this.#at + length);
    this.#at += length;
    const parts: TemplateNode[] = [];
    // `$$` is not an escape in here.
    while (this.#peek() !== '}') parts.push(this.#readArgument('}'));
    return this.#closed(name, operator, parts);
  }

  #readSubstring(name: string): TemplateNode {
    this.#at += 1;
    // Flux steps back by the width of this character, and so stumbles over one of several bytes.
    if (this.#peek() > '\u007f') throw this.#fault(BAD);
    const offset = this.#readArgument(':}');
    if (this.#peek() === '}') return this.#closed(name, ':', [offset]);
    if (this.#readOperator(':', Number.POSITIVE_INFINITY) === '') throw this.#fault(BAD);
    return this.#closed(name, ':', [offset, this.#readArgument('}')]);
  }

  #readRemoval(name: string, sign: string): TemplateNode {
    const operator = this.#readOperator(sign, 2);
    return this.#closed(name, operator, [this.#readArgument('}')]);
  }

  #readReplacement(name: string): TemplateNode {
    this.#at += 1;
    const operator = `/${this.#readOperator('/#%', 1)}`;
    // A brace does not end a pattern: only the slash does.
    const pattern: TemplateNode =
      this.#peek() === '/' ? { kind: 'text', text: '' } : this.#readArgument('/', unescapeReplacement);
    if (this.#readOperator('/', Number.POSITIVE_INFINITY) === '') throw this.#fault(BAD);
    if (this.#peek() === '}') return this.#closed(name, operator, [pattern]);
    return this.#closed(name, operator, [pattern, this.#readArgument('}', unescapeReplacement)]);
  }

  /** One nested expansion or one text: `${v#a${b}}` is two and refused; only defaults take several. */
  #readArgument(
    stops: string,
    unescape: (pair: string) => string | undefined = () => undefined,
  ): TemplateNode {
    if (this.isAtEnd()) throw this.#fault(WITHIN);
    if (this.#startsExpansion()) return this.#readExpansion();
    const before = this.#at;
    const text = this.#readText(stops, unescape);
    if (this.#at === before) throw this.#fault(WITHIN);
    return { kind: 'text', text };
  }

  #readOperator(signs: string, most: number): string {
    const start = this.#at;
    while (this.#at - start < most && !this.isAtEnd() && signs.includes(this.#peek())) this.#at += 1;
    return this.#text.slice(start, this.#at);
  }

  /** Letters and digits of any script, as Go's unicode package has them; such names are simply never defined. */
  #readName(): string {
    const name = /[\p{L}\p{Nd}_]*/uy;
    name.lastIndex = this.#at;
    const found = name.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #closed(name: string, operator: string, parts: readonly TemplateNode[]): TemplateNode {
    if (this.#peek() !== '}') throw this.#fault(BAD);
    this.#at += 1;
    return { kind: 'expansion', name, operator, arguments: parts };
  }

  #peek(): string {
    return this.#text.charAt(this.#at);
  }

  #fault(reason: string): TemplateFault {
    return new TemplateFault(this.#outermost, reason);
  }
}

/** In patterns and replacements `\/`, `\\` and `$$`. */
function unescapeReplacement(pair: string): string | undefined {
  if (pair === '\\/') return '/';
  if (pair === '\\\\') return '\\';
  return pair === '$$' ? '$' : undefined;
}
