import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { archiveCache } from '../../lib/charts/archive-cache.ts';
import { digestOf, hexOf } from './chart-world.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-archives-'));
});

afterEach(() => rm(directory, { recursive: true }));

const archiveOf = (name: string, size = 100): Buffer => Buffer.alloc(size, name);
const cacheOf = (maxBytes = 1_000, maxArchiveBytes = 500) =>
  archiveCache({ directory, maxBytes, maxArchiveBytes });

/** As if it had been used that long ago. */
async function age(archive: Buffer, seconds: number): Promise<void> {
  const then = new Date(Date.now() - seconds * 1_000);
  await utimes(path.join(directory, `${hexOf(archive)}.tgz`), then, then);
}

describe('the cache of archives', () => {
  it('gives back what it was given, also to another process', async () => {
    const archive = archiveOf('a');

    await cacheOf().keep(digestOf(archive), archive);

    expect(await cacheOf().find(digestOf(archive))).toEqual(archive);
    expect(await cacheOf().find(digestOf(archiveOf('b')))).toBeUndefined();
  });

  it('removes what was used longest ago when it is full', async () => {
    const cache = cacheOf(250);
    const [old, used, fresh] = [archiveOf('a'), archiveOf('b'), archiveOf('c')];
    for (const archive of [used, old]) await cache.keep(digestOf(archive), archive);
    await age(used, 200);
    await age(old, 100);

    await cache.find(digestOf(used));
    await cache.keep(digestOf(fresh), fresh);

    expect(await cache.find(digestOf(old))).toBeUndefined();
    expect(await cache.find(digestOf(used))).toEqual(used);
    expect(await cache.find(digestOf(fresh))).toEqual(fresh);
  });

  it('keeps nothing that is larger than itself, and removes nothing for it', async () => {
    const cache = cacheOf(250);
    const [small, large] = [archiveOf('a'), archiveOf('b', 300)];
    await cache.keep(digestOf(small), small);

    await cache.keep(digestOf(large), large);

    expect(await cache.find(digestOf(large))).toBeUndefined();
    expect(await cache.find(digestOf(small))).toEqual(small);
  });

  it('gives nothing that was changed, cut or blown up, and forgets it', async () => {
    const archive = archiveOf('a');
    const file = path.join(directory, `${hexOf(archive)}.tgz`);
    for (const content of [archiveOf('b'), archive.subarray(0, 50), Buffer.alloc(0)]) {
      await writeFile(file, content);
      expect(await cacheOf().find(digestOf(archive))).toBeUndefined();
      expect(await readdir(directory)).toEqual([]);
    }

    await writeFile(file, archiveOf('a', 600));

    expect(await cacheOf().find(digestOf(archive))).toBeUndefined();
  });

  it('removes what dead processes left, and nothing that is not its own', async () => {
    const archive = archiveOf('a');
    const names = [`${'a'.repeat(64)}.0123456789ab.tmp`, `${'b'.repeat(64)}.0123456789ab.tmp`, 'README'];
    for (const name of names) await writeFile(path.join(directory, name), 'x');
    const longAgo = new Date(Date.now() - 2 * 3_600_000);
    for (const name of [names[0], names[2]]) {
      await utimes(path.join(directory, name ?? ''), longAgo, longAgo);
    }

    await cacheOf(100).keep(digestOf(archive), archive);

    expect((await readdir(directory)).sort()).toEqual([names[1], `${hexOf(archive)}.tgz`, 'README'].sort());
  });

  it('takes the same archive from many at once', async () => {
    const archive = archiveOf('a');
    const caches = Array.from({ length: 8 }, () => cacheOf());

    await Promise.all(caches.map((cache) => cache.keep(digestOf(archive), archive)));

    expect(await readdir(directory)).toEqual([`${hexOf(archive)}.tgz`]);
    expect(await cacheOf().find(digestOf(archive))).toEqual(archive);
  });
});
