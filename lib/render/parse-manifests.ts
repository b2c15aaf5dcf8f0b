import type { Json, JsonObject, KubeObject, Manifest, Origin } from '../model/resource.ts';
import type { RenderLimits } from './limits.ts';
import { parseYaml } from './parse-yaml.ts';
import type { YamlDocument } from './parse-yaml.ts';
import { describeJson } from './read-events.ts';
import type { AliasBudget } from './read-events.ts';
import type { RenderFault } from './render-faults.ts';

export interface ParsedManifests {
  readonly manifests: readonly Manifest[];
  readonly faults: readonly RenderFault[];
}

export interface ParseOptions extends Pick<RenderLimits, 'maxDepth' | 'maxAliasWeight'> {
  /** Shared by the texts of one render. */
  readonly aliases?: AliasBudget;
  /**
   * Variables are still to be substituted: what an identity may look like is not checked, because `${NAME}` may stand
   * there. Whoever substitutes checks it afterwards with `manifestFault`.
   */
  readonly drafts?: boolean;
}

/** Where a document comes from; by default the file and the document's line. */
export type OriginOf = (document: { readonly line: number; readonly comment: string }) => Origin;

/**
 * The Kubernetes objects of one YAML or JSON text, in order, `List`s flattened. What is not an object is a fault, and
 * does not hide the others.
 */
export function parseManifests(text: string, originOf: OriginOf, options: ParseOptions): ParsedManifests {
  const manifests: Manifest[] = [];
  const faults: RenderFault[] = [];
  const { aliases } = options;
  const reading = { limits: options, ...(aliases === undefined ? {} : { aliases }) };
  for (const document of parseYaml(text, reading)) {
    if (!document.ok) {
      faults.push({ origin: originOf(document), message: document.message });
      continue;
    }
    if (document.value === null) continue;
    const inexact = inexactFault(document, originOf);
    if (inexact === undefined) collect(document, originOf, options, { manifests, faults });
    else faults.push(inexact);
  }
  return { manifests, faults };
}

/** Strict: a byte sequence that is not UTF-8 would otherwise be applied as replacement characters. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function inexactFault(document: YamlDocument, originOf: OriginOf): RenderFault | undefined {
  // Bounds in a CRD's schema are floating point in the API itself, and commonly the ends of int64.
  const isCrd = isObject(document.value) && document.value.kind === 'CustomResourceDefinition';
  if (document.inexact === undefined || isCrd) return undefined;
  return {
    origin: originOf({ line: document.inexact, comment: document.comment }),
    message:
      'a whole number beyond 2^53 that cannot be kept exactly: put it in quotes if the field takes text',
  };
}

function collect(
  document: YamlDocument,
  originOf: OriginOf,
  options: ParseOptions,
  into: { readonly manifests: Manifest[]; readonly faults: RenderFault[] },
): void {
  const check = options.drafts === true ? missingFault : manifestFault;
  const flat = flatten(document.value, document.line, document.itemLines);
  for (const { value: item, line, where } of flat) {
    const origin = originOf({ line, comment: document.comment });
    const complaint = check(item);
    if (complaint === undefined) into.manifests.push({ object: item as unknown as KubeObject, origin });
    else into.faults.push({ origin, message: where === '' ? complaint : `${where}: ${complaint}` });
  }
}

interface FlatItem {
  readonly value: Json;
  readonly line: number;
  readonly where: string;
}

function flatten(value: Json, line: number, itemLines: readonly number[], where = ''): readonly FlatItem[] {
  if (!isList(value)) return [{ value, line, where }];
  const list = value;
  // Millions of empty ones fit into a file; one fault says as much as millions.
  if (isTooLong(list)) return [{ value, line, where }];
  const items = (list.items ?? []) as readonly Json[];
  return items.flatMap((item, index) => {
    const at = `${where === '' ? '' : `${where}.`}items[${index}]`;
    return flatten(withKindOf(list, item), itemLines[index] ?? line, [], at);
  });
}

const MAX_ITEMS = 100_000;

function isTooLong(list: JsonObject): boolean {
  return Array.isArray(list.items) && list.items.length > MAX_ITEMS;
}

/** `v1 List`, and typed lists such as ConfigMapList; not a custom resource that is merely called …List and has a name. */
function isList(value: Json): value is JsonObject {
  if (!isObject(value) || typeof value.kind !== 'string' || !value.kind.endsWith('List')) return false;
  const metadata = value.metadata;
  if (isObject(metadata) && metadata.name !== undefined && metadata.name !== null) return false;
  if (value.kind === 'List' && value.apiVersion === 'v1') return Array.isArray(value.items ?? []);
  return Array.isArray(value.items);
}

