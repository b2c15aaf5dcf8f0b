import { createHash } from 'node:crypto';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { createInflate } from 'node:zlib';
import {
  applyDelta,
  deltaSizes,
  inflateEntry,
  MalformedPack,
  readEntry,
  type ObjectType,
  type PackEntry,
} from './pack-entry.ts';

/** One object of a pack. */
export interface PackObject {
  readonly type: ObjectType;
  readonly data: Buffer;
}

/** More than the limits allow; for the limits see `PackLimits`. */
export class OversizedPack extends Error {}

export interface PackLimits {
  /** Objects beyond are skipped, and told apart from missing ones when they are read. */
  readonly maxObjectBytes: number;
  /** Everything that is inflated while indexing, repetitions counted: what a small pack can make us compute. */
  readonly maxInflatedBytes: number;
}

/** Objects of a pack by id, straight from its bytes. */
export interface Pack {
  /** undefined: not in the pack */
  read(oid: string): PackObject | undefined;
  /** Whether objects were skipped for their size: an object that is not found may be among them. */
  readonly skipped: boolean;
}

/** Sorted object ids (20 bytes each), and the offset of each (4 bytes, big-endian). */
export interface PackIndex {
  readonly oids: Buffer;
  readonly offsets: Buffer;
  readonly skipped: boolean;
}

const MAX_OBJECTS = 1_000_000;
/** What one inflation costs beside its bytes, so that a million tiny deltas are counted too. */
const ENTRY_COST_BYTES = 1_024;
/** How often, on average, what was inflated while indexing may be inflated again while reading. */
const READ_FACTOR = 4;
const BASE_CACHE_BYTES = 32 * 1024 * 1024;
const YIELD_EVERY_BYTES = 16 * 1024 * 1024;
const YIELD_EVERY_ENTRIES = 1_000;
/** git itself makes chains of at most 4,095. */
const MAX_CHAIN = 4_095;

/**
 * Reads the whole pack once and computes the id of every object, bounded whatever the pack declares. Yields to other
 * work in between, so that leases and heartbeats go on.
 * @throws MalformedPack, OversizedPack; what the signal gives as its reason
 */
export async function indexPack(pack: Buffer, limits: PackLimits, signal?: AbortSignal): Promise<PackIndex> {
  const count = checkEnvelope(pack);
  const resolve = resolver(pack, limits);
  const known = new Map<string, number>();
  const waiting: PackEntry[] = [];
  let skipped = false;
  let offset = 12;
  let yieldedAt = 0;

  const learn = (entry: PackEntry): 'known' | 'skipped' | 'waiting' => {
    const object = resolve.object(entry, (oid) => known.get(oid));
    if (object === 'skipped' || object === 'waiting') return object;
    known.set(oidOf(object), entry.offset);
    return 'known';
  };

  for (let index = 0; index < count; index += 1) {
    const entry = readEntry(pack, offset);
    offset = await resolve.skipOver(entry);
    const outcome = learn(entry);
    if (outcome === 'waiting') waiting.push(entry);
    skipped ||= outcome === 'skipped';
    if (index % YIELD_EVERY_ENTRIES === 0 || resolve.inflated - yieldedAt > YIELD_EVERY_BYTES) {
      yieldedAt = resolve.inflated;
      await yieldToOthers();
      signal?.throwIfAborted();
    }
  }
  if (offset !== pack.length - 20) throw new MalformedPack('there is something behind the last entry');
  // A reference-delta may stand before its base. Every round settles at least one, or none ever will be.
  for (let rest = waiting; rest.length > 0; ) {
    const outcomes = rest.map((entry) => ({ entry, outcome: learn(entry) }));
    skipped ||= outcomes.some(({ outcome }) => outcome === 'skipped');
    const still = outcomes.filter(({ outcome }) => outcome === 'waiting').map(({ entry }) => entry);
    if (still.length === rest.length) {
      if (skipped) break;
      throw new MalformedPack('a delta has no base in the pack');
    }
    rest = still;
    await yieldToOthers();
    signal?.throwIfAborted();
  }
  return buildIndex(known, skipped);
}

/** Reads objects by an index that was made for these very bytes. */
export function openPack(pack: Buffer, index: PackIndex, limits: PackLimits): Pack {
  const find = (oid: string) => findOffset(index, oid);
  const resolve = resolver(pack, { ...limits, maxInflatedBytes: limits.maxInflatedBytes * READ_FACTOR });
  return {
    skipped: index.skipped,
    read: (oid) => {
      const offset = find(oid);
      if (offset === undefined) return undefined;
      const object = resolve.object(readEntry(pack, offset), find);
      return object === 'waiting' || object === 'skipped' ? undefined : object;
    },
  };
}

