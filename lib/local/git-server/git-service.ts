import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { gitEnvironment } from './git-command.ts';

export type GitService = 'upload-pack' | 'receive-pack';

export interface ServiceCall {
  readonly directory: string;
  readonly service: GitService;
  /** Value of the Git-Protocol header. */
  readonly protocol: string | undefined;
}

/** Answers `info/refs`: what the repository has and can do. */
export async function advertiseRefs(call: ServiceCall, response: ServerResponse): Promise<void> {
  const child = start(call, ['--advertise-refs']);
  child.stdin.end();
  response.writeHead(200, headers(call, 'advertisement'));
  const banner = `# service=git-${call.service}\n`;
  response.write(`${(banner.length + 4).toString(16).padStart(4, '0')}${banner}0000`);
  await untilDone(child, pipeline(child.stdout, response));
}

/**
 * Hands the request to git and git's answer to the client.
 * @param whenDone runs when git has ended and before the answer does; what it throws is swallowed, the push happened.
 */
export async function runService(
  call: ServiceCall,
  request: IncomingMessage,
  response: ServerResponse,
  whenDone: () => Promise<void> = async () => undefined,
): Promise<void> {
  const child = start(call, []);
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const gzipped = /^(x-)?gzip$/i.test(request.headers['content-encoding'] ?? '');
  const input = gzipped ? pipeline(request, createGunzip(), child.stdin) : pipeline(request, child.stdin);
  // git closes its input early when it refuses a request; its answer says why.
  const sent = input.catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') child.kill('SIGKILL');
  });
  response.writeHead(200, headers(call, 'result'));
  await untilDone(child, pipeline(child.stdout, response, { end: false }));
  await Promise.all([sent, exited]);
  await whenDone().catch(() => undefined);
  response.end();
}

function start(call: ServiceCall, flags: readonly string[]): ChildProcessByStdio<Writable, Readable, null> {
  const protocol = call.protocol === undefined ? {} : { GIT_PROTOCOL: call.protocol };
  return spawn('git', [call.service, '--stateless-rpc', ...flags, call.directory], {
    cwd: call.directory,
    env: { ...gitEnvironment(path.join(call.directory, '.no-home')), ...protocol },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
}

/** A client that went away must not leave a git process behind. */
async function untilDone(
  child: ChildProcessByStdio<Writable, Readable, null>,
  copy: Promise<void>,
): Promise<void> {
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  child.stdin.on('error', () => undefined);
  try {
    await Promise.race([copy, failed]);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

function headers(call: ServiceCall, kind: 'advertisement' | 'result'): Record<string, string> {
  return { 'content-type': `application/x-git-${call.service}-${kind}`, 'cache-control': 'no-cache' };
}
