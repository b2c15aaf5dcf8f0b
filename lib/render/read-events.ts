import { EVENT_ID, getScalarValue, SCALAR_STYLE } from 'js-yaml';
import type { AliasEvent, Event, MappingEvent, ScalarEvent, SequenceEvent } from 'js-yaml';

import type { Json } from '../model/resource.ts';
import { isInexactInteger, resolvePlainScalar } from './go-scalars.ts';
import type { RenderLimits } from './limits.ts';

export interface YamlOptions {
  readonly limits: Pick<RenderLimits, 'maxDepth' | 'maxAliasWeight'>;
  /** Default true. Helm and kustomize take the last of two equal keys; manifests may not have any. */
  readonly uniqueKeys?: boolean;
  /** Spent by several texts together, on top of what each of them may spend. */
  readonly aliases?: AliasBudget;
}

/** What aliases add, in the unit of maxAliasWeight. */
export interface AliasBudget {
  weight: number;
  readonly most: number;
}

/** For all texts of one render: whoever stores or compares what was rendered writes every alias out. */
export function aliasBudget(limits: Pick<RenderLimits, 'maxAliasWeight'>): AliasBudget {
  return { weight: 0, most: limits.maxAliasWeight * 16 };
}

/** Something that is YAML and yet refused; the message never quotes a value. */
export class YamlRefusal extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/** What a node came to: its height bounds nesting through aliases, its weight bounds what they add. */
interface Read {
  readonly value: Json;
  readonly height: number;
  readonly weight: number;
}

const NODE_WEIGHT = 16;
/** The name is not quoted: it may be a password that begins with an asterisk. */
const NO_ANCHOR = 'an alias has no anchor before it: put a text that begins with "*" in quotes';

/**
 * From events to JSON. Held state is one document's anchors and the place in the events; an alias shares the value that
 * its anchor came to, and pays for it as if it had been written out, because whoever serialises it does.
 */
export class EventReader {
  readonly #body: string;
  readonly #events: readonly Event[];
  readonly #options: YamlOptions;
  readonly #anchors = new Map<string, Read | 'open'>();
  readonly #budgets: readonly AliasBudget[];
  #seen = 0;
  /** Of the next event. */
  at: number;
  inexact: number | undefined;
  /** Where the items of a top-level `items` begin. */
  readonly itemOffsets: number[] = [];

  constructor(
    body: string,
    events: readonly Event[],
    at: number,
    options: YamlOptions,
    /** Of the text that the document is part of. */
    spent: AliasBudget,
  ) {
    this.#body = body;
    this.#events = events;
    this.at = at;
    this.#options = options;
    this.#budgets = options.aliases === undefined ? [spent] : [spent, options.aliases];
  }

