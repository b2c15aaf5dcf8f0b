import {
  type AttributeValue,
  DescribeTableCommand,
  type DynamoDBClient,
  PutItemCommand,
  ResourceNotFoundException,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';

/**
 * Whether a process died while it created the table: dynalite leaves it CREATING for good. Such a table never took an
 * item.
 */
export async function isStuckCreating(client: DynamoDBClient, tableName: string): Promise<boolean> {
  try {
    const answer = await client.send(new DescribeTableCommand({ TableName: tableName }));
    return answer.Table?.TableStatus === 'CREATING';
  } catch (error) {
    if (error instanceof ResourceNotFoundException) {
      return false;
    }
    throw error;
  }
}

/**
 * Writes every indexed item again as it is. dynalite changes an index before the item, so a kill -9 between the two
 * leaves an item that its index no longer lists; DynamoDB does not know this state. Only while nobody else writes.
 */
export async function repairIndexes(client: DynamoDBClient, tableName: string): Promise<void> {
  const indexKeys = await indexKeyNames(client, tableName);
  if (indexKeys.length === 0) {
    return;
  }
  let from: Record<string, AttributeValue> | undefined;
  do {
    const page = await client.send(
      new ScanCommand({
        TableName: tableName,
        ConsistentRead: true,
        FilterExpression: indexKeys.map((_, n) => `attribute_exists(#k${n})`).join(' OR '),
        ExpressionAttributeNames: Object.fromEntries(indexKeys.map((name, n) => [`#k${n}`, name])),
        ...(from !== undefined && { ExclusiveStartKey: from }),
      }),
    );
    for (const item of page.Items ?? []) {
      await client.send(new PutItemCommand({ TableName: tableName, Item: item }));
    }
    from = page.LastEvaluatedKey;
  } while (from !== undefined);
}

async function indexKeyNames(client: DynamoDBClient, tableName: string): Promise<readonly string[]> {
  const { Table: table } = await client.send(new DescribeTableCommand({ TableName: tableName }));
  const hashKeys = (table?.GlobalSecondaryIndexes ?? []).flatMap((index) =>
    (index.KeySchema ?? []).filter((key) => key.KeyType === 'HASH').map((key) => key.AttributeName ?? ''),
  );
  return [...new Set(hashKeys)].filter((name) => name !== '');
}
