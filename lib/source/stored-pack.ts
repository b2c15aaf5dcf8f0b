import type { PackIndex } from './pack.ts';

/** A pack with its index as one value: magic, flags, number of objects, ids, offsets, pack. */
export interface StoredPack {
  readonly pack: Buffer;
  readonly index: PackIndex;
}

const MAGIC = 'HFPACK1\n';
const HEAD_BYTES = MAGIC.length + 8;

export function encodeStoredPack({ pack, index }: StoredPack): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, 'latin1');
  head.writeUInt32BE(index.skipped ? 1 : 0, MAGIC.length);
  head.writeUInt32BE(index.offsets.length / 4, MAGIC.length + 4);
  return Buffer.concat([head, index.oids, index.offsets, pack]);
}

/** undefined: written by another version. What was damaged does not come this far, the cache has a checksum. */
export function decodeStoredPack(value: Buffer): StoredPack | undefined {
  if (value.length < HEAD_BYTES || value.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined;
  const skipped = value.readUInt32BE(MAGIC.length) === 1;
  const count = value.readUInt32BE(MAGIC.length + 4);
  const offsetsAt = HEAD_BYTES + count * 20;
  const packAt = offsetsAt + count * 4;
  if (packAt > value.length) return undefined;
  return {
    index: {
      skipped,
      oids: value.subarray(HEAD_BYTES, offsetsAt),
      offsets: value.subarray(offsetsAt, packAt),
    },
    pack: value.subarray(packAt),
  };
}