  /** Where the next event stands; one without a place (an empty value) takes that of the next, or of the last seen. */
  get offset(): number {
    // Bounded: a megabyte of empty values would be searched through once for each of them.
    const end = Math.min(this.#events.length, this.at + 16);
    for (let at = this.at; at < end; at += 1) {
      const start = startOf(this.#events[at]);
      if (start !== undefined) return start;
    }
    return this.#seen;
  }

  isEmpty(): boolean {
    const event = this.#events[this.at];
    return (
      event?.type === EVENT_ID.SCALAR &&
      event.style === SCALAR_STYLE.PLAIN &&
      event.valueStart === event.valueEnd &&
      event.anchorStart < 0 &&
      event.tagStart < 0
    );
  }

  read(depth: number, itemsAt?: number[]): Read {
    if (depth > this.#options.limits.maxDepth) throw this.#tooDeep(this.offset);
    const event = this.#events[this.at];
    this.#seen = startOf(event) ?? this.#seen;
    this.at += 1;
    if (event === undefined || event.type === EVENT_ID.POP || event.type === EVENT_ID.DOCUMENT) {
      throw new YamlRefusal(this.#seen, 'not valid YAML');
    }
    if (event.type === EVENT_ID.ALIAS) return this.#readAlias(event, depth);
    const anchor = event.anchorStart < 0 ? undefined : this.#body.slice(event.anchorStart, event.anchorEnd);
    if (anchor !== undefined) this.#anchors.set(anchor, 'open');
    const read = this.#readContent(event, depth, itemsAt);
    if (anchor !== undefined) this.#anchors.set(anchor, read);
    return read;
  }

  #tooDeep(offset: number): YamlRefusal {
    return new YamlRefusal(offset, `nested more than ${this.#options.limits.maxDepth} levels deep`);
  }

  #readContent(event: ScalarEvent | SequenceEvent | MappingEvent, depth: number, itemsAt?: number[]): Read {
    if (event.type === EVENT_ID.MAPPING) return this.#readMap(depth);
    if (event.type === EVENT_ID.SEQUENCE) return this.#readSequence(depth, itemsAt);
    const value = this.#readScalar(event);
    return { value, height: 0, weight: NODE_WEIGHT + (typeof value === 'string' ? value.length : 0) };
  }

  /** Whether the open collection goes on; steps over its end when it does not. */
  #goesOn(): boolean {
    if (this.#events[this.at]?.type !== EVENT_ID.POP) return this.at < this.#events.length;
    this.at += 1;
    return false;
  }

  #readSequence(depth: number, itemsAt?: number[]): Read {
    const value: Json[] = [];
    let height = 0;
    let weight = NODE_WEIGHT;
    while (this.#goesOn()) {
      itemsAt?.push(this.offset);
      const item = this.read(depth + 1);
      value.push(item.value);
      height = Math.max(height, item.height);
      weight += item.weight;
    }
    return { value, height: height + 1, weight };
  }

  #readAlias(event: AliasEvent, depth: number): Read {
    const name = this.#body.slice(event.anchorStart, event.anchorEnd);
    const target = this.#anchors.get(name);
    if (target === undefined) throw new YamlRefusal(event.anchorStart, NO_ANCHOR);
    if (target === 'open') throw new YamlRefusal(event.anchorStart, 'an alias lies inside its own anchor');
    for (const budget of this.#budgets) budget.weight += target.weight;
    if (this.#budgets.some(({ weight, most }) => weight > most)) {
      throw new YamlRefusal(
        event.anchorStart,
        'aliases expand to more than is allowed: write the content out, or use fewer of them',
      );
    }
    if (depth + target.height > this.#options.limits.maxDepth) throw this.#tooDeep(event.anchorStart);
    return target;
  }

  #readMap(depth: number): Read {
    const result: Record<string, Json> = {};
    const own = new Set<string>();
    const merged = new Set<string>();
    let height = 0;
    let weight = NODE_WEIGHT;
    while (this.#goesOn()) {
      const offset = this.offset;
      if (this.#isMergeKey()) {
        this.at += 1;
        const value = this.read(depth + 1);
        height = Math.max(height, value.height);
        weight += value.weight;
        merge(value.value, result, { own, merged, offset });
        continue;
      }
      const key = this.#readKey(depth, offset);
      if (own.has(key) && this.#options.uniqueKeys !== false)
        throw new YamlRefusal(offset, `duplicate key "${key}"`);
      const read = this.read(depth + 1, depth === 0 && key === 'items' ? this.itemOffsets : undefined);
      own.add(key);
      result[key] = read.value;
      height = Math.max(height, read.height);
      weight += key.length + read.weight;
    }
    return { value: result, height: height + 1, weight };
  }

  #isMergeKey(): boolean {
    const event = this.#events[this.at];
    return (
      event?.type === EVENT_ID.SCALAR &&
      event.style === SCALAR_STYLE.PLAIN &&
      event.tagStart < 0 &&
      event.valueEnd - event.valueStart === 2 &&
      this.#body.startsWith('<<', event.valueStart)
    );
  }

  #readKey(depth: number, offset: number): string {
    const { value } = this.read(depth + 1);
    if (typeof value === 'boolean') return String(value);
    if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
    if (typeof value !== 'string') {
      throw new YamlRefusal(offset, `a key must be text, got ${describeJson(value)}: put it in quotes`);
    }
    if (value === '__proto__') throw new YamlRefusal(offset, 'the key "__proto__" is refused');
    return value;
  }

