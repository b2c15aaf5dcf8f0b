import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';

/**
 * Byte values in a directory that other processes share and that any process may die in. A value is one file that
 * carries its own checksum: written under a temporary name, renamed when complete. Losing an entry costs one fetch, so
 * no failure of the disk is an error here.
 */
export interface PackCache {
  /** undefined: not there, or not what was written (it is removed then). Counts as a use. */
  load(key: string): Promise<Buffer | undefined>;
  /** Keeps the value if it fits; makes room by removing what was used longest ago and is not held. */
  store(key: string, value: Buffer): Promise<void>;
  remove(key: string): Promise<void>;
  /** The entry is not evicted until the function that comes back is called. */
  hold(key: string): () => void;
}

export interface PackCacheOptions {
  readonly directory: string;
  readonly maxBytes: number;
}

const CHECKSUM_BYTES = 32;
const ENTRY = /^[0-9a-f]{64}\.pack$/;
const TEMPORARY = /^[0-9a-f]{64}\.(\d+)\.[0-9a-f]+\.tmp$/;
/** Longer than any fetch takes: a process id may have been given to another process since. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

/** @param key 64 hex digits */
export function packCache({ directory, maxBytes }: PackCacheOptions): PackCache {
  const held = new Map<string, number>();
  const writing = new Set<string>();
  const fileOf = (key: string) => path.join(directory, `${key}.pack`);

  async function load(key: string): Promise<Buffer | undefined> {
    const file = fileOf(key);
    const content = await readFile(file).catch(() => undefined);
    if (content === undefined) return undefined;
    const value = content.subarray(0, Math.max(0, content.length - CHECKSUM_BYTES));
    if (content.length < CHECKSUM_BYTES || !checksum(value).equals(content.subarray(-CHECKSUM_BYTES))) {
      await remove(key);
      return undefined;
    }
    const now = new Date();
    await utimes(file, now, now).catch(() => undefined);
    return value;
  }

  async function store(key: string, value: Buffer): Promise<void> {
    const name = `${key}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
    const temporary = path.join(directory, name);
    writing.add(name);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await removeAbandoned();
      const size = value.length + CHECKSUM_BYTES;
      if (!(await makeRoom(size, key))) return;
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      const handle = await open(temporary, flags, 0o600);
      try {
        await handle.writeFile(value);
        await handle.writeFile(checksum(value));
      } finally {
        await handle.close();
      }
      await rename(temporary, fileOf(key));
    } catch {
      // A full or read-only disk: the next time is a fetch again.
      await rm(temporary, { force: true }).catch(() => undefined);
    } finally {
      writing.delete(name);
    }
  }

  async function remove(key: string): Promise<void> {
    await rm(fileOf(key), { force: true }).catch(() => undefined);
  }

  /** false: it does not fit without evicting what is held. */
  async function makeRoom(size: number, key: string): Promise<boolean> {
    const entries = await list();
    let total = entries.reduce((sum, entry) => sum + entry.size, 0);
    const evictable = entries
      .filter((entry) => entry.key !== key && !held.has(entry.key))
      .sort((a, b) => a.usedAt - b.usedAt);
    const unavoidable = total - evictable.reduce((sum, entry) => sum + entry.size, 0);
    if (unavoidable + size > maxBytes) return false;
    for (const entry of evictable) {
      if (total + size <= maxBytes) break;
      await remove(entry.key);
      total -= entry.size;
    }
    return true;
  }

  async function list(): Promise<{ key: string; size: number; usedAt: number }[]> {
    const names = (await readdir(directory)).filter((name) => ENTRY.test(name));
    const entries = await Promise.all(
      names.map(async (name) => {
        const status = await stat(path.join(directory, name)).catch(() => undefined);
        const key = name.slice(0, -'.pack'.length);
        return status === undefined ? [] : [{ key, size: status.size, usedAt: status.mtimeMs }];
      }),
    );
    return entries.flat();
  }

  /** What processes left behind that died while writing. */
  async function removeAbandoned(): Promise<void> {
    for (const name of await readdir(directory)) {
      const pid = Number(TEMPORARY.exec(name)?.[1]);
      if (Number.isNaN(pid) || writing.has(name)) continue;
      const file = path.join(directory, name);
      const status = await stat(file).catch(() => undefined);
      const old = status !== undefined && Date.now() - status.mtimeMs > ABANDONED_AFTER_MS;
      if (old || pid === process.pid || !isAlive(pid)) await rm(file, { force: true });
    }
  }

  function hold(key: string): () => void {
    held.set(key, (held.get(key) ?? 0) + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const left = (held.get(key) ?? 1) - 1;
      if (left === 0) held.delete(key);
      else held.set(key, left);
    };
  }

  return { load, store, remove, hold };
}

function checksum(value: Uint8Array): Buffer {
  return createHash('sha256').update(value).digest();
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
