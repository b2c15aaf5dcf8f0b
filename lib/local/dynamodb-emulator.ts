import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { Readable } from 'node:stream';
import dynalite from 'dynalite';
import { type Log, silentLog } from '../model/log.ts';
import type { AccessKey } from './access-key.ts';
import { closeServer, listenOnLoopback, LOOPBACK, readBody } from './loopback.ts';
import { verifySignature } from './verify-signature.ts';

export interface DynamodbEmulatorOptions {
  /** LevelDB files are kept in it. */
  readonly directory: string;
  readonly accessKey: AccessKey;
  /** @default 0, any that is free */
  readonly port?: number;
  readonly log?: Log;
}

export interface Emulator {
  readonly port: number;
  readonly endpoint: string;
  close(): Promise<void>;
}

/** DynamoDB's own limit. */
const MAX_REQUEST_BYTES = 16 * 1024 * 1024;

/**
 * dynalite on disk, on loopback, behind a check of the access key. What was answered survives a kill -9: LevelDB hands
 * each write to the operating system before it answers.
 */
export async function startDynamodbEmulator(options: DynamodbEmulatorOptions): Promise<Emulator> {
  const log = options.log ?? silentLog;
  // Tables are ready at once: nothing here takes time.
  const inner = dynalite({ path: options.directory, createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  // dynalite never listens itself: its own request handler is called with requests that passed the check.
  const [serve] = inner.listeners('request') as RequestListener[];
  if (serve === undefined) {
    throw new Error('dynalite no longer handles requests the way this version of Holdfast expects');
  }
  const server = createServer((request, response) => {
    admit(options.accessKey, request).then(
      (admitted) => {
        if (admitted.kind === 'refused') {
          response.writeHead(admitted.status, { 'content-type': 'application/x-amz-json-1.0' });
          response.end(JSON.stringify({ __type: admitted.type, message: admitted.reason }));
          return;
        }
        serve(admitted.request, response);
      },
      (error: unknown) => {
        log.warn('request to the DynamoDB emulator broke off', { error });
        response.destroy();
      },
    );
  });
  const port = await listenOnLoopback(server, options.port ?? 0).catch(async (error: unknown) => {
    // Otherwise it goes on opening its files, in a directory that somebody may remove.
    await closeStore(inner);
    throw error;
  });
  return {
    port,
    endpoint: `http://${LOOPBACK}:${port}`,
    async close() {
      await closeServer(server);
      await closeStore(inner);
    },
  };
}

type Admission =
  | { readonly kind: 'admitted'; readonly request: IncomingMessage }
  | { readonly kind: 'refused'; readonly status: number; readonly type: string; readonly reason: string };

async function admit(accessKey: AccessKey, request: IncomingMessage): Promise<Admission> {
  const body = await readBody(request, MAX_REQUEST_BYTES);
  if (body === undefined) {
    return { kind: 'refused', status: 413, type: 'RequestTooLargeException', reason: 'more than 16 MiB' };
  }
  const { method = '', url = '', headers } = request;
  const verdict = await verifySignature(accessKey, { method, url, headers, body });
  if (verdict.kind === 'refused') {
    return { kind: 'refused', status: 400, type: 'UnrecognizedClientException', reason: verdict.reason };
  }
  // dynalite throws out of the process when a client breaks off while it reads, so it reads from memory.
  const replay = Object.assign(Readable.from([body]), { method, url, headers });
  return { kind: 'admitted', request: replay as unknown as IncomingMessage };
}

/** dynalite closes its store with its server, even one that never listened. */
function closeStore(inner: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    const listening = inner.listen(0, LOOPBACK, () => {
      inner.close((error?: Error | null) => (error ? reject(error) : resolve()));
    });
    listening.once('error', reject);
  });
}
