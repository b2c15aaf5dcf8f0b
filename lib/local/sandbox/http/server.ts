import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { sha256 } from '../../../model/ids.ts';
import { ApiError } from '../api/status.ts';
import type { ApiAnswer, ApiRequest } from './dispatch.ts';
import { type SandboxVerb, verbOf } from './request-info.ts';

const compress = promisify(gzip);
/** As etcd behind a real API server: nothing larger can be stored. */
const BODY_LIMIT = 3 * 1024 * 1024;
const GZIP_FROM = 4096;
const KEEP_ALIVE_MS = 120_000;

export interface SandboxRequest {
  readonly verb: SandboxVerb;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** As sent, without the question mark. */
  readonly query: string;
}

/**
 * What a test does to a request. `delayMs` comes first. `drop: 'before'` cuts the connection and nothing is carried
 * out; `'after'` carries it out and cuts the connection without an answer. `status` answers a failure instead.
 */
export interface SandboxFault {
  readonly delayMs?: number;
  readonly drop?: 'before' | 'after';
  readonly status?: number;
  /** Message of the failure. */
  readonly message?: string;
}

export type FaultHook = (
  request: SandboxRequest,
) => SandboxFault | undefined | Promise<SandboxFault | undefined>;

export interface HttpDeps {
  /** digestOf the two tokens. */
  readonly tokenDigest: Uint8Array;
  readonly readTokenDigest: Uint8Array;
  readonly answer: (request: ApiRequest) => ApiAnswer;
  readonly onRequest: (request: SandboxRequest) => void;
  readonly fault: () => FaultHook | undefined;
}

/** Digests have one length, whatever the tokens have: so comparing them takes one time. */
export function digestOf(token: string): Uint8Array {
  return Buffer.from(sha256(token));
}

/** Listens on the loopback address only. @throws when the port is taken */
export async function listen(
  deps: HttpDeps,
  port: number,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((request, response) => {
    void handle(deps, request, response).catch(() => response.destroy());
  });
  // Longer than any client keeps an idle connection, so that none is cut while a request is on its way.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

async function handle(deps: HttpDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = splitUrl(request.url ?? '/');
  const method = request.method ?? 'GET';
  const mediaType = (request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  const seen: SandboxRequest = { verb: verbOf(method, url.path, mediaType), method, ...url };
  deps.onRequest(seen);
  const fault = (await deps.fault()?.(seen)) ?? {};
  if (fault.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
  if (fault.drop === 'before') return void request.socket.destroy();
  const answer = await answerOf(deps, request, seen, mediaType, fault);
  if (fault.drop === 'after') return void request.socket.destroy();
  await send(request, response, answer);
}

function splitUrl(url: string): { readonly path: string; readonly query: string } {
  const mark = url.indexOf('?');
  return mark < 0 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

async function answerOf(
  deps: HttpDeps,
  request: IncomingMessage,
  seen: SandboxRequest,
  mediaType: string,
  fault: SandboxFault,
): Promise<ApiAnswer> {
  try {
    authorise(deps, request, seen);
    const body = await readBody(request);
    if (fault.status !== undefined) {
      throw new ApiError(fault.status, reasonOf(fault.status), fault.message ?? 'a fault set by a test', {});
    }
    return deps.answer({
      method: seen.method,
      path: seen.path,
      query: new URLSearchParams(seen.query),
      mediaType,
      accept: request.headers.accept ?? '',
      userAgent: request.headers['user-agent'] ?? '',
      body,
    });
  } catch (error) {
    if (error instanceof ApiError) return { status: error.code, body: error.toStatus() };
    // A defect of the sandbox: say so, without anything that may have come from the body.
    const name = error instanceof Error ? error.name : typeof error;
    const failure = new ApiError(500, 'InternalError', `the sandbox cluster failed: ${name}`, {});
    return { status: 500, body: failure.toStatus() };
  }
}

function reasonOf(status: number): string | undefined {
  const reasons: Readonly<Record<number, string>> = {
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'NotFound',
    409: 'Conflict',
    429: 'TooManyRequests',
    500: 'InternalError',
    503: 'ServiceUnavailable',
    504: 'Timeout',
  };
  return reasons[status];
}

function authorise(deps: HttpDeps, request: IncomingMessage, seen: SandboxRequest): void {
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const given = digestOf(token);
  if (timingSafeEqual(given, deps.tokenDigest)) return;
  if (!timingSafeEqual(given, deps.readTokenDigest)) throw new ApiError(401, 'Unauthorized', 'Unauthorized');
  if (['get', 'list', 'discovery'].includes(seen.verb)) return;
  const message = `${seen.path.slice(1)} is forbidden: User "reader" cannot ${seen.verb} here: the token is read-only`;
  throw new ApiError(403, 'Forbidden', message, {});
}

async function readBody(request: IncomingMessage): Promise<string> {
  const tooLarge = (): ApiError =>
    new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${BODY_LIMIT}`, {});
  if (Number(request.headers['content-length'] ?? 0) > BODY_LIMIT) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function send(request: IncomingMessage, response: ServerResponse, answer: ApiAnswer): Promise<void> {
  const text = typeof answer.body === 'string';
  let body = Buffer.from(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
  response.statusCode = answer.status;
  response.setHeader('content-type', text ? 'text/plain; charset=utf-8' : 'application/json');
  response.setHeader('cache-control', 'no-cache, private');
  // A body that was not read would be taken for the next request.
  if (!request.complete) response.setHeader('connection', 'close');
  if (body.length >= GZIP_FROM && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) {
    body = await compress(body, { level: constants.Z_BEST_SPEED });
    response.setHeader('content-encoding', 'gzip');
    response.setHeader('vary', 'Accept-Encoding');
  }
  response.setHeader('content-length', body.length);
  response.end(body);
}
