import { fork } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildFunctions, FUNCTION_BUNDLES, type FunctionBundle } from '../scripts/build-functions.ts';
import { type FloodTarget, startFloodTarget } from '../test/box/flood.ts';
import { buildEmptyHandlers } from './empty-handlers.ts';
import {
  alternating,
  type Measurement,
  type Outcome,
  pairedRatio,
  ratioText,
  type Row,
  spread,
} from './measure.ts';

const ROUNDS = 9;
const MOST_RATIO = 1.5;
const MEGABYTE = 1024 * 1024;
const MOST_BYTES: Readonly<Record<FunctionBundle, number>> = {
  webhook: 0.8 * MEGABYTE,
  reconcile: 3 * MEGABYTE,
  'drift-scan': 3 * MEGABYTE,
};

/** Bundle sizes, and the time from the start of a process to its first handled event, beside empty handlers. */
export function measureBundles(): Measurement {
  return {
    name: 'bundles',
    title: 'Function bundles: size, and the first handled event of a fresh process, beside empty handlers',
    async run(): Promise<Outcome> {
      const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-bench-bundles-'));
      const target = await startFloodTarget(path.join(directory, 'aws'));
      try {
        return await measureIn(directory, target);
      } finally {
        await target.close();
        await rm(directory, { recursive: true, force: true });
      }
    },
  };
}

interface Contest {
  readonly title: string;
  readonly event: unknown;
  readonly ours: Contender;
  readonly empty: Contender;
}

interface Contender {
  readonly file: string;
  readonly events: FirstEvent[];
}

/** Milliseconds: since the process was started, and of processor time. */
interface FirstEvent {
  readonly handledMs: number;
  readonly cpuMs: number;
}

async function measureIn(directory: string, target: FloodTarget): Promise<Outcome> {
  const built = await buildFunctions({ directory });
  const empty = await buildEmptyHandlers(directory);
  const contest = (
    title: string,
    bundle: FunctionBundle,
    peer: keyof typeof empty,
    event: unknown,
  ): Contest => ({
    title,
    event,
    ours: { file: path.join(directory, bundle, 'index.mjs'), events: [] },
    empty: { file: empty[peer], events: [] },
  });
  const first = [
    contest('webhook, a delivery for no source', 'webhook', 'webhook', webhookEvent('NO SOURCE', {}, '')),
    contest('reconcile, a batch without messages', 'reconcile', 'reconcile', { Records: [] }),
    contest('drift scan, no clusters (one query each)', 'drift-scan', 'drift-scan', { task: 'drift-scan' }),
  ];
  // Not judged: it does more than its peer on purpose, it verifies.
  const push = contest(
    'webhook, a signed push, beside one request to each service',
    'webhook',
    'push',
    signedPush(target),
  );
  for (const each of [...first, push]) await compete(each, target.environment);

  const sizes = await Promise.all(
    built.map(async ({ name, file }) => ({ name, bytes: (await stat(file)).size })),
  );
  const ratios = first.map((each) => ratioOf(each, 'handledMs'));
  const small = sizes.every(({ name, bytes }) => bytes <= MOST_BYTES[name]);
  const quick = ratios.every((ratio) => ratio <= MOST_RATIO);
  return {
    rows: [...sizes.map(sizeRow), ...[...first, push].flatMap(timeRows)],
    target: {
      claim: `webhook at most 0.8 MB, the others at most 3 MB, each at most ${MOST_RATIO} of the empty handler`,
      measured: `${sizes.map(({ bytes }) => megabytes(bytes)).join(', ')}; ${ratios.map(ratioText).join(', ')}`,
      isMet: small && quick && sizes.length === FUNCTION_BUNDLES.length,
    },
  };
}

async function compete(contest: Contest, environment: FloodTarget['environment']): Promise<void> {
  const { ours, empty, event } = contest;
  const run = async ({ file, events }: Contender): Promise<void> => {
    events.push(await firstEvent(file, event, environment));
  };
  // Once each before it counts: the file cache is then warm for both.
  for (const { file } of [ours, empty]) await firstEvent(file, event, environment);
  await alternating(ROUNDS, [() => run(ours), () => run(empty)]);
}

async function firstEvent(
  file: string,
  event: unknown,
  environment: FloodTarget['environment'],
): Promise<FirstEvent> {
  const child = fork(path.join(import.meta.dirname, 'first-event.ts'), [file, JSON.stringify(event)], {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => {
    throw new Error(`${file} ended with ${String(code)}: ${complaint}`);
  });
  const [message] = (await Promise.race([once(child, 'message'), ended])) as [FirstEvent];
  await ended.catch(() => undefined);
  return message;
}

function webhookEvent(sourceId: string, headers: Readonly<Record<string, string>>, body: string): unknown {
  return {
    version: '2.0',
    routeKey: 'POST /hooks/{sourceId}',
    pathParameters: { sourceId },
    headers,
    requestContext: { http: { sourceIp: '192.0.2.1' } },
    body,
    isBase64Encoded: false,
  };
}

function signedPush({ secret }: FloodTarget): unknown {
  const body = JSON.stringify({ ref: 'refs/heads/main', after: 'a'.repeat(40), deleted: false });
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  const headers = {
    'content-type': 'application/json',
    'x-github-event': 'push',
    'x-hub-signature-256': `sha256=${signature}`,
  };
  return webhookEvent('shop', headers, body);
}

function sizeRow({ name, bytes }: { readonly name: FunctionBundle; readonly bytes: number }): Row {
  return { what: `${name}, bundle`, value: `${megabytes(bytes)} (at most ${megabytes(MOST_BYTES[name])})` };
}

function timeRows(contest: Contest): readonly Row[] {
  const timesOf = ({ events }: Contender): string => spread(events.map(({ handledMs }) => handledMs));
  return [
    { what: `${contest.title}: first event handled after`, value: timesOf(contest.ours) },
    { what: 'empty handler with the same clients', value: timesOf(contest.empty) },
    {
      what: 'ratio, and of processor time',
      value: `${ratioText(ratioOf(contest, 'handledMs'))}, ${ratioText(ratioOf(contest, 'cpuMs'))}`,
    },
  ];
}

function ratioOf({ ours, empty }: Contest, of: keyof FirstEvent): number {
  const values = ({ events }: Contender): readonly number[] => events.map((event) => event[of]);
  return pairedRatio(values(ours), values(empty));
}

function megabytes(bytes: number): string {
  return `${(bytes / MEGABYTE).toFixed(2)} MB`;
}