  #readScalar(event: ScalarEvent): Json {
    const text = getScalarValue(this.#body, event);
    const offset = startOf(event) ?? this.offset;
    if (event.tagStart < 0) {
      return event.style === SCALAR_STYLE.PLAIN ? this.#number(offset, text, resolvePlainScalar(text)) : text;
    }
    // `!!int` or `!<tag:yaml.org,2002:int>`; a tag of the document's own is not ours to follow.
    const tag = /^(?:!!|!<tag:yaml\.org,2002:)(\w+)>?$/.exec(
      this.#body.slice(event.tagStart, event.tagEnd),
    )?.[1];
    switch (tag) {
      case 'binary':
        return decodeBinary(offset, text);
      case 'int':
        return this.#tagged(offset, text, (value) => Number.isInteger(value), tag);
      case 'float':
        return this.#tagged(offset, text, (value) => typeof value === 'number', tag);
      case 'bool':
        return this.#tagged(offset, text, (value) => typeof value === 'boolean', tag);
      case 'null':
        return this.#tagged(offset, text, (value) => value === null, tag);
      default:
        return text;
    }
  }

  #tagged(offset: number, text: string, fits: (value: Json) => boolean, tag: string): Json {
    const value = resolvePlainScalar(text);
    if (!fits(value)) throw new YamlRefusal(offset, `the value does not fit its tag !!${tag}`);
    return this.#number(offset, text, value);
  }

  #number(offset: number, text: string, value: Json): Json {
    if (typeof value !== 'number') return value;
    if (!Number.isFinite(value))
      throw new YamlRefusal(offset, 'infinity and not-a-number have no place in JSON');
    if (!Number.isSafeInteger(value) && isInexactInteger(text)) this.inexact ??= offset;
    return value;
  }
}

function startOf(event: Event | undefined): number | undefined {
  if (event === undefined) return undefined;
  const start =
    event.type === EVENT_ID.SCALAR
      ? event.valueStart
      : event.type === EVENT_ID.ALIAS
        ? event.anchorStart
        : event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE
          ? event.start
          : -1;
  return start < 0 ? undefined : start;
}

/**
 * The first of several sources wins, and keys of the mapping itself win over them. Where a key stands *before* the
 * merge, kubectl (go-yaml v2) lets the merged value win and kustomize (v3) the key, so that is refused.
 */
function merge(
  value: Json,
  result: Record<string, Json>,
  at: { readonly own: ReadonlySet<string>; readonly merged: Set<string>; readonly offset: number },
): void {
  for (const source of Array.isArray(value) ? (value as readonly Json[]) : [value]) {
    if (source === null || typeof source !== 'object' || Array.isArray(source)) {
      throw new YamlRefusal(at.offset, '"<<" takes a mapping or a list of mappings');
    }
    for (const [key, inner] of Object.entries(source as { readonly [key: string]: Json })) {
      if (at.own.has(key)) {
        throw new YamlRefusal(
          at.offset,
          `"<<" after the key "${key}" that it merges: tools disagree which of them wins; put "<<" first`,
        );
      }
      if (at.merged.has(key)) continue;
      at.merged.add(key);
      result[key] = inner;
    }
  }
}

function decodeBinary(offset: number, text: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(text, 'base64'));
  } catch {
    throw new YamlRefusal(
      offset,
      '!!binary that is not UTF-8 text: use binaryData, which takes base64 as it is',
    );
  }
}

/** For messages: the kind of a value, never the value. */
export function describeJson(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : `a ${typeof value}`;
}
