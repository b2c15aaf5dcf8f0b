import { posix } from 'node:path';
import { HoldfastError } from '../model/errors.ts';
import type { ClosureEntry } from './closure.ts';
import type { ChartHost } from '../charts/chart-host.ts';
import { DEFAULT_RENDER_LIMITS } from '../render/limits.ts';
import { parseYaml } from '../render/parse-yaml.ts';
import type { FileTree } from './file-tree.ts';
import type { CommitReader, TreeEntry } from './git-repository.ts';
import { ignoreFilter } from './ignore-filter.ts';
import { mountedReaders } from './mounted-readers.ts';
import { renderRefused } from './repository-path.ts';

export interface ClosureLimits {
  /** Files that a render reads. Default 20,000, as the renderer takes. */
  readonly maxFiles?: number;
  /** Of all charts that come in archives together, unpacked. Default 200 MiB. */
  readonly maxUnpackedBytes?: number;
}

/** What a file is to the tool that reads it; decides how the renderer checks it before the tool starts. */
export type InputRole =
  /** YAML or JSON: parsed with limits first, the texts of its Secrets kept out of messages. */
  | 'yaml'
  /** As `yaml`, and every document has to be a Kubernetes object. */
  | 'manifest'
  /** Values for a chart: parsed with limits, what is named like a secret kept out of messages. */
  | 'values'
  /** Content of a generated Secret: its lines are kept out of messages. */
  | 'secret'
  /** Taken as it is. */
  | 'raw';

/** YAML written into another file: a patch in a kustomization. */
export interface InlineInput {
  readonly file: string;
  readonly where: string;
  readonly text: string;
  /** A literal of a generated Secret, to be kept out of messages, rather than YAML. */
  readonly secret?: boolean;
}

/** A file that the tool sees in place of what is in the repository, or where nothing is. */
export interface Replacement {
  readonly path: string;
  /** Text is written as UTF-8. */
  readonly content: string | Uint8Array;
}

/**
 * A directory that the tool sees in a second place: a chart that another one depends on by file://. Made in the order in
 * which they were noted, each with what the ones before have put there.
 */
export interface CopiedDirectory {
  readonly from: string;
  readonly to: string;
  /** By its path below `from`: whether a file stays where it is. @default none */
  readonly leftOut?: (path: string) => boolean;
}

/** A walk over one commit that notes what it looks at. */
export interface ClosureWalk {
  /** Where charts and bases from elsewhere come from; absent when an artefact is walked, which holds them already. */
  readonly elsewhere: Elsewhere | undefined;
  /** Nothing is fetched: what comes from elsewhere is in EXTERNAL_DIRECTORY, or the artefact is not whole. */
  readonly isArtefact: boolean;
  /** Puts what was fetched under a path in EXTERNAL_DIRECTORY; `label` says what it is, by digest or commit. */
  mount(path: string, label: string, reader: TreeReader): void;
  /**
   * Counts what a chart takes that is held in memory as a whole.
   * @throws HoldfastError `chart-too-large` when all of them together take too much
   */
  countUnpacked(files: FileTree): void;
  isMounted(path: string): boolean;
  addInline(input: InlineInput): void;
  replaceFile(replacement: Replacement): void;
  copyDirectory(copy: CopiedDirectory): void;
  /**
   * What lies at a path from the repository's root. Refuses symlinks and submodules on the way. A file that an ignore
   * file leaves out is not there.
   */
  look(path: string): Promise<Found | undefined>;
  /** Of a path where `look` finds nothing, for a message: `does not exist in the repository: …`, or what leaves it out. */
  whyAbsent(path: string): string;
  /** `.sourceignore:3`, where that line leaves out the path or a directory above it. */
  leftOutBy(path: string): string | undefined;
  /** What lies directly in a directory; symlinks, submodules and what ignore files leave out are not in it. */
  list(path: string): Promise<readonly (Found & { readonly name: string })[]>;
  /** @param role @default 'raw'; all of them count where a file is named twice */
  addFile(path: string, oid: string, role?: InputRole): void;
  /** A file that was looked for and is not there: its appearance changes the render. */
  addAbsent(path: string): void;
  /** The whole directory counts, with what will be new in it; `wanted` chooses the files that are read. */
  addDirectory(
    path: string,
    oid: string,
    wanted: (name: string, path: string) => boolean,
    role?: InputRole,
    /** Whether directories in it are looked into. @default true */
    recurse?: boolean,
  ): Promise<void>;
  readBlob(oid: string): Promise<Uint8Array>;
  /** The documents of a small YAML file, read as the tools read them; empty ones are left out. */
  readYaml(path: string, oid: string, options?: YamlReading): Promise<readonly unknown[]>;
  parseYaml(text: string, file: string, where: string, options?: YamlReading): readonly unknown[];
  result(): WalkResult;
}

