import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { type AwsClients, destroyAwsClients } from '../compose/aws.ts';
import type { InstallationNames } from '../compose/names.ts';
import { composeReconcile, type ReconcileDeps } from '../compose/reconcile.ts';
import { HoldfastError } from '../model/errors.ts';
import { type Log, silentLog } from '../model/log.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import { createSecretsManagerStore } from '../secrets/secrets-manager-store.ts';
import { createLocalClients } from './emulators.ts';
import { LOOPBACK } from './loopback.ts';
import { readInstallation } from './state-directory.ts';

/** A local installation that runs in another process, as the command line uses it. */
export interface LocalConnection {
  readonly directory: string;
  /** The name that is part of every ApplicationId. */
  readonly installation: string;
  /** Webhooks go to `<webhookUrl>/<source id>`. */
  readonly webhookUrl: string;
  readonly deps: ReconcileDeps;
  readonly secrets: SecretStore;
  /** The services underneath, for who looks at them themselves. */
  readonly aws?: { readonly clients: AwsClients; readonly names: InstallationNames };
  /** Whether its functions run on this machine. @default false */
  readonly rendersHere?: boolean;
  close(): Promise<void>;
}

const PROBE_MS = 2_000;

/**
 * Finds the installation of a directory and speaks to the same table, queues and secrets.
 * @throws HoldfastError `invalid-input` when there is none, or when it does not run
 */
export async function connectLocal(directory: string, log: Log = silentLog): Promise<LocalConnection> {
  const path = resolve(directory);
  const { services, accessKey, installation } = await readInstallation(path);
  if (services === undefined) throw notRunning(path);
  const { dynamodb, sqsAndS3, secretsManager } = services.ports;
  const answering = await Promise.all([dynamodb, sqsAndS3, secretsManager].map(isListening));
  if (answering.includes(false)) throw notRunning(path);
  const clients = createLocalClients(services.endpoints, accessKey);
  const { names } = services;
  const deps = await composeReconcile({
    clients,
    names,
    log,
    temporaryDirectory: join(path, 'cache'),
  });
  return {
    directory: path,
    installation,
    webhookUrl: `${services.httpApiUrl}/hooks`,
    deps,
    secrets: createSecretsManagerStore({
      secretsManager: clients.secretsManager,
      prefix: names.secretPrefix,
    }),
    aws: { clients, names },
    rendersHere: true,
    async close() {
      await deps.close();
      destroyAwsClients(clients);
    },
  };
}

function notRunning(path: string): HoldfastError {
  return new HoldfastError(
    'invalid-input',
    `the local installation in ${path} does not run: start it with "holdfast local --state-dir ${path}"`,
  );
}

function isListening(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ port, host: LOOPBACK });
    const end = (listening: boolean): void => {
      socket.destroy();
      done(listening);
    };
    socket.setTimeout(PROBE_MS, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
