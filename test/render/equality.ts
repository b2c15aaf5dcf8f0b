import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

import type { Application } from '../../lib/model/application.ts';
import type { Json, KubeObject, Manifest } from '../../lib/model/resource.ts';
import { createRenderer } from '../../lib/render/create-renderer.ts';
import type { Rendered, RenderInput } from '../../lib/render/renderer.ts';
import { packArtefact, unpackArtefact } from '../../lib/source/artefact.ts';
import { inputClosure } from '../../lib/source/closure.ts';
import type { ClosureEntry } from '../../lib/source/closure.ts';
import type { Elsewhere } from '../../lib/source/closure-walk.ts';
import { localDirectoryReader } from '../../lib/source/local-directory.ts';
import { tools } from './tools-for-tests.ts';

const run = promisify(execFile);

export interface ThroughArtefact extends Rendered {
  /** What the closure says that the render read. */
  readonly entries: readonly ClosureEntry[];
}

/** What Holdfast makes of a directory: closure, artefact and renderer one after the other, as `holdfast render` does. */
export async function renderThroughArtefact(
  repository: string,
  application: Application,
  more: Omit<RenderInput, 'files' | 'application' | 'artefact'> & { readonly elsewhere?: Elsewhere } = {},
): Promise<ThroughArtefact> {
  const { elsewhere, ...input } = more;
  const temporaryDirectory = await mkdtemp(join(tmpdir(), 'holdfast-equality-'));
  try {
    const reader = await localDirectoryReader(repository);
    const closure = await inputClosure({
      reader,
      application,
      salt: [],
      ...(elsewhere === undefined ? {} : { elsewhere }),
    });
    const artefact = await packArtefact(closure);
    const files = unpackArtefact(artefact.digest, artefact.bytes);
    const rendered = await createRenderer({ tools, temporaryDirectory }).render({
      ...input,
      files,
      application,
    });
    return { ...rendered, entries: closure.entries };
  } finally {
    await rm(temporaryDirectory, { recursive: true, force: true });
  }
}

/** The tool itself, on whatever directory it is given, with nothing of Holdfast in between. */
export async function runDirectly(tool: 'kubectl' | 'helm', ...argv: readonly string[]): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'holdfast-equality-'));
  try {
    const binary = await tools[tool]();
    const { stdout } = await run(binary, [...argv], {
      env: { HOME: home, PATH: '', XDG_CACHE_HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home },
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** The objects of a tool's output, read by another parser than Holdfast's. */
export function objectsOf(output: string): readonly Json[] {
  return parseAllDocuments(output, { version: '1.1', uniqueKeys: true, logLevel: 'silent' }).flatMap(
    (document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      // maxAliasCount: what the tools wrote about files in the repository is no bomb.
      const value = document.toJS({ maxAliasCount: -1 }) as Json;
      return value === null ? [] : flat(value);
    },
  );
}

function flat(value: Json): readonly Json[] {
  const { kind, items } = value as { readonly kind?: unknown; readonly items?: readonly Json[] };
  return kind === 'List' ? (items ?? []).flatMap(flat) : [value];
}

/**
 * Our objects as the tool would have written them: it leaves a generateName to the API server, where Holdfast derives a
 * name that begins with it.
 */
export function objectsIn(manifests: readonly Manifest[], theirs: readonly Json[]): readonly Json[] {
  const beginnings = theirs.flatMap((object) => {
    const { generateName } = (object as unknown as KubeObject).metadata;
    return generateName === undefined ? [] : [generateName];
  });
  return manifests.map(({ object }) => {
    const { name = '', ...metadata } = object.metadata;
    const generateName = beginnings.find((beginning) => /^[0-9a-f]{8}$/.test(name.replace(beginning, '')));
    const written =
      generateName === undefined ? object : { ...object, metadata: { ...metadata, generateName } };
    return written as unknown as Json;
  });
}

/** The same list for the same objects, in whatever order they and their keys come. */
export function canonical(objects: readonly Json[]): readonly Json[] {
  return objects
    .map((object) => sortKeys(object))
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

function sortKeys(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sortKeys(inner)]),
  );
}
