import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { type Log, silentLog } from '../model/log.ts';
import { toHttpEvent } from './http-event.ts';
import { invokeFunction, type LocalFunction } from './invocation.ts';
import { closeServer, listenOnLoopback, LOOPBACK, readBody } from './loopback.ts';

export interface HttpApiOptions {
  /** Called for `POST /hooks/{sourceId}`. */
  readonly webhook: LocalFunction<APIGatewayProxyEventV2>;
  /** @default 0, any that is free */
  readonly port?: number;
  /** @default MAX_BODY_BYTES */
  readonly maxBodyBytes?: number;
  readonly log?: Log;
}

export interface HttpApi {
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

/** What Lambda takes in one synchronous call. */
export const MAX_BODY_BYTES = 6 * 1024 * 1024;

const ROUTE = /^\/hooks\/([^/]+)$/;
const ROUTE_KEY = 'POST /hooks/{sourceId}';

/** Stands for API Gateway: loopback HTTP in, Lambda's event out, and the answer back. */
export async function startHttpApi(options: HttpApiOptions): Promise<HttpApi> {
  const log = options.log ?? silentLog;
  const server = createServer((request, response) => {
    serve(options, log, request).then(
      (result) => send(response, result),
      (error: unknown) => {
        log.warn('HTTP request broke off', { error });
        response.destroy();
      },
    );
  });
  const port = await listenOnLoopback(server, options.port ?? 0);
  return { port, url: `http://${LOOPBACK}:${port}`, close: () => closeServer(server) };
}

async function serve(
  options: HttpApiOptions,
  log: Log,
  request: IncomingMessage,
): Promise<APIGatewayProxyStructuredResultV2> {
  const sourceId = matchRoute(request);
  if (sourceId === undefined) {
    request.resume();
    return message(404, 'Not Found');
  }
  const body = await readBody(request, options.maxBodyBytes ?? MAX_BODY_BYTES);
  if (body === undefined) {
    return message(413, 'Request Entity Too Large');
  }
  const event = toHttpEvent(request, body, { routeKey: ROUTE_KEY, pathParameters: { sourceId } });
  const outcome = await invokeFunction(options.webhook, event);
  switch (outcome.kind) {
    case 'failed':
      log.error('webhook function failed', { error: outcome.error });
      return message(500, 'Internal Server Error');
    case 'timed-out':
      log.error('webhook function timed out');
      return message(503, 'Service Unavailable');
    case 'returned':
      return toResult(outcome.value);
  }
}

function matchRoute(request: IncomingMessage): string | undefined {
  if (request.method !== 'POST') {
    return undefined;
  }
  try {
    const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const segment = ROUTE.exec(pathname)?.[1];
    return segment === undefined ? undefined : decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/** API Gateway takes anything without a status code as the body of a 200. */
function toResult(value: unknown): APIGatewayProxyStructuredResultV2 {
  if (typeof value === 'object' && value !== null && 'statusCode' in value) {
    return value as APIGatewayProxyStructuredResultV2;
  }
  return {
    statusCode: 200,
    headers: { 'content-type': 'application/json' },
    body: typeof value === 'string' ? value : (JSON.stringify(value) ?? ''),
  };
}

function message(statusCode: number, text: string): APIGatewayProxyStructuredResultV2 {
  return {
    statusCode,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ message: text }),
  };
}

function send(response: ServerResponse, result: APIGatewayProxyStructuredResultV2): void {
  for (const [name, value] of Object.entries(result.headers ?? {})) {
    response.setHeader(name, String(value));
  }
  response.statusCode = result.statusCode ?? 200;
  response.end(Buffer.from(result.body ?? '', result.isBase64Encoded === true ? 'base64' : 'utf8'));
}
