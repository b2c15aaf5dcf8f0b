import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml';
import type { Document, Node, Pair, Scalar, YAMLMap } from 'yaml';

import type { Json } from '../model/resource.ts';
import { isInexactInteger, resolvePlainScalar } from './go-scalars.ts';
import type { RenderLimits } from './limits.ts';

export interface YamlDocument {
  readonly value: Json;
  /** 1-based, of the document's first content. */
  readonly line: number;
  /** 1-based, of every item of a top-level `items`. */
  readonly itemLines: readonly number[];
  /** Comments in front of the content, without `#`. */
  readonly comment: string;
  /** Where a whole number lies that a double cannot hold exactly. */
  readonly inexact?: number;
}

/** What is wrong with a document. The message never quotes a value: it may stand in a Secret. */
export interface YamlFault {
  readonly line: number;
  readonly message: string;
}

export interface YamlOptions {
  readonly limits: Pick<RenderLimits, 'maxDepth' | 'maxAliasWeight'>;
  /** Default true. Helm and kustomize take the last of two equal keys; manifests may not have any. */
  readonly uniqueKeys?: boolean;
}

/**
 * Every document of a stream, each on its own: a broken one does not hide the others. Empty documents are left out.
 * Scalars are read as Kubernetes reads them, whatever a `%YAML` directive says.
 */
export function parseYaml(
  text: string,
  options: YamlOptions,
): readonly (({ readonly ok: true } & YamlDocument) | ({ readonly ok: false } & YamlFault))[] {
  return splitDocuments(text).flatMap(({ body, firstLine }) => {
    const lines = new LineCounter();
    // Something unclosed is noticed at the very end, on the line of the next separator; the last line with text says more.
    const last = Math.max(0, body.trimEnd().length - 1);
    const lineAt = (offset: number) => lines.linePos(Math.min(offset, last)).line + firstLine - 1;
    try {
      const parsed = parseAllDocuments(body, {
        schema: 'failsafe',
        version: '1.1',
        uniqueKeys: false,
        prettyErrors: false,
        lineCounter: lines,
      });
      const documents = Array.isArray(parsed) ? parsed : [];
      return documents
        .filter((document) => document.errors.length > 0 || !isEmpty(document))
        .map((document) => readDocument(document, options, lineAt));
    } catch (error) {
      // The parser recurses; what exhausts its stack is refused like everything else that is nested too deeply.
      if (!(error instanceof RangeError)) throw error;
      return [{ ok: false as const, line: firstLine, message: 'nested too deeply' }];
    }
  });
}

/**
 * Splits where Kubernetes does, at lines that begin with `---`, which YAML allows nowhere else. Without it an unclosed
 * quote in one document would swallow all that follow.
 */
