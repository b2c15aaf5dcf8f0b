import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { flood } from '../test/box/flood.ts';
import type { FloodServerAddress, FloodServerReport } from './flood-server.ts';
import { megabytes, milliseconds, type Measurement, type Outcome } from './measure.ts';

const REQUESTS = 20_000;
const CONNECTIONS = 32;
const SIGNED_EVERY = 1_000;
/** What the heap may differ by between a tenth of the flood and its end. */
const FLAT_BYTES = 8 * 1024 * 1024;

/** Unsigned requests as fast as the local endpoint takes them, and signed pushes in between. */
export function measureFlood(): Measurement {
  return {
    name: 'flood',
    title: `${REQUESTS.toLocaleString('en')} unsigned requests at the local HTTP endpoint`,
    async run(): Promise<Outcome> {
      const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-bench-flood-'));
      const server = fork(path.join(import.meta.dirname, 'flood-server.ts'), [directory], {
        execArgv: ['--expose-gc'],
      });
      try {
        const address = await told<FloodServerAddress>(server);
        return await floodOf(server, address);
      } finally {
        const gone = once(server, 'exit');
        if (server.connected) server.send('close');
        await gone;
        await rm(directory, { recursive: true, force: true });
      }
    },
  };
}

async function floodOf(server: ChildProcess, address: FloodServerAddress): Promise<Outcome> {
  const common = { ...address, connections: CONNECTIONS };
  const unsigned = await flood({ ...common, requests: 1_000, signedEvery: Infinity });
  const quiet = await report(server);
  const reports: FloodServerReport[] = [];
  const { wallMs, statuses, signedStatuses } = await flood({
    ...common,
    requests: REQUESTS,
    signedEvery: SIGNED_EVERY,
    onTenth: async () => void reports.push(await report(server)),
  });
  const last = await report(server);
  const heaps = reports.map(({ heapBytes }) => heapBytes);
  const growth = (heaps.at(-1) ?? 0) - (heaps[0] ?? 0);
  const taken = signedStatuses.filter((status) => status === 202).length;
  const refused = statuses['401'] ?? 0;
  const isQuiet = unsigned.statuses['401'] === 1_000 && quiet.secretLookups === 0 && quiet.messages === 0;
  // One look-up serves all signed pushes, and each of them is one message.
  const isMet =
    isQuiet &&
    refused === REQUESTS &&
    taken === signedStatuses.length &&
    last.secretLookups === 1 &&
    last.messages === taken &&
    growth < FLAT_BYTES;
  return {
    rows: [
      {
        what: 'requests a second, 32 at once, server and emulators on the same processors',
        value: String(Math.round(REQUESTS / (wallMs / 1000))),
      },
      { what: 'wall time', value: milliseconds(wallMs) },
      {
        what: 'answers',
        value: Object.entries(statuses)
          .map(([status, count]) => `${count} × ${status}`)
          .join(', '),
      },
      {
        what: 'secret look-ups and messages of the first 1,000, all unsigned',
        value: `${quiet.secretLookups} and ${quiet.messages}`,
      },
      { what: 'signed pushes in between, and accepted', value: `${signedStatuses.length}, ${taken}` },
      {
        what: 'secret look-ups and messages at the end',
        value: `${last.secretLookups} and ${last.messages}`,
      },
      { what: 'heap after each tenth, collected', value: heaps.map(megabytes).join(', ') },
      {
        what: 'resident memory, highest seen',
        value: megabytes(Math.max(...reports.map(({ rssBytes }) => rssBytes))),
      },
    ],
    target: {
      claim: 'no secret look-up, no message, flat memory, and every signed push gets through',
      measured: `${refused} refused, ${taken} of ${signedStatuses.length} pushes taken, heap ${growth < 0 ? '-' : '+'}${megabytes(Math.abs(growth))}`,
      isMet,
    },
  };
}

async function report(server: ChildProcess): Promise<FloodServerReport> {
  const answer = told<FloodServerReport>(server);
  server.send('report');
  return answer;
}

async function told<T>(server: ChildProcess): Promise<T> {
  const settled = new AbortController();
  const { signal } = settled;
  const ended = once(server, 'exit', { signal }).then(([code]) => {
    throw new Error(`the endpoint's process ended with ${String(code)}`);
  });
  try {
    const [message] = (await Promise.race([once(server, 'message', { signal }), ended])) as [T];
    return message;
  } finally {
    ended.catch(() => undefined);
    settled.abort();
  }
}
