import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { dynamoTable, ensureTable } from '../../lib/state/table.ts';
import type { RecordTable } from '../../lib/state/record-table.ts';

/** A DynamoDB emulator of its own, in memory, on a free port. */
export async function startDynalite(): Promise<{
  readonly client: DynamoDBClient;
  readonly endpoint: string;
  newTable(tableName?: string): Promise<RecordTable>;
  close(): Promise<void>;
}> {
  const server = dynalite({ createTableMs: 0 });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new DynamoDBClient({
    endpoint,
    region: 'local',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  let tables = 0;
  return {
    client,
    endpoint,
    async newTable(tableName = `table-${tables++}`) {
      await ensureTable(client, tableName);
      return dynamoTable({ client, tableName });
    },
    async close() {
      client.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
