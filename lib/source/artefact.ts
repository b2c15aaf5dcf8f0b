import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { HoldfastError } from '../model/errors.ts';
import { sha256, type Digest } from '../model/ids.ts';
import type { Closure } from './closure.ts';
import { fileTreeOf, type FileTree } from './file-tree.ts';

export interface ArtefactLimits {
  /** Of one file. Default 5 MiB. */
  readonly maxFileBytes?: number;
  /** Of all files together. Default 200 MiB. */
  readonly maxTotalBytes?: number;
}

const MEBIBYTE = 1024 * 1024;
const DEFAULTS = { maxFileBytes: 5 * MEBIBYTE, maxTotalBytes: 200 * MEBIBYTE };
/** On top of the files: their paths and sizes. */
const MAX_LISTING_BYTES = 16 * MEBIBYTE;

/**
 * The files of a closure as one compressed value: a line of JSON that lists paths and sizes, then the contents.
 * The same files give the same bytes.
 * @returns `digest` is the sha256 of `bytes`
 * @throws HoldfastError `git-too-large`, naming the file; what the reader throws
 */
export async function packArtefact(
  closure: Pick<Closure, 'entries' | 'readBlob'>,
  limits: ArtefactLimits = {},
): Promise<{ readonly digest: Digest; readonly bytes: Uint8Array }> {
  const { maxFileBytes, maxTotalBytes } = { ...DEFAULTS, ...limits };
  const files: { path: string; size: number }[] = [];
  const contents: Uint8Array[] = [];
  let total = 0;
  for (const entry of closure.entries) {
    if (entry.type !== 'blob') continue;
    const content = await readNamed(closure, entry.path, entry.oid);
    if (content.length > maxFileBytes)
      throw tooLarge(`${entry.path} has ${content.length} bytes`, maxFileBytes);
    total += content.length;
    if (total > maxTotalBytes) throw tooLarge('the files to be rendered together', maxTotalBytes);
    files.push({ path: entry.path, size: content.length });
    contents.push(content);
  }
  const listing = Buffer.from(`${JSON.stringify({ artefact: 1, files })}\n`, 'utf8');
  const bytes = brotliCompressSync(Buffer.concat([listing, ...contents]), {
    params: {
      // Between gzip's speed and brotli's size; manifests repeat themselves over long distances.
      [constants.BROTLI_PARAM_QUALITY]: 5,
      [constants.BROTLI_PARAM_LGWIN]: 22,
    },
  });
  return { digest: sha256(bytes), bytes };
}

/**
 * @throws HoldfastError `git-corrupt` when the bytes are not what has this digest, or no artefact; `git-too-large`
 */
export function unpackArtefact(digest: Digest, bytes: Uint8Array, limits: ArtefactLimits = {}): FileTree {
  const { maxTotalBytes } = { ...DEFAULTS, ...limits };
  if (sha256(bytes) !== digest) throw corrupt(digest, 'its bytes have another digest');
  const content = decompress(digest, bytes, maxTotalBytes + MAX_LISTING_BYTES);
  const end = content.indexOf(0x0a);
  const files = parseListing(digest, content.subarray(0, Math.max(0, end)).toString('utf8'));
  const tree: [string, Uint8Array][] = [];
  let position = end + 1;
  for (const { path, size } of files) {
    if (position + size > content.length) throw corrupt(digest, 'it is cut short');
    tree.push([path, content.subarray(position, position + size)]);
    position += size;
  }
  if (position !== content.length) throw corrupt(digest, 'it holds more than it lists');
  return fileTreeOf(Object.fromEntries(tree));
}

function decompress(digest: Digest, bytes: Uint8Array, maxOutputLength: number): Buffer {
  try {
    return brotliDecompressSync(bytes, { maxOutputLength });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw tooLarge(`artefact ${digest}`, maxOutputLength);
    throw corrupt(digest, 'it cannot be decompressed');
  }
}

function parseListing(
  digest: Digest,
  text: string,
): readonly { readonly path: string; readonly size: number }[] {
  let parsed: { readonly artefact?: unknown; readonly files?: unknown } | null;
  try {
    parsed = JSON.parse(text) as typeof parsed;
  } catch {
    throw corrupt(digest, 'it does not begin with a list of its files');
  }
  if (parsed?.artefact !== 1 || !Array.isArray(parsed.files)) throw corrupt(digest, 'it has an unknown form');
  const seen = new Set<string>();
  return (parsed.files as readonly unknown[]).map((file) => {
    const { path, size } = (typeof file === 'object' && file !== null ? file : {}) as Record<string, unknown>;
    if (typeof path !== 'string' || !isSafePath(path) || seen.has(path))
      throw corrupt(digest, 'it lists a bad path');
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      throw corrupt(digest, 'it lists a bad size');
    seen.add(path);
    return { path, size };
  });
}

/** Whoever writes these files to a disk must not be led out of the directory. */
function isSafePath(path: string): boolean {
  return (
    !/[\\\p{Cc}]/u.test(path) &&
    path
      .split('/')
      .every((name) => name !== '' && name !== '.' && name !== '..' && name.toLowerCase() !== '.git')
  );
}

/** The reader knows objects only; people know paths. */
async function readNamed(reader: Pick<Closure, 'readBlob'>, path: string, oid: string): Promise<Uint8Array> {
  try {
    return await reader.readBlob(oid);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    throw new HoldfastError(error.code, `${path}: ${error.message}`, {
      retryable: error.retryable,
      details: { ...error.details, path },
      cause: error,
    });
  }
}

function tooLarge(what: string, most: number): HoldfastError {
  return new HoldfastError('git-too-large', `${what}: more than ${most} bytes`, {
    details: { maxBytes: most },
  });
}

function corrupt(digest: Digest, why: string): HoldfastError {
  return new HoldfastError('git-corrupt', `artefact ${digest} is damaged: ${why}`, { details: { digest } });
}
