import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { indexPack, openPack, OversizedPack } from '../../lib/source/pack.ts';
import { applyDelta, MalformedPack } from '../../lib/source/pack-entry.ts';

const limits = { maxObjectBytes: 1_000_000, maxInflatedBytes: 20_000_000 };
const TYPES = { commit: 1, tree: 2, blob: 3, offsetDelta: 6, referenceDelta: 7 };

function entry(type: number, data: Buffer, prefix: Buffer = Buffer.alloc(0), declared = data.length): Buffer {
  const head = [];
  let rest = Math.floor(declared / 16);
  let byte = (type << 4) | (declared & 15);
  while (rest > 0) {
    head.push(byte | 0x80);
    byte = rest & 0x7f;
    rest = Math.floor(rest / 128);
  }
  head.push(byte);
  return Buffer.concat([Buffer.from(head), prefix, deflateSync(data)]);
}

function packOf(entries: readonly Buffer[], count = entries.length): Buffer {
  const head = Buffer.alloc(12);
  head.write('PACK');
  head.writeUInt32BE(2, 4);
  head.writeUInt32BE(count, 8);
  const body = Buffer.concat([head, ...entries]);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}

function oidOf(data: Buffer): string {
  return createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex');
}

/** A delta that copies `length` bytes of the base from the start and inserts `text`. */
function delta(base: number, copy: number, text: string): Buffer {
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)];
  return Buffer.from([
    ...varint(base),
    ...varint(copy + text.length),
    0b10110000,
    copy & 255,
    copy >> 8,
    text.length,
    ...Buffer.from(text),
  ]);
}

describe('indexPack', () => {
  it('finds a delta whose base comes after it', async () => {
    const base = Buffer.from('hello world');
    const result = Buffer.from('hello there');
    const early = entry(TYPES.referenceDelta, delta(11, 6, 'there'), Buffer.from(oidOf(base), 'hex'));
    const pack = packOf([early, entry(TYPES.blob, base)]);

    const opened = openPack(pack, await indexPack(pack, limits), limits);

    expect(opened.read(oidOf(result))?.data.toString()).toBe('hello there');
    expect(opened.read('0'.repeat(40))).toBeUndefined();
    expect(opened.read('')).toBeUndefined();
  });

  it('skips what is larger than the limit, and what is built on it, and says so', async () => {
    const huge = Buffer.alloc(2_000_000, 1);
    const small = Buffer.from('small');
    const first = entry(TYPES.blob, huge);
    const onIt = entry(TYPES.referenceDelta, delta(2_000_000, 5, 'x'), Buffer.from(oidOf(huge), 'hex'));
    const pack = packOf([first, onIt, entry(TYPES.blob, small)]);

    const opened = openPack(pack, await indexPack(pack, limits), limits);

    expect(opened.skipped).toBe(true);
    expect(opened.read(oidOf(huge))).toBeUndefined();
    expect(opened.read(oidOf(small))?.data.toString()).toBe('small');
  });

  it('rejects a pack that inflates to more than its budget, however small it is', async () => {
    const bomb = Array.from({ length: 30 }, (_, index) => entry(TYPES.blob, Buffer.alloc(900_000, index)));

    await expect(indexPack(packOf(bomb), limits)).rejects.toBeInstanceOf(OversizedPack);
  });

  it('rejects deltas that make much out of little', async () => {
    const base = Buffer.alloc(60_000);
    const varint = (value: number): number[] =>
      value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)];
    const copies = Array.from({ length: 16 }, () => [0b10110000, 0x60, 0xea]).flat();
    const growing = Buffer.from([...varint(60_000), ...varint(16 * 60_000), ...copies]);
    const many = Array.from({ length: 40 }, () =>
      entry(TYPES.referenceDelta, growing, Buffer.from(oidOf(base), 'hex')),
    );

    await expect(indexPack(packOf([entry(TYPES.blob, base), ...many]), limits)).rejects.toBeInstanceOf(
      OversizedPack,
    );
  });

  it('stops when it is told to', async () => {
    const pack = packOf([entry(TYPES.blob, Buffer.from('x'))]);

    await expect(indexPack(pack, limits, AbortSignal.abort(new Error('late')))).rejects.toThrow('late');
  });

  const blob = entry(TYPES.blob, Buffer.from('hello'));
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['another magic', Buffer.concat([Buffer.from('KCAP'), packOf([blob]).subarray(4)])],
    ['a wrong checksum', Buffer.concat([packOf([blob]).subarray(0, -1), Buffer.from([0])])],
    ['fewer entries than it counts', packOf([blob], 2)],
    ['more entries than it counts', packOf([blob, blob], 1)],
    [
      'an entry with another size than it declares',
      packOf([entry(TYPES.blob, Buffer.from('hello'), undefined, 4)]),
    ],
    ['an entry that declares more', packOf([entry(TYPES.blob, Buffer.from('hello'), undefined, 60_000)])],
    ['an unknown type', packOf([entry(5, Buffer.from('hello'))])],
    ['data that cannot be inflated', packOf([Buffer.concat([Buffer.from([0x35]), Buffer.from('garbage')])])],
    ['a delta before the pack', packOf([entry(TYPES.offsetDelta, delta(5, 5, 'x'), Buffer.from([127]))])],
    ['a delta on itself', packOf([entry(TYPES.offsetDelta, delta(5, 5, 'x'), Buffer.from([0]))])],
    ['a delta on nothing', packOf([entry(TYPES.referenceDelta, delta(5, 5, 'x'), Buffer.alloc(20))])],
    [
      'a delta that does not fit its base',
      packOf([blob, entry(TYPES.offsetDelta, delta(9, 5, 'x'), Buffer.from([blob.length]))]),
    ],
  ])('rejects %s', async (_, pack) => {
    await expect(indexPack(pack, limits)).rejects.toBeInstanceOf(MalformedPack);
  });

  it('rejects or reads every damaged pack, and never fails otherwise', async () => {
    const whole = packOf([
      blob,
      entry(TYPES.offsetDelta, delta(5, 4, 'there'), Buffer.from([blob.length])),
      entry(TYPES.tree, Buffer.from('x')),
    ]);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 21), fc.nat(255), async (position, byte) => {
        const body = Buffer.from(whole.subarray(0, -20));
        body[position] = byte;
        const pack = Buffer.concat([body, createHash('sha1').update(body).digest()]);

        const outcome = await indexPack(pack, limits).catch((error: unknown) => error);

        expect(
          outcome instanceof MalformedPack ||
            outcome instanceof OversizedPack ||
            'oids' in (outcome as object),
        ).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe('applyDelta', () => {
  const base = Buffer.from('hello');
  it.each([
    ['reaches behind its base', [5, 5, 0b10010001, 3, 5]],
    ['reaches behind its result', [5, 2, 0b10010000, 5]],
    ['makes too little', [5, 9, 0b10010000, 5]],
    ['ends in an instruction', [5, 5, 0b10010001]],
    ['has the reserved instruction', [5, 5, 0]],
    ['inserts more than it has', [5, 5, 5, 1, 2]],
    ['ends in its sizes', [0x85]],
  ])('rejects one that %s', (_, bytes) => {
    expect(() => applyDelta(Buffer.from(bytes), base)).toThrow(MalformedPack);
  });
});
