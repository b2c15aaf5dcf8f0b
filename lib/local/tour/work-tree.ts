import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CommitSha } from '../../model/ids.ts';
import { gitCommand } from '../git-server/git-command.ts';
import type { Files } from './sample-repository.ts';

/** A clone that is edited and pushed from, with the real git. */
export interface WorkTree {
  readonly directory: string;
  /** Writes the files, commits all and pushes to main. */
  push(message: string, files: Files): Promise<CommitSha>;
}

/** @param url of an empty repository */
export async function createWorkTree(directory: string, url: string): Promise<WorkTree> {
  await mkdir(directory, { recursive: true });
  await gitCommand(directory, ['init', '--quiet', '--initial-branch=main']);
  await gitCommand(directory, ['remote', 'add', 'origin', url]);
  return {
    directory,
    async push(message, files) {
      for (const [path, content] of Object.entries(files)) {
        const file = join(directory, path);
        if (content === null) {
          await rm(file, { force: true });
        } else {
          await mkdir(dirname(file), { recursive: true });
          await writeFile(file, content);
        }
      }
      await gitCommand(directory, ['add', '--all']);
      await gitCommand(directory, ['commit', '--quiet', `--message=${message}`]);
      const commit = await gitCommand(directory, ['rev-parse', 'HEAD']);
      await gitCommand(directory, ['push', '--quiet', 'origin', 'HEAD:refs/heads/main']);
      return commit as CommitSha;
    },
  };
}
