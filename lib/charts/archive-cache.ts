import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * Archives of charts by their digest, in a directory that other processes share and that any process may die in. What it
 * cannot keep it does not keep: a chart that was fetched is there without it.
 */
export interface ArchiveCache {
  /** The archive, compared with its digest again; what differs goes. @param digest `sha256:…` */
  find(digest: string): Promise<Buffer | undefined>;
  keep(digest: string, archive: Buffer): Promise<void>;
}

export interface ArchiveCacheOptions {
  readonly directory: string;
  /** What was used longest ago goes first. */
  readonly maxBytes: number;
  /** Nothing larger is read. */
  readonly maxArchiveBytes: number;
}

const ENTRY = /^[0-9a-f]{64}\.tgz$/;
const TEMPORARY = /^[0-9a-f]{64}\.[0-9a-f]+\.tmp$/;
/** Longer than any write takes. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

export function archiveCache({ directory, maxBytes, maxArchiveBytes }: ArchiveCacheOptions): ArchiveCache {
  const placeOf = (name: string) => path.join(directory, name);
  const entryOf = (digest: string) => placeOf(`${digest.replace(/^sha256:/, '')}.tgz`);

  async function find(digest: string): Promise<Buffer | undefined> {
    const file = entryOf(digest);
    try {
      if ((await stat(file)).size > maxArchiveBytes) return undefined;
      const archive = await readFile(file);
      if (digestOf(archive) === digest) {
        const now = new Date();
        await utimes(file, now, now).catch(() => undefined);
        return archive;
      }
      await rm(file, { force: true });
    } catch {
      // Not there, or not to be read: it is fetched.
    }
    return undefined;
  }

  async function keep(digest: string, archive: Buffer): Promise<void> {
    if (archive.length > maxBytes) return;
    const file = entryOf(digest);
    const temporary = file.replace(/\.tgz$/, `.${randomBytes(6).toString('hex')}.tmp`);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await writeFile(temporary, archive, { mode: 0o600, flag: 'wx' });
      await rename(temporary, file);
      await evict(path.basename(file));
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined);
    }
  }

  async function evict(newest: string): Promise<void> {
    const files = await Promise.all(
      (await readdir(directory)).map(async (name) => {
        const status = await stat(placeOf(name)).catch(() => undefined);
        return status === undefined ? [] : [{ name, size: status.size, usedAt: status.mtimeMs }];
      }),
    );
    const entries = files
      .flat()
      .filter(({ name }) => ENTRY.test(name))
      .sort((a, b) => a.usedAt - b.usedAt);
    let total = entries.reduce((sum, { size }) => sum + size, 0);
    for (const { name, size } of entries) {
      if (total <= maxBytes) break;
      if (name === newest) continue;
      await rm(placeOf(name), { force: true });
      total -= size;
    }
    for (const { name, usedAt } of files.flat()) {
      const abandoned = TEMPORARY.test(name) && Date.now() - usedAt > ABANDONED_AFTER_MS;
      if (abandoned) await rm(placeOf(name), { force: true });
    }
  }

  return { find, keep };
}

/** `sha256:…` */
export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
