import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { createAccessKey } from '../../../lib/local/access-key.ts';
import { type Emulators, startEmulators } from '../../../lib/local/emulators.ts';

/** The database below dynalite: the only way into states that a kill leaves between two of its writes. */
interface Database {
  get(key: string): Promise<Record<string, unknown>>;
  put(key: string, value: unknown): Promise<void>;
  keys(): AsyncIterable<string>;
  del(key: string): Promise<void>;
  close(): Promise<void>;
}

const dynaliteRequire = createRequire(createRequire(import.meta.url).resolve('dynalite'));
const { Level } = dynaliteRequire('level') as {
  readonly Level: new (path: string, options: { readonly valueEncoding: 'json' }) => Database;
};

const accessKey = createAccessKey();

async function tamper(directory: string, change: (database: Database) => Promise<void>): Promise<void> {
  const database = new Level(join(directory, 'dynamodb'), { valueEncoding: 'json' });
  await change(database);
  await database.close();
}

async function putItem(emulators: Emulators): Promise<void> {
  await emulators.clients().dynamodb.send(
    new PutItemCommand({
      TableName: 'holdfast',
      Item: {
        pk: { S: 'TARGET#1' },
        sk: { S: 'STATE' },
        listKey: { S: 'TARGET' },
        listSort: { S: 'a' },
        dueKey: { S: 'DUE#1' },
        dueAt: { N: '5' },
      },
    }),
  );
}

async function listed(emulators: Emulators, index: string, name: string, value: string): Promise<number> {
  const answer = await emulators.clients().dynamodb.send(
    new QueryCommand({
      TableName: 'holdfast',
      IndexName: index,
      KeyConditionExpression: `${name} = :value`,
      ExpressionAttributeValues: { ':value': { S: value } },
    }),
  );
  return answer.Items?.length ?? 0;
}

describe('the local table after a kill between two writes', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-repair-'));
    const emulators = await startEmulators({ directory, accessKey });
    await putItem(emulators);
    await emulators.close();
  });

  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  it('lists an item again that its indexes had lost', async () => {
    await tamper(directory, async (database) => {
      for await (const key of database.keys()) {
        if (key.startsWith('index-')) {
          await database.del(key);
        }
      }
    });

    const emulators = await startEmulators({ directory, accessKey });
    const counts = [
      await listed(emulators, 'list', 'listKey', 'TARGET'),
      await listed(emulators, 'due', 'dueKey', 'DUE#1'),
    ];
    await emulators.close();

    expect(counts).toEqual([1, 1]);
  });

  it('is made anew when it was never finished', async () => {
    await tamper(directory, async (database) => {
      const table = await database.get('table~holdfast');
      await database.put('table~holdfast', { ...table, TableStatus: 'CREATING' });
    });

    const emulators = await startEmulators({ directory, accessKey });
    await putItem(emulators);
    const count = await listed(emulators, 'list', 'listKey', 'TARGET');
    await emulators.close();

    expect(count).toBe(1);
  });
});