/** Items of a typed list may leave out what the list says. */
function withKindOf(list: JsonObject, item: Json): Json {
  if (list.kind === 'List' || !isObject(item)) return item;
  const kind = String(list.kind).slice(0, -'List'.length);
  return { ...item, apiVersion: item.apiVersion ?? list.apiVersion ?? null, kind: item.kind ?? kind };
}

const API_VERSION = /^(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?\/)?[a-z][a-z0-9]*$/;
const KIND = /^[A-Za-z][A-Za-z0-9]*$/;
const NAMESPACE = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/** What keeps a value from being a Kubernetes object with an identity that can be asked for; undefined: nothing. */
export function manifestFault(value: Json): string | undefined {
  const missing = missingFault(value);
  if (missing !== undefined || !isObject(value)) return missing;
  const { apiVersion, kind, metadata } = value;
  if (!API_VERSION.test(String(apiVersion)))
    return `apiVersion: expected "group/version" or "v1", got ${quote(apiVersion)}`;
  if (!KIND.test(String(kind))) return `kind: expected a name in CamelCase, got ${quote(kind)}`;
  return whatIsWrongWith(metadata as JsonObject);
}

function missingFault(value: Json): string | undefined {
  if (isList(value) && isTooLong(value)) return `more than ${MAX_ITEMS} items in one list: split it`;
  if (!isObject(value)) return `expected a Kubernetes object, got ${describeJson(value)}`;
  const { apiVersion, kind, metadata } = value;
  const missing = [
    ...(isText(apiVersion) ? [] : ['apiVersion']),
    ...(isText(kind) ? [] : ['kind']),
    ...(isObject(metadata) && (isPresent(metadata.name) || isPresent(metadata.generateName))
      ? []
      : ['metadata.name']),
  ];
  if (missing.length === 0) return undefined;
  return `not a Kubernetes object: ${missing.join(', ')} missing; add ${missing.length > 1 ? 'them' : 'it'}, or move the file out of the application's path`;
}

/** An object without a name gets one that begins with its generateName (derive-names.ts). */
function whatIsWrongWith({ name: given, generateName, namespace }: JsonObject): string | undefined {
  const field = isPresent(given) ? 'metadata.name' : 'metadata.generateName';
  const name = isPresent(given) ? given : generateName;
  if (typeof name !== 'string') return `${field}: expected text, got ${describeJson(name)}: put it in quotes`;
  // The path segments that the API server accepts as names; anything else would change the URL of a request.
  if (name === '.' || name === '..' || /[/%\s\p{Cc}]/u.test(name) || name.length > 253) {
    return `${field}: ${quote(name)} cannot be a name in a path (no "/", "%", blanks, ".", "..", at most 253 characters)`;
  }
  if (namespace === undefined || namespace === null || namespace === '') return undefined;
  if (typeof namespace !== 'string' || !NAMESPACE.test(namespace)) {
    return 'metadata.namespace: expected lower-case letters, digits and dashes, at most 63 characters';
  }
  return undefined;
}

function quote(value: unknown): string {
  return JSON.stringify(String(value).slice(0, 80));
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
