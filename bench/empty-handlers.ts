import path from 'node:path';
import { build } from 'esbuild';
import { FUNCTION_BUNDLES, type FunctionBundle } from '../scripts/build-functions.ts';

const CLIENTS: Readonly<Record<string, string>> = {
  DynamoDBClient: '@aws-sdk/client-dynamodb',
  SQSClient: '@aws-sdk/client-sqs',
  S3Client: '@aws-sdk/client-s3',
  SecretsManagerClient: '@aws-sdk/client-secrets-manager',
};

const OF: Readonly<Record<FunctionBundle, readonly string[]>> = {
  webhook: ['DynamoDBClient', 'SQSClient', 'SecretsManagerClient'],
  reconcile: ['DynamoDBClient', 'SQSClient', 'S3Client', 'SecretsManagerClient'],
  'drift-scan': ['DynamoDBClient', 'SQSClient', 'SecretsManagerClient'],
};

/**
 * Handlers that only have the AWS clients of each function, and where its first event asks DynamoDB or the others for
 * something, ask the same: what any function on these clients costs at least. Bundled as the functions are.
 */
export async function buildEmptyHandlers(
  directory: string,
): Promise<Readonly<Record<FunctionBundle | 'push', string>>> {
  const built: Record<string, string> = {};
  const sources = [
    ...FUNCTION_BUNDLES.map(
      (name) => [name, emptyHandler(OF[name], name === 'drift-scan' ? QUERY : '')] as const,
    ),
    ['push', emptyHandler(OF.webhook, PUSH)] as const,
  ];
  for (const [name, source] of sources) {
    const file = path.join(directory, `empty-${name}`, 'index.mjs');
    await build({
      stdin: { contents: source, resolveDir: path.join(import.meta.dirname, '..'), loader: 'js' },
      outfile: file,
      bundle: true,
      platform: 'node',
      target: 'node24',
      format: 'esm',
      mainFields: ['module', 'main'],
      minify: true,
      keepNames: true,
      legalComments: 'none',
      banner: {
        js: "import { createRequire as emptyCreateRequire } from 'node:module'; const require = emptyCreateRequire(import.meta.url);",
      },
      logLevel: 'warning',
    });
    built[name] = file;
  }
  return built as Record<FunctionBundle | 'push', string>;
}

/** The drift scan lists the clusters of an installation first. */
const QUERY = `await clients[0].send(new dynamodb.QueryCommand({
  TableName: process.env.HOLDFAST_TABLE, IndexName: 'list', KeyConditionExpression: 'listKey = :key',
  ExpressionAttributeValues: { ':key': { S: 'CLUSTER' } },
}));`;

/** One of each that a push costs: the source, its secret, the wake-up. */
const PUSH = `await clients[0].send(new dynamodb.GetItemCommand({
  TableName: process.env.HOLDFAST_TABLE, Key: { pk: { S: 'SOURCE#shop' }, sk: { S: 'META' } }, ConsistentRead: true,
}));
await clients[2].send(new secrets.GetSecretValueCommand({ SecretId: process.env.HOLDFAST_SECRET_PREFIX + '/webhook/shop' }));
await clients[1].send(new sqs.SendMessageBatchCommand({
  QueueUrl: process.env.HOLDFAST_SOURCE_QUEUE_URL, Entries: [{ Id: '0', MessageBody: '{}' }],
}));`;

function emptyHandler(clients: readonly string[], asks: string): string {
  const imports = clients.map((name) => `import { ${name} } from '${CLIENTS[name]}';`);
  return `${imports.join('\n')}
import * as dynamodb from '@aws-sdk/client-dynamodb';
import * as sqs from '@aws-sdk/client-sqs';
import * as secrets from '@aws-sdk/client-secrets-manager';
let clients;
export const handler = async () => {
  clients ??= [${clients.map((name) => `new ${name}({})`).join(', ')}];
  ${asks}
  return { statusCode: 401 };
};`;
}
