import { createHash } from 'node:crypto';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { createInflate, inflateSync } from 'node:zlib';
import type { CommitSha } from '../model/ids.ts';
import { commitFailure } from './git-errors.ts';

export interface PackScanOptions {
  /** Where the pack came from and what it is for, for messages. */
  readonly place: string;
  readonly commit: CommitSha;
  /** Of any single object, unpacked. */
  readonly maxObjectBytes: number;
  /** Of everything that indexing the pack makes the library compute and keep, together. */
  readonly maxInflatedBytes: number;
  /** Called now and then; throws when it takes too long. */
  readonly assertInTime: () => void;
}

/** Beside its bytes, an object costs memory and, in the end, time in which nothing else runs: the index is made in one go. */
const OBJECT_COST_BYTES = 4_096;
/** The library keeps the results of deltas whose base is no longer at hand, some of them twice for a moment. */
const DELTA_RESULT_FACTOR = 2;
/** The library makes one object for each instruction of a delta. */
const INSTRUCTION_COST_BYTES = 128;
/** git itself makes chains of at most 4,095. */
const MAX_CHAIN = 4_095;
const STREAMED_FROM_BYTES = 4 * 1024 * 1024;
const YIELD_EVERY_BYTES = 16 * 1024 * 1024;
const OFFSET_DELTA = 6;
const REFERENCE_DELTA = 7;

class MalformedPack extends Error {}
class OversizedPack extends Error {}

/**
 * Walks once through a pack (gitformat-pack(5)) before isomorphic-git indexes it, because that inflates whatever comes
 * without bound, follows deltas to any place in the pack, and checks neither the count nor the checksum: a pack of a few
 * kilobytes could take all memory. After this, every entry is as large as it declares, deltas are built on entries
 * only, and all of it together stays within the limits. Nothing is interpreted and nothing kept.
 * @throws HoldfastError `git-corrupt`, `git-too-large`; what `assertInTime` throws
 */
export async function scanPack(pack: Buffer, options: PackScanOptions): Promise<void> {
  try {
    await scan(pack, options);
  } catch (error) {
    if (error instanceof MalformedPack) {
      throw commitFailure('git-corrupt', options, `what the server sent is damaged: ${error.message}`);
    }
    if (error instanceof OversizedPack) {
      throw commitFailure('git-too-large', options, 'it unpacks to more than Holdfast takes');
    }
    throw error;
  }
}

async function scan(pack: Buffer, options: PackScanOptions): Promise<void> {
  const count = checkEnvelope(pack);
  const chains = new Map<number, number>();
  let spent = 0;
  let yieldedAt = 0;
  const spend = (bytes: number): void => {
    spent += bytes;
    if (spent > options.maxInflatedBytes) throw new OversizedPack();
  };
  let offset = 12;
  for (let index = 0; index < count; index += 1) {
    const entry = readEntry(pack, offset);
    if (entry.size > options.maxObjectBytes) throw new OversizedPack();
    spend(entry.size + OBJECT_COST_BYTES);
    chains.set(offset, chainLength(entry, chains));
    if (entry.isDelta) {
      const { data, end } = inflateEntry(pack, entry);
      const { resultBytes, instructions } = weighDelta(data);
      if (resultBytes > options.maxObjectBytes) throw new OversizedPack();
      spend(resultBytes * DELTA_RESULT_FACTOR + instructions * INSTRUCTION_COST_BYTES);
      offset = end;
    } else {
      offset =
        entry.size < STREAMED_FROM_BYTES ? inflateEntry(pack, entry).end : await skipLarge(pack, entry);
    }
    if (spent - yieldedAt > YIELD_EVERY_BYTES) {
      yieldedAt = spent;
      await yieldToOthers();
      options.assertInTime();
    }
  }
  if (offset !== pack.length - 20) throw new MalformedPack('there is something behind the last entry');
}

function checkEnvelope(pack: Buffer): number {
  if (pack.length < 32 || pack.toString('latin1', 0, 4) !== 'PACK') throw new MalformedPack('it is no pack');
  const version = pack.readUInt32BE(4);
  if (version !== 2) throw new MalformedPack(`it has the unknown version ${version}`);
  const trailer = createHash('sha1').update(pack.subarray(0, -20)).digest();
  if (!trailer.equals(pack.subarray(-20))) throw new MalformedPack('its checksum is wrong');
  return pack.readUInt32BE(8);
}

