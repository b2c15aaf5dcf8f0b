import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { Stack } from './box-parts.ts';
import { type Box, openBox } from './box.ts';
import { eventually } from './box-runtime.ts';
import { hasMountNamespaces } from './execution-environment.ts';
import { createFunctionPool } from './function-pool.ts';
import { synthesize } from './synthesize.ts';

describe('the synthesized stack in a box, without a cluster', () => {
  let directory: string;
  let stack: Stack;
  let box: Box;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-box-'));
    chmodSync(directory, 0o755);
    stack = await synthesize(directory);
    box = await openBox({
      ...stack,
      directory: mkdtempSync(join(directory, 'box-')),
      // The template's outlasts any test; this one outlasts a cold start, also where processors are scarce.
      visibilityTimeoutSeconds: 4,
    });
  }, 240_000);
  afterAll(async () => {
    await box?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const send = (queueUrl: string, body: string) =>
    box.clients.sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body }));
  const depth = async (queueUrl: string): Promise<number> => {
    const { Attributes: attributes } = await box.clients.sqs.send(
      new GetQueueAttributesCommand({
        QueueUrl: queueUrl,
        AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
      }),
    );
    return Object.values(attributes ?? {}).reduce((sum, value) => sum + Number(value), 0);
  };
  const deadLettersOf = (queueUrl: string): string => {
    const name = queueUrl.includes('Sources') ? 'SourcesDeadLetters' : 'TargetsDeadLetters';
    const found = box.deadLetterUrls.find((url) => url.includes(name));
    if (found === undefined) throw new Error(`no dead-letter queue ${name}`);
    return found;
  };
  const emptied = (queueUrl: string) =>
    eventually(`${queueUrl} is empty`, 60, async () => ((await depth(queueUrl)) === 0 ? true : undefined));

  it('refuses a push that nobody signed, and asks for no secret', async () => {
    const answer = await fetch(`${box.httpUrl}/hooks/unknown`, { method: 'POST', body: '{}' });

    expect(answer.status).toBe(401);
    expect([...box.functions.webhook.calls.keys()]).toEqual(['dynamodb:GetItem']);
  }, 60_000);

  it('lets the schedules call their functions', async () => {
    await box.fire('sweep');
    await box.fire('drift-scan');

    const said = box.lines.join('\n');
    expect(said).toContain('"swept"');
    expect(said).toContain('"ScanCompleted":1');
  }, 120_000);

  it('acknowledges a wake-up of something that is not there, beside one that nobody understands', async () => {
    const { sourceQueueUrl, targetQueueUrl } = box.names;
    const good = [
      [sourceQueueUrl, { v: 1, kind: 'source', source: 'gone', reason: 'push' }],
      [targetQueueUrl, { v: 1, kind: 'target', target: '0'.repeat(32), reason: 'sweep' }],
    ] as const;

    for (const [url, body] of good) {
      await send(url, 'not a wake-up');
      await send(url, JSON.stringify(body));
    }
    // After five receives each.
    for (const [url] of good) {
      await eventually('the message is dead', 90, async () =>
        (await depth(deadLettersOf(url))) === 1 ? true : undefined,
      );
      await emptied(url);
    }

    expect(box.denied).toEqual([]);
    const { Messages: dead } = await box.clients.sqs.send(
      new ReceiveMessageCommand({ QueueUrl: deadLettersOf(sourceQueueUrl), VisibilityTimeout: 1 }),
    );
    expect(dead?.map(({ Body: body }) => body)).toEqual(['not a wake-up']);
  }, 240_000);

  it('handles what is redriven from the dead letters, and buries again what nobody understands', async () => {
    const { sourceQueueUrl } = box.names;
    const deadLetters = deadLettersOf(sourceQueueUrl);
    // As a wake-up that met a bug five times, which a deployment has mended since.
    await send(deadLetters, JSON.stringify({ v: 1, kind: 'source', source: 'gone', reason: 'push' }));

    for (let moved = 0; moved < 2; ) {
      const { Messages: messages = [] } = await box.clients.sqs.send(
        new ReceiveMessageCommand({ QueueUrl: deadLetters, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 }),
      );
      for (const { Body: body = '', ReceiptHandle: receipt } of messages) {
        await box.clients.sqs.send(
          new DeleteMessageCommand({ QueueUrl: deadLetters, ReceiptHandle: receipt }),
        );
        await send(sourceQueueUrl, body);
        moved += 1;
      }
    }
    await emptied(sourceQueueUrl);

    expect(await depth(deadLetters)).toBe(1);
  }, 90_000);

  it('brings a message back when its function is killed', async () => {
    const { sourceStage } = box.functions;
    const { sourceQueueUrl } = box.names;
    await sourceStage.cool();

    await send(sourceQueueUrl, JSON.stringify({ v: 1, kind: 'source', source: 'gone', reason: 'push' }));
    await eventually('it is at work', 30, async () => (sourceStage.busy() > 0 ? true : undefined));
    const killed = await sourceStage.killBusy();

    await emptied(sourceQueueUrl);
    expect(killed).toBe(1);
  }, 90_000);

  it('refuses what the role of a function does not allow', async () => {
    const { bucket } = box.names;
    const endpoint = box.functions.webhook.spec.environment['AWS_ENDPOINT_URL'] ?? '';
    const s3 = new S3Client({
      endpoint,
      region: 'us-east-1',
      credentials: box.clients.s3.config.credentials,
    });

    const attempt = s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'artefacts/x', Body: 'x' }));

    await expect(attempt).rejects.toThrow(expect.objectContaining({ name: 'AccessDenied' }));
    expect(box.denied.map(({ role, access }) => [role, access.action])).toEqual([
      ['webhook', 's3:PutObject'],
    ]);
    s3.destroy();
  }, 30_000);

  const withNamespaces = hasMountNamespaces() ? it : it.skip;
  withNamespaces(
    'unpacks the layer at /opt, with tools that run',
    async () => {
      const { targetStage } = box.functions;
      const spec = {
        ...targetStage.spec,
        codeDirectory: mkdtempSync(join(directory, 'probe-')),
      };
      chmodSync(spec.codeDirectory, 0o755);
      writeFileSync(
        join(spec.codeDirectory, 'index.mjs'),
        `import { execFileSync } from 'node:child_process';
       import { existsSync } from 'node:fs';
       export const handler = async () => ({
         kubectl: execFileSync('/opt/kubectl/kubectl', ['version', '--client'], { env: {} }).toString(),
         helm: execFileSync('/opt/helm/helm', ['version', '--short'], { env: { HOME: '/tmp' } }).toString(),
         tools: process.env.HOLDFAST_TOOLS_DIRECTORY,
         repository: existsSync(${JSON.stringify(process.cwd())}),
       });`,
      );
      const pool = createFunctionPool(spec, { directory });

      const end = await pool.invoke({});

      await pool.close();
      expect(end).toMatchObject({
        kind: 'returned',
        value: {
          kubectl: expect.stringContaining('v1.35'),
          helm: expect.stringContaining('v4.1'),
          tools: '/opt',
          repository: false,
        },
      });
    },
    60_000,
  );
});
