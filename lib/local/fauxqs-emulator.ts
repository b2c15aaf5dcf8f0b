import { mkdir } from 'node:fs/promises';
import { type BuildAppOptions, buildApp } from 'fauxqs';
import { type Log, silentLog } from '../model/log.ts';
import type { AccessKey } from './access-key.ts';
import type { Emulator } from './dynamodb-emulator.ts';
import { LOOPBACK, portError } from './loopback.ts';
import { verifySignature } from './verify-signature.ts';

export interface FauxqsEmulatorOptions {
  /** SQLite files are kept in it. */
  readonly directory: string;
  readonly accessKey: AccessKey;
  /** @default 0, any that is free */
  readonly port?: number;
  readonly log?: Log;
}

type Stores = NonNullable<BuildAppOptions['stores']>;

/** What of fauxqs is used beside its public `buildApp`; checked when it is loaded. */
interface FauxqsParts {
  readonly SqsStore: new () => Stores['sqsStore'];
  readonly SnsStore: new () => Stores['snsStore'];
  readonly S3Store: new () => Stores['s3Store'];
  readonly PersistenceManager: new (directory: string) => Persistence;
}

interface Persistence {
  load(sqs: Stores['sqsStore'], sns: Stores['snsStore'], s3: Stores['s3Store']): void;
  close(): void;
}

/**
 * SQS and S3 by fauxqs, on disk and on loopback, behind a check of the access key. Every change is in SQLite before it
 * is answered, so what was answered survives a kill -9: ready, delayed and in flight.
 *
 * fauxqs's own `startFauxqs` listens on every interface and asks for no key, so its parts are put together here the way
 * it does it.
 */
export async function startFauxqsEmulator(options: FauxqsEmulatorOptions): Promise<Emulator> {
  const log = options.log ?? silentLog;
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const parts = await loadFauxqsParts();
  const stores: Stores = {
    sqsStore: new parts.SqsStore(),
    snsStore: new parts.SnsStore(),
    s3Store: new parts.S3Store(),
  };
  const persistence = new parts.PersistenceManager(options.directory);
  // Loaded before it is attached: a load that writes through would delete what it has not read yet.
  persistence.load(stores.sqsStore, stores.snsStore, stores.s3Store);
  for (const queue of stores.sqsStore.allQueues()) {
    Object.assign(queue, { persistence });
  }
  for (const store of Object.values(stores)) {
    Object.assign(store, { persistence });
  }

  const app = buildApp({ logger: false, defaultRegion: 'us-east-1', stores });
  app.addHook('onRequest', async (request, reply) => {
    const { method, originalUrl: url, headers } = request;
    // The body's hash is among what is signed; the body itself is still on the wire.
    const verdict = await verifySignature(options.accessKey, { method, url, headers });
    if (verdict.kind === 'refused') {
      log.warn('request to the SQS and S3 emulator refused', { reason: verdict.reason });
      await reply.code(403).send({ __type: 'AccessDeniedException', message: verdict.reason });
    }
  });
  app.addHook('preHandler', async (request, reply) => {
    if (losesMessage(request.headers['x-amz-target'], request.body)) {
      const message = 'VisibilityTimeout 0 is not supported by the local emulator: it would lose the message';
      await reply.code(400).send({ __type: 'com.amazonaws.sqs#UnsupportedOperation', message });
    }
  });
  app.addHook('onClose', async () => persistence.close());
  const port = await listen(app, options.port ?? 0);
  return { port, endpoint: `http://${LOOPBACK}:${port}`, close: () => app.close() };
}

/** fauxqs 2.4.1 with persistence: ChangeMessageVisibility(0) fails half way, after the message left the queue. */
function losesMessage(target: string | readonly string[] | undefined, body: unknown): boolean {
  if (!String(target).startsWith('AmazonSQS.ChangeMessageVisibility')) {
    return false;
  }
  const { Entries: entries = [body] } = body as { readonly Entries?: readonly unknown[] };
  return entries.some(
    (entry) => (entry as { readonly VisibilityTimeout?: unknown } | null)?.VisibilityTimeout === 0,
  );
}

async function listen(app: ReturnType<typeof buildApp>, port: number): Promise<number> {
  try {
    return Number(new URL(await app.listen({ port, host: LOOPBACK })).port);
  } catch (error) {
    await app.close();
    throw portError(port, error as NodeJS.ErrnoException);
  }
}

/** Its stores and its persistence are not among its exports; the version is pinned exactly for that reason. */
async function loadFauxqsParts(): Promise<FauxqsParts> {
  const load = (file: string): Promise<Partial<FauxqsParts>> =>
    import(new URL(file, import.meta.resolve('fauxqs')).href);
  const modules = await Promise.all([
    load('./sqs/sqsStore.js'),
    load('./sns/snsStore.js'),
    load('./s3/s3Store.js'),
    load('./persistence.js'),
  ]);
  const { SqsStore, SnsStore, S3Store, PersistenceManager } = Object.assign(
    {},
    ...modules,
  ) as Partial<FauxqsParts>;
  if (!SqsStore || !SnsStore || !S3Store || !PersistenceManager) {
    throw new Error('this version of fauxqs is not put together as 2.4.1 is: install exactly that one');
  }
  return { SqsStore, SnsStore, S3Store, PersistenceManager };
}
