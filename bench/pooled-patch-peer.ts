import { Client, Pool } from 'undici';

export interface PatchRequest {
  /** With the query, as the API server takes it. */
  readonly path: string;
  readonly body: string;
}

export interface PeerResult {
  readonly wallMs: number;
  readonly perSecond: number;
  /** How many answers were not 200 or 201; a measurement with any is worthless. */
  readonly refused: number;
}

/**
 * The yardstick of the apply benchmark: the least that a program can do to send the same server-side applies over
 * warm, pooled connections, with nothing judged, retried or recorded. Ratios in bench/README.md are against this.
 *
 * `http1` keeps one connection per concurrent request, `http2` one connection with concurrent streams.
 */
export async function pooledPatchLoop(
  cluster: { readonly endpoint: string; readonly ca?: string; readonly token: string },
  requests: readonly PatchRequest[],
  options: { readonly protocol: 'http1' | 'http2'; readonly concurrency?: number },
): Promise<PeerResult> {
  const concurrency = options.concurrency ?? 16;
  const tls = cluster.ca === undefined ? {} : { ca: cluster.ca };
  const client =
    options.protocol === 'http1'
      ? new Pool(cluster.endpoint, { connections: concurrency, allowH2: false, connect: tls })
      : new Client(cluster.endpoint, { connect: { ...tls, allowH2: true, preferH2: true }, allowH2: true });
  const headers = {
    authorization: `Bearer ${cluster.token}`,
    'content-type': 'application/apply-patch+yaml',
    accept: 'application/json',
  };
  let next = 0;
  let refused = 0;

  async function worker(): Promise<void> {
    for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
      const response = await client.request({
        method: 'PATCH',
        path: request.path,
        headers,
        body: request.body,
      });
      // The answer is what the next baseline is made of, so any honest peer reads and parses it.
      await response.body.json();
      if (response.statusCode >= 300) {
        refused += 1;
      }
    }
  }

  try {
    const warm = await client.request({ method: 'GET', path: '/version', headers });
    await warm.body.dump();
    const start = performance.now();
    await Promise.all(Array.from({ length: concurrency }, worker));
    const wallMs = performance.now() - start;
    return { wallMs, perSecond: (requests.length * 1000) / wallMs, refused };
  } finally {
    await client.close();
  }
}