export interface YamlReading {
  /** Whether two equal keys in one mapping are refused; otherwise the last one counts. @default true */
  readonly uniqueKeys?: boolean;
  /** The tool is given what was read, so whole numbers that would be rounded are refused. @default false */
  readonly isRewritten?: boolean;
}

export interface WalkResult {
  /** Sorted. */
  readonly entries: readonly ClosureEntry[];
  /** Of every file, by path: all that it was named as. */
  readonly roles: ReadonlyMap<string, ReadonlySet<InputRole>>;
  readonly inline: readonly InlineInput[];
  readonly replacements: readonly Replacement[];
  readonly copies: readonly CopiedDirectory[];
  /** Reads every blob of `entries`, mounted ones too. */
  readBlob(oid: string): Promise<Uint8Array>;
}

export type TreeReader = Pick<CommitReader, 'rootTree' | 'readTree' | 'readBlob'>;

/** What only the source stage has: the network. */
export interface Elsewhere {
  readonly charts?: ChartHost;
  /**
   * The commit that a ref of a remote repository is at.
   * @throws HoldfastError `render-refused` for hosts that are not allowed; git-*
   */
  readonly openBase?: (url: string, ref: string | undefined) => Promise<CommitReader>;
}

/** Under it lies, in every artefact, what comes from elsewhere. Nothing of that name in a repository is read. */
export const EXTERNAL_DIRECTORY = '.holdfast-external';

export interface Found {
  readonly type: 'blob' | 'tree';
  readonly oid: string;
}

const BELOW_EXTERNAL = `${EXTERNAL_DIRECTORY}/`;
/** A directory may hold other things too, but a tree that repeats itself a thousandfold must come to an end. */
const LISTED_PER_FILE = 20;
const MAX_DEPTH = 100;
const MAX_PARSED_BYTES = 1024 * 1024;
/** As much as an artefact holds. A small archive may hold a hundred times its size, and a chart a hundred archives. */
const MAX_UNPACKED_BYTES = 200 * 1024 * 1024;

