import fc from 'fast-check';

import { chooseVersion } from '../../lib/charts/choose-version.ts';
import { readIndex } from '../../lib/charts/helm-index.ts';
import { unpackChart } from '../../lib/charts/unpack-chart.ts';
import { parseRange, parseVersion } from '../../lib/charts/version-range.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { aChart, indexOf } from './chart-world.ts';

const LIMITS = {
  maxArchiveBytes: 1_000_000,
  maxFiles: 100,
  maxFileBytes: 100_000,
  maxUnpackedBytes: 1_000_000,
};

/** Bytes of something whole with some of them changed, taken out or put in. */
function mutated(whole: Buffer) {
  const change = fc.record({
    at: fc.nat(whole.length - 1),
    cut: fc.nat(600),
    put: fc.uint8Array({ maxLength: 600 }),
  });
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) =>
    changes.reduce((bytes, { at, cut, put }) => {
      const place = Math.min(at, bytes.length);
      return Buffer.concat([bytes.subarray(0, place), put, bytes.subarray(place + cut)]);
    }, whole),
  );
}

/** The error, if it is one of ours; anything else fails the test. */
async function refusalOf(work: () => unknown): Promise<HoldfastError | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
}

describe('what comes from a chart repository, damaged at random', () => {
  it('is an index that is read or refused by name', async () => {
    const index = Buffer.from(
      indexOf('web', [
        { version: '1.0.0', digest: 'ab'.repeat(32) },
        { version: '1.1.0-rc.1', url: 'https://cdn.example.com/web.tgz' },
      ]),
    );
    await fc.assert(
      fc.asyncProperty(mutated(index), async (bytes) => {
        const refusal = await refusalOf(() => {
          for (const entry of readIndex(bytes, 'web', 'charts.test') ?? []) {
            expect(typeof entry.version).toBe('string');
          }
        });

        if (refusal !== undefined) expect(refusal.code).toMatch(/^chart-/);
      }),
      { numRuns: 300 },
    );
  });

  it('is an archive that gives files inside the chart, or nothing', async () => {
    const archive = await aChart({ name: 'web', files: { 'templates/a.yaml': 'a: b\n'.repeat(50) } });
    await fc.assert(
      fc.asyncProperty(mutated(archive), async (bytes) => {
        const refusal = await refusalOf(async () => {
          const { files } = await unpackChart(bytes, LIMITS, 'charts.test');

          for (const path of files.paths) expect(path).not.toMatch(/^\/|\\|(?:^|\/)\.\.(?:\/|$)/);
        });

        if (refusal !== undefined) expect(refusal.code).toMatch(/^chart-/);
      }),
      { numRuns: 200 },
    );
  });

  it('is an archive whose tar is damaged inside intact gzip, too', async () => {
    const { gunzipSync, gzipSync } = await import('node:zlib');
    const tar = gunzipSync(await aChart({ name: 'web', files: { 'templates/a.yaml': 'a: b\n' } }));
    await fc.assert(
      fc.asyncProperty(mutated(tar), async (bytes) => {
        const refusal = await refusalOf(async () => {
          const { files } = await unpackChart(gzipSync(bytes, { level: 1 }), LIMITS, 'charts.test');

          for (const path of files.paths) expect(path).not.toMatch(/^\/|\\|(?:^|\/)\.\.(?:\/|$)/);
        });

        if (refusal !== undefined) expect(refusal.code).toMatch(/^chart-/);
      }),
      { numRuns: 300 },
    );
  });
});

describe('ranges of versions, written at random', () => {
  const token = fc.constantFrom(
    ...'0123456789',
    '.',
    'x',
    '*',
    '^',
    '~',
    '>',
    '<',
    '=',
    '!',
    '|',
    '||',
    ',',
    ' ',
    '-',
    '+',
    'v',
    'rc',
    'alpha',
  );
  const range = fc.array(token, { maxLength: 20 }).map((parts) => parts.join(''));

  it('choose one of what there is, or nothing, and never throw', () => {
    const available = ['1.0.0', '1.2.3', 'v2.0.0', '2.1.0-rc.1', 'nonsense', '10.0.0'];
    fc.assert(
      fc.property(range, (text) => {
        const chosen = chooseVersion(available, text);

        if (chosen !== undefined) expect(available).toContain(chosen);
      }),
      { numRuns: 1000 },
    );
  });

  it('hold for every version or none, whatever it is', () => {
    fc.assert(
      fc.property(range, range, (text, version) => {
        const parsed = parseVersion(version);
        const holds = parseRange(text);

        if (parsed !== undefined && holds !== undefined) expect(typeof holds(parsed)).toBe('boolean');
      }),
      { numRuns: 1000 },
    );
  });
});
