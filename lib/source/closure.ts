import { posix } from 'node:path';
import type { Application, PlainOptions, RenderOptions } from '../model/application.ts';
import { HoldfastError } from '../model/errors.ts';
import { sha256, type Digest } from '../model/ids.ts';
import { addChart } from './closure-helm.ts';
import { addKustomization } from './closure-kustomize.ts';
import {
  closureWalk,
  type ClosureLimits,
  type ClosureWalk,
  type Elsewhere,
  type Found,
  type TreeReader,
  type WalkResult,
} from './closure-walk.ts';
import type { CommitReader } from './git-repository.ts';
import { KUSTOMIZATION_FILES } from './kustomization-place.ts';
import { isIgnoreFile } from './ignore-filter.ts';
import { plainChoice } from './plain-globs.ts';
import { isTooLong, renderRefused } from './repository-path.ts';

/** One thing that a render depends on. Paths are from the repository's root. */
export type ClosureEntry =
  | { readonly path: string; readonly type: 'blob'; readonly oid: string }
  /** A directory as a whole: what is added to it counts. */
  | { readonly path: string; readonly type: 'tree'; readonly oid: string }
  /** Looked for and not there. */
  | { readonly path: string; readonly type: 'absent' };

/** Everything that decides what a render gives. Equal digests: equal manifests. */
export interface Closure {
  readonly digest: Digest;
  /** Sorted. The blobs are the files of the artefact. */
  readonly entries: readonly ClosureEntry[];
  /** Reads every blob of `entries`. */
  readBlob(oid: string): Promise<Uint8Array>;
}

export interface WalkInput {
  readonly reader: TreeReader;
  readonly application: Application;
  readonly limits?: ClosureLimits;
  /** Absent where nothing may be fetched: what comes from elsewhere is in the tree already, or missing. */
  readonly elsewhere?: Elsewhere;
  /** The tree is an artefact, with what comes from elsewhere in EXTERNAL_DIRECTORY. @default false */
  readonly isArtefact?: boolean;
}

export interface ClosureInput extends WalkInput {
  readonly reader: CommitReader;
  /** What else decides: versions of tools and of Holdfast, capabilities of clusters. */
  readonly salt: readonly string[];
}

export type Tool = 'plain' | 'kustomize' | 'helm';

/** What a render reads, and how. */
export interface WalkedInputs extends WalkResult {
  readonly tool: Tool;
}

/**
 * Finds what rendering an application reads, by walking kustomizations and charts without running anything.
 * @throws HoldfastError `path-missing`; `render-refused` naming file and entry for URLs, paths out of the repository,
 * symlinks, submodules, references to nothing and cycles; `git-too-large`; and what the reader throws
 */
export async function inputClosure(input: ClosureInput): Promise<Closure> {
  const path = normalPath(input.application);
  const walked = await walkInputs(input);
  if (walked === undefined) {
    const message = `path "${path}" does not exist in commit ${input.reader.commit}: correct spec.path, or commit it`;
    throw new HoldfastError('path-missing', message, { details: { path, commit: input.reader.commit } });
  }
  const { entries, readBlob } = walked;
  return { entries, readBlob, digest: closureDigest(entries, input.application, input.salt) };
}

/**
 * The one walk over what an application's tool reads: over a commit, to know what to pack, and over the artefact, to
 * know what the tool may see. undefined when the path does not exist.
 * @throws HoldfastError as inputClosure
 */
export async function walkInputs(input: WalkInput): Promise<WalkedInputs | undefined> {
  const walk = closureWalk(input.reader, input.limits, input.elsewhere, input.isArtefact);
  const path = normalPath(input.application);
  const mayBeEmpty = input.isArtefact === true && mayLackPath(input.application);
  const found = (await walk.look(path)) ?? (mayBeEmpty ? NOTHING_THERE : undefined);
  if (found === undefined) {
    const place = walk.leftOutBy(path);
    // What a directory holds is not in an artefact when nothing of it is read.
    if (place === undefined || input.isArtefact === true) return undefined;
    const message = `path "${path}" does not count, ${place} leaves it out: correct spec.path or that line`;
    throw new HoldfastError('path-missing', message, { details: { path } });
  }
  const tool = await addInputs(walk, input.application, path, found);
  return { tool, ...walk.result() };
}

const NOTHING_THERE: Found = { type: 'tree', oid: '' };

