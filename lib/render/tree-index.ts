import { HoldfastError } from '../model/errors.ts';
import type { FileTree } from '../source/file-tree.ts';
import type { RenderLimits } from './limits.ts';

/** A FileTree with its directories, its paths checked and its limits enforced. */
export interface TreeIndex {
  readonly paths: readonly string[];
  isFile(path: string): boolean;
  isDirectory(path: string): boolean;
  /** Every file below a directory, `.` for all of them, in order. */
  filesUnder(directory: string): readonly string[];
  /** @throws HoldfastError `render-failed` when there is no such file */
  read(path: string): Uint8Array;
}

/**
 * @throws HoldfastError `render-refused` for a path that could leave a directory it is written into, or that is both a
 * file and a directory; `render-limit` for too many or too large files
 */
export function indexTree(files: FileTree, limits: RenderLimits): TreeIndex {
  if (files.paths.length > limits.maxFiles) {
    throw new HoldfastError(
      'render-limit',
      `${files.paths.length} files to render, at most ${limits.maxFiles} are allowed: narrow the application's path`,
    );
  }
  const known = new Set<string>();
  const directories = new Set<string>(['.']);
  for (const path of files.paths) {
    assertSafePath(path);
    known.add(path);
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      directories.add(path.slice(0, slash));
    }
  }
  for (const path of known) {
    if (directories.has(path)) {
      throw new HoldfastError('render-refused', `${JSON.stringify(path)} is both a file and a directory`);
    }
  }
  const paths = [...known].sort();
  let total = 0;
  const counted = new Set<string>();
  const read = (path: string): Uint8Array => {
    const bytes = known.has(path) ? files.read(path) : undefined;
    if (bytes === undefined) throw new HoldfastError('render-failed', `${path}: no such file`);
    if (!counted.has(path)) {
      counted.add(path);
      total += bytes.byteLength;
    }
    if (bytes.byteLength > limits.maxFileBytes || total > limits.maxTotalBytes) {
      throw new HoldfastError(
        'render-limit',
        `${path}: ${bytes.byteLength} bytes; at most ${limits.maxFileBytes} a file and ${limits.maxTotalBytes} in all are rendered`,
      );
    }
    return bytes;
  };
  return {
    paths,
    isFile: (path) => known.has(path),
    isDirectory: (path) => directories.has(path),
    filesUnder: (directory) =>
      directory === '.' ? paths : paths.filter((path) => path.startsWith(`${directory}/`)),
    read,
  };
}

/** Of Linux: what is longer could not be written for a tool. A path has the private directory in front. */
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 3_500;

/** @throws HoldfastError `render-refused` */
export function assertSafePath(path: string): void {
  const unsafe =
    path === '' ||
    path.startsWith('/') ||
    Buffer.byteLength(path) > MAX_PATH_BYTES ||
    /[\\\p{Cc}]/u.test(path) ||
    path
      .split('/')
      .some((part) => ['', '.', '..'].includes(part) || Buffer.byteLength(part) > MAX_NAME_BYTES);
  if (unsafe) {
    throw new HoldfastError(
      'render-refused',
      `refused path ${JSON.stringify(path.slice(0, 200))}: expected a relative path without "..", "//", backslashes and control characters, with names of at most ${MAX_NAME_BYTES} bytes`,
    );
  }
}