/** @param isArtefact the tree holds what comes from elsewhere already, in EXTERNAL_DIRECTORY */
export function closureWalk(
  reader: TreeReader,
  limits: ClosureLimits = {},
  elsewhere?: Elsewhere,
  isArtefact = false,
): ClosureWalk {
  const maxFiles = limits.maxFiles ?? DEFAULT_RENDER_LIMITS.maxFiles;
  const noted = new Map<string, ClosureEntry>();
  const roles = new Map<string, Set<InputRole>>();
  const inline: InlineInput[] = [];
  const replacements = new Map<string, Replacement>();
  const copies: CopiedDirectory[] = [];
  const mounts = mountedReaders(reader);
  const trees = new Map<string, Promise<ReadonlyMap<string, TreeEntry>>>();
  const ignored = ignoreFilter({
    readBlob: mounts.readBlob,
    noteFile: (path, oid) => addFile(path, oid),
    noteAbsent: (path) => note({ path, type: 'absent' }),
  });
  let files = 0;
  let unpackedBytes = 0;
  let listed = 0;

  function note(entry: ClosureEntry): void {
    const key = `${entry.type} ${entry.path}`;
    if (noted.has(key)) return;
    noted.set(key, entry);
    if (entry.type === 'blob') files += 1;
    if (files > maxFiles) throw tooManyFiles(entry.path, maxFiles);
  }

  function countUnpacked(tree: FileTree): void {
    const most = limits.maxUnpackedBytes ?? MAX_UNPACKED_BYTES;
    for (const path of tree.paths) unpackedBytes += tree.read(path)?.byteLength ?? 0;
    if (unpackedBytes <= most) return;
    throw new HoldfastError(
      'chart-too-large',
      `with it, the charts that come in archives have more than ${most} bytes: depend on fewer`,
      { details: { maxBytes: most } },
    );
  }

  async function look(path: string): Promise<Found | undefined> {
    const start = mounts.startOf(path);
    let found: Found = { type: 'tree', oid: start.root };
    if (start.rest === '') return found;
    const names = start.rest.split('/');
    for (const [index, name] of names.entries()) {
      if (found.type !== 'tree') return undefined;
      const directory = posix.join(start.path, ...names.slice(0, index));
      const entry: TreeEntry | undefined = (await treeIn(directory, found.oid)).get(name);
      if (entry === undefined) return undefined;
      assertNotReserved(start.path === '.' && index === 0 ? name : '');
      if (isIgnored(posix.join(directory, name), entry)) return undefined;
      found = regular(entry, posix.join(directory, name));
    }
    return found;
  }

  /** Ignore files count in the repository itself, not in what comes from elsewhere. */
  function isOwn(path: string): boolean {
    return (
      mounts.startOf(path).path === '.' && path !== EXTERNAL_DIRECTORY && !path.startsWith(BELOW_EXTERNAL)
    );
  }

  /** By name. A kustomization may name every file of a large directory. */
  async function treeIn(directory: string, oid: string): Promise<ReadonlyMap<string, TreeEntry>> {
    const known = trees.get(oid) ?? readTree(oid);
    trees.set(oid, known);
    const entries = await known;
    if (isOwn(directory)) await ignored.enter(directory, entries);
    return entries;
  }

  async function readTree(oid: string): Promise<ReadonlyMap<string, TreeEntry>> {
    return new Map((await mounts.readTree(oid)).map((entry) => [entry.name, entry]));
  }

  /** A directory is there as long as a file in it may be. */
  function isIgnored(path: string, entry: TreeEntry): boolean {
    if (!isOwn(path)) return false;
    return entry.type === 'tree'
      ? ignored.isLeftOutWhole(path)
      : ignored.ignoredBy(path, false) !== undefined;
  }

  function whyAbsent(path: string): string {
    const place = leftOutBy(path);
    if (place === undefined) {
      return `${path} does not exist in the repository: correct the path or commit the file`;
    }
    return `${path} does not count, ${place} leaves it out: correct the path or that line`;
  }

  function leftOutBy(path: string): string | undefined {
    const pattern = isOwn(path) ? ignored.whatHides(path) : undefined;
    return pattern === undefined ? undefined : `${pattern.file}:${pattern.line}`;
  }

  function assertNotReserved(path: string): void {
    if (isArtefact || path !== EXTERNAL_DIRECTORY) return;
    throw renderRefused(path, 'name', 'is reserved for what comes from other repositories: rename it');
  }

  async function list(path: string): Promise<readonly (Found & { readonly name: string })[]> {
    const found = await look(path);
    if (found?.type !== 'tree') return [];
    return [...(await treeIn(path, found.oid)).values()].flatMap((entry) => {
      const { name, type, oid } = entry;
      if (type !== 'blob' && type !== 'tree') return [];
      return isIgnored(posix.join(path, name), entry) ? [] : [{ name, type, oid }];
    });
  }

  function addFile(path: string, oid: string, role: InputRole = 'raw'): void {
    note({ path, type: 'blob', oid });
    const known = roles.get(path);
    if (known === undefined) roles.set(path, new Set([role]));
    else known.add(role);
  }

  async function addDirectory(
    path: string,
    oid: string,
    wanted: Wanted,
    role?: InputRole,
    recurse = true,
  ): Promise<void> {
    note({ path, type: 'tree', oid });
    await descend(path, oid, { wanted, role, recurse }, 0);
  }

  async function descend(
    path: string,
    oid: string,
    choice: { readonly wanted: Wanted; readonly role: InputRole | undefined; readonly recurse: boolean },
    depth: number,
  ): Promise<void> {
    if (depth > MAX_DEPTH) {
      throw new HoldfastError('git-too-large', `${path}: directories are nested more than ${MAX_DEPTH} deep`);
    }
    for (const entry of (await treeIn(path, oid)).values()) {
      const below = posix.join(path, entry.name);
      assertNotReserved(below);
      listed += 1;
      if (listed > maxFiles * LISTED_PER_FILE) throw tooManyFiles(below, maxFiles * LISTED_PER_FILE);
      if (isIgnored(below, entry) || (entry.type === 'tree' && !choice.recurse)) continue;
      const found = regular(entry, below);
      if (found.type === 'tree') await descend(below, found.oid, choice, depth + 1);
      else if (choice.wanted(entry.name, below)) addFile(below, found.oid, choice.role);
    }
  }

  async function readYaml(path: string, oid: string, options?: YamlReading): Promise<readonly unknown[]> {
    const bytes = await mounts.readBlob(oid);
    if (bytes.length > MAX_PARSED_BYTES) {
      throw renderRefused(
        path,
        'content',
        `${bytes.length} bytes, more than the ${MAX_PARSED_BYTES} that are parsed`,
      );
    }
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      throw renderRefused(path, 'content', 'not UTF-8 text; save it as UTF-8');
    }
    return documentsOf(text, path, '', options);
  }

  return {
    look,
    whyAbsent,
    leftOutBy,
    list,
    elsewhere,
    isArtefact,
    mount: mounts.add,
    isMounted: mounts.has,
    countUnpacked,
    readBlob: mounts.readBlob,
    addInline: (input) => void inline.push(input),
    replaceFile: (replacement) => void replacements.set(replacement.path, replacement),
    copyDirectory: (copy) => void copies.push(copy),
    addFile,
    addAbsent: (path) => note({ path, type: 'absent' }),
    addDirectory,
    readYaml,
    parseYaml: documentsOf,
    result: () => ({
      entries: [...noted.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry),
      roles,
      inline,
      replacements: [...replacements.values()],
      copies,
      readBlob: mounts.readBlob,
    }),
  };
}

