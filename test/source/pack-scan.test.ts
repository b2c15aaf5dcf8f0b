import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { CommitSha } from '../../lib/model/ids.ts';
import { scanPack } from '../../lib/source/pack-scan.ts';

const options = {
  place: 'https://git.example.com/sample.git',
  commit: '1'.repeat(40) as CommitSha,
  maxObjectBytes: 10_000_000,
  maxInflatedBytes: 20_000_000,
  assertInTime: () => undefined,
};
const TYPES = { commit: 1, tree: 2, blob: 3, offsetDelta: 6, referenceDelta: 7 };

function entry(
  type: number,
  data: Buffer,
  prefix: Buffer = Buffer.alloc(0),
  options: { readonly declared?: number; readonly level?: number } = {},
): Buffer {
  const { declared = data.length, level = 6 } = options;
  const head = [];
  let rest = Math.floor(declared / 16);
  let byte = (type << 4) | (declared & 15);
  while (rest > 0) {
    head.push(byte | 0x80);
    byte = rest & 0x7f;
    rest = Math.floor(rest / 128);
  }
  head.push(byte);
  return Buffer.concat([Buffer.from(head), prefix, deflateSync(data, { level })]);
}

function packOf(entries: readonly Buffer[], count = entries.length): Buffer {
  const head = Buffer.alloc(12);
  head.write('PACK');
  head.writeUInt32BE(2, 4);
  head.writeUInt32BE(count, 8);
  return signed(Buffer.concat([head, ...entries]));
}

function signed(body: Buffer): Buffer {
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
}

/** A delta that copies `copy` bytes of the base from the start and inserts `text`. */
function delta(base: number, copy: number, text: string): Buffer {
  const insertion = [text.length, ...Buffer.from(text)];
  return Buffer.from([
    ...varint(base),
    ...varint(copy + text.length),
    0b10110000,
    copy & 255,
    copy >> 8,
    ...insertion,
  ]);
}

/** How an offset-delta says how far back its base begins. */
function backBy(distance: number): Buffer {
  const bytes = [distance & 127];
  for (let rest = Math.floor(distance / 128); rest > 0; rest = Math.floor(rest / 128)) {
    rest -= 1;
    bytes.unshift((rest & 127) | 128);
  }
  return Buffer.from(bytes);
}

