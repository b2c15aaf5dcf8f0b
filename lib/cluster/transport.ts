import { Pool } from 'undici';
import type { ClusterCredential } from '../model/cluster.ts';
import { parseEndpoint } from './endpoint.ts';
import { KubeError } from './kube-error.ts';
import { errorFromAnswer, type RequestContext } from './kube-status.ts';
import { inflateBounded, readBounded } from './read-body.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 1024 * 1024;
const MAX_THROTTLED_TRIES = 5;
const MAX_READ_TRIES = 3;
const MAX_RETRY_AFTER_MS = 10_000;
/** After a renewal that brought the same refused credential, further 401s fail at once for this long. */
const RENEWAL_PAUSE_MS = 30_000;

export interface TransportRequest {
  readonly method: 'GET' | 'PATCH' | 'POST' | 'DELETE';
  /** Path and query below the endpoint. */
  readonly path: string;
  readonly accept?: string;
  readonly contentType?: string;
  readonly body?: string;
  /** Milliseconds on the monotonic clock (performance.now). */
  readonly deadline?: number;
  readonly context: RequestContext;
  /** A 5xx answer is told at once: whoever asks takes part of an answer too. */
  readonly isImpatient?: boolean;
  /** Called once per request that goes onto the wire, retries included. */
  readonly onSend: () => void;
}

export interface TransportAnswer {
  readonly status: number;
  readonly body: string;
}

export interface Transport {
  /**
   * The answer, if it is a success or one of `accept`ed statuses.
   *
   * Repeats by itself only what cannot have had an effect twice: a request the server throttled (429) or refused as
   * unauthorized (after renewing the credential), and reads whose connection broke or whose server was unavailable.
   *
   * @throws KubeError
   */
  send(request: TransportRequest, pass?: (status: number, body: string) => boolean): Promise<TransportAnswer>;
  close(): Promise<void>;
}

export interface TransportOptions {
  readonly cluster: string;
  readonly endpoint: string;
  /** PEM; absent: the system's roots. */
  readonly caData?: string;
  readonly credential: ClusterCredential;
  /** Fetches the credential afresh after a 401; the same value again means that it is truly refused. */
  readonly renewCredential?: () => Promise<ClusterCredential>;
  /** Asked before every request, for tokens that end by themselves; only tokens are taken from it. */
  readonly currentCredential?: () => Promise<ClusterCredential>;
  readonly requestTimeoutMs?: number;
  readonly userAgent?: string;
  readonly connections?: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  readonly sleep?: (ms: number) => Promise<void>;
}

/**
 * One warm connection to an API server that speaks HTTP/2, with a stream per request; a small pool of HTTP/1.1
 * connections where ALPN offers nothing better, and on plain loopback.
 */
export function createTransport(options: TransportOptions): Transport {
  const { origin, prefix } = parseEndpoint(options.endpoint);
  const now = options.now ?? (() => performance.now());
  const sleep = options.sleep ?? ((ms: number) => new Promise<void>((done) => setTimeout(done, ms)));
  const requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;

  let credential = options.credential;
  let pool = openPool(options, origin, credential);
  let renewal: Promise<boolean> | undefined;
  let renewalPausedUntil = Number.NEGATIVE_INFINITY;
  const retired: Pool[] = [];
  let closed = false;

  async function send(
    request: TransportRequest,
    pass: (status: number, body: string) => boolean = () => false,
  ): Promise<TransportAnswer> {
    const isRead = request.method === 'GET';
    let renewed = false;
    for (let attempt = 1; ; attempt += 1) {
      const current = await options.currentCredential?.();
      if (current !== undefined && 'token' in current) credential = current;
      const usedCredential = credential;
      let answer: TransportAnswer & { readonly retryAfterMs: number | undefined };
      try {
        answer = await once(request);
      } catch (error) {
        const failure = error instanceof KubeError ? error : unreachable(request, error);
        // A timeout is not repeated here: the caller's deadline is the better judge of what it still has time for.
        if (isRead && isBrokenConnection(error) && attempt < MAX_READ_TRIES && !isPast(request, 50)) {
          await sleep(50 * attempt);
          continue;
        }
        throw failure;
      }
      if ((answer.status >= 200 && answer.status < 300) || pass(answer.status, answer.body)) {
        return answer;
      }
      if (answer.status === 401 && !renewed && (await renew(usedCredential))) {
        renewed = true;
        continue;
      }
      const waitMs = retryWaitMs(answer, isRead && request.isImpatient !== true, attempt);
      if (waitMs === undefined || isPast(request, waitMs)) {
        throw withoutCredential(errorFromAnswer(request.context, answer.status, answer.body), usedCredential);
      }
      await sleep(waitMs);
    }
  }

  async function once(
    request: TransportRequest,
  ): Promise<TransportAnswer & { readonly retryAfterMs: number | undefined }> {
    if (closed) {
      throw new KubeError('kube-unreachable', `${describe(request)}: the connection was closed`, {
        retryable: true,
      });
    }
    const leftMs = request.deadline === undefined ? requestTimeoutMs : request.deadline - now();
    if (leftMs <= 0) {
      throw new KubeError('kube-unreachable', `${describe(request)}: not sent, the deadline has passed`, {
        retryable: true,
      });
    }
    const timeoutMs = Math.min(leftMs, requestTimeoutMs);
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(new RequestTimeout(timeoutMs)), timeoutMs);
    try {
      request.onSend();
      const response = await pool.request({
        method: request.method,
        path: `${prefix}${request.path}`,
        headers: headersOf(request),
        body: request.body ?? null,
        signal: abort.signal,
      });
      const limit = response.statusCode < 300 ? MAX_RESPONSE_BYTES : MAX_ERROR_BYTES;
      const raw = await readBounded(response.body, limit, describe(request));
      const isGzip = response.headers['content-encoding'] === 'gzip';
      const body = isGzip ? await inflateBounded(raw, limit, describe(request)) : raw;
      return {
        status: response.statusCode,
        body: body.toString('utf8'),
        retryAfterMs: retryAfterMs(response.headers['retry-after']),
      };
    } finally {
      clearTimeout(timer);
    }
  }

  function headersOf(request: TransportRequest): Record<string, string> {
    return {
      accept: request.accept ?? 'application/json',
      'accept-encoding': 'gzip',
      'user-agent': options.userAgent ?? 'holdfast',
      ...(request.contentType === undefined ? {} : { 'content-type': request.contentType }),
      ...('token' in credential ? { authorization: `Bearer ${credential.token}` } : {}),
    };
  }

  /** Whether there is another credential to try with. Concurrent 401s share one look-up. */
  async function renew(refused: ClusterCredential): Promise<boolean> {
    if (refused !== credential) {
      return true;
    }
    if (options.renewCredential === undefined || now() < renewalPausedUntil) {
      return false;
    }
    renewal ??= renewOnce(refused, options.renewCredential).finally(() => {
      renewal = undefined;
    });
    return renewal;
  }

  async function renewOnce(
    refused: ClusterCredential,
    fetchCredential: () => Promise<ClusterCredential>,
  ): Promise<boolean> {
    const fresh = await fetchCredential();
    if (JSON.stringify(fresh) === JSON.stringify(refused)) {
      renewalPausedUntil = now() + RENEWAL_PAUSE_MS;
      return false;
    }
    if (!('token' in fresh) || !('token' in refused)) {
      // Client certificates belong to the connection. The old pool still carries requests: it is closed at the end.
      retired.push(pool);
      pool = openPool(options, origin, fresh);
    }
    credential = fresh;
    return true;
  }

  function isPast(request: TransportRequest, aheadMs: number): boolean {
    return request.deadline !== undefined && now() + aheadMs >= request.deadline;
  }

  async function close(): Promise<void> {
    closed = true;
    await Promise.all([pool, ...retired].map((each) => each.destroy()));
  }

  return { send, close };
}