type Wanted = (name: string, path: string) => boolean;

/** By the parser that reads manifests, with its limits: what the walk sees is what the tools see. */
function documentsOf(
  text: string,
  file: string,
  where: string,
  options: YamlReading = {},
): readonly unknown[] {
  const { uniqueKeys = true, isRewritten = false } = options;
  const refused = (line: number, why: string) =>
    renderRefused(file, where === '' ? `line ${line}` : `${where}, line ${line}`, why);
  return parseYaml(text, { limits: DEFAULT_RENDER_LIMITS, uniqueKeys }).map((document) => {
    if (!document.ok) throw refused(document.line, document.message);
    if (isRewritten && document.inexact !== undefined) {
      throw refused(
        document.inexact,
        'a whole number beyond 2^53 that cannot be kept exactly: put it in quotes',
      );
    }
    return document.value;
  });
}

function regular(entry: TreeEntry, path: string): Found {
  if (entry.type === 'symlink') {
    throw renderRefused(path, 'symlink', 'symbolic links are not followed: commit the file itself');
  }
  if (entry.type === 'submodule') {
    throw renderRefused(
      path,
      'submodule',
      'submodules are not fetched: commit the files, or make it a source of its own',
    );
  }
  if (/[\p{Cc}\\\uFFFD]/u.test(entry.name)) {
    throw renderRefused(
      JSON.stringify(path),
      'name',
      'file names must be UTF-8 without control characters and backslashes',
    );
  }
  return { type: entry.type, oid: entry.oid };
}

function tooManyFiles(path: string, most: number): HoldfastError {
  return new HoldfastError(
    'git-too-large',
    `${path}: more than ${most} files in what is rendered: point spec.path at a smaller directory`,
    { details: { path, maxFiles: most } },
  );
}
