import { randomBytes } from 'node:crypto';
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { Pool } from 'undici';
import { createHandler } from '../../functions/webhook/handler.ts';
import { namesToEnvironment } from '../../lib/compose/names.ts';
import { composeWebhook } from '../../lib/compose/webhook.ts';
import { createAccessKey } from '../../lib/local/access-key.ts';
import { REGION, startEmulators } from '../../lib/local/emulators.ts';
import { startHttpApi } from '../../lib/local/http-api.ts';
import { sendPushWebhook } from '../../lib/local/tour/send-webhook.ts';
import type { ClusterName, RootId, SourceId } from '../../lib/model/ids.ts';
import { silentLog } from '../../lib/model/log.ts';
import { createSecretsManagerStore } from '../../lib/secrets/secrets-manager-store.ts';
import { dynamoTable } from '../../lib/state/table.ts';
import { tableStateStore } from '../../lib/state/table-state-store.ts';

const SOURCE = 'shop';
const PREFIX = 'holdfast';

export interface FloodTarget {
  /** The local HTTP endpoint. */
  readonly url: string;
  /** `url` with the path of the one registered source. */
  readonly hookUrl: string;
  readonly secret: string;
  /** With which a process finds the emulators as its AWS and this installation in them. */
  readonly environment: Readonly<Record<string, string>>;
  /** Requests to Secrets Manager since the start. */
  secretLookups(): number;
  /** Messages on the sources' queue. */
  messages(): Promise<number>;
  close(): Promise<void>;
}

/** The webhook function behind the local HTTP endpoint, on emulators, with one registered source. */
export async function startFloodTarget(directory: string): Promise<FloodTarget> {
  const accessKey = createAccessKey();
  const emulators = await startEmulators({ directory, accessKey: { ...accessKey } });
  const clients = emulators.clients();
  const secret = randomBytes(24).toString('base64url');
  await createSecretsManagerStore({ secretsManager: clients.secretsManager, prefix: PREFIX }).put(
    'webhook',
    SOURCE,
    secret,
  );
  const state = tableStateStore(dynamoTable({ client: clients.dynamodb, tableName: emulators.tableName }));
  await state.putSource({
    schema: 1,
    id: SOURCE as SourceId,
    url: 'https://git.example.com/shop.git',
    provider: 'github',
    webhookSecrets: [SOURCE],
  });
  const root = 'main' as RootId;
  await state.linkRoot(root, [SOURCE as SourceId]);
  await state.putRoot({
    schema: 1,
    id: root,
    installation: 'flood',
    source: SOURCE as SourceId,
    ref: { kind: 'branch', name: 'main' },
    path: '.',
    cluster: 'main' as ClusterName,
    base: 0,
  });
  let lookups = 0;
  const { secretsManager } = clients;
  secretsManager.middlewareStack.add((next) => (args) => ((lookups += 1), next(args)), {
    step: 'initialize',
    name: 'countLookups',
  });
  const names = {
    table: emulators.tableName,
    sourceQueueUrl: emulators.queues.sources,
    secretPrefix: PREFIX,
  };
  const handler = createHandler(composeWebhook({ clients, names, log: silentLog }));
  const api = await startHttpApi({ webhook: { name: 'webhook', timeoutSeconds: 15, handler } });
  return {
    url: api.url,
    hookUrl: `${api.url}/hooks/${SOURCE}`,
    secret,
    environment: {
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: accessKey.accessKeyId,
      AWS_SECRET_ACCESS_KEY: accessKey.secretAccessKey,
      AWS_ENDPOINT_URL_DYNAMODB: emulators.endpoints.dynamodb,
      AWS_ENDPOINT_URL_SQS: emulators.endpoints.sqs,
      AWS_ENDPOINT_URL_S3: emulators.endpoints.s3,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: emulators.endpoints.secretsManager,
      ...namesToEnvironment({
        ...names,
        installation: 'flood',
        targetQueueUrl: emulators.queues.targets,
        bucket: emulators.bucket,
      }),
    },
    secretLookups: () => lookups,
    async messages() {
      const answer = await clients.sqs.send(
        new GetQueueAttributesCommand({
          QueueUrl: emulators.queues.sources,
          AttributeNames: ['ApproximateNumberOfMessages'],
        }),
      );
      return Number(answer.Attributes?.['ApproximateNumberOfMessages']);
    },
    async close() {
      await api.close();
      await emulators.close();
    },
  };
}

export interface FloodOptions {
  readonly url: string;
  readonly hookUrl: string;
  readonly secret: string;
  readonly requests: number;
  readonly connections: number;
  /** One signed push among so many. */
  readonly signedEvery: number;
  /** Called after each tenth of the requests. */
  readonly onTenth?: () => Promise<void>;
}

export interface FloodResult {
  readonly wallMs: number;
  /** How often each status came back, by number. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly signedStatuses: readonly number[];
}

const BODY = JSON.stringify({ ref: 'refs/heads/main', after: 'a'.repeat(40), deleted: false });

/** What somebody without the secret can send, in turn: to the source or to made-up ones, with a proof that is none. */
function forged(index: number): { readonly path: string; readonly headers: Record<string, string> } {
  const event = { 'content-type': 'application/json', 'x-github-event': 'push' };
  switch (index % 4) {
    case 0:
      return { path: `/hooks/${SOURCE}`, headers: event };
    case 1:
      return { path: `/hooks/${SOURCE}`, headers: { ...event, 'x-hub-signature-256': 'sha256=0' } };
    case 2:
      return { path: `/hooks/made-up-${index}`, headers: event };
    default:
      return { path: `/hooks/${SOURCE}`, headers: { ...event, 'x-hub-signature': 'sha1=00' } };
  }
}

/** Sends unsigned requests as fast as they are taken, and signed pushes in between. */
export async function flood(options: FloodOptions): Promise<FloodResult> {
  const { url, hookUrl, secret, requests, connections, signedEvery } = options;
  const pool = new Pool(url, { connections, pipelining: 1 });
  const statuses: Record<string, number> = {};
  const signedStatuses: number[] = [];
  let next = 0;
  const sendForged = async (index: number): Promise<void> => {
    const { path, headers } = forged(index);
    const { statusCode, body } = await pool.request({ method: 'POST', path, headers, body: BODY });
    await body.dump();
    statuses[statusCode] = (statuses[statusCode] ?? 0) + 1;
  };
  const sendSigned = async (index: number): Promise<void> => {
    const after = index.toString(16).padStart(40, '0');
    const update = { ref: 'refs/heads/main', before: '0'.repeat(40), after };
    signedStatuses.push((await sendPushWebhook({ url: hookUrl, secret }, update)).status);
  };
  const sender = async (): Promise<void> => {
    for (let index = next++; index < requests; index = next++) {
      if (index % signedEvery === signedEvery - 1) await sendSigned(index);
      await sendForged(index);
      if ((index + 1) % Math.floor(requests / 10) === 0) await options.onTenth?.();
    }
  };
  const startedAt = performance.now();
  try {
    await Promise.all(Array.from({ length: connections }, sender));
  } finally {
    await pool.close();
  }
  return { wallMs: performance.now() - startedAt, statuses, signedStatuses };
}
