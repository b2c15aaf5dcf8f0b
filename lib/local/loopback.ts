import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HoldfastError } from '../model/errors.ts';

/** Nothing of local mode is reachable from another machine. */
export const LOOPBACK = '127.0.0.1';

/**
 * Listens on loopback only.
 * @param port 0: any that is free
 * @returns the port
 * @throws HoldfastError `invalid-input` when the port is taken
 */
export async function listenOnLoopback(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException) => reject(portError(port, cause));
    server.once('error', fail);
    server.listen(port, LOOPBACK, () => {
      server.removeListener('error', fail);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

export function portError(port: number, cause: NodeJS.ErrnoException): Error {
  return cause.code === 'EADDRINUSE'
    ? new HoldfastError(
        'invalid-input',
        `port ${port} on ${LOOPBACK} is taken: stop what listens there, or choose another port`,
        { cause },
      )
    : cause;
}

/** Stops listening and cuts what is still connected: keep-alive connections would hold it open. */
export async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.close((error?: NodeJS.ErrnoException | null) =>
      error && error.code !== 'ERR_SERVER_NOT_RUNNING' ? reject(error) : resolve(),
    );
    server.closeAllConnections();
  });
}

/**
 * undefined: it is larger than allowed; the rest is drained unseen, so that the client reads the answer.
 * Rejects when the client goes away.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const parts: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  for await (const chunk of parts) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      request.resume();
      return undefined;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
