import { createHash, timingSafeEqual } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { HoldfastError } from '../../model/errors.ts';
import { gitCommand } from './git-command.ts';
import { advertiseRefs, runService, type GitService } from './git-service.ts';

/** One ref that a push really changed; all zeros stand for "was not there" and "is gone". */
export interface RefUpdate {
  readonly ref: string;
  readonly before: string;
  readonly after: string;
}

export interface GitServerOptions {
  /** Holds the bare repositories, `<name>.git` each. */
  readonly directory: string;
  /** 0 or absent: any free one. */
  readonly port?: number;
  /** Basic authentication, user name → password; read at every request. Absent: everyone. */
  readonly accounts?: Readonly<Record<string, string>>;
  /** Called after a push that changed something and before git's answer ends; what it throws does not fail the push. */
  readonly onPush?: (repository: string, updates: readonly RefUpdate[]) => void | Promise<void>;
}

export interface GitServer {
  /** http://127.0.0.1:<port>; a repository is at `<url>/<name>.git`. */
  readonly url: string;
  /** Makes a bare repository, or finds it when it is already there. */
  createRepository(name: string): Promise<{ readonly url: string; readonly directory: string }>;
  close(): Promise<void>;
}

const NO_OBJECT = '0'.repeat(40);
const REPOSITORY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/**
 * Bare repositories over smart HTTP on loopback, served by the git that is installed (2.30 or newer).
 * @throws HoldfastError `git-refused` where there is no git
 */
export async function startGitServer(options: GitServerOptions): Promise<GitServer> {
  await mkdir(options.directory, { recursive: true });
  await gitCommand(options.directory, ['--version']);
  const pushes = new Map<string, Promise<void>>();
  const server = createServer((request, response) => {
    answer(options, pushes, request, response).catch(() => {
      if (!response.headersSent) respond(response, 500, 'the Git server failed');
      else response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    createRepository: async (name) => {
      const directory = await createRepository(options.directory, name);
      return { url: `${url}/${name}.git`, directory };
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function createRepository(parent: string, name: string): Promise<string> {
  if (!REPOSITORY_NAME.test(name) || name.endsWith('.git')) {
    throw new HoldfastError(
      'invalid-input',
      `repository name "${name}": use letters, digits, dots, dashes and underscores, without ".git"`,
    );
  }
  const directory = path.join(parent, `${name}.git`);
  if (existsSync(path.join(directory, 'HEAD'))) return directory;
  // An empty template: no sample hooks, and none of the machine's own.
  await gitCommand(parent, ['init', '--quiet', '--bare', '--template=', '--initial-branch=main', directory]);
  // The wanted commit may be no tip any more when it is fetched.
  await gitCommand(directory, ['config', 'uploadpack.allowAnySHA1InWant', 'true']);
  // A collection in the background would outlive the server.
  await gitCommand(directory, ['config', 'receive.autogc', 'false']);
  await gitCommand(directory, ['config', 'gc.auto', '0']);
  return directory;
}

async function answer(
  options: GitServerOptions,
  pushes: Map<string, Promise<void>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  const [, file = '', ...rest] = url.pathname.split('/');
  const name = file.endsWith('.git') ? file.slice(0, -'.git'.length) : '';
  const directory = path.join(options.directory, `${name}.git`);
  if (options.accounts !== undefined && !authenticated(options.accounts, request.headers.authorization)) {
    response.setHeader('www-authenticate', 'Basic realm="holdfast", charset="UTF-8"');
    return respond(response, 401, 'authentication required');
  }
  if (!REPOSITORY_NAME.test(name) || !existsSync(path.join(directory, 'HEAD'))) {
    return respond(response, 404, 'no such repository');
  }
  const protocol = protocolOf(request);
  const endpoint = rest.join('/');
  if (request.method === 'GET' && endpoint === 'info/refs') {
    const service = serviceOf(url.searchParams.get('service'));
    if (service === undefined) return respond(response, 403, 'only smart HTTP is served');
    return advertiseRefs({ directory, service, protocol }, response);
  }
  const service = serviceOf(endpoint);
  if (request.method !== 'POST' || service === undefined) return respond(response, 404, 'not found');
  if (service === 'upload-pack') return runService({ directory, service, protocol }, request, response);
  // One push at a time per repository, so that before and after tell what this one changed.
  const earlier = pushes.get(name) ?? Promise.resolve();
  const current = earlier.then(() => receivePush(options, { name, directory, protocol }, request, response));
  const settled = current.catch(() => undefined);
  pushes.set(name, settled);
  await current;
  if (pushes.get(name) === settled) pushes.delete(name);
}

async function receivePush(
  options: GitServerOptions,
  repository: { readonly name: string; readonly directory: string; readonly protocol: string | undefined },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { directory, protocol } = repository;
  const before = await refsOf(directory);
  await runService({ directory, service: 'receive-pack', protocol }, request, response, async () => {
    const updates = changes(before, await refsOf(directory));
    if (updates.length > 0) await options.onPush?.(repository.name, updates);
  });
}

async function refsOf(directory: string): Promise<ReadonlyMap<string, string>> {
  const lines = await gitCommand(directory, ['for-each-ref', '--format=%(objectname) %(refname)']);
  return new Map(
    lines
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => [line.slice(line.indexOf(' ') + 1), line.slice(0, line.indexOf(' '))]),
  );
}

function changes(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): RefUpdate[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .map((ref) => ({ ref, before: before.get(ref) ?? NO_OBJECT, after: after.get(ref) ?? NO_OBJECT }))
    .filter((update) => update.before !== update.after);
}

function serviceOf(name: string | null): GitService | undefined {
  if (name === 'git-upload-pack') return 'upload-pack';
  return name === 'git-receive-pack' ? 'receive-pack' : undefined;
}

/** The value goes into an environment variable of git, so only what git itself sends is let through. */
function protocolOf(request: IncomingMessage): string | undefined {
  const value = request.headers['git-protocol'];
  return typeof value === 'string' && /^version=[0-2]$/.test(value) ? value : undefined;
}

function authenticated(accounts: Readonly<Record<string, string>>, header: string | undefined): boolean {
  const given = /^Basic (.+)$/i.exec(header ?? '')?.[1];
  if (given === undefined) return false;
  const hash = (text: string) => createHash('sha256').update(text).digest();
  const presented = hash(Buffer.from(given, 'base64').toString('utf8'));
  return Object.entries(accounts).some(([user, password]) =>
    timingSafeEqual(presented, hash(`${user}:${password}`)),
  );
}

function respond(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' });
  response.end(`${text}\n`);
}
