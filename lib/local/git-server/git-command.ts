import { spawn } from 'node:child_process';
import path from 'node:path';
import { HoldfastError } from '../../model/errors.ts';

/**
 * The environment of every git process that Holdfast starts itself: no system, global or user configuration, no
 * prompts, no hooks of the user's, and nothing of this process's environment but the PATH.
 * `home` need not exist; git 2.30 knows no GIT_CONFIG_GLOBAL and looks there.
 */
export function gitEnvironment(home: string): Readonly<Record<string, string>> {
  return {
    PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: home,
    XDG_CONFIG_HOME: home,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ADVICE: '0',
    LC_ALL: 'C',
  };
}

/**
 * Runs the real git in a directory, as the author "Holdfast", whatever is configured on the machine.
 * @returns standard output, without the last line end
 * @throws HoldfastError `git-refused` with what git said when it fails, credentials of URLs left out
 */
export async function gitCommand(
  directory: string,
  args: readonly string[],
  options: { readonly input?: string | Uint8Array; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const identity = {
    GIT_AUTHOR_NAME: 'Holdfast',
    GIT_AUTHOR_EMAIL: 'holdfast@localhost',
    GIT_COMMITTER_NAME: 'Holdfast',
    GIT_COMMITTER_EMAIL: 'holdfast@localhost',
  };
  const child = spawn('git', [...args], {
    cwd: directory,
    env: { ...gitEnvironment(path.join(directory, '.no-home')), ...identity, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  // git may be done before it has read everything; its exit code says whether that matters.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (error) => reject(gitMissing(error)));
    child.once('close', (exitCode) => resolve(exitCode));
  });
  if (code !== 0) {
    const said = withoutCredentials(Buffer.concat(err).toString('utf8').trim()).slice(0, 2000);
    throw new HoldfastError('git-refused', `git ${args[0] ?? ''} failed with exit code ${code}: ${said}`);
  }
  return Buffer.concat(out).toString('utf8').replace(/\n$/, '');
}

function gitMissing(cause: Error): HoldfastError {
  return new HoldfastError(
    'git-refused',
    'cannot run git: install git 2.30 or newer and put it on the PATH',
    {
      cause,
    },
  );
}

function withoutCredentials(text: string): string {
  return text.replace(/(https?:\/\/)[^\s/@]*@/g, '$1');
}
