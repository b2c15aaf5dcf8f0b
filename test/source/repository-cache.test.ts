import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sha256, type Digest } from '../../lib/model/ids.ts';
import { createGitHost } from '../../lib/source/git-host.ts';
import { repositoryCache } from '../../lib/source/repository-cache.ts';
import { gitSecrets, gitWorld } from '../support/git-world.ts';

let directory: string;

beforeEach(async () => {
  directory = path.join(await mkdtemp(path.join(tmpdir(), 'holdfast-cache-')), 'cache');
});

afterEach(() => rm(path.dirname(directory), { recursive: true, force: true }));

const keys = ['a', 'b', 'c', 'd'].map((name) => sha256(name));
const [a = '', b = '', c = ''] = keys;
/** One file of two blocks in a directory, which counts as one. */
const entryBytes = 3 * 4096;
const fill =
  (bytes = 8000) =>
  (place: string) =>
    writeFile(path.join(place, 'pack'), Buffer.alloc(bytes));

async function usedAt(key: string, seconds: number): Promise<void> {
  const name = (await readdir(directory)).find((each) => each.startsWith(key)) ?? '';
  await utimes(path.join(directory, name), seconds, seconds);
}

/** Without counting as a use. */
async function kept(): Promise<readonly string[]> {
  const found = (await readdir(directory)).map((name) => keys.indexOf(name.slice(0, 64) as Digest));
  return found.sort().map((index) => 'abcd'[index] ?? '');
}

describe('repositoryCache', () => {
  it('finds what was created, also from another process’s cache', async () => {
    const created = await repositoryCache({ directory, maxBytes: 100_000 }).create(a, fill());

    const cache = repositoryCache({ directory, maxBytes: 100_000 });

    expect(await cache.find(a)).toBe(created);
    expect(await readFile(path.join(created, 'pack'))).toHaveLength(8000);
    expect(await cache.find(b)).toBeUndefined();
  });

  it('evicts what was used longest ago', async () => {
    const cache = repositoryCache({ directory, maxBytes: 2 * entryBytes });
    await cache.create(a, fill());
    await cache.create(b, fill());
    await usedAt(a, 1000);
    await usedAt(b, 500);

    await cache.create(c, fill());

    expect(await kept()).toEqual(['a', 'c']);
  });

  it('counts finding as use', async () => {
    const cache = repositoryCache({ directory, maxBytes: 2 * entryBytes });
    await cache.create(a, fill());
    await cache.create(b, fill());
    await usedAt(a, 500);
    await usedAt(b, 1000);

    await cache.find(a);
    await cache.create(c, fill());

    expect(await kept()).toEqual(['a', 'c']);
  });

  it('never evicts what is held, and comes back to its bound when it is let go', async () => {
    const cache = repositoryCache({ directory, maxBytes: entryBytes });
    const releaseA = cache.hold(a);
    const releaseB = cache.hold(b);
    await cache.create(a, fill());
    await cache.create(b, fill());
    await usedAt(a, 500);
    const whileHeld = await kept();

    await releaseA();
    await releaseA();
    const afterwards = await kept();
    await releaseB();

    expect([whileHeld, afterwards, await kept()]).toEqual([['a', 'b'], ['b'], ['b']]);
  });

  it('keeps what is larger than all of it only as long as it is held, and evicts nothing for that', async () => {
    const cache = repositoryCache({ directory, maxBytes: 2 * entryBytes });
    await cache.create(a, fill());
    const release = cache.hold(b);
    await cache.create(b, fill(50_000));
    const whileHeld = await kept();

    await release();

    expect([whileHeld, await kept()]).toEqual([['a', 'b'], ['a']]);
  });

  it('leaves nothing of an entry that could not be filled', async () => {
    const cache = repositoryCache({ directory, maxBytes: 100_000 });

    const created = cache.create(a, async (place) => {
      await fill()(place);
      throw new Error('broken off');
    });

    await expect(created).rejects.toThrow();
    expect(await readdir(directory)).toEqual([]);
  });

  it('takes the entry of another process that was faster', async () => {
    const cache = repositoryCache({ directory, maxBytes: 100_000 });
    let faster = '';

    const created = await cache.create(a, async (place) => {
      await fill()(place);
      faster = await repositoryCache({ directory, maxBytes: 100_000 }).create(a, fill());
    });

    expect(created).toBe(faster);
    expect(await kept()).toEqual(['a']);
  });

  it('removes what dead processes left behind while writing, and not what the living write', async () => {
    const { pid: dead } = spawnSync('true');
    await mkdir(directory);
    const left = `${a}.${dead}.aaaaaa.tmp`;
    const old = `${a}.${process.ppid}.bbbbbb.tmp`;
    const living = `${a}.${process.ppid}.cccccc.tmp`;
    for (const name of [left, old, living]) {
      await mkdir(path.join(directory, name));
      await fill()(path.join(directory, name));
    }
    await utimes(path.join(directory, old), 1000, 1000);

    await repositoryCache({ directory, maxBytes: 100_000 }).create(b, fill());

    expect((await readdir(directory)).sort()).toEqual([living, `${b}.${entryBytes}.git`].sort());
  });

  it('discards an entry', async () => {
    const cache = repositoryCache({ directory, maxBytes: 100_000 });
    await cache.create(a, fill());

    await cache.discard(a);

    expect([await cache.find(a), await readdir(directory)]).toEqual([undefined, []]);
  });
});

