import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { HoldfastError } from '../../../model/errors.ts';
import type { StoreContent } from './object-store.ts';

const SCHEMA = 1;
const DEBOUNCE_MS = 50;
/** Of the time, at most about one part in this many goes into writing. */
const SHARE = 5;

/** Keeps the content of the store in a file. Objects in it may be Secrets: the file is readable by its owner only. */
export interface StateFile {
  /** Writes soon; many calls make one write. */
  readonly schedule: () => void;
  /** Resolves when what was there at the call is on disk. @throws when it cannot be written. */
  readonly flush: () => Promise<void>;
}

/**
 * @returns undefined when there is no file yet.
 * @throws HoldfastError `state-schema` when the file is not one of ours: it is never overwritten then.
 */
export async function readStateFile(path: string): Promise<StoreContent | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const refuse = (why: string, cause?: unknown): never => {
    throw new HoldfastError(
      'state-schema',
      `sandbox state ${path}: ${why}; move the file away to start empty`,
      {
        cause,
      },
    );
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which may hold Secrets.
    return refuse('is not JSON');
  }
  const state = parsed as Partial<StoreContent> & { readonly schema?: unknown };
  if (state === null || typeof state !== 'object' || state.schema !== SCHEMA) {
    return refuse(`expected schema ${SCHEMA}`);
  }
  const { resourceVersion, collections } = state;
  if (typeof resourceVersion !== 'number' || collections === undefined) return refuse('is incomplete');
  return { resourceVersion, collections };
}

export function createStateFile(path: string, content: () => StoreContent): StateFile {
  let dirty = false;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let delayMs = DEBOUNCE_MS;

  async function write(): Promise<void> {
    if (!dirty) return;
    dirty = false;
    const started = performance.now();
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(JSON.stringify({ schema: SCHEMA, ...content() }));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      // The whole content is written each time: a large one less often.
      delayMs = Math.max(DEBOUNCE_MS, SHARE * (performance.now() - started));
    } catch (error) {
      dirty = true;
      await rm(temporary, { force: true });
      throw error;
    }
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    writing = writing.catch(() => undefined).then(write);
    return writing;
  }

  return {
    schedule: () => {
      dirty = true;
      // A write that fails stays dirty: the next change tries again, and close reports it.
      timer ??= setTimeout(() => void flush().catch(() => undefined), delayMs).unref();
    },
    flush,
  };
}
