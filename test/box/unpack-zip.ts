import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inflateRawSync } from 'node:zlib';

const END_OF_DIRECTORY = 0x06_05_4b_50;
const STORED = 0;

/** Unpacks an archive as Lambda unpacks a layer, modes included. */
export async function unpackZip(file: string, directory: string): Promise<void> {
  const zip = await readFile(file);
  const end = zip.lastIndexOf(littleEndian(END_OF_DIRECTORY));
  if (end < 0) throw new Error(`${file} is no ZIP archive`);
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    const nameLength = zip.readUInt16LE(at + 28);
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength);
    const entry = {
      method: zip.readUInt16LE(at + 10),
      packedBytes: zip.readUInt32LE(at + 20),
      mode: zip.readUInt32LE(at + 38) >>> 16,
      header: zip.readUInt32LE(at + 42),
    };
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
    if (name.split('/').includes('..')) throw new Error(`${file}: "${name}" leads out of the archive`);
    const path = join(directory, name);
    if (name.endsWith('/')) {
      await mkdir(path, { recursive: true });
      continue;
    }
    // The local header repeats the name, with an extra field of its own length.
    const start =
      entry.header + 30 + zip.readUInt16LE(entry.header + 26) + zip.readUInt16LE(entry.header + 28);
    const packed = zip.subarray(start, start + entry.packedBytes);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, entry.method === STORED ? packed : inflateRawSync(packed));
    if (entry.mode !== 0) await chmod(path, entry.mode & 0o777);
  }
}

function littleEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