function resolver(pack: Buffer, limits: PackLimits) {
  const cache = new Map<number, PackObject>();
  let cachedBytes = 0;
  let inflated = 0;

  const spend = (bytes: number) => {
    inflated += bytes + ENTRY_COST_BYTES;
    if (inflated > limits.maxInflatedBytes) throw new OversizedPack();
  };
  const remember = (offset: number, object: PackObject) => {
    if (object.data.length > BASE_CACHE_BYTES / 4 || cache.has(offset)) return;
    cache.set(offset, object);
    cachedBytes += object.data.length;
    for (const [oldest, { data }] of cache) {
      if (cachedBytes <= BASE_CACHE_BYTES) break;
      cache.delete(oldest);
      cachedBytes -= data.length;
    }
  };
  let last: { readonly offset: number; readonly data: Buffer } | undefined;
  const dataOf = (entry: PackEntry): Buffer => {
    if (last?.offset === entry.offset) return last.data;
    spend(entry.size);
    return inflateEntry(pack, entry).data;
  };

  return {
    get inflated() {
      return inflated;
    },
    /** The offset behind an entry; what was inflated for that is kept for the `object` that follows. */
    async skipOver(entry: PackEntry): Promise<number> {
      spend(entry.size);
      if (entry.size > limits.maxObjectBytes) return skipLarge(pack, entry);
      const { data, end } = inflateEntry(pack, entry);
      last = { offset: entry.offset, data };
      return end;
    },
    /** 'waiting': a base is not known (yet). 'skipped': it, or what it is built on, is larger than the limit. */
    object(
      entry: PackEntry,
      offsetOf: (oid: string) => number | undefined,
    ): PackObject | 'waiting' | 'skipped' {
      const deltas: { readonly offset: number; readonly data: Buffer }[] = [];
      let current = entry;
      let base: PackObject | undefined;
      while (base === undefined) {
        if (current.size > limits.maxObjectBytes) return 'skipped';
        base = cache.get(current.offset);
        if (base !== undefined) break;
        if (current.kind !== 'offset-delta' && current.kind !== 'reference-delta') {
          base = { type: current.kind, data: dataOf(current) };
          remember(current.offset, base);
          break;
        }
        const data = dataOf(current);
        if (deltaSizes(data).result > limits.maxObjectBytes) return 'skipped';
        deltas.push({ offset: current.offset, data });
        if (deltas.length > MAX_CHAIN) throw new MalformedPack('a chain of deltas is too long');
        const baseOffset = current.baseOffset ?? offsetOf(current.baseOid ?? '');
        if (baseOffset === undefined) return 'waiting';
        if (baseOffset < 12) throw new MalformedPack('a delta points before the pack');
        current = readEntry(pack, baseOffset);
      }
      for (const delta of deltas.reverse()) {
        spend(deltaSizes(delta.data).result);
        base = { type: base.type, data: applyDelta(delta.data, base.data) };
        remember(delta.offset, base);
      }
      return base;
    },
  };
}

/** Beyond the limit it must still be inflated to find its end; its bytes are dropped as they come. */
async function skipLarge(pack: Buffer, entry: PackEntry): Promise<number> {
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

function checkEnvelope(pack: Buffer): number {
  if (pack.length < 32 || pack.toString('latin1', 0, 4) !== 'PACK') throw new MalformedPack('it is no pack');
  const version = pack.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw new MalformedPack(`it has the unknown version ${version}`);
  const trailer = createHash('sha1').update(pack.subarray(0, -20)).digest();
  if (!trailer.equals(pack.subarray(-20))) throw new MalformedPack('its checksum is wrong');
  const count = pack.readUInt32BE(8);
  if (count > MAX_OBJECTS) throw new OversizedPack();
  return count;
}

function oidOf(object: PackObject): string {
  return createHash('sha1')
    .update(`${object.type} ${object.data.length}\0`)
    .update(object.data)
    .digest('hex');
}

function buildIndex(known: ReadonlyMap<string, number>, skipped: boolean): PackIndex {
  const sorted = [...known.keys()].sort();
  const oids = Buffer.alloc(sorted.length * 20);
  const offsets = Buffer.alloc(sorted.length * 4);
  sorted.forEach((oid, index) => {
    oids.write(oid, index * 20, 'hex');
    offsets.writeUInt32BE(known.get(oid) ?? 0, index * 4);
  });
  return { oids, offsets, skipped };
}

function findOffset(index: PackIndex, oid: string): number | undefined {
  const wanted = Buffer.from(oid, 'hex');
  if (wanted.length !== 20) return undefined;
  let low = 0;
  let high = index.offsets.length / 4 - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const order = wanted.compare(index.oids, middle * 20, middle * 20 + 20);
    if (order === 0) return index.offsets.readUInt32BE(middle * 4);
    if (order < 0) high = middle - 1;
    else low = middle + 1;
  }
  return undefined;
}