function splitDocuments(text: string): readonly { readonly body: string; readonly firstLine: number }[] {
  const starts = [0];
  for (const match of text.matchAll(/^---(?=[\s]|$)/gm)) if (match.index > 0) starts.push(match.index);
  const chunks: { body: string; firstLine: number }[] = [];
  let firstLine = 1;
  let directives = '';
  for (const [index, start] of starts.entries()) {
    const body = text.slice(start, starts[index + 1]);
    if (index === 0 && /^%/m.test(body) && body.split('\n').every((line) => /^\s*(?:[%#].*)?$/.test(line))) {
      directives = body;
    } else {
      chunks.push({ body: directives + body, firstLine: directives === '' ? firstLine : 1 });
      directives = '';
    }
    for (let at = body.indexOf('\n'); at >= 0; at = body.indexOf('\n', at + 1)) firstLine += 1;
  }
  return chunks;
}

function isEmpty(document: Document): boolean {
  const node = document.contents;
  return node === null || (isScalar(node) && node.type === 'PLAIN' && node.source === '' && !node.anchor);
}

class Fault extends Error {
  readonly offset: number;

  constructor(node: unknown, message: string) {
    super(message);
    this.offset = offsetOf(node) ?? 0;
  }
}

function offsetOf(node: unknown): number | undefined {
  return (node as { range?: readonly number[] | null } | null)?.range?.[0];
}

function readDocument(document: Document, options: YamlOptions, lineAt: (offset: number) => number) {
  const [error] = document.errors;
  const start = offsetOf(document.contents) ?? document.range?.[0] ?? 0;
  if (error !== undefined) {
    return { ok: false as const, line: lineAt(error.pos[0]), message: syntaxMessage(error.code) };
  }
  try {
    const reader = new NodeReader(options);
    const value = reader.read(document.contents, 0).value;
    return {
      ok: true as const,
      value,
      line: lineAt(start),
      itemLines: itemOffsets(document).map(lineAt),
      comment: [document.commentBefore, document.contents?.commentBefore].filter(Boolean).join('\n'),
      ...(reader.inexact === undefined ? {} : { inexact: lineAt(reader.inexact) }),
    };
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    return { ok: false as const, line: lineAt(fault.offset), message: fault.message };
  }
}

function itemOffsets(document: Document): readonly number[] {
  const root = document.contents;
  if (!isMap(root)) return [];
  const items = root.get('items', true);
  return isSeq(items) ? items.items.map((item) => offsetOf(item) ?? 0) : [];
}

/** What a node came to: its height bounds nesting through aliases, its weight bounds what they add. */
interface Read {
  readonly value: Json;
  readonly height: number;
  readonly weight: number;
}

const NODE_WEIGHT = 16;

/**
 * From the syntax tree to JSON. Held state is one document's anchors; an alias shares the value that its anchor came to,
 * and pays for it as if it had been written out, because whoever serialises it does.
 */
class NodeReader {
  readonly #options: YamlOptions;
  readonly #anchors = new Map<string, Read | 'open'>();
  #aliasWeight = 0;
  inexact: number | undefined;

  constructor(options: YamlOptions) {
    this.#options = options;
  }

  read(node: unknown, depth: number): Read {
    if (depth > this.#options.limits.maxDepth) {
      throw new Fault(node, `nested more than ${this.#options.limits.maxDepth} levels deep`);
    }
    if (node === null || node === undefined) return { value: null, height: 0, weight: NODE_WEIGHT };
    if (isAlias(node)) return this.#readAlias(node, depth);
    const anchor = (node as Node & { anchor?: string }).anchor;
    if (anchor) this.#anchors.set(anchor, 'open');
    const read = this.#readContent(node, depth);
    if (anchor) this.#anchors.set(anchor, read);
    return read;
  }

  #readContent(node: unknown, depth: number): Read {
    if (isScalar(node)) {
      const value = this.#readScalar(node);
      return { value, height: 0, weight: NODE_WEIGHT + (typeof value === 'string' ? value.length : 0) };
    }
    if (isSeq(node)) {
      const items = node.items.map((item) => this.read(item, depth + 1));
      return {
        value: items.map((item) => item.value),
        height: 1 + items.reduce((most, item) => Math.max(most, item.height), 0),
        weight: items.reduce((sum, item) => sum + item.weight, NODE_WEIGHT),
      };
    }
    if (isMap(node)) return this.#readMap(node, depth);
    throw new Fault(node, 'something that is neither a mapping, a list nor a scalar');
  }

  #readAlias(node: { readonly source: string }, depth: number): Read {
    const target = this.#anchors.get(node.source);
    if (target === undefined) throw new Fault(node, `alias *${node.source} has no anchor before it`);
    if (target === 'open') throw new Fault(node, `alias *${node.source} lies inside its own anchor`);
    this.#aliasWeight += target.weight;
    if (this.#aliasWeight > this.#options.limits.maxAliasWeight) {
      throw new Fault(
        node,
        'aliases expand to more than is allowed: write the content out, or use fewer of them',
      );
    }
    if (depth + target.height > this.#options.limits.maxDepth) {
      throw new Fault(node, `nested more than ${this.#options.limits.maxDepth} levels deep`);
    }
    return target;
  }

  #readMap(node: YAMLMap, depth: number): Read {
    const result: Record<string, Json> = {};
    const own = new Set<string>();
    const merged = new Set<string>();
    let height = 0;
    let weight = NODE_WEIGHT;
    for (const pair of node.items as readonly Pair[]) {
      if (isMergeKey(pair.key)) {
        const sources = this.#mergeSources(pair, depth);
        height = sources.reduce((most, source) => Math.max(most, source.height), height);
        weight = sources.reduce((sum, source) => sum + source.weight, weight);
        this.#merge(sources, result, { own, merged, pair });
        continue;
      }
      const key = this.#readKey(pair.key, depth);
      if (own.has(key) && this.#options.uniqueKeys !== false)
        throw new Fault(pair.key, `duplicate key "${key}"`);
      const read = this.read(pair.value, depth + 1);
      own.add(key);
      result[key] = read.value;
      height = Math.max(height, read.height);
      weight += key.length + read.weight;
    }
    return { value: result, height: height + 1, weight };
  }

  /**
   * The first of several sources wins, and keys of the mapping itself win over them. Where a key stands *before* the
   * merge, kubectl (go-yaml v2) lets the merged value win and kustomize (v3) the key, so that is refused.
   */
  #merge(
    sources: readonly Read[],
    result: Record<string, Json>,
    at: { readonly own: ReadonlySet<string>; readonly merged: Set<string>; readonly pair: Pair },
  ): void {
    for (const source of sources) {
      for (const [key, value] of Object.entries(source.value as { readonly [key: string]: Json })) {
        if (at.own.has(key)) {
          throw new Fault(
            at.pair.key,
            `"<<" after the key "${key}" that it merges: tools disagree which of them wins; put "<<" first`,
          );
        }
        if (at.merged.has(key)) continue;
        at.merged.add(key);
        result[key] = value;
      }
    }
  }

  #mergeSources(pair: Pair, depth: number): readonly Read[] {
    const parts = isSeq(pair.value) ? pair.value.items : [pair.value];
    return parts.map((part) => {
      const read = this.read(part, depth + 1);
      if (read.value === null || typeof read.value !== 'object' || Array.isArray(read.value)) {
        throw new Fault(pair.key, '"<<" takes a mapping or a list of mappings');
      }
      return read;
    });
  }

  #readKey(node: unknown, depth: number): string {
    const { value } = this.read(node, depth + 1);
    if (typeof value === 'boolean') return String(value);
    if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
    if (typeof value !== 'string') {
      throw new Fault(node, `a key must be text, got ${describeJson(value)}: put it in quotes`);
    }
    if (value === '__proto__') throw new Fault(node, 'the key "__proto__" is refused');
    return value;
  }

  #readScalar(node: Scalar): Json {
    const text = typeof node.source === 'string' ? node.source : String(node.value ?? '');
    switch (node.tag) {
      case undefined:
        return node.type === 'PLAIN' ? this.#number(node, resolvePlainScalar(text)) : text;
      case 'tag:yaml.org,2002:binary':
        return decodeBinary(node, text);
      case 'tag:yaml.org,2002:int':
        return this.#tagged(node, text, (value) => Number.isInteger(value), 'int');
      case 'tag:yaml.org,2002:float':
        return this.#tagged(node, text, (value) => typeof value === 'number', 'float');
      case 'tag:yaml.org,2002:bool':
        return this.#tagged(node, text, (value) => typeof value === 'boolean', 'bool');
      case 'tag:yaml.org,2002:null':
        return this.#tagged(node, text, (value) => value === null, 'null');
      default:
        return text;
    }
  }

  #tagged(node: Scalar, text: string, fits: (value: Json) => boolean, tag: string): Json {
    const value = resolvePlainScalar(text);
    if (!fits(value)) throw new Fault(node, `the value does not fit its tag !!${tag}`);
    return this.#number(node, value);
  }

  #number(node: Scalar, value: Json): Json {
    if (typeof value !== 'number') return value;
    if (!Number.isFinite(value)) throw new Fault(node, 'infinity and not-a-number have no place in JSON');
    if (!Number.isSafeInteger(value) && isInexactInteger(String(node.source))) {
      this.inexact ??= offsetOf(node) ?? 0;
    }
    return value;
  }
}