interface Entry {
  readonly isDelta: boolean;
  /** Inflated; of the delta itself, where it is one. */
  readonly size: number;
  /** Where the deflated data begins. */
  readonly dataOffset: number;
  /** Of a delta that names its base by place. */
  readonly baseOffset?: number;
}

function readEntry(pack: Buffer, offset: number): Entry {
  let position = offset;
  const next = (): number => byteAt(pack, position++, 'an entry');
  let byte = next();
  const type = (byte >> 4) & 7;
  let size = byte & 15;
  // Multiplication, because sizes can leave the 32 bits of shifts.
  for (let scale = 16; byte & 0x80; scale *= 128) {
    byte = next();
    size += (byte & 0x7f) * scale;
    if (size > Number.MAX_SAFE_INTEGER) throw new OversizedPack();
  }
  if (type === 0 || type === 5) throw new MalformedPack('an entry has an unknown type');
  if (type === REFERENCE_DELTA) return { isDelta: true, size, dataOffset: position + 20 };
  if (type !== OFFSET_DELTA) return { isDelta: false, size, dataOffset: position };
  byte = next();
  let distance = byte & 0x7f;
  while (byte & 0x80) {
    byte = next();
    distance = (distance + 1) * 128 + (byte & 0x7f);
    if (distance > offset) throw new MalformedPack('a delta points before the pack');
  }
  return { isDelta: true, size, dataOffset: position, baseOffset: offset - distance };
}

/** 0 for what is no delta, and for a delta that names its base by id: the library finds only those that came before. */
function chainLength({ baseOffset }: Entry, chains: ReadonlyMap<number, number>): number {
  if (baseOffset === undefined) return 0;
  const base = chains.get(baseOffset);
  // Anywhere else could be the inside of an entry, made to look like one of any size.
  if (base === undefined) throw new MalformedPack('a delta points to no entry');
  if (base >= MAX_CHAIN) throw new MalformedPack('a chain of deltas is too long');
  return base + 1;
}

/** The entry's data, never more than its head declares, and the offset behind it. */
function inflateEntry(pack: Buffer, entry: Entry): { readonly data: Buffer; readonly end: number } {
  try {
    // `info` tells how much input was used: entries have no length of their own, the next begins where this one ends.
    const { buffer, engine } = inflateSync(pack.subarray(entry.dataOffset), {
      info: true,
      maxOutputLength: entry.size + 1,
      chunkSize: Math.max(64, entry.size + 1),
    }) as unknown as { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } };
    if (buffer.length === entry.size) return { data: buffer, end: entry.dataOffset + engine.bytesWritten };
  } catch (cause) {
    throw new MalformedPack('an entry cannot be inflated', { cause });
  }
  throw new MalformedPack('an entry has another size than it declares');
}

/** What a large file unpacks to is dropped as it comes. */
async function skipLarge(pack: Buffer, entry: Entry): Promise<number> {
  const inflate = createInflate({ chunkSize: 256 * 1024 });
  inflate.end(pack.subarray(entry.dataOffset));
  let size = 0;
  try {
    for await (const chunk of inflate) {
      size += (chunk as Buffer).length;
      if (size > entry.size) break;
    }
  } catch (cause) {
    throw new MalformedPack('an entry cannot be inflated', { cause });
  }
  if (size !== entry.size) throw new MalformedPack('an entry has another size than it declares');
  return entry.dataOffset + inflate.bytesWritten;
}

/** What a delta makes by its own word, which the library holds it to, and by how many instructions. */
function weighDelta(delta: Buffer): { readonly resultBytes: number; readonly instructions: number } {
  let position = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = byteAt(delta, position++, 'a delta');
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new OversizedPack();
      if ((byte & 0x80) === 0) return value;
    }
  };
  varint();
  const resultBytes = varint();
  let instructions = 0;
  while (position < delta.length) {
    const instruction = byteAt(delta, position, 'a delta');
    // A copy is followed by one byte for each of the other bits, an insertion by what it inserts.
    position += 1 + (instruction & 0x80 ? bits(instruction & 0x7f) : instruction);
    instructions += 1;
  }
  return { resultBytes, instructions };
}

function bits(byte: number): number {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
}

function byteAt(bytes: Buffer, position: number, what: string): number {
  const byte = bytes[position];
  if (byte === undefined) throw new MalformedPack(`${what} ends in the middle`);
  return byte;
}
