import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type DynamoDBClient, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { DeleteMessageCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { type AwsClients, destroyAwsClients } from '../../../lib/compose/aws.ts';
import { createLocalClients, type EmulatorEndpoints, type Emulators } from '../../../lib/local/emulators.ts';
import { openStateDirectory, readInstallation } from '../../../lib/local/state-directory.ts';
import { createSecretsManagerStore } from '../../../lib/secrets/secrets-manager-store.ts';

interface Running {
  readonly process: ChildProcess;
  readonly clients: AwsClients;
  readonly queues: Emulators['queues'];
  kill(): Promise<void>;
}

/** The emulators in a process of their own. */
async function startChild(directory: string): Promise<Running> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'kill-child.ts'), directory],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } },
  );
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const ready: { readonly endpoints: EmulatorEndpoints; readonly queues: Emulators['queues'] } =
    JSON.parse(line);
  const clients = createLocalClients(ready.endpoints, (await readInstallation(directory)).accessKey);
  return {
    process: child,
    clients,
    queues: ready.queues,
    async kill() {
      destroyAwsClients(clients);
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }
    },
  };
}

const item = (n: number) => ({
  pk: { S: 'p' },
  sk: { S: String(n).padStart(6, '0') },
  version: { N: '1' },
  listKey: { S: 'LIST' },
  listSort: { S: String(n).padStart(6, '0') },
});

async function indexed(client: DynamoDBClient): Promise<readonly string[]> {
  const answer = await client.send(
    new QueryCommand({
      TableName: 'holdfast',
      IndexName: 'list',
      KeyConditionExpression: 'listKey = :k',
      ExpressionAttributeValues: { ':k': { S: 'LIST' } },
    }),
  );
  return (answer.Items ?? []).map((found) => found['sk']?.S ?? '');
}

async function receiveAll(clients: AwsClients, queueUrl: string, count: number): Promise<readonly string[]> {
  const bodies: string[] = [];
  while (bodies.length < count) {
    const answer = await clients.sqs.send(
      new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 }),
    );
    bodies.push(...(answer.Messages ?? []).map((message) => message.Body ?? ''));
  }
  return bodies.sort();
}

describe('a local installation whose process is killed', () => {
  let directory: string;
  let running: Running | undefined;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-kill-'));
  });

  afterEach(async () => {
    await running?.kill();
    running = undefined;
    await rm(directory, { recursive: true });
  });

  it('keeps messages that are ready, delayed and in flight, and forgets those that were deleted', async () => {
    running = await startChild(directory);
    const { sqs } = running.clients;
    const QueueUrl = running.queues.sources;
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'deleted' }));
    const first = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1 }));
    const ReceiptHandle = first.Messages?.[0]?.ReceiptHandle;
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'in flight' }));
    await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1 }));
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'ready' }));
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'delayed', DelaySeconds: 2 }));

    await running.kill();
    running = await startChild(directory);
    const bodies = await receiveAll(running.clients, running.queues.sources, 3);

    expect(bodies).toEqual(['delayed', 'in flight', 'ready']);
  });

  it('keeps secrets and objects', async () => {
    running = await startChild(directory);
    const storeOf = ({ secretsManager }: AwsClients) =>
      createSecretsManagerStore({ secretsManager, prefix: 'holdfast' });
    await storeOf(running.clients).put('webhook', 'a', 'value');
    await running.clients.s3.send(new PutObjectCommand({ Bucket: 'artefacts', Key: 'k', Body: 'object' }));

    await running.kill();
    running = await startChild(directory);
    const value = await storeOf(running.clients).get('webhook', 'a');
    const object = await running.clients.s3.send(new GetObjectCommand({ Bucket: 'artefacts', Key: 'k' }));

    expect([value, await object.Body?.transformToString()]).toEqual(['value', 'object']);
  });

  it('keeps every item that was answered, listed by its index, also when killed in the middle of writing', async () => {
    running = await startChild(directory);
    const written: string[] = [];
    const { dynamodb } = running.clients;
    // Ends when the killed process no longer answers.
    const writing = (async () => {
      for (let n = 0; ; n++) {
        await dynamodb.send(new PutItemCommand({ TableName: 'holdfast', Item: item(n) }));
        written.push(item(n).sk.S);
        if (n === 200) {
          running?.process.kill('SIGKILL');
        }
      }
    })().catch(() => undefined);
    await once(running.process, 'exit');
    await writing;

    running = await startChild(directory);
    const listed = await indexed(running.clients.dynamodb);

    expect(written.length).toBeGreaterThan(200);
    expect(listed).toEqual(expect.arrayContaining(written));
  });

  it('leaves no lock behind, and a second process is refused while it lives', async () => {
    running = await startChild(directory);

    await expect(openStateDirectory(directory)).rejects.toThrow(`as process ${running.process.pid}`);
    await running.kill();
    const state = await openStateDirectory(directory);

    expect(state.installation.accessKey).toEqual((await readInstallation(directory)).accessKey);
    state.release();
  });
});
