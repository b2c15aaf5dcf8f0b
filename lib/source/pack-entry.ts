import { inflateSync } from 'node:zlib';

export type ObjectType = 'commit' | 'tree' | 'blob' | 'tag';

/** The head of one entry of a pack (gitformat-pack(5)). */
export interface PackEntry {
  readonly offset: number;
  readonly kind: ObjectType | 'offset-delta' | 'reference-delta';
  /** Inflated; of the delta itself, where it is one. */
  readonly size: number;
  /** Where the deflated data begins. */
  readonly dataOffset: number;
  /** Of an offset-delta. */
  readonly baseOffset?: number;
  /** Of a reference-delta, in hex. */
  readonly baseOid?: string;
}

/** A pack that is not one. Whoever knows where it came from says so. */
export class MalformedPack extends Error {}

const KINDS = [
  undefined,
  'commit',
  'tree',
  'blob',
  'tag',
  undefined,
  'offset-delta',
  'reference-delta',
] as const satisfies readonly (PackEntry['kind'] | undefined)[];

export function readEntry(pack: Buffer, offset: number): PackEntry {
  let position = offset;
  const next = (): number => {
    const byte = pack[position];
    if (byte === undefined) throw new MalformedPack('an entry ends in the middle');
    position += 1;
    return byte;
  };
  let byte = next();
  const kind = KINDS[(byte >> 4) & 7];
  let size = byte & 15;
  // Multiplication, because sizes can leave the 32 bits of shifts.
  for (let scale = 16; byte & 0x80; scale *= 128) {
    byte = next();
    size += (byte & 0x7f) * scale;
    if (size > Number.MAX_SAFE_INTEGER) throw new MalformedPack('an entry has an impossible size');
  }
  switch (kind) {
    case undefined:
      throw new MalformedPack('an entry has an unknown type');
    case 'offset-delta': {
      byte = next();
      let distance = byte & 0x7f;
      while (byte & 0x80) {
        byte = next();
        distance = (distance + 1) * 128 + (byte & 0x7f);
        if (distance > offset) throw new MalformedPack('a delta points before the pack');
      }
      if (distance === 0 || distance > offset) throw new MalformedPack('a delta points to itself');
      return { offset, kind, size, dataOffset: position, baseOffset: offset - distance };
    }
    case 'reference-delta': {
      const baseOid = pack.toString('hex', position, position + 20);
      return { offset, kind, size, dataOffset: position + 20, baseOid };
    }
    default:
      return { offset, kind, size, dataOffset: position };
  }
}

/**
 * The entry's data, never more than its head declares, and the offset behind it.
 * @throws MalformedPack
 */
export function inflateEntry(
  pack: Buffer,
  entry: Pick<PackEntry, 'dataOffset' | 'size'>,
): { readonly data: Buffer; readonly end: number } {
  let buffer: Buffer;
  let consumed: number;
  try {
    // `info` tells how much input was used: entries have no length of their own, the next begins where this one ends.
    const result = inflateSync(pack.subarray(entry.dataOffset), {
      info: true,
      maxOutputLength: entry.size + 1,
      chunkSize: Math.max(64, entry.size + 1),
    }) as unknown as { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } };
    buffer = result.buffer;
    consumed = result.engine.bytesWritten;
  } catch (cause) {
    throw new MalformedPack('an entry cannot be inflated', { cause });
  }
  if (buffer.length !== entry.size) throw new MalformedPack('an entry has another size than it declares');
  return { data: buffer, end: entry.dataOffset + consumed };
}

/** Sizes of base and result at the head of a delta. */
export function deltaSizes(delta: Buffer): {
  readonly base: number;
  readonly result: number;
  readonly start: number;
} {
  let position = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = delta[position];
      if (byte === undefined || scale > 2 ** 49) throw new MalformedPack('a delta ends in the middle');
      position += 1;
      value += (byte & 0x7f) * scale;
      if ((byte & 0x80) === 0) return value;
    }
  };
  const base = varint();
  const result = varint();
  return { base, result, start: position };
}

/**
 * @throws MalformedPack when it does not fit its base or makes anything but the declared size
 */
export function applyDelta(delta: Buffer, base: Buffer): Buffer {
  const sizes = deltaSizes(delta);
  if (sizes.base !== base.length) throw new MalformedPack('a delta does not fit its base');
  const result = Buffer.allocUnsafe(sizes.result);
  let written = 0;
  let position = sizes.start;
  const next = (): number => {
    const byte = delta[position];
    if (byte === undefined) throw new MalformedPack('a delta ends in the middle');
    position += 1;
    return byte;
  };
  while (position < delta.length) {
    const instruction = next();
    let source: Buffer;
    let start: number;
    let length: number;
    if (instruction & 0x80) {
      start = 0;
      length = 0;
      for (let bit = 0; bit < 4; bit += 1) if (instruction & (1 << bit)) start += next() * 2 ** (8 * bit);
      for (let bit = 0; bit < 3; bit += 1) if (instruction & (16 << bit)) length += next() * 2 ** (8 * bit);
      if (length === 0) length = 0x10000;
      source = base;
    } else {
      if (instruction === 0) throw new MalformedPack('a delta has an unknown instruction');
      start = position;
      length = instruction;
      position += length;
      source = delta;
    }
    if (start + length > source.length || written + length > result.length) {
      throw new MalformedPack('a delta reaches outside its base or result');
    }
    source.copy(result, written, start, start + length);
    written += length;
  }
  if (written !== result.length) throw new MalformedPack('a delta makes less than it declares');
  return result;
}
