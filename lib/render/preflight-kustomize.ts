import { posix } from 'node:path';

import type { Json, JsonObject } from '../model/resource.ts';
import { KUSTOMIZATION_FILES } from './choose-tool.ts';
import { isObject } from './parse-manifests.ts';
import {
  isUrlLike,
  isWorthHiding,
  parseInput,
  parseInputText,
  refused,
  resolveInside,
  secretTexts,
} from './preflight.ts';
import type { Preflight, PreflightContext } from './preflight.ts';

/** Every field of kustomize 5.7's Kustomization, and what it refers to. What is not in here is refused. */
const FIELDS: Readonly<Record<string, 'harmless' | 'forbidden' | Visit>> = {
  apiVersion: 'harmless',
  kind: 'harmless',
  metadata: 'harmless',
  namePrefix: 'harmless',
  nameSuffix: 'harmless',
  namespace: 'harmless',
  commonLabels: 'harmless',
  commonAnnotations: 'harmless',
  labels: 'harmless',
  images: 'harmless',
  imageTags: 'harmless',
  replicas: 'harmless',
  vars: 'harmless',
  sortOptions: 'harmless',
  generatorOptions: 'harmless',
  buildMetadata: 'harmless',
  helmGlobals: 'forbidden',
  helmCharts: 'forbidden',
  helmChartInflationGenerator: 'forbidden',
  resources: visitResource,
  bases: visitResource,
  components: visitResource,
  crds: visitYamlFile,
  configurations: visitYamlFile,
  patchesStrategicMerge: visitFileOrInline,
  patches: visitPatch,
  patchesJson6902: visitPatch,
  replacements: visitPatch,
  configMapGenerator: visitGeneratorArguments,
  secretGenerator: visitGeneratorArguments,
  openapi: visitPatch,
  generators: visitPlugin,
  transformers: visitPlugin,
  validators: visitPlugin,
};

type Visit = (walk: Walk, at: Place, entry: Json) => void;

interface Place {
  /** The file the entry is written in. */
  readonly file: string;
  readonly where: string;
}

interface Walk extends PreflightContext {
  readonly files: Map<string, string>;
  readonly visited: Set<string>;
  readonly secrets: Set<string>;
}

/**
 * Walks a kustomization as kustomize does.
 *
 * @throws HoldfastError `render-refused` naming file and entry
 */
export function preflightKustomize(context: PreflightContext, directory: string): Preflight {
  const walk: Walk = { ...context, files: new Map(), visited: new Set(), secrets: new Set() };
  visitDirectory(walk, { file: posix.join(directory, 'kustomization.yaml'), where: 'path' }, directory);
  return { files: walk.files, secrets: [...walk.secrets] };
}

function visitDirectory(walk: Walk, at: Place, directory: string): void {
  if (walk.visited.has(directory)) return;
  walk.visited.add(directory);
  const present = KUSTOMIZATION_FILES.map((name) => posix.join(directory, name)).filter((path) =>
    walk.tree.isFile(path),
  );
  const [file] = present;
  if (file === undefined) {
    throw refused(
      at.file,
      at.where,
      `${directory} holds no kustomization.yaml: add one, or name its files one by one`,
    );
  }
  if (present.length > 1)
    throw refused(file, 'kustomization', `only one may lie in a directory, found ${present.join(' and ')}`);
  walk.files.set(file, file);
  const documents = parseInput(walk, file, { uniqueKeys: true });
  if (documents.length > 1) throw refused(file, 'kustomization', 'expected one document, got several');
  const kustomization = documents[0] ?? {};
  if (!isObject(kustomization)) throw refused(file, 'kustomization', 'expected a mapping');
  for (const [field, value] of Object.entries(kustomization)) visitField(walk, file, field, value);
}

