import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { SQSEvent } from 'aws-lambda';
import { createHandler as createDriftScan } from '../../functions/drift-scan/handler.ts';
import { createHandler as createReconcile } from '../../functions/reconcile/handler.ts';
import { createHandler as createWebhook } from '../../functions/webhook/handler.ts';
import { HASH_KEY_NAME } from '../compose/hash-key.ts';
import type { ElsewhereOptions } from '../compose/elsewhere.ts';
import type { InstallationNames } from '../compose/names.ts';
import { composeReconcile, type ReconcileDeps } from '../compose/reconcile.ts';
import { composeWebhook } from '../compose/webhook.ts';
import { HoldfastError } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import { DEFAULT_TIMINGS, type Timings } from '../reconcile/deps.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import { createSecretsManagerStore } from '../secrets/secrets-manager-store.ts';
import { type Emulators, type EmulatorPorts, startEmulators } from './emulators.ts';
import { startEventSource } from './event-source.ts';
import { type HttpApi, startHttpApi } from './http-api.ts';
import type { LocalFunction } from './invocation.ts';
import { startSchedule } from './schedule.ts';
import { type LocalInstallation, openStateDirectory, type StateDirectory } from './state-directory.ts';

export interface LocalOptions {
  /** All state: two of them are two installations. One process at a time. */
  readonly directory: string;
  /** Of the webhook endpoint. @default the one of the last start, else any that is free */
  readonly port?: number;
  readonly timings?: Timings;
  /** How often every source is looked at and what is due is woken. */
  readonly sweepSeconds: number;
  /** How often every cluster is scanned for drift. */
  readonly scanSeconds: number;
  /** Ports of further servers, kept for the command line and for the next start. */
  readonly extraPorts?: Readonly<Record<string, number>>;
  /** What may be read that lies in no source. @default public charts, and no bases */
  readonly elsewhere?: ElsewhereOptions;
  readonly log: Log;
}

/** A running local installation. */
export interface LocalRuntime {
  readonly directory: string;
  /** Webhooks go to `<webhookUrl>/<source id>`. */
  readonly webhookUrl: string;
  readonly installation: LocalInstallation;
  /** What the reconcile and drift-scan functions stand on, and so state and queue. */
  readonly deps: ReconcileDeps;
  readonly secrets: SecretStore;
  /** Ports that were kept by the last start under these names. */
  readonly formerPorts: Readonly<Record<string, number>>;
  /** Calls the drift-scan function, as its schedule does. */
  scan(cluster?: string): Promise<void>;
  /** Remembers a further server. */
  saveExtraPorts(ports: Readonly<Record<string, number>>): Promise<void>;
  /** Takes no more work, waits for what is under way, and lets go of the directory. */
  close(): Promise<void>;
}

const SECRET_PREFIX = 'holdfast';
/** Longer than any run of one wake-up should take, shorter than the patience of somebody who watches. */
const FUNCTION_TIMEOUT_SECONDS = 300;
const WEBHOOK_TIMEOUT_SECONDS = 10;

/**
 * Local mode: the functions of `functions/`, called as Lambda would call them, on emulators in this process and on disk.
 * What a killed process had under way comes back from its queues, and at the latest with the sweep, which runs at once.
 * @throws HoldfastError `invalid-input` when the directory is in use, or the given port is
 */
export async function startLocal(options: LocalOptions): Promise<LocalRuntime> {
  const directory = resolve(options.directory);
  const stateDirectory = await openStateDirectory(directory);
  const closing: (() => Promise<void>)[] = [async () => stateDirectory.release()];
  try {
    return await start(options, directory, stateDirectory, closing);
  } catch (error) {
    await closeAll(closing);
    throw error;
  }
}

