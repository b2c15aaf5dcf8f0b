import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DescribeSecretCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { createHandler as createDriftScan } from '../../functions/drift-scan/handler.ts';
import { createHandler as createReconcile } from '../../functions/reconcile/handler.ts';
import type { AwsClients } from '../../lib/compose/aws.ts';
import { composeDriftScan } from '../../lib/compose/drift-scan.ts';
import { HASH_KEY_NAME } from '../../lib/compose/hash-key.ts';
import { createJsonLog } from '../../lib/compose/json-log.ts';
import { composeReconcile } from '../../lib/compose/reconcile.ts';
import { composeWebhook } from '../../lib/compose/webhook.ts';
import { createAccessKey } from '../../lib/local/access-key.ts';
import { startEmulators } from '../../lib/local/emulators.ts';
import { startGitServer } from '../../lib/local/git-server/git-server.ts';
import { startSandboxCluster } from '../../lib/local/sandbox/start-sandbox-cluster.ts';
import { createWorkTree } from '../../lib/local/tour/work-tree.ts';
import { addCluster } from '../../lib/register/add-cluster.ts';
import { addSource } from '../../lib/register/add-source.ts';
import { bootstrapRoot } from '../../lib/register/bootstrap-root.ts';
import type { RegisterDeps } from '../../lib/register/deps.ts';
import { silentLog } from '../../lib/model/log.ts';
import { createSecretsManagerStore } from '../../lib/secrets/secrets-manager-store.ts';
import { receiveWebhook, type WebhookResult } from '../../lib/webhook/receive-webhook.ts';

const PREFIX = 'holdfast';
const CONTEXT = { getRemainingTimeInMillis: () => 120_000 };

/** Secret values of every role, none of which may be seen anywhere. */
export const CANARIES = {
  webhook: 'canary-webhook-3f8a1c77d2e94b60',
  git: 'canary-git-p@ss/w+rd-91b2c3',
  'cluster-apply': 'canary-cluster-apply-5d1e2f30',
  'cluster-read': 'canary-cluster-read-77aa88bb',
  'hash-key': 'canary-hash-key-c0ffee0123456789',
  manifest: 'canary-in-a-manifest-0a9b8c7d',
} as const;

/**
 * The four functions as they are composed in AWS, each with its own clients, on emulators, with a Git server that asks
 * for a password, a sandbox cluster, and one that quotes in its errors what it was sent. Nothing runs by itself.
 */
