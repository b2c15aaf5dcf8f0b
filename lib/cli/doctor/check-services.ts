import { DescribeTableCommand, type TableDescription } from '@aws-sdk/client-dynamodb';
import { HeadBucketCommand } from '@aws-sdk/client-s3';
import { GetQueueAttributesCommand, GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { DUE_INDEX, LIST_INDEX } from '../../state/record-table.ts';
import type { Installation } from '../cli.ts';
import { plural } from '../output/words.ts';
import { type Finding, isDenied, ok, problem, reasonOf, skipped, warning } from './finding.ts';

type Services = NonNullable<Installation['aws']>;

/** Messages that wait: more than a burst of pushes leaves behind. */
const DEEP_QUEUE = 1_000;

/** The table, the queues with their dead letters, and the bucket. */
export async function checkServices(services: Services): Promise<readonly Finding[]> {
  const { names } = services;
  return [
    ...(await checkTable(services)),
    ...(await checkQueue(services.clients.sqs, 'sources', names.sourceQueueUrl)),
    ...(await checkQueue(services.clients.sqs, 'targets', names.targetQueueUrl)),
    await checkBucket(services),
  ];
}

async function checkTable({ clients, names }: Services): Promise<readonly Finding[]> {
  const { table } = names;
  try {
    const { Table } = await clients.dynamodb.send(new DescribeTableCommand({ TableName: table }));
    const faults = tableFaults(Table ?? {});
    if (faults.length === 0) return [ok('table', table, `active, with its indexes`)];
    return faults.map((fault) =>
      problem(
        'table',
        table,
        fault,
        'deploy the stack again; a table of another shape cannot be changed in place',
      ),
    );
  } catch (error) {
    return [
      failure(
        'table',
        table,
        error,
        'check the region and credentials of this shell, and whether the stack is deployed',
      ),
    ];
  }
}

/** What the stored records rest on; see lib/state/record-table.ts and lib/state/table.ts. */
export function tableFaults(table: TableDescription): readonly string[] {
  const faults: string[] = [];
  if (table.TableStatus !== 'ACTIVE')
    faults.push(`its status is ${table.TableStatus ?? 'unknown'}, not ACTIVE`);
  if (keysOf(table.KeySchema) !== 'HASH pk, RANGE sk') {
    faults.push(`its key is ${keysOf(table.KeySchema)}, not HASH pk, RANGE sk`);
  }
  const wanted = { [LIST_INDEX]: 'HASH listKey, RANGE listSort', [DUE_INDEX]: 'HASH dueKey, RANGE dueAt' };
  for (const [name, keys] of Object.entries(wanted)) {
    const index = table.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === name);
    if (index === undefined) faults.push(`it has no index "${name}"`);
    else if (keysOf(index.KeySchema) !== keys)
      faults.push(`its index "${name}" has the key ${keysOf(index.KeySchema)}, not ${keys}`);
    else if (index.IndexStatus !== undefined && index.IndexStatus !== 'ACTIVE') {
      faults.push(`its index "${name}" is ${index.IndexStatus}, not ACTIVE`);
    }
  }
  return faults;
}

function keysOf(schema: TableDescription['KeySchema']): string {
  return (
    (schema ?? []).map(({ KeyType, AttributeName }) => `${KeyType} ${AttributeName}`).join(', ') || 'none'
  );
}

async function checkQueue(sqs: SQSClient, name: string, url: string): Promise<readonly Finding[]> {
  try {
    const attributes = await attributesOf(sqs, url);
    const { waiting, delayed, working } = depthOf(attributes);
    const depth = `${plural(waiting, 'message')} waiting, ${working} in work, ${delayed} delayed`;
    const action =
      'look at the errors and throttles of the function that it feeds, and at its concurrency (docs/runbook.md#oldest-message)';
    return [
      waiting >= DEEP_QUEUE ? warning('queue', name, depth, action) : ok('queue', name, depth),
      await checkDeadLetters(sqs, name, attributes['RedrivePolicy']),
    ];
  } catch (error) {
    return [
      failure(
        'queue',
        name,
        error,
        'check the region and credentials of this shell, and whether the stack is deployed',
      ),
    ];
  }
}

async function checkDeadLetters(sqs: SQSClient, name: string, policy: string | undefined): Promise<Finding> {
  const subject = `${name} dead letters`;
  const arn = /"deadLetterTargetArn"\s*:\s*"([^"]+)"/.exec(policy ?? '')?.[1];
  const queueName = arn?.split(':').at(-1);
  if (queueName === undefined) {
    return problem(
      'queue',
      subject,
      'the queue has no dead-letter queue',
      'deploy the stack again: a message that cannot be handled would come back for days',
    );
  }
  try {
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: queueName }));
    const { waiting } = depthOf(await attributesOf(sqs, QueueUrl ?? ''));
    if (waiting === 0) return ok('queue', subject, 'none');
    return problem(
      'queue',
      subject,
      `${plural(waiting, 'wake-up')} crashed their function five times`,
      'find the cause in the log of the function, then redrive them: they carry no work and never harm (docs/runbook.md#dead-letters)',
    );
  } catch (error) {
    return failure('queue', subject, error, 'check that the queue exists and that this shell may read it');
  }
}

async function attributesOf(sqs: SQSClient, QueueUrl: string): Promise<Partial<Record<string, string>>> {
  const answer = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
  return answer.Attributes ?? {};
}

function depthOf(attributes: Partial<Record<string, string>>) {
  return {
    waiting: Number(attributes['ApproximateNumberOfMessages'] ?? 0),
    working: Number(attributes['ApproximateNumberOfMessagesNotVisible'] ?? 0),
    delayed: Number(attributes['ApproximateNumberOfMessagesDelayed'] ?? 0),
  };
}

async function checkBucket({ clients, names }: Services): Promise<Finding> {
  try {
    await clients.s3.send(new HeadBucketCommand({ Bucket: names.bucket }));
    return ok('bucket', names.bucket, 'there');
  } catch (error) {
    return failure(
      'bucket',
      names.bucket,
      error,
      'deploy the stack again: artefacts are rebuilt from Git by the next sweep',
    );
  }
}

function failure(check: string, subject: string, error: unknown, action: string): Finding {
  return isDenied(error)
    ? skipped(check, subject, `the credentials of this shell may not look (${reasonOf(error)})`)
    : problem(check, subject, `cannot be reached (${reasonOf(error)})`, action);
}