function isMergeKey(node: unknown): boolean {
  return isScalar(node) && node.type === 'PLAIN' && node.source === '<<' && node.tag === undefined;
}

function decodeBinary(node: Scalar, text: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(text, 'base64'));
  } catch {
    throw new Fault(node, '!!binary that is not UTF-8 text: use binaryData, which takes base64 as it is');
  }
}

/** For messages: the kind of a value, never the value. */
export function describeJson(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : `a ${typeof value}`;
}

/** The parser's own messages quote the source, which may be a Secret's, so only its codes are used. */
function syntaxMessage(code: string): string {
  const known: Readonly<Record<string, string>> = {
    BAD_INDENT: 'wrong indentation',
    TAB_AS_INDENT: 'a tab where YAML wants spaces for indentation',
    MISSING_CHAR: 'something is not closed or a character is missing (quote, bracket, colon or comma)',
    BLOCK_AS_IMPLICIT_KEY: 'a mapping inside a line that is a value already: quote the value, or indent',
    MULTILINE_IMPLICIT_KEY: 'a key that spans lines: quote the value, or check the indentation',
    BAD_SCALAR_START: 'a plain value that begins with a reserved character: put it in quotes',
    BAD_DQ_ESCAPE: 'an unknown escape in double quotes',
    BAD_ALIAS: 'a broken anchor or alias',
    UNEXPECTED_TOKEN: 'something unexpected after a complete value',
    RESOURCE_EXHAUSTION: 'nested too deeply',
  };
  return `not valid YAML: ${known[code] ?? code.toLowerCase().replaceAll('_', ' ')}`;
}
