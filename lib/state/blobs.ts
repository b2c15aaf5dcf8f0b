import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { HoldfastError } from '../model/errors.ts';
import { sha256 } from '../model/ids.ts';
import type { BlobPointer } from '../model/inventory.ts';
import type { RecordTable, TableRecord } from './record-table.ts';

/** DynamoDB takes 400 KB an item, names and numbers included. */
const CHUNK_BYTES = 350_000;
/** What an inventory of a million objects would take; anything larger is damage. */
const MAX_BYTES = 512 * 1024 * 1024;

/** Immutable values next to the item that points at them: written first, under their digest, never in place. */
export async function putBlob(
  table: RecordTable,
  owner: string,
  generation: number,
  value: unknown,
): Promise<BlobPointer> {
  const json = Buffer.from(JSON.stringify(value));
  const bytes = brotliCompressSync(json, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_SIZE_HINT]: json.length },
  });
  const digest = sha256(bytes);
  const records: TableRecord[] = [];
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    records.push({
      pk: owner,
      sk: chunkKey({ generation, digest }, records.length),
      version: 1,
      body: '{}',
      bytes: bytes.subarray(start, start + CHUNK_BYTES),
    });
  }
  await table.putMany(records);
  return { digest, generation, chunks: records.length, bytes: bytes.length };
}

/** undefined: it is gone, because the item that pointed at it has moved on. */
export async function getBlob<T>(
  table: RecordTable,
  owner: string,
  pointer: BlobPointer,
): Promise<T | undefined> {
  const keys = Array.from({ length: pointer.chunks }, (_, n) => ({
    pk: owner,
    sk: chunkKey(pointer, n),
  }));
  const records = await table.getMany(keys);
  if (records.length !== keys.length) return undefined;
  const chunks = [...records]
    .sort((a, b) => (a.sk < b.sk ? -1 : 1))
    .map((record) => record.bytes ?? new Uint8Array());
  const bytes = Buffer.concat(chunks);
  if (sha256(bytes) !== pointer.digest) {
    throw new HoldfastError(
      'internal',
      `the stored value ${pointer.digest.slice(0, 12)} of ${owner} is damaged`,
    );
  }
  return JSON.parse(brotliDecompressSync(bytes, { maxOutputLength: MAX_BYTES }).toString()) as T;
}

/**
 * Removes the blobs of this owner that are not among `keep`, up to and including `generation`. A writer that is late
 * cannot remove what a later one has stored, because that has a higher generation.
 */
export async function dropBlobs(
  table: RecordTable,
  owner: string,
  generation: number,
  keep: readonly BlobPointer[],
): Promise<void> {
  const kept = new Set(keep.map(blobKey));
  const stored = await table.query(owner, BLOB);
  const unused = stored.filter(({ sk }) => {
    const key = sk.slice(0, sk.lastIndexOf('#'));
    return Number(sk.split('#')[1]) <= generation && !kept.has(key);
  });
  if (unused.length > 0) await table.remove(unused.map(({ pk, sk }) => ({ pk, sk })));
}

const BLOB = 'BLOB#';

function blobKey(pointer: Pick<BlobPointer, 'generation' | 'digest'>): string {
  return `${BLOB}${String(pointer.generation).padStart(15, '0')}#${pointer.digest}`;
}

function chunkKey(pointer: Pick<BlobPointer, 'generation' | 'digest'>, n: number): string {
  return `${blobKey(pointer)}#${String(n).padStart(5, '0')}`;
}
