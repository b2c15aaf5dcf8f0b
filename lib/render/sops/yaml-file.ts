import { parseEvents } from 'js-yaml';
import { isAlias, isMap, isPair, isScalar, isSeq, parseAllDocuments, Scalar } from 'yaml';
import type { Document, Node, Pair, YAMLMap } from 'yaml';

import { resolveForSops } from './go-scalars-v3.ts';
import { textLeaf, textOf, wordOf } from './leaf.ts';
import type { EncryptedFile, Leaf, LeafValue } from './leaf.ts';
import { sopsFault } from './sops-fault.ts';

const MAX_DEPTH = 200;

/**
 * A YAML file, of several documents: the metadata of the first counts for all. Everything is read as text, so that what
 * is not encrypted keeps its spelling; comments stay, encrypted ones go.
 *
 * @throws HoldfastError `render-failed`
 */
export function readYamlFile(text: string): EncryptedFile {
  const documents = parse(text);
  const leaves: Leaf[] = [];
  let metadata: unknown;
  for (const [index, document] of documents.entries()) {
    dropEncryptedComments(document);
    const map = document.contents;
    if (map === null || (isScalar(map) && map.value === '')) continue;
    if (!isMap(map)) throw sopsFault(`document ${index + 1} is no mapping`);
    const own = takeMetadata(map);
    if (index === 0) metadata = own;
    collectMap(map, [], leaves);
  }
  return {
    metadata,
    leaves,
    write: () =>
      Buffer.from(escaped(documents.map((document) => document.toString({ lineWidth: 0 })).join(''))),
  };
}

/** They end a line to the tools, and not here: what follows one in a comment would be a field that no MAC covers. */
const LINE_BREAKS = /[\u0085\u2028\u2029]|\r(?!\n)/;

/** SOPS itself writes them escaped. They can only come out of a value, in double quotes. */
function escaped(text: string): string {
  return text.replaceAll('\u0085', '\\N').replaceAll('\u2028', '\\L').replaceAll('\u2029', '\\P');
}

function parse(text: string): readonly Document.Parsed[] {
  if (LINE_BREAKS.test(text)) throw sopsFault('a line break other than a line feed: save it with line feeds');
  try {
    // Bounds nesting before anything recursive looks at it.
    parseEvents(text, { maxDepth: MAX_DEPTH });
  } catch {
    throw sopsFault(`not valid YAML, or nested more than ${MAX_DEPTH} deep`);
  }
  const documents = parseAllDocuments(text, { schema: 'failsafe', logLevel: 'silent', uniqueKeys: true });
  if (!Array.isArray(documents) || documents.length === 0) throw sopsFault('an empty file');
  for (const { errors } of documents as readonly Document.Parsed[]) {
    // The message would quote the source.
    const [error] = errors;
    if (error !== undefined) throw sopsFault(`not valid YAML (${error.code})`);
  }
  return documents as readonly Document.Parsed[];
}

function takeMetadata(map: YAMLMap): unknown {
  const at = map.items.findIndex(({ key }) => isScalar(key) && key.value === 'sops');
  if (at < 0) return undefined;
  const [pair] = map.items.splice(at, 1);
  return isMap(pair?.value) ? pair.value.toJSON() : undefined;
}

function collectMap(map: YAMLMap, path: readonly string[], leaves: Leaf[]): void {
  for (const pair of map.items) collectPair(pair, path, leaves);
}

function collectPair(pair: Pair, path: readonly string[], leaves: Leaf[]): void {
  dropEncryptedComments(pair.key);
  const key = keyOf(pair.key, path);
  collect(pair.value as Node | null, [...path, key], leaves, (node) => {
    pair.value = node;
  });
}

function keyOf(key: unknown, path: readonly string[]): string {
  const place = path.join('.') || 'the top level';
  if (!isScalar(key)) throw sopsFault(`${place}: a key that is no text`);
  assertOrdinary(key, place);
  const value = valueOf(key);
  if (value?.type !== 'str')
    throw sopsFault(`${place}: a key that is no text, or a merge: put keys in quotes`);
  return textOf(value.bytes, place);
}

function collect(
  node: Node | null,
  path: readonly string[],
  leaves: Leaf[],
  put: (node: Scalar) => void,
): void {
  const place = path.join('.');
  if (node === null) return;
  dropEncryptedComments(node);
  assertOrdinary(node, place);
  if (isMap(node)) return collectMap(node, path, leaves);
  if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) {
      if (isPair(item)) throw sopsFault(`${place}: a list with keys`);
      collect(item as Node | null, path, leaves, (scalar) => {
        node.items[index] = scalar;
      });
    }
    return;
  }
  if (!isScalar(node)) throw sopsFault(`${place}: a kind of YAML that is not supported`);
  const value = valueOf(node);
  if (value === null) return;
  if (value === undefined)
    throw sopsFault(`${place}: a number or merge that SOPS cannot hold: put it in quotes`);
  leaves.push({ path, value, replace: (plain) => put(scalarOf(node, plain, place)) });
}

/** SOPS writes neither aliases nor tags; which value they would bring under which key is not worth guessing. */
function assertOrdinary(node: unknown, place: string): void {
  if (isAlias(node)) throw sopsFault(`${place}: aliases are not supported in an encrypted file`);
  const { anchor, tag } = node as { readonly anchor?: string; readonly tag?: string };
  if (anchor !== undefined) throw sopsFault(`${place}: anchors are not supported in an encrypted file`);
  if (tag !== undefined && tag !== 'tag:yaml.org,2002:str' && isScalar(node))
    throw sopsFault(`${place}: tags are not supported in an encrypted file`);
}

function valueOf(scalar: Scalar): LeafValue | null | undefined {
  const text = String(scalar.value);
  return scalar.type === Scalar.PLAIN && scalar.tag === undefined ? resolveForSops(text) : textLeaf(text);
}

function scalarOf(old: Scalar, value: LeafValue, place: string): Scalar {
  const scalar = new Scalar(wordOf(value, place));
  // In quotes, so that no reader takes a decrypted text for a number or a boolean.
  scalar.type = value.type === 'str' || value.type === 'time' ? Scalar.QUOTE_DOUBLE : Scalar.PLAIN;
  if (old.commentBefore !== undefined) scalar.commentBefore = old.commentBefore;
  if (old.comment !== undefined) scalar.comment = old.comment;
  return scalar;
}

interface Commented {
  comment?: string | null | undefined;
  commentBefore?: string | null | undefined;
}

function dropEncryptedComments(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const node = value as Commented;
  for (const side of ['comment', 'commentBefore'] as const) {
    const text = node[side];
    if (typeof text !== 'string' || !text.includes('ENC[')) continue;
    const kept = text.split('\n').filter((line) => !line.trimStart().startsWith('ENC['));
    node[side] = kept.length === 0 ? undefined : kept.join('\n');
  }
}
