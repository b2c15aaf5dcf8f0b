import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  CreateTableCommand,
  DescribeTableCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  type AttributeValue,
  type DynamoDBClient,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { HoldfastError } from '../model/errors.ts';
import {
  DUE_INDEX,
  LIST_INDEX,
  type RecordKey,
  type RecordTable,
  type TableRecord,
  type WriteCondition,
} from './record-table.ts';

type Item = Record<string, AttributeValue>;

/** The parts of the condition expressions, in one place. */
const VERSION_IS = 'version = :version';
const IS_ABSENT = 'attribute_not_exists(pk)';

/** The DynamoDB adapter. @throws what the SDK throws, after its own retries; a failed condition is a value. */
export function dynamoTable(deps: {
  readonly client: DynamoDBClient;
  readonly tableName: string;
}): RecordTable {
  const { client, tableName: TableName } = deps;

  async function writeAll(requests: readonly WriteRequest[]): Promise<void> {
    for (let start = 0; start < requests.length; start += 25) {
      let batch: WriteRequest[] = requests.slice(start, start + 25);
      for (let round = 0; batch.length > 0; round++) {
        if (round === 10) {
          throw new HoldfastError('internal', 'the table keeps refusing part of a batch write', {
            retryable: true,
          });
        }
        if (round > 0) await new Promise((resolve) => setTimeout(resolve, 20 * 2 ** round * Math.random()));
        const answer = await client.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: batch } }));
        batch = answer.UnprocessedItems?.[TableName] ?? [];
      }
    }
  }

  async function queryIndex(
    IndexName: string,
    expression: string,
    values: Item,
    limit = Infinity,
  ): Promise<RecordKey[]> {
    const keys: RecordKey[] = [];
    let from: Item | undefined;
    do {
      const page = await client.send(
        new QueryCommand({
          TableName,
          IndexName,
          KeyConditionExpression: expression,
          ExpressionAttributeValues: values,
          ...(Number.isFinite(limit) ? { Limit: limit - keys.length } : {}),
          ...(from === undefined ? {} : { ExclusiveStartKey: from }),
        }),
      );
      for (const item of page.Items ?? []) keys.push({ pk: item['pk']?.S ?? '', sk: item['sk']?.S ?? '' });
      from = page.LastEvaluatedKey;
    } while (from !== undefined && keys.length < limit);
    return keys;
  }

  return {
    async get(key) {
      const answer = await client.send(
        new GetItemCommand({ TableName, Key: keyOf(key), ConsistentRead: true }),
      );
      return answer.Item === undefined ? undefined : recordOf(answer.Item);
    },

    async getMany(keys) {
      const records: TableRecord[] = [];
      for (let start = 0; start < keys.length; start += 100) {
        let wanted: Item[] = keys.slice(start, start + 100).map(keyOf);
        while (wanted.length > 0) {
          const answer = await client.send(
            new BatchGetItemCommand({
              RequestItems: { [TableName]: { Keys: wanted, ConsistentRead: true } },
            }),
          );
          records.push(...(answer.Responses?.[TableName] ?? []).map(recordOf));
          wanted = answer.UnprocessedKeys?.[TableName]?.Keys ?? [];
        }
      }
      return records;
    },

    async query(pk, skPrefix, options = {}) {
      const records: TableRecord[] = [];
      let from: Item | undefined;
      do {
        const page = await client.send(
          new QueryCommand({
            TableName,
            ConsistentRead: true,
            KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
            ExpressionAttributeValues: { ':pk': { S: pk }, ':prefix': { S: skPrefix } },
            ScanIndexForward: options.descending !== true,
            ...(options.limit === undefined ? {} : { Limit: options.limit - records.length }),
            ...(from === undefined ? {} : { ExclusiveStartKey: from }),
          }),
        );
        records.push(...(page.Items ?? []).map(recordOf));
        from = page.LastEvaluatedKey;
      } while (from !== undefined && (options.limit === undefined || records.length < options.limit));
      return records;
    },

    async put(record, condition) {
      try {
        await client.send(new PutItemCommand({ TableName, Item: itemOf(record), ...conditionOf(condition) }));
        return true;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return false;
        throw error;
      }
    },

    putMany: (records) => writeAll(records.map((record) => ({ PutRequest: { Item: itemOf(record) } }))),
    remove: (keys) => writeAll(keys.map((key) => ({ DeleteRequest: { Key: keyOf(key) } }))),

    list: (key, sortPrefix = '') =>
      sortPrefix === ''
        ? queryIndex(LIST_INDEX, 'listKey = :key', { ':key': { S: key } })
        : queryIndex(LIST_INDEX, 'listKey = :key AND begins_with(listSort, :prefix)', {
            ':key': { S: key },
            ':prefix': { S: sortPrefix },
          }),

    due: (key, upTo, limit) =>
      queryIndex(
        DUE_INDEX,
        'dueKey = :key AND dueAt <= :upTo',
        { ':key': { S: key }, ':upTo': { N: String(upTo) } },
        limit,
      ),
  };
}

