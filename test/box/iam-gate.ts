import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import type { EmulatorEndpoints } from '../../lib/local/emulators.ts';
import { closeServer, listenOnLoopback, LOOPBACK, readBody } from '../../lib/local/loopback.ts';
import { type Access, isAllowed, type Statement } from './iam.ts';
import { type AwsCall, readCall } from './read-access.ts';

export interface IamGate {
  /** Stands for every AWS endpoint of one function. */
  readonly endpoint: string;
  /** How often each action was asked for. */
  readonly counts: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

export interface IamGateOptions {
  readonly statements: readonly Statement[];
  readonly endpoints: EmulatorEndpoints;
  /** Called for what the function's role does not allow. */
  readonly onDenied: (access: Access) => void;
}

const MAX_REQUEST_BYTES = 64 * 1024 * 1024;

/** The emulators behind the policies of one function's role: what they do not allow is refused as AWS refuses it. */
export async function startIamGate(options: IamGateOptions): Promise<IamGate> {
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    serve(options, counts, request, response).catch(() => response.destroy());
  });
  const port = await listenOnLoopback(server, 0);
  return { endpoint: `http://${LOOPBACK}:${port}`, counts, close: () => closeServer(server) };
}

async function serve(
  options: IamGateOptions,
  counts: Map<string, number>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request, MAX_REQUEST_BYTES);
  if (body === undefined) return deny(response, 's3', 'the request is too large for the box');
  const { method = '', url = '' } = request;
  const target = request.headers['x-amz-target'];
  const call = readCall({ method, url, body, target: typeof target === 'string' ? target : undefined });
  if (call === undefined) {
    options.onDenied({
      action: `${method} ${String(target ?? url)}`,
      resource: 'a service that the box does not have',
    });
    return deny(response, 's3', 'the box does not have this service');
  }
  for (const { action } of call.accesses) counts.set(action, (counts.get(action) ?? 0) + 1);
  const denied = call.accesses.find((access) => !isAllowed(options.statements, access));
  if (denied !== undefined) {
    options.onDenied(denied);
    return deny(response, call.service, `not authorized to perform ${denied.action} on ${denied.resource}`);
  }
  const answer = await forward(options.endpoints[call.service], request, body);
  if (answer.status === 404 && hidesAbsence(call, options.statements)) {
    return deny(response, 's3', 'Access Denied');
  }
  // As it came, but for what belongs to the connection.
  const { connection: _connection, 'transfer-encoding': _encoding, ...headers } = answer.headers;
  response.writeHead(answer.status, headers);
  response.end(answer.body);
}

/** S3 tells that an object is absent only to those who may list the bucket. */
function hidesAbsence(call: AwsCall, statements: readonly Statement[]): boolean {
  const [access] = call.accesses;
  if (call.service !== 's3' || access?.action !== 's3:GetObject') return false;
  const bucket = access.resource.split('/')[0] ?? '';
  return !isAllowed(statements, { action: 's3:ListBucket', resource: bucket });
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** The host that was signed goes along, so that the emulator finds the signature right. */
function forward(endpoint: string, request: IncomingMessage, body: Buffer): Promise<Answer> {
  const { hostname, port } = new URL(endpoint);
  const { 'transfer-encoding': _encoding, ...rest } = request.headers;
  const headers = { ...rest, 'content-length': String(body.byteLength) };
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      { hostname, port, method: request.method, path: request.url, headers },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 500,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

function deny(response: ServerResponse, service: AwsCall['service'], message: string): void {
  if (service === 's3') {
    response.writeHead(403, { 'content-type': 'application/xml' });
    response.end(`<Error><Code>AccessDenied</Code><Message>${message}</Message></Error>`);
    return;
  }
  response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' });
  response.end(JSON.stringify({ __type: 'AccessDeniedException', message }));
}
