import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sha256, type CommitSha } from '../../lib/model/ids.ts';
import { createGitHost } from '../../lib/source/git-host.ts';
import { packCache } from '../../lib/source/pack-cache.ts';
import { gitSecrets, gitWorld } from '../support/git-world.ts';

let directory: string;

beforeEach(async () => {
  directory = path.join(await mkdtemp(path.join(tmpdir(), 'holdfast-cache-')), 'cache');
});

afterEach(() => rm(path.dirname(directory), { recursive: true, force: true }));

const keys = ['a', 'b', 'c', 'd'].map((name) => sha256(name));
const [a = '', b = '', c = ''] = keys;
const kilobyte = (fill: number) => Buffer.alloc(1000, fill);
/** A thousand bytes and a checksum. */
const entryBytes = 1032;

async function usedAt(key: string, seconds: number): Promise<void> {
  await utimes(path.join(directory, `${key}.pack`), seconds, seconds);
}

describe('packCache', () => {
  it('gives back what was stored, also to another process’s cache', async () => {
    await packCache({ directory, maxBytes: 10_000 }).store(a, kilobyte(1));

    const value = await packCache({ directory, maxBytes: 10_000 }).load(a);

    expect(value?.equals(kilobyte(1))).toBe(true);
    expect(await packCache({ directory, maxBytes: 10_000 }).load(b)).toBeUndefined();
  });

  it('evicts what was used longest ago', async () => {
    const cache = packCache({ directory, maxBytes: 2 * entryBytes });
    await cache.store(a, kilobyte(1));
    await cache.store(b, kilobyte(2));
    await usedAt(a, 1000);
    await usedAt(b, 500);

    await cache.store(c, kilobyte(3));

    expect(await cache.load(a)).toBeDefined();
    expect(await cache.load(b)).toBeUndefined();
    expect(await cache.load(c)).toBeDefined();
  });

  it('counts reading as use', async () => {
    const cache = packCache({ directory, maxBytes: 2 * entryBytes });
    await cache.store(a, kilobyte(1));
    await cache.store(b, kilobyte(2));
    await usedAt(a, 500);
    await usedAt(b, 1000);

    await cache.load(a);
    await cache.store(c, kilobyte(3));

    expect(await cache.load(a)).toBeDefined();
    expect(await cache.load(b)).toBeUndefined();
  });

  it('never evicts what is held, and rather keeps nothing new', async () => {
    const cache = packCache({ directory, maxBytes: entryBytes });
    await cache.store(a, kilobyte(1));
    const release = cache.hold(a);

    await cache.store(b, kilobyte(2));
    const whileHeld = [await cache.load(a), await cache.load(b)];
    release();
    release();
    await cache.store(b, kilobyte(2));

    expect(whileHeld.map((value) => value !== undefined)).toEqual([true, false]);
    expect(await cache.load(a)).toBeUndefined();
    expect(await cache.load(b)).toBeDefined();
  });

  it('keeps nothing that is larger than all of it, and evicts nothing for that', async () => {
    const cache = packCache({ directory, maxBytes: 2 * entryBytes });
    await cache.store(a, kilobyte(1));

    await cache.store(b, Buffer.alloc(5000));

    expect(await cache.load(a)).toBeDefined();
    expect(await cache.load(b)).toBeUndefined();
  });

  it.each([
    ['cut short', (file: string) => truncate(file, 500)],
    ['empty', (file: string) => truncate(file, 0)],
    [
      'flipped',
      async (file: string) => {
        const content = await readFile(file);
        content[10] = 99;
        await writeFile(file, content);
      },
    ],
  ])('gives nothing for an entry that is %s, and removes it', async (_, damage) => {
    const cache = packCache({ directory, maxBytes: 10_000 });
    await cache.store(a, kilobyte(1));
    await damage(path.join(directory, `${a}.pack`));

    expect(await cache.load(a)).toBeUndefined();
    expect(await readdir(directory)).toEqual([]);
  });

  it('removes what dead processes left behind while writing, and not what the living write', async () => {
    const { pid: dead } = spawnSync('true');
    await mkdir(directory);
    const left = `${a}.${dead}.aaaaaa.tmp`;
    const old = `${a}.${process.ppid}.bbbbbb.tmp`;
    const living = `${a}.${process.ppid}.cccccc.tmp`;
    for (const name of [left, old, living]) await writeFile(path.join(directory, name), 'half');
    await utimes(path.join(directory, old), 1000, 1000);

    await packCache({ directory, maxBytes: 10_000 }).store(b, kilobyte(1));

    expect((await readdir(directory)).sort()).toEqual([living, `${b}.pack`].sort());
  });

  it('does without a directory that cannot be written', async () => {
    await writeFile(path.join(path.dirname(directory), 'file'), '');
    const cache = packCache({ directory: path.join(path.dirname(directory), 'file', 'x'), maxBytes: 10_000 });

    await cache.store(a, kilobyte(1));

    expect(await cache.load(a)).toBeUndefined();
  });
});

describe('the warm cache of a Git host', () => {
  it('opens a commit again without the server, and fetches it anew when the entry is damaged', async () => {
    const world = await gitWorld();
    const commit = await world.commit({ 'a.yaml': 'a' });
    await world.push('main');
    const open = async (target: CommitSha) => {
      const host = createGitHost({ secrets: gitSecrets({}), cacheDirectory: directory });
      const opened = await host.open(world.source, target);
      const [entry] = await opened.readTree(opened.rootTree);
      const content = Buffer.from(await opened.readBlob(entry?.oid ?? '')).toString();
      await opened.release();
      await host.close();
      return content;
    };
    await open(commit);

    const [file = ''] = await readdir(directory);
    await writeFile(path.join(directory, file), 'damaged');
    const afterDamage = await open(commit);
    await world.close();
    const withoutServer = await open(commit);

    expect([afterDamage, withoutServer]).toEqual(['a', 'a']);
  });

  it('fetches anew when an entry holds another commit', async () => {
    const world = await gitWorld();
    const first = await world.commit({ 'a.yaml': 'first' });
    const second = await world.commit({ 'a.yaml': 'second' });
    await world.push('main');
    const host = createGitHost({ secrets: gitSecrets({}), cacheDirectory: directory });
    await (await host.open(world.source, first)).release();
    const [entryOfFirst = ''] = await readdir(directory);
    await (await host.open(world.source, second)).release();
    const entryOfSecond = (await readdir(directory)).find((name) => name !== entryOfFirst) ?? '';
    await writeFile(path.join(directory, entryOfSecond), await readFile(path.join(directory, entryOfFirst)));

    const opened = await host.open(world.source, second);

    const [entry] = await opened.readTree(opened.rootTree);
    expect(Buffer.from(await opened.readBlob(entry?.oid ?? '')).toString()).toBe('second');
    await host.close();
    await world.close();
  });

  it('fetches a commit once for all who open it at the same time', async () => {
    const world = await gitWorld();
    const commit = await world.commit({ 'a.yaml': 'a' });
    await world.push('main');
    const host = createGitHost({ secrets: gitSecrets({}), cacheDirectory: directory });

    const opened = await Promise.all([1, 2, 3].map(() => host.open(world.source, commit)));
    await opened[0]?.release();
    await opened[0]?.release();

    const tree = await opened[2]?.readTree(opened[2].rootTree);
    expect(tree).toHaveLength(1);
    expect(await readdir(directory)).toHaveLength(1);
    await host.close();
    await world.close();
  });
});