async function start(
  options: LocalOptions,
  directory: string,
  stateDirectory: StateDirectory,
  closing: (() => Promise<void>)[],
): Promise<LocalRuntime> {
  const { log } = options;
  const { installation } = stateDirectory;
  const emulators = await startAgain(installation.services?.ports, (ports) =>
    startEmulators({
      directory,
      // A copy: the AWS SDK writes into the credentials that it is given, and these are saved.
      accessKey: { ...installation.accessKey },
      ...(ports === undefined ? {} : { ports }),
      // Lambda asks for six times the function's timeout; here a batch is one message and nothing throttles.
      visibilityTimeoutSeconds: FUNCTION_TIMEOUT_SECONDS + 30,
      log,
    }),
  );
  closing.push(() => emulators.close());
  const names = namesOf(installation.installation, emulators);
  const clients = emulators.clients();
  const secrets = createSecretsManagerStore({
    secretsManager: clients.secretsManager,
    prefix: SECRET_PREFIX,
  });
  await ensureHashKey(secrets);
  const deps = await composeReconcile({
    clients,
    names,
    log,
    temporaryDirectory: join(directory, 'cache'),
    timings: options.timings ?? DEFAULT_TIMINGS,
    elsewhere: options.elsewhere ?? {},
  });
  closing.push(() => deps.close());

  const reconcile: LocalFunction<SQSEvent | { readonly task: 'sweep' }> = {
    name: 'reconcile',
    timeoutSeconds: FUNCTION_TIMEOUT_SECONDS,
    handler: createReconcile(deps),
  };
  const driftScan = createDriftScan(deps);
  const webhook = {
    name: 'webhook',
    timeoutSeconds: WEBHOOK_TIMEOUT_SECONDS,
    handler: createWebhook(composeWebhook({ clients, names, log: log.child({ function: 'webhook' }) })),
  };
  const httpApi = await startHttp(options, installation, webhook);
  closing.push(() => httpApi.close());
  const services = {
    ports: { ...emulators.ports, httpApi: httpApi.port },
    endpoints: emulators.endpoints,
    httpApiUrl: httpApi.url,
    names,
  };
  const extraPorts = { ...installation.services?.extraPorts, ...options.extraPorts };
  const saved = await stateDirectory.saveServices({ ...services, extraPorts });

  const sources = [names.sourceQueueUrl, names.targetQueueUrl].map((queueUrl) =>
    startEventSource({ sqs: clients.sqs, queueUrl, function: reconcile, waitSeconds: 1, log }),
  );
  const schedules = [
    startSchedule({
      function: reconcile,
      event: { task: 'sweep' },
      everySeconds: options.sweepSeconds,
      immediately: true,
      log,
    }),
    startSchedule({
      function: { name: 'drift-scan', timeoutSeconds: FUNCTION_TIMEOUT_SECONDS, handler: driftScan },
      event: { task: 'drift-scan' },
      everySeconds: options.scanSeconds,
      log,
    }),
  ];
  closing.push(async () => {
    await Promise.all([...sources, ...schedules].map((each) => each.stop()));
  });
  let closed: Promise<void> | undefined;
  return {
    directory,
    webhookUrl: `${httpApi.url}/hooks`,
    installation: saved,
    deps,
    secrets,
    formerPorts: installation.services?.extraPorts ?? {},
    async scan(cluster) {
      const event = { task: 'drift-scan', ...(cluster === undefined ? {} : { cluster }) } as const;
      await driftScan(event, { getRemainingTimeInMillis: () => FUNCTION_TIMEOUT_SECONDS * 1000 });
    },
    async saveExtraPorts(ports) {
      await stateDirectory.saveServices({ ...services, extraPorts: { ...extraPorts, ...ports } });
    },
    close: () => (closed ??= closeAll(closing)),
  };
}

function namesOf(installation: string, emulators: Emulators): InstallationNames {
  return {
    installation,
    table: emulators.tableName,
    sourceQueueUrl: emulators.queues.sources,
    targetQueueUrl: emulators.queues.targets,
    bucket: emulators.bucket,
    secretPrefix: SECRET_PREFIX,
  };
}

/** Made once: with another key every Secret would look changed. */
async function ensureHashKey(secrets: SecretStore): Promise<void> {
  try {
    await secrets.get('hash-key', HASH_KEY_NAME);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'secret-missing') throw error;
    await secrets.put('hash-key', HASH_KEY_NAME, randomBytes(32).toString('base64url'));
  }
}

/** On the ports of the last start, and if another program has taken one of them meanwhile, on any. */
async function startAgain<T>(
  ports: EmulatorPorts | undefined,
  attempt: (ports: EmulatorPorts | undefined) => Promise<T>,
): Promise<T> {
  if (ports === undefined) return attempt(undefined);
  try {
    return await attempt(ports);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'invalid-input') throw error;
    return attempt(undefined);
  }
}

/** A port that was asked for is insisted on: a Git host delivers there. */
async function startHttp(
  options: LocalOptions,
  installation: LocalInstallation,
  webhook: Parameters<typeof startHttpApi>[0]['webhook'],
): Promise<HttpApi> {
  const { log, port } = options;
  const common = { webhook, log };
  if (port !== undefined) return startHttpApi({ ...common, port });
  const former = installation.services?.ports.httpApi;
  if (former === undefined) return startHttpApi(common);
  try {
    return await startHttpApi({ ...common, port: former });
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    log.warn('the port of the last start is taken, so webhooks must be sent to another one', { former });
    return startHttpApi(common);
  }
}

/** The last thing started goes first. What fails does not keep the rest. */
async function closeAll(closing: readonly (() => Promise<void>)[]): Promise<void> {
  let failed: { readonly error: unknown } | undefined;
  for (const close of closing.toReversed()) {
    try {
      await close();
    } catch (error) {
      failed ??= { error };
    }
  }
  if (failed !== undefined) throw failed.error;
}
