import { existsSync } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { HoldfastError } from '../model/errors.ts';

export interface Located {
  /** The work tree that holds it; the directory itself where there is none. */
  readonly repository: string;
  /** From there, `.` for the root. */
  readonly path: string;
}

/** @throws HoldfastError `path-missing` */
export async function locateDirectory(given: string): Promise<Located> {
  const place = await realpath(given).catch(() => undefined);
  if (place === undefined) {
    throw new HoldfastError('path-missing', `${given}: no such file or directory`);
  }
  const start = (await stat(place)).isDirectory() ? place : dirname(place);
  let repository = start;
  for (let directory = start; ; directory = dirname(directory)) {
    if (existsSync(join(directory, '.git'))) {
      repository = directory;
      break;
    }
    if (dirname(directory) === directory) break;
  }
  return { repository, path: relative(repository, place).split(sep).join('/') || '.' };
}
