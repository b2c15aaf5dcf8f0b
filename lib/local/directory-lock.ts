import { DatabaseSync } from 'node:sqlite';

export interface DirectoryLock {
  release(): void;
}

/**
 * Takes a lock file for this process. The lock is the operating system's (SQLite's exclusive lock on the file), so that
 * it ends with the process however that ends: a kill -9 leaves nothing stale to be judged by process ids and times, and
 * of two that start at once exactly one gets it.
 * @returns undefined when another process, or this one, holds it
 */
export function acquireLock(path: string): DirectoryLock | undefined {
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (isBusy(error)) {
      return undefined;
    }
    throw error;
  }
  return { release: () => database.close() };
}

/** https://www.sqlite.org/rescode.html#busy */
function isBusy(error: unknown): boolean {
  return (error as { readonly errcode?: number }).errcode === 5;
}