export async function secretWorld() {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-secrets-'));
  const emulators = await startEmulators({
    directory: join(directory, 'emulators'),
    accessKey: createAccessKey(),
  });
  const clients = emulators.clients();
  const accounts: Record<string, string> = { deployer: CANARIES.git };
  const gitServer = await startGitServer({ directory: join(directory, 'git'), accounts });
  const repository = await gitServer.createRepository('shop');
  const sandbox = await startSandboxCluster({
    availableAfterMs: 1,
    tokens: { apply: CANARIES['cluster-apply'], read: CANARIES['cluster-read'] },
  });
  const echo = await startEcho();
  const names = {
    installation: 'test',
    table: emulators.tableName,
    sourceQueueUrl: emulators.queues.sources,
    targetQueueUrl: emulators.queues.targets,
    bucket: emulators.bucket,
    secretPrefix: PREFIX,
  };

  const lines: string[] = [];
  const asked: Record<'webhook' | 'reconcile' | 'drift-scan', string[]> = {
    webhook: [],
    reconcile: [],
    'drift-scan': [],
  };
  const partsOf = (name: keyof typeof asked) => ({
    clients: {
      ...clients,
      secretsManager: recording(clients.secretsManager, asked[name]),
    } satisfies AwsClients,
    names,
    log: createJsonLog((line) => lines.push(line)).child({ function: name }),
  });
  const webhook = composeWebhook(partsOf('webhook'));
  const reconcileDeps = await composeReconcile({
    ...partsOf('reconcile'),
    temporaryDirectory: join(directory, 'tmp'),
    timings: { leaseMs: 30_000, retryMs: 10, maxRetryMs: 20 },
  });
  const scanDeps = composeDriftScan(partsOf('drift-scan'));
  const reconcile = createReconcile(reconcileDeps);
  const driftScan = createDriftScan(scanDeps);

  let ids = 0;
  const secrets = createSecretsManagerStore({ secretsManager: clients.secretsManager, prefix: PREFIX });
  const register: RegisterDeps = {
    installation: names.installation,
    state: reconcileDeps.state,
    secrets,
    queue: { send: async () => undefined },
    now: Date.now,
    newId: () => String(ids++),
    log: silentLog,
  };
  await secrets.put('hash-key', HASH_KEY_NAME, CANARIES['hash-key']);
  await addSource(register, {
    name: 'shop',
    url: repository.url,
    provider: 'github',
    allowHttp: true,
    allowPrivateNetwork: true,
    webhookSecret: CANARIES.webhook,
    credential: { username: 'deployer', password: CANARIES.git },
  });
  const tokens = { apply: { token: CANARIES['cluster-apply'] }, read: { token: CANARIES['cluster-read'] } };
  await addCluster(register, { name: 'sandbox', endpoint: sandbox.url, ...tokens });
  await addCluster(register, { name: 'echo', endpoint: echo.url, ...tokens });
  await bootstrapRoot(register, {
    name: 'main',
    source: 'shop',
    ref: { kind: 'branch', name: 'main' },
    path: 'clusters',
    cluster: 'sandbox',
  });

  const message = (body: object) =>
    ({ Records: [{ messageId: 'm', body: JSON.stringify({ v: 1, ...body }) }] }) as never;
  return {
    lines,
    asked,
    accounts,
    secrets,
    state: reconcileDeps.state,
    workTree: await createWorkTree(join(directory, 'work'), repository.directory),
    deliver(secret: string, sourceId = 'shop'): Promise<WebhookResult> {
      const body = Buffer.from(
        JSON.stringify({ ref: 'refs/heads/main', after: 'a'.repeat(40), deleted: false }),
      );
      return receiveWebhook(webhook, {
        sourceId,
        sourceIp: '127.0.0.1',
        headers: {
          'content-type': 'application/json',
          'x-github-event': 'push',
          'x-github-delivery': 'delivery-1',
          'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
        },
        body,
      });
    },
    lookAtSource: () => reconcile(message({ kind: 'source', source: 'shop', reason: 'push' }), CONTEXT),
    async runTargets(): Promise<void> {
      for (const target of await reconcileDeps.state.listTargets()) {
        await reconcile(message({ kind: 'target', target, reason: 'push' }), CONTEXT);
      }
    },
    sweep: () => reconcile({ task: 'sweep' }, CONTEXT),
    scan: () => driftScan({ task: 'drift-scan' }, CONTEXT),
    async close(): Promise<void> {
      await reconcileDeps.close();
      await scanDeps.close();
      await sandbox.close();
      await gitServer.close();
      await echo.close();
      await emulators.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** `<role>/<name>` of every value that is asked for; `describe:` before it where its version alone is. */
function recording(client: SecretsManagerClient, asked: string[]): SecretsManagerClient {
  return new Proxy(client, {
    get(target, property) {
      if (property !== 'send') return Reflect.get(target, property) as unknown;
      return (command: { readonly input: { readonly SecretId?: string } }) => {
        const describes = (command as unknown) instanceof DescribeSecretCommand ? 'describe:' : '';
        asked.push(describes + (command.input.SecretId ?? '').slice(PREFIX.length + 1));
        return target.send(command as never);
      };
    },
  });
}

/** An API server that fails, and says with which credential. */
async function startEcho(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    const token = request.headers.authorization ?? '';
    const quoted = [token, Buffer.from(token).toString('base64'), JSON.stringify({ token })].join(' ');
    response.writeHead(request.url?.startsWith('/version') === true ? 200 : 403, {
      'content-type': 'application/json',
    });
    response.end(
      JSON.stringify({
        kind: 'Status',
        status: 'Failure',
        reason: quoted,
        message: `no ${quoted}`,
        code: 403,
      }),
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}
