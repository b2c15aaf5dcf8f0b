import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gitCommand } from '../../lib/local/git-server/git-command.ts';
import { startGitServer, type GitServer } from '../../lib/local/git-server/git-server.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { CommitSha, SourceId } from '../../lib/model/ids.ts';
import type { Source } from '../../lib/model/source.ts';
import type { SecretStore } from '../../lib/secrets/secret-store.ts';

/** A real Git server with one repository, and a work tree that pushes to it. */
export interface GitWorld {
  readonly directory: string;
  readonly server: GitServer;
  readonly work: string;
  readonly bare: string;
  readonly source: Source;
  /** Read by the server at every request. Change it to rotate a password. */
  readonly accounts: Record<string, string>;
  git(...args: string[]): Promise<string>;
  /** Writes files (null removes one, an object with `link` is a symlink), commits and returns the commit. */
  commit(files: Readonly<Record<string, FileContent>>): Promise<CommitSha>;
  push(...args: string[]): Promise<void>;
  close(): Promise<void>;
}

export type FileContent = string | Uint8Array | null | { readonly link: string };

export async function gitWorld(options: { readonly withAccounts?: boolean } = {}): Promise<GitWorld> {
  const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-git-'));
  const accounts: Record<string, string> = {};
  const server = await startGitServer({
    directory: path.join(directory, 'server'),
    ...(options.withAccounts === true ? { accounts } : {}),
  });
  const repository = await server.createRepository('sample');
  const work = path.join(directory, 'work');
  await mkdir(work);
  const git = (...args: string[]) => gitCommand(work, args);
  await git('init', '--quiet', '--initial-branch=main');
  await git('remote', 'add', 'origin', repository.directory);

  return {
    directory,
    server,
    work,
    bare: repository.directory,
    accounts,
    source: aSource({ url: repository.url }),
    git,
    commit: async (files) => {
      for (const [name, content] of Object.entries(files)) await put(path.join(work, name), content);
      await git('add', '--all');
      await git('commit', '--quiet', '--allow-empty', '-m', 'Change');
      return (await git('rev-parse', 'HEAD')) as CommitSha;
    },
    // Straight into the directory: what the server does with pushes has its own tests.
    push: async (...args) => void (await git('push', '--quiet', 'origin', ...args)),
    close: async () => {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function put(file: string, content: FileContent): Promise<void> {
  await rm(file, { force: true, recursive: content === null });
  if (content === null) return;
  await mkdir(path.dirname(file), { recursive: true });
  if (typeof content === 'object' && 'link' in content) await symlink(content.link, file);
  else await writeFile(file, content);
}

export function aSource(overrides: Partial<Source> = {}): Source {
  return {
    schema: 1,
    id: 'sample' as SourceId,
    url: 'https://git.example.com/sample.git',
    provider: 'generic',
    webhookSecrets: ['sample'],
    allowHttp: true,
    allowPrivateNetwork: true,
    ...overrides,
  };
}

/** Secrets in the role `git`. `cached` is what a look-up without `fresh` still gives. */
export function gitSecrets(
  current: Readonly<Record<string, string>>,
  cached: Readonly<Record<string, string>> = {},
): SecretStore & { readonly reads: { readonly name: string; readonly fresh: boolean }[] } {
  const reads: { name: string; fresh: boolean }[] = [];
  return {
    reads,
    get: async (role, name, options) => {
      const fresh = options?.fresh === true;
      reads.push({ name, fresh });
      const value = role === 'git' ? ((fresh ? undefined : cached[name]) ?? current[name]) : undefined;
      if (value === undefined) throw new HoldfastError('secret-missing', `no secret ${role}/${name}`);
      return value;
    },
    put: async () => undefined,
    delete: async () => undefined,
  };
}