describe('the warm cache of a Git host', () => {
  const damages: readonly (readonly [string, (entry: string) => Promise<void>])[] = [
    ['empty', async (entry) => rm(path.join(entry, 'objects'), { recursive: true })],
    ['without its index', async (entry) => rm(await fileIn(entry, '.idx'))],
    ['with half an index', async (entry) => truncate(await fileIn(entry, '.idx'), 1100)],
    ['with a wrong index', async (entry) => flip(await fileIn(entry, '.idx'), -48)],
    ['without its pack', async (entry) => rm(await fileIn(entry, '.pack'))],
    ['with half a pack', async (entry) => truncate(await fileIn(entry, '.pack'), 100)],
    ['with a wrong pack', async (entry) => flip(await fileIn(entry, '.pack'), 40)],
  ];
  it.each(damages)('fetches anew when the entry is %s, and needs no server otherwise', async (_, damage) => {
    const world = await gitWorld();
    const commit = await world.commit({ 'a.yaml': 'a' });
    await world.push('main');
    const open = async () => {
      const host = createGitHost({ secrets: gitSecrets({}), cacheDirectory: directory });
      const opened = await host.open(world.source, commit);
      const [entry] = await opened.readTree(opened.rootTree);
      const content = Buffer.from(await opened.readBlob(entry?.oid ?? '')).toString();
      await opened.release();
      await host.close();
      return content;
    };
    await open();

    const [name = ''] = await readdir(directory);
    await damage(path.join(directory, name));
    const afterDamage = await open();
    await world.close();
    const withoutServer = await open();

    expect([afterDamage, withoutServer]).toEqual(['a', 'a']);
    expect(await readdir(directory)).toHaveLength(1);
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
    await rm(path.join(directory, entryOfSecond), { recursive: true });
    await cp(path.join(directory, entryOfFirst), path.join(directory, entryOfSecond), { recursive: true });

    const opened = await host.open(world.source, second);

    const [entry] = await opened.readTree(opened.rootTree);
    expect(Buffer.from(await opened.readBlob(entry?.oid ?? '')).toString()).toBe('second');
    await host.close();
    await world.close();
  });

  it('rejects reading on when another process has removed the entry, as worth another try', async () => {
    const world = await gitWorld();
    const commit = await world.commit({ 'a.yaml': 'a' });
    await world.push('main');
    const host = createGitHost({ secrets: gitSecrets({}), cacheDirectory: directory });
    const opened = await host.open(world.source, commit);
    await rm(directory, { recursive: true });

    const tree = opened.readTree(opened.rootTree);

    await expect(tree).rejects.toMatchObject({ code: 'git-unreachable', retryable: true });
    await host.close();
    await world.close();
  });

  it('keeps an open commit whatever the cache may take, and opens it again when it is gone', async () => {
    const world = await gitWorld();
    const commit = await world.commit({ 'a.yaml': 'a' });
    await world.push('main');
    const limits = { cacheBytes: 1 };
    const host = createGitHost({ secrets: gitSecrets({}), cacheDirectory: directory, limits });

    for (const _ of [1, 2]) {
      const opened = await host.open(world.source, commit);
      expect(await opened.readTree(opened.rootTree)).toHaveLength(1);
      await opened.release();
      expect(await readdir(directory)).toEqual([]);
    }

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

async function fileIn(entry: string, ending: string): Promise<string> {
  const packs = path.join(entry, 'objects', 'pack');
  return path.join(packs, (await readdir(packs)).find((name) => name.endsWith(ending)) ?? '');
}

/** @param position from the end, if negative */
async function flip(file: string, position: number): Promise<void> {
  const content = await readFile(file);
  const at = position < 0 ? content.length + position : position;
  content[at] = (content[at] ?? 0) ^ 1;
  await writeFile(file, content);
}