function conditionOf(condition: WriteCondition) {
  if (condition === 'always') return {};
  if (condition === 'absent') return { ConditionExpression: IS_ABSENT };
  return {
    ConditionExpression: VERSION_IS,
    ExpressionAttributeValues: { ':version': { N: String(condition.version) } },
  };
}

function keyOf(key: RecordKey): Item {
  return { pk: { S: key.pk }, sk: { S: key.sk } };
}

function itemOf(record: TableRecord): Item {
  return {
    ...keyOf(record),
    version: { N: String(record.version) },
    body: { S: record.body },
    ...(record.bytes === undefined ? {} : { bytes: { B: record.bytes } }),
    ...(record.list === undefined
      ? {}
      : { listKey: { S: record.list.key }, listSort: { S: record.list.sort } }),
    ...(record.due === undefined
      ? {}
      : { dueKey: { S: record.due.key }, dueAt: { N: String(record.due.at) } }),
    ...(record.expiresAt === undefined ? {} : { expiresAt: { N: String(record.expiresAt) } }),
  };
}

function recordOf(item: Item): TableRecord {
  const bytes = item['bytes']?.B;
  return {
    pk: item['pk']?.S ?? '',
    sk: item['sk']?.S ?? '',
    version: Number(item['version']?.N ?? 0),
    body: item['body']?.S ?? '',
    ...(bytes === undefined ? {} : { bytes }),
    ...(item['listKey']?.S === undefined
      ? {}
      : { list: { key: item['listKey'].S, sort: item['listSort']?.S ?? '' } }),
    ...(item['dueKey']?.S === undefined
      ? {}
      : { due: { key: item['dueKey'].S, at: Number(item['dueAt']?.N) } }),
    ...(item['expiresAt']?.N === undefined ? {} : { expiresAt: Number(item['expiresAt'].N) }),
  };
}

/** The table as the stack defines it, for emulators. Idempotent; returns when the table is active. */
export async function ensureTable(client: DynamoDBClient, tableName: string): Promise<void> {
  try {
    await client.send(
      new CreateTableCommand({
        TableName: tableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [
          { AttributeName: 'pk', AttributeType: 'S' },
          { AttributeName: 'sk', AttributeType: 'S' },
          { AttributeName: 'listKey', AttributeType: 'S' },
          { AttributeName: 'listSort', AttributeType: 'S' },
          { AttributeName: 'dueKey', AttributeType: 'S' },
          { AttributeName: 'dueAt', AttributeType: 'N' },
        ],
        KeySchema: [
          { AttributeName: 'pk', KeyType: 'HASH' },
          { AttributeName: 'sk', KeyType: 'RANGE' },
        ],
        GlobalSecondaryIndexes: [
          keysOnlyIndex(LIST_INDEX, 'listKey', 'listSort'),
          keysOnlyIndex(DUE_INDEX, 'dueKey', 'dueAt'),
        ],
      }),
    );
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error;
  }
  for (let attempt = 0; attempt < 600; attempt++) {
    if ((await tableStatus(client, tableName)) === 'ACTIVE') return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new HoldfastError('internal', `the table ${tableName} did not become active`);
}

function keysOnlyIndex(IndexName: string, hash: string, range: string) {
  return {
    IndexName,
    KeySchema: [
      { AttributeName: hash, KeyType: 'HASH' as const },
      { AttributeName: range, KeyType: 'RANGE' as const },
    ],
    Projection: { ProjectionType: 'KEYS_ONLY' as const },
  };
}

async function tableStatus(client: DynamoDBClient, TableName: string): Promise<string | undefined> {
  try {
    return (await client.send(new DescribeTableCommand({ TableName }))).Table?.TableStatus;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}
