import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { closeServer, listenOnLoopback, LOOPBACK, readBody } from '../../lib/local/loopback.ts';

/** What a handler threw, as the runtime reports it. */
export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
}

export type RuntimeOutcome =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly error: FunctionError };

export interface RuntimeApiOptions {
  readonly functionArn: string;
  /** The runtime asks for the next event: it is idle, and Lambda would freeze it now. */
  readonly onIdle?: () => void;
  /** An event is about to be handed over. */
  readonly onWake?: () => void;
}

export interface RuntimeApi {
  /** For AWS_LAMBDA_RUNTIME_API: `host:port`. */
  readonly address: string;
  /** Resolves at the first request for an event; rejects with what the runtime says of its failed start. */
  readonly initialised: Promise<void>;
  /** One at a time, as in an execution environment. */
  invoke(event: unknown, deadlineMs: number): Promise<RuntimeOutcome>;
  /** No process will answer any more: what is under way never ends by itself. */
  close(): Promise<void>;
}

const PREFIX = '/2018-06-01/runtime';
/** Lambda's limit of a synchronous answer. */
const MAX_RESPONSE_BYTES = 6 * 1024 * 1024;

interface Invocation {
  readonly id: string;
  readonly body: string;
  readonly deadlineMs: number;
  readonly settle: (outcome: RuntimeOutcome) => void;
}

/**
 * Lambda's Runtime API for one execution environment.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
export async function startRuntimeApi(options: RuntimeApiOptions): Promise<RuntimeApi> {
  const initialised = Promise.withResolvers<void>();
  // Whoever does not wait for the start learns of its failure by the process that ends.
  initialised.promise.catch(() => undefined);
  let waiting: ServerResponse | undefined;
  let queued: Invocation | undefined;
  let current: Invocation | undefined;

  const handOver = (): void => {
    if (waiting === undefined || queued === undefined) return;
    const response = waiting;
    current = queued;
    waiting = queued = undefined;
    options.onWake?.();
    response.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': current.id,
      'lambda-runtime-deadline-ms': String(current.deadlineMs),
      'lambda-runtime-invoked-function-arn': options.functionArn,
      'lambda-runtime-trace-id': `Root=1-${hexSeconds()}-${randomUUID().replaceAll('-', '').slice(0, 24)};Sampled=0`,
    });
    response.end(current.body);
  };

  const settle = (id: string, outcome: RuntimeOutcome): boolean => {
    if (current?.id !== id) return false;
    const { settle: done } = current;
    current = undefined;
    done(outcome);
    return true;
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? '';
    if (request.method === 'GET' && path === `${PREFIX}/invocation/next`) {
      initialised.resolve();
      waiting = response;
      response.on('close', () => {
        if (waiting === response) waiting = undefined;
      });
      if (queued === undefined) options.onIdle?.();
      handOver();
      return;
    }
    const body = await readBody(request, MAX_RESPONSE_BYTES);
    if (request.method === 'POST' && path === `${PREFIX}/init/error`) {
      const { errorType, errorMessage } = readError(body);
      initialised.reject(new Error(`the function does not start: ${errorType}: ${errorMessage}`));
      return answer(response, 202);
    }
    const [, id, what] = /^\/2018-06-01\/runtime\/invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
    if (request.method !== 'POST' || id === undefined) return answer(response, 404);
    if (body === undefined) {
      const error = { errorType: 'Function.ResponseSizeTooLarge', errorMessage: 'more than 6 MB' };
      return answer(response, settle(id, { kind: 'failed', error }) ? 413 : 400);
    }
    const outcome: RuntimeOutcome =
      what === 'response'
        ? { kind: 'returned', value: readResponse(body) }
        : { kind: 'failed', error: readError(body) };
    answer(response, settle(id, outcome) ? 202 : 400);
  };

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  // An idle environment asks for its next event for as long as it lives.
  server.requestTimeout = 0;
  const port = await listenOnLoopback(server, 0);
  return {
    address: `${LOOPBACK}:${port}`,
    initialised: initialised.promise,
    invoke(event, deadlineMs) {
      if (queued !== undefined || current !== undefined) {
        return Promise.reject(new Error('this execution environment is busy'));
      }
      return new Promise((resolve) => {
        queued = { id: randomUUID(), body: JSON.stringify(event), deadlineMs, settle: resolve };
        handOver();
      });
    },
    async close() {
      waiting?.destroy();
      await closeServer(server);
    },
  };
}

function answer(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ status: status < 300 ? 'OK' : 'error' }));
}

/** A handler that returns nothing answers with an empty body or with null, depending on the runtime. */
function readResponse(body: Buffer): unknown {
  return body.byteLength === 0 ? undefined : JSON.parse(body.toString('utf8'));
}

function readError(body: Buffer | undefined): FunctionError {
  const read = JSON.parse(body?.toString('utf8') || '{}') as Partial<FunctionError>;
  return { errorType: read.errorType ?? 'Unknown', errorMessage: read.errorMessage ?? '' };
}

function hexSeconds(): string {
  return Math.floor(Date.now() / 1000).toString(16);
}
