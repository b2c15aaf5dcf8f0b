import { randomBytes } from 'node:crypto';
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { CreateSecretCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { CreateQueueCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { AwsClients } from '../../lib/compose/aws.ts';
import { type Properties, type Resolve, resourcesOf, SECRET_SUFFIX, type Template } from './template.ts';

export interface ProvisionOptions {
  /** In place of the template's, which outlasts any test. */
  readonly visibilityTimeoutSeconds?: number;
}

/** Makes what the template describes in the emulators: tables, queues, buckets, generated secrets. */
export async function provision(
  clients: AwsClients,
  template: Template,
  resolve: Resolve,
  options: ProvisionOptions = {},
): Promise<void> {
  for (const [id, properties] of resourcesOf(template, 'AWS::DynamoDB::Table')) {
    await createTable(clients.dynamodb, String(resolve({ Ref: id })), resolve(properties) as Properties);
  }
  const queues = resourcesOf(template, 'AWS::SQS::Queue');
  // A queue names its dead-letter queue, which has to be there first.
  for (const hasRedrive of [false, true]) {
    for (const [id, properties] of queues) {
      if ((properties['RedrivePolicy'] !== undefined) !== hasRedrive) continue;
      const name = String(resolve({ 'Fn::GetAtt': [id, 'QueueName'] }));
      await createQueue(clients.sqs, name, resolve(properties) as Properties, options);
    }
  }
  for (const [id] of resourcesOf(template, 'AWS::S3::Bucket')) {
    await clients.s3.send(new CreateBucketCommand({ Bucket: String(resolve({ Ref: id })) }));
  }
  for (const [id, properties] of resourcesOf(template, 'AWS::SecretsManager::Secret')) {
    await createSecret(clients.secretsManager, String(resolve({ Ref: id })), properties);
  }
}

type TableProperties = Pick<
  CreateTableCommandInput,
  'AttributeDefinitions' | 'KeySchema' | 'GlobalSecondaryIndexes' | 'BillingMode'
>;

async function createTable(client: DynamoDBClient, name: string, properties: Properties): Promise<void> {
  const { AttributeDefinitions, KeySchema, GlobalSecondaryIndexes, BillingMode } =
    properties as TableProperties;
  await client.send(
    new CreateTableCommand({
      TableName: name,
      AttributeDefinitions,
      KeySchema,
      BillingMode,
      ...(GlobalSecondaryIndexes === undefined ? {} : { GlobalSecondaryIndexes }),
    }),
  );
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const { Table: table } = await client.send(new DescribeTableCommand({ TableName: name }));
    if (table?.TableStatus === 'ACTIVE') return;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(`table ${name} does not become active`);
}

const NUMBERS = [
  'VisibilityTimeout',
  'MessageRetentionPeriod',
  'DelaySeconds',
  'ReceiveMessageWaitTimeSeconds',
];

async function createQueue(
  client: SQSClient,
  name: string,
  properties: Properties,
  { visibilityTimeoutSeconds }: ProvisionOptions,
): Promise<void> {
  const attributes: Record<string, string> = {};
  for (const key of NUMBERS) if (properties[key] !== undefined) attributes[key] = String(properties[key]);
  if (properties['RedrivePolicy'] !== undefined) {
    attributes['RedrivePolicy'] = JSON.stringify(properties['RedrivePolicy']);
    if (visibilityTimeoutSeconds !== undefined)
      attributes['VisibilityTimeout'] = String(visibilityTimeoutSeconds);
  }
  await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
}

interface Generate {
  readonly PasswordLength?: number;
  readonly SecretStringTemplate?: string;
}

async function createSecret(
  client: SecretsManagerClient,
  arn: string,
  properties: Properties,
): Promise<void> {
  const { PasswordLength: length = 32, SecretStringTemplate: form } = (properties['GenerateSecretString'] ??
    {}) as Generate;
  if (form !== undefined) throw new Error('the box does not generate secrets from a SecretStringTemplate');
  const name = arn.slice(arn.indexOf(':secret:') + ':secret:'.length, -SECRET_SUFFIX.length);
  const value = randomBytes(length).toString('base64url').slice(0, length);
  await client.send(new CreateSecretCommand({ Name: name, SecretString: value }));
}
