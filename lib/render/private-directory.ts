import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';

import { hasEnded, processMark } from './process-mark.ts';
import { assertSafePath } from './tree-index.ts';

const PREFIX = 'holdfast-render-';
/** Files after which others get their turn. */
const WRITTEN_AT_ONCE = 100;
/** Far longer than any render may take: of a process that cannot be asked for, what is older was left behind. */
const ABANDONED_AFTER_MS = 30 * 60_000;

/**
 * Runs `use` with a directory that nobody else can enter (mode 0700) and removes it afterwards, whatever happens. Also
 * removes those that killed processes left behind: in a function the temporary directory outlives a crash.
 */
export async function withPrivateDirectory<T>(
  temporaryDirectory: string,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  await mkdir(temporaryDirectory, { recursive: true });
  await removeAbandoned(temporaryDirectory);
  const directory = await mkdtemp(join(temporaryDirectory, `${PREFIX}${processMark()}-`));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }
}

/** What processes left that have ended: it may hold what was decrypted. */
export async function removeAbandoned(temporaryDirectory: string): Promise<void> {
  const names = await readdir(temporaryDirectory);
  for (const name of names.filter((candidate) => candidate.startsWith(PREFIX))) {
    const path = join(temporaryDirectory, name);
    // Another process may be removing the same one; whoever loses has nothing left to do.
    if (await isAbandoned(path, name.slice(PREFIX.length))) {
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

async function isAbandoned(path: string, mark: string): Promise<boolean> {
  const ended = hasEnded(mark);
  if (ended !== undefined) return ended;
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS;
}

/**
 * Writes files into an empty directory. Exclusive creation: in a fresh tree of regular files nothing can be a symlink,
 * and two paths that a case-insensitive file system folds into one are an error instead of a mix.
 */
export async function materialise(
  directory: string,
  files: Iterable<readonly [path: string, bytes: Uint8Array]>,
): Promise<void> {
  const made = new Set<string>();
  let written = 0;
  for (const [path, bytes] of files) {
    assertSafePath(path);
    const target = join(directory, path);
    const parent = dirname(target);
    if (!made.has(parent)) {
      mkdirSync(parent, { recursive: true, mode: 0o700 });
      made.add(parent);
    }
    // Charts have thousands of small files: waiting for each costs more than writing it.
    writeFileSync(target, bytes, { flag: 'wx', mode: 0o600 });
    written += 1;
    if (written % WRITTEN_AT_ONCE === 0) await yieldToOthers();
  }
}
