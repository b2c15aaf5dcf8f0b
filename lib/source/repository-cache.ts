import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { fromGitLibrary } from './git-errors.ts';

/**
 * Bare repositories, one per fetched commit, in a directory that other processes share and that any process may die in.
 * An entry is filled under a temporary name and renamed when it is complete; its name carries its size.
 */
export interface RepositoryCache {
  /** The directory of a complete entry. Counts as a use. */
  find(key: string): Promise<string | undefined>;
  /**
   * The directory that `fill` has filled, or one that another process has completed meanwhile. Makes room by removing
   * what was used longest ago and is not held.
   * @throws what `fill` throws; HoldfastError `internal` when the disk cannot be written
   */
  create(key: string, fill: (directory: string) => Promise<void>): Promise<string>;
  discard(key: string): Promise<void>;
  /** The entry is not evicted until the function that comes back is called. What never fitted goes then. */
  hold(key: string): () => Promise<void>;
}

export interface RepositoryCacheOptions {
  readonly directory: string;
  readonly maxBytes: number;
}

interface Entry {
  readonly name: string;
  readonly key: string;
  readonly size: number;
  readonly usedAt: number;
}

const ENTRY = /^([0-9a-f]{64})\.(\d+)\.git$/;
const TEMPORARY = /^[0-9a-f]{64}\.(\d+)\.[0-9a-f]+\.tmp$/;
/** Longer than any fetch takes: a process id may have been given to another process since. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;
/** What a small file or a directory takes on most disks. */
const BLOCK_BYTES = 4096;

/** Temporary names in use by this process, whichever of its caches writes them: the others are of a dead one. */
const ours = new Set<string>();

/** @param key 64 hex digits */
export function repositoryCache({ directory, maxBytes }: RepositoryCacheOptions): RepositoryCache {
  const held = new Map<string, number>();
  let crowded = false;
  const placeOf = (name: string) => path.join(directory, name);

  async function find(key: string): Promise<string | undefined> {
    const name = (await names()).find((each) => ENTRY.exec(each)?.[1] === key);
    if (name === undefined) return undefined;
    const now = new Date();
    await utimes(placeOf(name), now, now).catch(() => undefined);
    return placeOf(name);
  }

  async function create(key: string, fill: (directory: string) => Promise<void>): Promise<string> {
    const name = temporaryName(key);
    ours.add(name);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await removeAbandoned();
      await mkdir(placeOf(name), { mode: 0o700 });
      await fill(placeOf(name));
      const complete = placeOf(`${key}.${await sizeOf(placeOf(name))}.git`);
      await rename(placeOf(name), complete).catch(async (error: unknown) => {
        // Another process was faster: a directory is not renamed over one that holds something.
        if ((await find(key)) === undefined) throw error;
      });
      await evict();
      return (await find(key)) ?? complete;
    } catch (error) {
      throw fromGitLibrary(error, directory);
    } finally {
      await rm(placeOf(name), { recursive: true, force: true }).catch(() => undefined);
      ours.delete(name);
    }
  }

  async function discard(key: string): Promise<void> {
    for (const name of await names()) if (ENTRY.exec(name)?.[1] === key) await remove(name, key);
  }

  function hold(key: string): () => Promise<void> {
    held.set(key, (held.get(key) ?? 0) + 1);
    let released = false;
    return async () => {
      if (released) return;
      released = true;
      const left = (held.get(key) ?? 1) - 1;
      if (left === 0) held.delete(key);
      else held.set(key, left);
      if (crowded) await evict();
    };
  }

  /** What is larger than the whole cache is kept only as long as it is held, and nothing else goes for it. */
  async function evict(): Promise<void> {
    const entries = (await entriesByUse()).filter(({ key, size }) => size <= maxBytes || !held.has(key));
    let total = entries.reduce((sum, { size }) => sum + (size > maxBytes ? 0 : size), 0);
    for (const { name, key, size } of entries) {
      if (held.has(key)) continue;
      if (size > maxBytes) await remove(name, key);
      else if (total > maxBytes) {
        await remove(name, key);
        total -= size;
      }
    }
    crowded = total > maxBytes || (await entriesByUse()).some(({ size }) => size > maxBytes);
  }

  async function entriesByUse(): Promise<readonly Entry[]> {
    const entries = await Promise.all(
      (await names()).map(async (name): Promise<readonly Entry[]> => {
        const [, key, size] = ENTRY.exec(name) ?? [];
        const status = await stat(placeOf(name)).catch(() => undefined);
        if (key === undefined || status === undefined) return [];
        return [{ name, key, size: Number(size), usedAt: status.mtimeMs }];
      }),
    );
    return entries.flat().sort((a, b) => a.usedAt - b.usedAt);
  }

  /** Renamed first, so that a process that dies here leaves nothing that looks like an entry. */
  async function remove(name: string, key: string): Promise<void> {
    const doomed = temporaryName(key);
    ours.add(doomed);
    try {
      await rename(placeOf(name), placeOf(doomed));
      await rm(placeOf(doomed), { recursive: true, force: true });
    } catch {
      // Another process has removed it, or will find it as abandoned.
    } finally {
      ours.delete(doomed);
    }
  }

  /** What processes left behind that died while writing or removing. */
  async function removeAbandoned(): Promise<void> {
    for (const name of await names()) {
      const pid = Number(TEMPORARY.exec(name)?.[1]);
      if (Number.isNaN(pid) || ours.has(name)) continue;
      const status = await stat(placeOf(name)).catch(() => undefined);
      const old = status !== undefined && Date.now() - status.mtimeMs > ABANDONED_AFTER_MS;
      if (old || pid === process.pid || !isAlive(pid)) {
        await rm(placeOf(name), { recursive: true, force: true }).catch(() => undefined);
      }
    }
  }

  async function names(): Promise<readonly string[]> {
    return readdir(directory).catch(() => []);
  }

  return { find, create, discard, hold };
}

function temporaryName(key: string): string {
  return `${key}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
}

async function sizeOf(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    entries.map(async (entry) => {
      const { size } = await stat(path.join(entry.parentPath, entry.name));
      return Math.ceil(Math.max(size, 1) / BLOCK_BYTES) * BLOCK_BYTES;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, BLOCK_BYTES);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to someone else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