/**
 * Whether an artefact may hold something to render and nothing of the application's path: of the directory beside a chart
 * from elsewhere only the values files are read, and components may be all that there is.
 */
export function mayLackPath(application: Application): boolean {
  const { tool, kustomize } = application.render;
  const isKustomize = tool === 'kustomize' || tool === 'auto';
  return isChartFromElsewhere(application) || (isKustomize && (kustomize?.components ?? []).length > 0);
}

/** Whether a chart is rendered that is fetched, rather than what lies at the application's path. */
export function isChartFromElsewhere({ render }: Application): boolean {
  return toolAskedFor(render) === 'helm' && render.helm?.chart !== undefined;
}

/**
 * The tool that a definition settles by itself: the one it names or whose options it gives, which would be lost with any
 * other. `auto`: what lies at the path decides.
 */
export function toolAskedFor({ tool, helm, kustomize, plain }: RenderOptions): 'auto' | Tool {
  if (tool !== 'auto') return tool;
  if (helm !== undefined) return 'helm';
  if (kustomize !== undefined) return 'kustomize';
  return plain === undefined ? 'auto' : 'plain';
}

async function addInputs(
  walk: ClosureWalk,
  application: Application,
  path: string,
  found: Found,
): Promise<Tool> {
  const tool = toolAskedFor(application.render);
  if (found.type === 'blob') {
    if ((tool === 'auto' || tool === 'plain') && isManifestFile(posix.basename(path))) {
      walk.addFile(path, found.oid, 'yaml');
      return 'plain';
    }
    throw renderRefused(path, 'path', 'is a file: name a directory, or a single .yaml, .yml or .json file');
  }
  if (tool === 'helm') {
    await addChart(walk, path, application.render);
    return 'helm';
  }
  // `auto` looks at the path itself and no deeper.
  if (tool === 'kustomize' || (tool === 'auto' && (await hasAny(walk, path, KUSTOMIZATION_FILES)))) {
    await addKustomization(walk, path, application.render);
    return 'kustomize';
  }
  if (tool === 'auto') for (const name of KUSTOMIZATION_FILES) walk.addAbsent(posix.join(path, name));
  if (tool === 'auto' && (await hasAny(walk, path, ['Chart.yaml']))) {
    await addChart(walk, path, application.render);
    return 'helm';
  }
  if (tool === 'auto') walk.addAbsent(posix.join(path, 'Chart.yaml'));
  await addManifests(walk, path, found.oid, application.render.plain);
  return 'plain';
}

async function hasAny(walk: ClosureWalk, directory: string, names: readonly string[]): Promise<boolean> {
  for (const name of names) {
    if ((await walk.look(posix.join(directory, name)))?.type === 'blob') return true;
  }
  return false;
}

async function addManifests(
  walk: ClosureWalk,
  path: string,
  oid: string,
  options: PlainOptions | undefined,
): Promise<void> {
  const isChosen = plainChoice(path, options);
  const isManifest = (name: string, file: string) => !isNeverManifest(name) && isChosen(file);
  await walk.addDirectory(path, oid, isManifest, 'yaml', options?.recurse ?? true);
}

function isManifestFile(name: string): boolean {
  return /\.(ya?ml|json)$/.test(name) && !isNeverManifest(name);
}

/** In a plain directory a nested kustomization is no manifest, and what lies beside it is. */
function isNeverManifest(name: string): boolean {
  return (KUSTOMIZATION_FILES as readonly string[]).includes(name) || isIgnoreFile(name);
}

/**
 * The application's path without dots and slashes that say nothing; `.` for the root.
 * @throws HoldfastError `render-refused` for one that leads out of the repository
 */
export function normalPath(application: Application): string {
  const { path } = application;
  if (isTooLong(path)) throw renderRefused(JSON.stringify(path.slice(0, 200)), 'spec.path', 'is too long');
  const normal = posix.normalize(path === '' ? '.' : path).replace(/(.)\/$/, '$1');
  if (posix.isAbsolute(path) || normal === '..' || normal.startsWith('../') || /[\\\p{Cc}]/u.test(path)) {
    throw renderRefused(JSON.stringify(path), 'spec.path', 'must be relative and stay in the repository');
  }
  return normal;
}

function closureDigest(
  entries: readonly ClosureEntry[],
  application: Application,
  salt: readonly string[],
): Digest {
  return sha256(JSON.stringify({ closure: 1, entries, application, salt }, sortedKeys));
}

/** A replacer for JSON.stringify: the same text however an object was built. */
function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
