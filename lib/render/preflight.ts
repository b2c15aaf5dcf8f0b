import { HoldfastError } from '../model/errors.ts';
import type { Json } from '../model/resource.ts';
import type { RenderLimits } from './limits.ts';
import { decodeText, isObject } from './parse-manifests.ts';
import { parseYaml } from './parse-yaml.ts';
import type { AliasBudget } from './read-events.ts';
import type { TreeIndex } from './tree-index.ts';

/** What the checks of a tool's inputs read, and within which limits. They are stricter than the tools. */
export interface PreflightContext {
  readonly tree: TreeIndex;
  readonly limits: RenderLimits;
  /** What the files may spend together. @default each by itself */
  readonly aliases?: AliasBudget;
}

export function refused(file: string, where: string, why: string): HoldfastError {
  return new HoldfastError('render-refused', `${file}: ${where}: ${why}`, { details: { path: file } });
}

/**
 * Parses a file that a tool will parse, with our limits on aliases and depth, before the tool can choke on it.
 *
 * @throws HoldfastError `render-refused` with file and line
 */
export function parseInput(
  context: PreflightContext,
  path: string,
  options: { readonly uniqueKeys?: boolean } = {},
): readonly Json[] {
  const text = decodeText(context.tree.read(path));
  if (text === undefined) throw refused(path, 'content', 'not UTF-8 text; save it as UTF-8');
  return parseInputText(context, text, path, options);
}

export function parseInputText(
  context: PreflightContext,
  text: string,
  path: string,
  options: { readonly uniqueKeys?: boolean } = {},
): readonly Json[] {
  const { limits, aliases } = context;
  const reading = { limits, uniqueKeys: options.uniqueKeys ?? false };
  return parseYaml(text, aliases === undefined ? reading : { ...reading, aliases }).map((document) => {
    if (!document.ok) throw refused(path, `line ${document.line}`, document.message);
    return document.value;
  });
}

/** Texts of a Secret that nobody may see: as written, and decoded. Short ones would blank out ordinary words. */
export function secretTexts(object: Json): readonly string[] {
  if (!isObject(object)) return [];
  if (typeof object.kind === 'string' && object.kind.endsWith('List') && Array.isArray(object.items)) {
    return (object.items as readonly Json[]).flatMap(secretTexts);
  }
  if (object.kind !== 'Secret') return [];
  const texts = (field: Json | undefined): string[] =>
    isObject(field) ? Object.values(field).filter((value) => typeof value === 'string') : [];
  const encoded = texts(object.data);
  const decoded = encoded.map((value) => Buffer.from(value, 'base64').toString());
  return [...encoded, ...decoded, ...texts(object.stringData)].filter(isWorthHiding);
}

export function isWorthHiding(text: string): boolean {
  return text.length >= 4 && text.length <= 10_000;
}

const SECRET_NAME = /pass(?:word|phrase)?$|secret|token|credential|private_?key|api_?key/i;

/** Values whose names say that they are secret; templates may fail with them in hand. */
export function valuesSecrets(value: Json, secret = false): readonly string[] {
  if (typeof value === 'string') return secret && isWorthHiding(value) ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    valuesSecrets(inner, secret || SECRET_NAME.test(key)),
  );
}
