import type { Json, JsonObject, KubeObject, Manifest } from '../model/resource.ts';
import type { FileTree } from '../source/file-tree.ts';
import { describeObject } from './describe-object.ts';
import { inBase64, maskTexts } from './mask-texts.ts';
import { isObject } from './parse-manifests.ts';
import { renderFaultsError } from './render-faults.ts';
import type { RenderFault } from './render-faults.ts';

/** Texts that a render was given in confidence, and what of them may be seen where. */
export interface SecretTexts {
  /** @param from for people: `secrets/db.yaml`, `Secret shop/db` */
  add(text: string, from: string): void;
  /** Those to be kept out of what is said about the render; what stands openly in Git anyway is none of them. */
  hidden(): readonly string[];
  mask(text: string): string;
  /**
   * Secrets may hold secret texts, in `data` and `stringData`. Anywhere else they would be stored, shown and compared
   * as plain text.
   *
   * @throws HoldfastError `render-failed` naming every other object that holds one
   */
  refuseOutside(manifests: readonly Manifest[]): void;
}

/** Below this, a text is too likely to be a part of a word: masking it would hide little and spoil messages. */
const MIN_HIDDEN = 4;
/** Below this, a text that is found within another says nothing about where it came from. */
const MIN_TRACED = 8;
/** Looked through at most to find out which texts to hide; beyond it they are hidden, wherever they stand. */
const MAX_SEARCHED_BYTES = 512 * 1024 * 1024;

/**
 * @param files as they are in Git, encrypted; what stands there in the open is no secret, whoever encrypted it elsewhere
 * @param definition further text from Git
 */
export function collectSecretTexts(files: FileTree, definition: string): SecretTexts {
  const origins = new Map<string, string>();
  const open = new Map<string, boolean>();
  /** Of those that have several: a message may quote one. */
  const lines = new Set<string>();
  let masked: readonly string[] | undefined;

  const isOpen = (text: string): boolean => {
    const known = open.get(text);
    if (known !== undefined) return known;
    const bytes = Buffer.from(text);
    const found =
      definition.includes(JSON.stringify(text).slice(1, -1)) ||
      files.paths.some((path) => {
        const content = files.read(path);
        return (
          content !== undefined &&
          Buffer.from(content.buffer, content.byteOffset, content.byteLength).includes(bytes)
        );
      });
    open.set(text, found);
    return found;
  };

  const hidden = (): readonly string[] => {
    if (masked !== undefined) return masked;
    const bytes = files.paths.reduce((sum, path) => sum + (files.read(path)?.byteLength ?? 0), 0);
    const searches = Math.floor(MAX_SEARCHED_BYTES / Math.max(bytes, 1));
    masked = [...new Set([...origins.keys(), ...lines])]
      .filter((text, index) => open.get(text) !== true && (index >= searches || !isOpen(text)))
      // Longest first: one may hold another.
      .toSorted((a, b) => b.length - a.length);
    return masked;
  };

  return {
    add(text, from) {
      if (text.length < MIN_HIDDEN || origins.has(text)) return;
      origins.set(text, from);
      for (const line of text.split('\n')) if (isTelling(line.trim())) lines.add(line.trim());
      masked = undefined;
    },
    hidden,
    mask: (text) => maskTexts(text, hidden()),
    refuseOutside(manifests) {
      if (origins.size === 0) return;
      const within = searchFor([...origins.keys()].filter((text) => text.length >= MIN_TRACED));
      const search = (content: string): string | undefined =>
        origins.has(content) && !isPlainNumber(content) && !isOpen(content)
          ? content
          : within(content, isOpen);
      const faults = manifests.flatMap(({ object, origin }): readonly RenderFault[] => {
        const text = findIn(withoutSecretData(object), search);
        if (text === undefined) return [];
        const what = object.kind === 'Secret' ? 'outside of its data, a' : 'a';
        return [
          {
            origin,
            message: `${describeObject(object)}: contains ${what} value that comes from ${origins.get(text)}: it would be stored and shown as plain text; use it in the data of a Secret only, or do not keep it as a secret`,
          },
        ];
      });
      if (faults.length > 0) throw renderFaultsError(faults, 'render-refused');
    },
  };
}

/** Ports, counts and versions are everywhere. */
function isPlainNumber(text: string): boolean {
  return text.length < MIN_TRACED && /^[\d.]+$/.test(text);
}

function isTelling(line: string): boolean {
  return line.length >= 16 && !line.startsWith('-----');
}

function withoutSecretData(object: KubeObject): Json {
  const whole = object as unknown as JsonObject;
  if (object.kind !== 'Secret' || object.apiVersion !== 'v1') return whole;
  const { data: _data, stringData: _stringData, ...rest } = whole;
  return rest;
}

/** The first secret text below a value; keys count too, and so does what was encoded in base64 as a whole. */
function findIn(value: Json, search: (content: string) => string | undefined): string | undefined {
  if (typeof value === 'string') return search(value);
  if (typeof value === 'number') return search(String(value));
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) {
      const found = findIn(item, search);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (!isObject(value)) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = findIn(key, search) ?? findIn(inner, search);
    if (found !== undefined) return found;
  }
  return undefined;
}

type Search = (content: string, isOpen: (text: string) => boolean) => string | undefined;

/**
 * Looks for many texts at once in time that grows with the content alone: a hash of the first characters rolls along
 * (Rabin and Karp), and only where it fits are the texts compared.
 */
function searchFor(texts: readonly string[]): Search {
  if (texts.length === 0) return () => undefined;
  const byHash = new Map<number, { readonly form: string; readonly text: string }[]>();
  const first = new Uint8Array(1 << 16);
  for (const text of texts) {
    for (const form of new Set([text, ...inBase64(text)])) {
      const hash = hashAt(form, 0);
      first[hash & 0xffff] = 1;
      const known = byHash.get(hash);
      if (known === undefined) byHash.set(hash, [{ form, text }]);
      else known.push({ form, text });
    }
  }
  return (content, isOpen) => {
    let hash = 0;
    for (let at = 0; at + MIN_TRACED <= content.length; at += 1) {
      hash = at === 0 ? hashAt(content, 0) : rolled(hash, content, at);
      if (first[hash & 0xffff] !== 1) continue;
      for (const { form, text } of byHash.get(hash) ?? []) {
        if (content.startsWith(form, at) && !isOpen(text)) return text;
      }
    }
    return undefined;
  };
}

const BASE = 0x01000193;
/** BASE to the power of MIN_TRACED - 1: the weight of the character that leaves. */
const LEAVING = Array.from({ length: MIN_TRACED - 1 }).reduce<number>((power) => Math.imul(power, BASE), 1);

function hashAt(text: string, start: number): number {
  let hash = 0;
  for (let at = start; at < start + MIN_TRACED; at += 1)
    hash = (Math.imul(hash, BASE) + text.charCodeAt(at)) | 0;
  return hash;
}

function rolled(hash: number, text: string, at: number): number {
  const left = (hash - Math.imul(text.charCodeAt(at - 1), LEAVING)) | 0;
  return (Math.imul(left, BASE) + text.charCodeAt(at + MIN_TRACED - 1)) | 0;
}