function visitField(walk: Walk, file: string, field: string, value: Json): void {
  const visit = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
  if (visit === undefined) {
    // Go matches names regardless of case, so a "Resources" would be read by kustomize although nobody looked into it.
    throw refused(file, field, 'not a field of a kustomization; names are case-sensitive here');
  }
  if (visit === 'harmless' || value === null) return;
  if (visit === 'forbidden') {
    throw refused(
      file,
      field,
      'charts inside a kustomization are not rendered: give the chart an Application of its own',
    );
  }
  if (field === 'openapi') return visit(walk, { file, where: field }, value);
  if (!Array.isArray(value)) throw refused(file, field, 'expected a list');
  for (const [index, entry] of (value as readonly Json[]).entries()) {
    visit(walk, { file, where: `${field}[${index}]` }, entry);
  }
}

function visitResource(walk: Walk, at: Place, entry: Json): void {
  const path = resolveInside(at.file, at.where, textOf(at, entry));
  if (walk.tree.isFile(path)) return addYaml(walk, path);
  if (walk.tree.isDirectory(path)) return visitDirectory(walk, at, path);
  throw missing(at, path);
}

function visitYamlFile(walk: Walk, at: Place, entry: Json): void {
  addYaml(walk, fileAt(walk, at, textOf(at, entry)));
}

function visitFileOrInline(walk: Walk, at: Place, entry: Json): void {
  const text = textOf(at, entry);
  if (isInline(text)) checkInline(walk, at, text);
  else addYaml(walk, fileAt(walk, at, text));
}

/** patches, patchesJson6902, replacements, openapi: `path` names a file, `patch` and `jsonOp` hold YAML themselves. */
function visitPatch(walk: Walk, at: Place, entry: Json): void {
  if (!isObject(entry)) throw refused(at.file, at.where, 'expected a mapping');
  assertExactKeys(at, entry, ['path', 'patch']);
  if (entry.path !== undefined && entry.path !== null && entry.path !== '') {
    addYaml(walk, fileAt(walk, { ...at, where: `${at.where}.path` }, textOf(at, entry.path)));
  }
  if (typeof entry.patch === 'string') checkInline(walk, { ...at, where: `${at.where}.patch` }, entry.patch);
}

function visitGeneratorArguments(walk: Walk, at: Place, entry: Json): void {
  if (!isObject(entry)) throw refused(at.file, at.where, 'expected a mapping');
  assertExactKeys(at, entry, ['files', 'envs', 'env', 'literals', 'options']);
  const secret = at.where.startsWith('secretGenerator');
  for (const literal of listOf(entry.literals)) {
    const value = String(literal)
      .slice(String(literal).indexOf('=') + 1)
      .replace(/^(['"])(.*)\1$/s, '$2');
    if (secret && isWorthHiding(value)) walk.secrets.add(value);
  }
  const named = listOf(entry.files).map((file) => {
    const text = textOf({ ...at, where: `${at.where}.files` }, file);
    return text.slice(text.indexOf('=') + 1);
  });
  const envs = [...listOf(entry.envs), ...(entry.env === undefined || entry.env === null ? [] : [entry.env])];
  for (const text of [...named, ...envs.map((env) => textOf({ ...at, where: `${at.where}.envs` }, env))]) {
    const path = fileAt(walk, at, text);
    walk.files.set(path, path);
    if (secret) hideLines(walk, path);
  }
}

function hideLines(walk: Walk, path: string): void {
  const text = Buffer.from(walk.tree.read(path)).toString();
  for (const line of text.split('\n')) {
    for (const part of [line.trim(), line.slice(line.indexOf('=') + 1).trim()]) {
      if (isWorthHiding(part)) walk.secrets.add(part);
    }
  }
}

/** Plug-in configurations: a file or inline. Directories are refused: what they build could be anything. */
function visitPlugin(walk: Walk, at: Place, entry: Json): void {
  const text = textOf(at, entry);
  if (isInline(text)) {
    for (const document of parseInputText(walk, text, at.file)) checkPlugin(walk, at, at.file, document);
    return;
  }
  const path = resolveInside(at.file, at.where, text);
  if (walk.tree.isDirectory(path)) {
    throw refused(at.file, at.where, `${path} is a directory: name the configuration files one by one`);
  }
  if (!walk.tree.isFile(path)) throw missing(at, path);
  walk.files.set(path, path);
  for (const document of parseInput(walk, path))
    checkPlugin(walk, { file: path, where: 'configuration' }, at.file, document);
}

const FUNCTION_ANNOTATIONS = ['config.kubernetes.io/function', 'config.k8s.io/function'];
const PLUGIN_PATHS = ['path', 'paths', 'files', 'envs', 'env'];

/** `base` is the kustomization: built-in plug-ins read their files relative to it, not to their own file. */
function checkPlugin(walk: Walk, at: Place, base: string, value: Json, depth = 0): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) checkPlugin(walk, at, base, item, depth + 1);
    return;
  }
  const object = value as JsonObject;
  if (typeof object.kind === 'string' && /helm/i.test(object.kind)) {
    throw refused(
      at.file,
      at.where,
      `${object.kind} is not rendered: give the chart an Application of its own`,
    );
  }
  if (depth === 0 && !String(object.apiVersion ?? '').startsWith('builtin')) {
    throw refused(
      at.file,
      at.where,
      'only built-in plug-ins (apiVersion: builtin) are run, never programs or containers',
    );
  }
  assertExactKeys(at, object, PLUGIN_PATHS);
  for (const [key, inner] of Object.entries(object)) {
    if (FUNCTION_ANNOTATIONS.includes(key))
      throw refused(at.file, at.where, `${key}: programs and containers are not run`);
    if (PLUGIN_PATHS.includes(key)) addPluginPaths(walk, { ...at, where: key }, base, inner);
    if (key === 'patch' || key === 'patches' || key === 'jsonOp') {
      if (typeof inner === 'string') checkInline(walk, { ...at, where: key }, inner);
    }
    checkPlugin(walk, at, base, inner, depth + 1);
  }
}

