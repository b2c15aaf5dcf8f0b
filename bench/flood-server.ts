import { startFloodTarget } from '../test/box/flood.ts';

// A process of its own, so that its memory is the endpoint's and not the flood's. Run with --expose-gc.

export interface FloodServerReport {
  readonly rssBytes: number;
  /** After a collection. */
  readonly heapBytes: number;
  readonly secretLookups: number;
  readonly messages: number;
}

export interface FloodServerAddress {
  readonly url: string;
  readonly hookUrl: string;
  readonly secret: string;
}

const target = await startFloodTarget(process.argv[2] ?? '');
const { url, hookUrl, secret } = target;
process.on('message', (what) => {
  if (what === 'report') void report();
  else void target.close().finally(() => process.disconnect());
});
process.send?.({ url, hookUrl, secret } satisfies FloodServerAddress);

async function report(): Promise<void> {
  const rssBytes = process.memoryUsage.rss();
  globalThis.gc?.();
  const answer: FloodServerReport = {
    rssBytes,
    heapBytes: process.memoryUsage().heapUsed,
    secretLookups: target.secretLookups(),
    messages: await target.messages(),
  };
  process.send?.(answer);
}