class RequestTimeout extends Error {
  constructor(ms: number) {
    super(`no complete answer within ${Math.ceil(ms)} ms`);
    this.name = 'RequestTimeout';
  }
}

function openPool(options: TransportOptions, origin: string, credential: ClusterCredential): Pool {
  return new Pool(origin, {
    connections: options.connections ?? 16,
    allowH2: true,
    keepAliveTimeout: 30_000,
    // The request's own timer is the one that counts, also while a body trickles.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: CONNECT_TIMEOUT_MS,
      ...(options.caData === undefined ? {} : { ca: options.caData }),
      ...('token' in credential ? {} : { cert: credential.clientCertificate, key: credential.clientKey }),
    },
  });
}

function retryWaitMs(
  answer: { readonly status: number; readonly retryAfterMs: number | undefined },
  isRepeatable: boolean,
  attempt: number,
): number | undefined {
  const { status, retryAfterMs: askedMs } = answer;
  const backoffMs = Math.random() * 200 * 2 ** attempt;
  if (status === 429 && attempt < MAX_THROTTLED_TRIES) {
    return Math.min(askedMs ?? backoffMs, MAX_RETRY_AFTER_MS);
  }
  const isUnavailable = status === 502 || status === 503 || status === 504;
  if (isRepeatable && isUnavailable && attempt < MAX_READ_TRIES) {
    return Math.min(askedMs ?? backoffMs, MAX_RETRY_AFTER_MS);
  }
  return undefined;
}

function retryAfterMs(header: string | string[] | undefined): number | undefined {
  const seconds = Number(Array.isArray(header) ? header[0] : header);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

function describe(request: TransportRequest): string {
  return `${request.context.what} on cluster "${request.context.cluster}"`;
}

function unreachable(request: TransportRequest, error: unknown): KubeError {
  // Only the kind of the failure is told: undici's messages name hosts, and Node's may quote what was received.
  const code = codeOf(error);
  const why =
    error instanceof RequestTimeout
      ? error.message
      : code !== undefined && (code.startsWith('ERR_TLS') || code.includes('CERT'))
        ? `the server's certificate is not accepted (${code}): check the registered CA and endpoint`
        : `no answer (${code ?? (error instanceof Error ? error.name : typeof error)})`;
  return new KubeError('kube-unreachable', `${describe(request)}: ${why}`, { retryable: true, cause: error });
}

function isBrokenConnection(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET' || code === 'ECONNREFUSED';
}

function codeOf(error: unknown): string | undefined {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string') {
    return error.code;
  }
  return undefined;
}

/** Some servers and webhooks quote request headers in what they answer. */
function withoutCredential(error: KubeError, credential: ClusterCredential): KubeError {
  const secret = 'token' in credential ? credential.token : credential.clientKey;
  if (secret === '' || !error.message.includes(secret)) {
    return error;
  }
  return new KubeError(error.code, error.message.replaceAll(secret, '[credential]'), {
    ...(error.status === undefined ? {} : { status: error.status }),
    ...(error.reason === undefined ? {} : { reason: error.reason }),
    conflicts: error.conflicts,
    retryable: error.retryable,
  });
}
