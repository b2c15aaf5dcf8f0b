import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, HeadBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SQSClient } from '@aws-sdk/client-sqs';
import { type AwsClients, destroyAwsClients } from '../compose/aws.ts';
import { type Log, silentLog } from '../model/log.ts';
import { ensureTable } from '../state/table.ts';
import type { AccessKey } from './access-key.ts';
import { type Emulator, startDynamodbEmulator } from './dynamodb-emulator.ts';
import { ensureQueues, type QueueUrls } from './emulator-queues.ts';
import { startFauxqsEmulator } from './fauxqs-emulator.ts';
import { isStuckCreating, repairIndexes } from './repair-table.ts';
import { startSecretsServer } from './secrets-server.ts';

export interface EmulatorPorts {
  readonly dynamodb: number;
  /** SQS and S3 share one. */
  readonly sqsAndS3: number;
  readonly secretsManager: number;
}

export interface EmulatorEndpoints {
  readonly dynamodb: string;
  readonly sqs: string;
  readonly s3: string;
  readonly secretsManager: string;
}

export interface EmulatorsOptions {
  /** Holds all that survives: `dynamodb/`, `sqs-s3/`, `secrets/`. One process at a time. */
  readonly directory: string;
  readonly accessKey: AccessKey;
  /** Those of the last start, so that clients find them again. @default any that are free */
  readonly ports?: EmulatorPorts;
  /** How long a received message stays hidden. @default 900, the longest a function runs */
  readonly visibilityTimeoutSeconds?: number;
  /** @default TABLE_NAME */
  readonly tableName?: string;
  readonly log?: Log;
}

export interface Emulators {
  readonly ports: EmulatorPorts;
  readonly endpoints: EmulatorEndpoints;
  readonly tableName: string;
  readonly queues: QueueUrls;
  readonly bucket: string;
  /** The clients of this process; `close` ends them. */
  clients(): AwsClients;
  close(): Promise<void>;
}

export const TABLE_NAME = 'holdfast';
export const BUCKET = 'artefacts';
export const REGION = 'us-east-1';
const VISIBILITY_TIMEOUT_SECONDS = 900;

/**
 * DynamoDB, SQS, S3 and Secrets Manager in this process, on loopback and on disk, with table, queues and bucket in
 * place. Whoever speaks to them needs the access key. State from before, also of a killed process, is taken up.
 * @throws HoldfastError `invalid-input` when a port is taken
 */
export async function startEmulators(options: EmulatorsOptions): Promise<Emulators> {
  const started: Emulator[] = [];
  const keep = <E extends Emulator>(emulator: E): E => {
    started.push(emulator);
    return emulator;
  };
  try {
    const tableName = options.tableName ?? TABLE_NAME;
    const dynamodb = keep(await startTable(options, tableName));
    const common = { accessKey: options.accessKey, log: options.log ?? silentLog };
    const fauxqs = keep(
      await startFauxqsEmulator({
        ...common,
        directory: join(options.directory, 'sqs-s3'),
        port: options.ports?.sqsAndS3 ?? 0,
      }),
    );
    const secretsManager = keep(
      await startSecretsServer({
        ...common,
        directory: join(options.directory, 'secrets'),
        port: options.ports?.secretsManager ?? 0,
      }),
    );
    const endpoints: EmulatorEndpoints = {
      dynamodb: dynamodb.endpoint,
      sqs: fauxqs.endpoint,
      s3: fauxqs.endpoint,
      secretsManager: secretsManager.endpoint,
    };
    const clients = createLocalClients(endpoints, options.accessKey);
    await ensureBucket(clients.s3);
    const queues = await ensureQueues(
      clients.sqs,
      endpoints.sqs,
      options.visibilityTimeoutSeconds ?? VISIBILITY_TIMEOUT_SECONDS,
    );
    return {
      ports: { dynamodb: dynamodb.port, sqsAndS3: fauxqs.port, secretsManager: secretsManager.port },
      endpoints,
      tableName,
      queues,
      bucket: BUCKET,
      clients: () => clients,
      async close() {
        destroyAwsClients(clients);
        await closeAll(started);
      },
    };
  } catch (error) {
    await closeAll(started);
    throw error;
  }
}

/** Clients of a local installation's emulators: also for the command line, in another process. */
export function createLocalClients(endpoints: EmulatorEndpoints, accessKey: AccessKey): AwsClients {
  // A copy: the SDK writes into the object it is given.
  const common = { region: REGION, credentials: { ...accessKey } };
  return {
    dynamodb: new DynamoDBClient({ ...common, endpoint: endpoints.dynamodb }),
    sqs: new SQSClient({ ...common, endpoint: endpoints.sqs }),
    s3: new S3Client({ ...common, endpoint: endpoints.s3, forcePathStyle: true }),
    secretsManager: new SecretsManagerClient({ ...common, endpoint: endpoints.secretsManager }),
  };
}

async function startTable(options: EmulatorsOptions, tableName: string): Promise<Emulator> {
  const directory = join(options.directory, 'dynamodb');
  const start = () =>
    startDynamodbEmulator({
      directory,
      accessKey: options.accessKey,
      port: options.ports?.dynamodb ?? 0,
      log: options.log ?? silentLog,
    });
  const clientOf = ({ endpoint }: Emulator) =>
    new DynamoDBClient({ region: REGION, credentials: { ...options.accessKey }, endpoint });

  let emulator = await start();
  let client = clientOf(emulator);
  try {
    if (await isStuckCreating(client, tableName)) {
      client.destroy();
      await emulator.close();
      await rm(directory, { recursive: true });
      emulator = await start();
      client = clientOf(emulator);
    }
    await ensureTable(client, tableName);
    await repairIndexes(client, tableName);
  } catch (error) {
    await emulator.close();
    throw error;
  } finally {
    client.destroy();
  }
  return emulator;
}

async function ensureBucket(s3: S3Client): Promise<void> {
  try {
    await s3.send(new HeadBucketCommand({ Bucket: BUCKET }));
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'NotFound') {
      throw error;
    }
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  }
}

async function closeAll(emulators: readonly Emulator[]): Promise<void> {
  const closings = await Promise.allSettled(emulators.map((emulator) => emulator.close()));
  const failed = closings.find((closing) => closing.status === 'rejected');
  if (failed !== undefined) {
    throw failed.reason;
  }
}
