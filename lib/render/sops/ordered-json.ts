import { sopsFault } from './sops-fault.ts';

/** JSON whose keys keep their order, also those that look like numbers: the MAC is over the values in that order. */
export type OrderedJson =
  | { readonly kind: 'map'; readonly entries: Map<string, OrderedJson> }
  | { readonly kind: 'list'; readonly items: OrderedJson[] }
  | { readonly kind: 'leaf'; readonly value: string | number | boolean | null };

const MAX_DEPTH = 200;

/**
 * Strict, with keys that differ.
 *
 * @throws HoldfastError `render-failed` that does not quote the text
 */
export function parseOrderedJson(text: string): OrderedJson {
  try {
    // Afterwards every character is known to be where it belongs.
    JSON.parse(text);
  } catch {
    throw sopsFault('not valid JSON');
  }
  return new OrderedReader(text).read(0);
}

class OrderedReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(depth: number): OrderedJson {
    if (depth > MAX_DEPTH) throw sopsFault(`nested more than ${MAX_DEPTH} deep`);
    switch (this.#peek()) {
      case '{':
        return this.#readMap(depth);
      case '[':
        return this.#readList(depth);
      case '"':
        return { kind: 'leaf', value: this.#readString() };
      default:
        return { kind: 'leaf', value: this.#readWord() };
    }
  }

  #readMap(depth: number): OrderedJson {
    const entries = new Map<string, OrderedJson>();
    this.#at += 1;
    while (this.#peek() !== '}') {
      const key = this.#readString();
      if (entries.has(key)) throw sopsFault(`the key ${JSON.stringify(key.slice(0, 80))} stands there twice`);
      this.#peek();
      this.#at += 1;
      entries.set(key, this.read(depth + 1));
      if (this.#peek() === ',') this.#skip();
    }
    this.#at += 1;
    return { kind: 'map', entries };
  }

  #readList(depth: number): OrderedJson {
    const items: OrderedJson[] = [];
    this.#at += 1;
    while (this.#peek() !== ']') {
      items.push(this.read(depth + 1));
      if (this.#peek() === ',') this.#at += 1;
    }
    this.#at += 1;
    return { kind: 'list', items };
  }

  #readString(): string {
    const start = this.#at;
    do this.#at += this.#text.charAt(this.#at) === '\\' ? 2 : 1;
    while (this.#text.charAt(this.#at) !== '"');
    this.#at += 1;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  #readWord(): number | boolean | null {
    const word = /[^\s,\]}]+/y;
    word.lastIndex = this.#at;
    const found = word.exec(this.#text)?.[0] ?? 'null';
    this.#at += found.length;
    return JSON.parse(found) as number | boolean | null;
  }

  #skip(): void {
    this.#at += 1;
    this.#peek();
  }

  #peek(): string {
    while (' \t\r\n'.includes(this.#text.charAt(this.#at) || '.')) this.#at += 1;
    return this.#text.charAt(this.#at);
  }
}