describe('scanPack', () => {
  const blob = entry(TYPES.blob, Buffer.from('hello'));

  it('accepts entries of all kinds, large and small', async () => {
    const large = entry(TYPES.blob, Buffer.alloc(6_000_000, 7));
    const onBlob = entry(TYPES.offsetDelta, delta(5, 4, 'there'), backBy(blob.length));
    const byId = entry(TYPES.referenceDelta, delta(5, 4, 'x'), Buffer.alloc(20, 1));
    const pack = packOf([blob, onBlob, byId, large, entry(TYPES.tree, Buffer.alloc(0))]);

    await expect(scanPack(pack, options)).resolves.toBeUndefined();
  });

  it('rejects a pack that unpacks to more than its budget, however small it is', async () => {
    const bomb = Array.from({ length: 30 }, (_, index) => entry(TYPES.blob, Buffer.alloc(900_000, index)));

    await expect(scanPack(packOf(bomb), options)).rejects.toMatchObject({ code: 'git-too-large' });
  });

  it('rejects an object that declares more than one may have, without unpacking it', async () => {
    const pack = packOf([entry(TYPES.blob, Buffer.from('hello'), undefined, { declared: 2 ** 40 })]);

    await expect(scanPack(pack, options)).rejects.toMatchObject({ code: 'git-too-large' });
  });

  it('rejects deltas that make much out of little', async () => {
    const base = entry(TYPES.blob, Buffer.alloc(60_000));
    const copies = Array.from({ length: 16 }, () => [0b10110000, 0x60, 0xea]).flat();
    const growing = Buffer.from([...varint(60_000), ...varint(16 * 60_000), ...copies]);
    const many = Array.from({ length: 40 }, () => entry(TYPES.referenceDelta, growing, Buffer.alloc(20, 1)));

    await expect(scanPack(packOf([base, ...many]), options)).rejects.toMatchObject({ code: 'git-too-large' });
  });

  it('rejects a delta of very many instructions that make nothing', async () => {
    const instructions = Buffer.alloc(200_000, 0x80);
    const busy = Buffer.concat([Buffer.from([...varint(5), ...varint(5)]), instructions]);
    const pack = packOf([blob, entry(TYPES.offsetDelta, busy, backBy(blob.length))]);

    await expect(scanPack(pack, options)).rejects.toMatchObject({ code: 'git-too-large' });
  });

  it('rejects a million objects of nothing', async () => {
    const pack = packOf(Array<Buffer>(100_000).fill(entry(TYPES.blob, Buffer.alloc(0))));

    await expect(scanPack(pack, options)).rejects.toMatchObject({ code: 'git-too-large' });
  });

  it('rejects a chain of deltas that git would not make', async () => {
    const onPrevious = (previous: Buffer) =>
      entry(TYPES.offsetDelta, delta(5, 5, 'x'), backBy(previous.length));
    const entries = [blob];
    while (entries.length < 4_200) entries.push(onPrevious(entries.at(-1) as Buffer));

    await expect(scanPack(packOf(entries), options)).rejects.toMatchObject({ code: 'git-corrupt' });
  });

  it('stops when it is told to', async () => {
    const pack = packOf([
      entry(TYPES.blob, Buffer.alloc(9_000_000)),
      entry(TYPES.blob, Buffer.alloc(9_000_000)),
    ]);
    const assertInTime = () => {
      throw new Error('late');
    };

    await expect(scanPack(pack, { ...options, assertInTime })).rejects.toThrow('late');
  });

  const hidden = entry(TYPES.blob, entry(TYPES.blob, Buffer.alloc(1000)), undefined, { level: 0 });
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['another magic', signed(Buffer.concat([Buffer.from('KCAP'), packOf([blob]).subarray(4, -20)]))],
    ['a wrong checksum', Buffer.concat([packOf([blob]).subarray(0, -1), Buffer.from([0])])],
    ['fewer entries than it counts', packOf([blob], 2)],
    ['more entries than it counts', packOf([blob, blob], 1)],
    [
      'an entry with another size than it declares',
      packOf([entry(TYPES.blob, Buffer.from('hello'), undefined, { declared: 4 })]),
    ],
    [
      'an entry that declares more',
      packOf([entry(TYPES.blob, Buffer.from('hello'), undefined, { declared: 60_000 })]),
    ],
    [
      'a large entry that declares more',
      packOf([entry(TYPES.blob, Buffer.from('hello'), undefined, { declared: 9_000_000 })]),
    ],
    ['an unknown type', packOf([entry(5, Buffer.from('hello'))])],
    ['data that cannot be inflated', packOf([Buffer.concat([Buffer.from([0x35]), Buffer.from('garbage')])])],
    ['a delta before the pack', packOf([entry(TYPES.offsetDelta, delta(5, 5, 'x'), Buffer.from([127]))])],
    ['a delta on itself', packOf([entry(TYPES.offsetDelta, delta(5, 5, 'x'), Buffer.from([0]))])],
    [
      'a delta that ends in its sizes',
      packOf([entry(TYPES.referenceDelta, Buffer.from([0x85]), Buffer.alloc(20))]),
    ],
    [
      'a delta on what is hidden inside an entry',
      packOf([hidden, entry(TYPES.offsetDelta, delta(1000, 5, 'x'), backBy(hidden.length - 9))]),
    ],
  ])('rejects %s', async (_, pack) => {
    await expect(scanPack(pack, options)).rejects.toMatchObject({ code: 'git-corrupt', retryable: false });
  });

  it('rejects or accepts every damaged pack, and never fails otherwise', async () => {
    const whole = packOf([
      blob,
      entry(TYPES.offsetDelta, delta(5, 4, 'there'), backBy(blob.length)),
      entry(TYPES.tree, Buffer.from('x')),
    ]);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 21), fc.nat(255), async (position, byte) => {
        const body = Buffer.from(whole.subarray(0, -20));
        body[position] = byte;

        const outcome = await scanPack(signed(body), options).catch((error: unknown) => error);

        expect(outcome === undefined || outcome instanceof HoldfastError).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