/** `path` is a file in one plug-in and a field in another, so only what names a file of the repository is added. */
function addPluginPaths(walk: Walk, at: Place, base: string, value: Json): void {
  for (const entry of Array.isArray(value) ? (value as readonly Json[]) : [value]) {
    if (typeof entry !== 'string' || isInline(entry)) continue;
    const text = entry.slice(entry.indexOf('=') + 1);
    if (isUrlLike(entry) || isUrlLike(text))
      resolveInside(at.file, at.where, isUrlLike(entry) ? entry : text);
    if (posix.isAbsolute(text) || /[\\\p{Cc}]/u.test(text)) continue;
    const path = posix.normalize(posix.join(posix.dirname(base), text));
    if (walk.tree.isFile(path)) addYaml(walk, path);
  }
}

function addYaml(walk: Walk, path: string): void {
  if (walk.files.has(path)) return;
  walk.files.set(path, path);
  for (const document of parseInput(walk, path)) {
    for (const secret of secretTexts(document)) walk.secrets.add(secret);
  }
}

function checkInline(walk: Walk, at: Place, text: string): void {
  for (const document of parseInputText(walk, text, `${at.file} (${at.where})`)) {
    for (const secret of secretTexts(document)) walk.secrets.add(secret);
  }
}

function fileAt(walk: Walk, at: Place, text: string): string {
  const path = resolveInside(at.file, at.where, text);
  if (!walk.tree.isFile(path)) throw missing(at, path);
  return path;
}

function isInline(text: string): boolean {
  return text.includes('\n') || text.trimStart().startsWith('{');
}

/** Go reads `PATH` and `ſ`-spellings as `path`; a spelling that we would overlook is refused. */
function assertExactKeys(at: Place, object: JsonObject, keys: readonly string[]): void {
  for (const key of Object.keys(object)) {
    const folded = key.normalize('NFKC').toLowerCase();
    if (keys.includes(folded) && key !== folded) {
      throw refused(at.file, at.where, `${JSON.stringify(key)}: write it as "${folded}"`);
    }
  }
}

function textOf(at: Place, entry: Json): string {
  if (typeof entry !== 'string' || entry === '') throw refused(at.file, at.where, 'expected a path');
  return entry;
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function missing(at: Place, path: string): Error {
  return refused(
    at.file,
    at.where,
    `${path} does not exist in the repository: correct the path or commit the file`,
  );
}
