import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import {
  ChangeMessageVisibilityCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { type AwsClients, destroyAwsClients } from '../../../lib/compose/aws.ts';
import { type AccessKey, createAccessKey } from '../../../lib/local/access-key.ts';
import { createLocalClients, type Emulators, startEmulators } from '../../../lib/local/emulators.ts';
import { startEventSource } from '../../../lib/local/event-source.ts';
import type { TargetId } from '../../../lib/model/ids.ts';
import { createSqsWakeQueue } from '../../../lib/queue/sqs-wake-queue.ts';
import { createSecretsManagerStore } from '../../../lib/secrets/secrets-manager-store.ts';
import { until } from './fake-sqs.ts';

describe('the emulators', () => {
  const accessKey = createAccessKey();
  let directory: string;
  let emulators: Emulators;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-emulators-'));
    emulators = await startEmulators({ directory, accessKey, visibilityTimeoutSeconds: 1 });
  });

  afterAll(async () => {
    await emulators.close();
    await rm(directory, { recursive: true });
  });

  /** One call of each service. */
  const calls: readonly (readonly [string, (clients: AwsClients) => Promise<unknown>])[] = [
    [
      'dynamodb',
      ({ dynamodb }) =>
        dynamodb.send(new GetItemCommand({ TableName: 'holdfast', Key: { pk: { S: 'a' }, sk: { S: 'b' } } })),
    ],
    [
      'sqs',
      ({ sqs }) =>
        sqs.send(
          new GetQueueAttributesCommand({ QueueUrl: emulators.queues.sources, AttributeNames: ['All'] }),
        ),
    ],
    [
      's3',
      ({ s3 }) =>
        s3.send(new PutObjectCommand({ Bucket: emulators.bucket, Key: 'a/b c+d~é=&?/x', Body: 'body' })),
    ],
    [
      'secrets',
      ({ secretsManager }) =>
        createSecretsManagerStore({ secretsManager, prefix: 'holdfast' }).put('git', 'x', 'value'),
    ],
  ];

  async function withClients(key: AccessKey, use: (clients: AwsClients) => Promise<void>): Promise<void> {
    const clients = createLocalClients(emulators.endpoints, key);
    try {
      await use(clients);
    } finally {
      destroyAwsClients(clients);
    }
  }

  it.each(calls)('serve %s to the installation’s own key', async (_service, call) => {
    await withClients(accessKey, async (clients) => {
      await expect(call(clients)).resolves.not.toThrow();
    });
  });

  it.each(calls)('refuse %s to another secret under the same key id', async (_service, call) => {
    await withClients({ ...accessKey, secretAccessKey: 'wrong' }, async (clients) => {
      await expect(call(clients)).rejects.toThrow();
    });
  });

  it.each(calls)('refuse %s to another key', async (_service, call) => {
    await withClients(createAccessKey(), async (clients) => {
      await expect(call(clients)).rejects.toThrow();
    });
  });

  it('refuse requests that are not signed, whatever the path', async () => {
    const { dynamodb, sqs, secretsManager } = emulators.endpoints;
    const urls = [
      dynamodb,
      sqs,
      `${sqs}/health`,
      `${sqs}/_fauxqs/queues`,
      `${sqs}/artefacts`,
      secretsManager,
    ];

    const statuses = await Promise.all(urls.map(async (url) => (await fetch(url)).status));

    expect(statuses.every((status) => status === 400 || status === 403)).toBe(true);
  });

  it('give objects back byte for byte', async () => {
    const { s3 } = emulators.clients();
    const body = Buffer.from(Array.from({ length: 100_000 }, (_, n) => n % 256));
    await s3.send(new PutObjectCommand({ Bucket: emulators.bucket, Key: 'bytes', Body: body }));

    const answer = await s3.send(new GetObjectCommand({ Bucket: emulators.bucket, Key: 'bytes' }));

    expect(Buffer.from((await answer.Body?.transformToByteArray()) ?? [])).toEqual(body);
  });

  it('survive a client that breaks off in the middle of a request', async () => {
    const { dynamodb } = emulators.endpoints;
    const { request } = await import('node:http');
    await new Promise<void>((resolve) => {
      const broken = request(dynamodb, { method: 'POST', headers: { 'content-length': '1000' } });
      broken.on('error', () => resolve());
      broken.write('{');
      broken.on('socket', (socket) => socket.once('connect', () => setImmediate(() => broken.destroy())));
    });

    await calls[0]?.[1](emulators.clients());
  });

  it('refuse the visibility timeout of 0, which would lose the message', async () => {
    const { sqs } = emulators.clients();
    const QueueUrl = emulators.queues.sources;
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'x' }));
    const received = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1 }));
    const ReceiptHandle = received.Messages?.[0]?.ReceiptHandle ?? '';

    const change = sqs.send(
      new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }),
    );

    await expect(change).rejects.toThrow('not supported');
  });

  it('bring a failing message back five times and then park it', async () => {
    const { sqs } = emulators.clients();
    const queue = createSqsWakeQueue({
      sqs,
      sourceQueueUrl: emulators.queues.sources,
      targetQueueUrl: emulators.queues.targets,
    });
    let failures = 0;
    const target = 'a'.repeat(32) as TargetId;
    await queue.send([{ v: 1, kind: 'target', target, reason: 'push' }]);

    const source = startEventSource({
      sqs,
      queueUrl: emulators.queues.targets,
      batchSize: 10,
      waitSeconds: 1,
      function: {
        name: 'reconcile',
        timeoutSeconds: 10,
        handler: async (event) => {
          failures++;
          return { batchItemFailures: event.Records.map(({ messageId }) => ({ itemIdentifier: messageId })) };
        },
      },
    });
    const dead = async () => {
      const answer = await sqs.send(
        new GetQueueAttributesCommand({
          QueueUrl: emulators.queues.targetsDead,
          AttributeNames: ['ApproximateNumberOfMessages'],
        }),
      );
      return answer.Attributes?.['ApproximateNumberOfMessages'] === '1';
    };
    await until(dead);
    await source.stop();

    expect(failures).toBe(5);
  });

  it('keep secrets in files of their owner only', async () => {
    const { secretsManager } = emulators.clients();
    await createSecretsManagerStore({ secretsManager, prefix: 'holdfast' }).put('git', 'private', 'value');
    const secrets = join(directory, 'secrets');

    const files = await readdir(secrets);
    const modes = await Promise.all(
      files.map(async (file) => (await stat(join(secrets, file))).mode & 0o777),
    );

    expect((await stat(secrets)).mode & 0o777).toBe(0o700);
    expect(new Set(modes)).toEqual(new Set([0o600]));
    expect((await readFile(join(secrets, files[0] ?? ''), 'utf8')).length).toBeGreaterThan(0);
  });

  it('refuse a port that is taken, and say what to do', async () => {
    const other = await mkdtemp(join(tmpdir(), 'holdfast-emulators-'));

    const start = startEmulators({ directory: other, accessKey, ports: emulators.ports });

    await expect(start).rejects.toThrow(/port \d+ on 127\.0\.0\.1 is taken: stop what listens there/);
    await rm(other, { recursive: true });
  });

  it('take up what was there after a stop, on the same ports', async () => {
    const second = await mkdtemp(join(tmpdir(), 'holdfast-emulators-'));
    const before = await startEmulators({ directory: second, accessKey });
    await before.clients().dynamodb.send(
      new PutItemCommand({
        TableName: 'holdfast',
        Item: { pk: { S: 'a' }, sk: { S: 'b' }, body: { S: 'c' } },
      }),
    );
    await before.close();

    const after = await startEmulators({ directory: second, accessKey, ports: before.ports });
    const answer = await after
      .clients()
      .dynamodb.send(new GetItemCommand({ TableName: 'holdfast', Key: { pk: { S: 'a' }, sk: { S: 'b' } } }));
    await after.close();

    expect(answer.Item?.['body']?.S).toBe('c');
    expect(after.endpoints).toEqual(before.endpoints);
    await rm(second, { recursive: true });
  });
});
