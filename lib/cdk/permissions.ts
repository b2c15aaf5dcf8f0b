import { Aws } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { IRepository } from 'aws-cdk-lib/aws-ecr';
import { type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { SecretRole } from '../secrets/secret-store.ts';
import type { DUE_INDEX, LIST_INDEX } from '../state/record-table.ts';
import { ownArn } from './holdfast-function.ts';
import { ARTEFACT_PREFIX } from './storage.ts';

// One function per right, named for what it allows. No L2 grants: they bring actions that the code never calls.

/** What lib/state/table.ts calls; items are removed in batches, and no table is ever scanned. */
const READ_ACTIONS = ['dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:Query'];
const WRITE_ACTIONS = ['dynamodb:BatchWriteItem', 'dynamodb:PutItem'];

/** @param keyPrefixes restrict the partition keys; the first part of a key is the noun that the item belongs to */
export function readRecords(table: ITable, keyPrefixes?: readonly string[]): PolicyStatement {
  return new PolicyStatement({
    sid: 'ReadRecords',
    actions: [...READ_ACTIONS],
    resources: [table.tableArn],
    ...leadingKeys(keyPrefixes),
  });
}

export function changeRecords(table: ITable, keyPrefixes?: readonly string[]): PolicyStatement {
  return new PolicyStatement({
    sid: 'ChangeRecords',
    actions: [...READ_ACTIONS, ...WRITE_ACTIONS],
    resources: [table.tableArn],
    ...leadingKeys(keyPrefixes),
  });
}

export function queryIndexes(
  table: ITable,
  ...indexes: readonly (typeof LIST_INDEX | typeof DUE_INDEX)[]
): PolicyStatement {
  return new PolicyStatement({
    sid: 'QueryIndexes',
    actions: ['dynamodb:Query'],
    resources: indexes.map((index) => `${table.tableArn}/index/${index}`),
  });
}

function leadingKeys(prefixes: readonly string[] | undefined) {
  if (prefixes === undefined) return {};
  return {
    conditions: {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': prefixes.map((prefix) => `${prefix}#*`) },
    },
  };
}

export function describeTable(table: ITable): PolicyStatement {
  return new PolicyStatement({
    sid: 'DescribeTable',
    actions: ['dynamodb:DescribeTable'],
    resources: [table.tableArn],
  });
}

export function sendTo(...queues: readonly IQueue[]): PolicyStatement {
  return new PolicyStatement({
    sid: 'SendWakeUps',
    actions: ['sqs:SendMessage'],
    resources: queues.map((queue) => queue.queueArn),
  });
}

/** For Lambda, which reads on behalf of the function. */
export function consume(queue: IQueue): PolicyStatement {
  return new PolicyStatement({
    sid: 'ConsumeWakeUps',
    actions: ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'],
    resources: [queue.queueArn],
  });
}

export function getArtefacts(bucket: Bucket): PolicyStatement {
  return new PolicyStatement({
    sid: 'GetArtefacts',
    actions: ['s3:GetObject'],
    resources: [artefactArn(bucket)],
  });
}

export function putArtefacts(bucket: Bucket): PolicyStatement {
  return new PolicyStatement({
    sid: 'PutArtefacts',
    actions: ['s3:GetObject', 's3:PutObject'],
    resources: [artefactArn(bucket)],
  });
}

/** Objects below the prefix of the store, and nothing that somebody else may put into the bucket. */
export function artefactArn(bucket: Bucket): string {
  return bucket.arnForObjects(`${ARTEFACT_PREFIX}*`);
}

/** Without it S3 answers 403 for an artefact that is gone, and gone could not be told from forbidden. */
export function tellMissingArtefacts(bucket: Bucket): PolicyStatement {
  return new PolicyStatement({
    sid: 'TellMissingArtefacts',
    actions: ['s3:ListBucket'],
    resources: [bucket.bucketArn],
  });
}

/** Secrets of a role are made by the command line, so their names are not known here; the hash key's is. */
export function getSecrets(secretArns: readonly string[]): PolicyStatement {
  return new PolicyStatement({
    sid: 'GetSecrets',
    actions: ['secretsmanager:GetSecretValue'],
    resources: [...secretArns],
  });
}

/** Which version is current, and never the value. */
export function describeSecrets(secretArns: readonly string[]): PolicyStatement {
  return new PolicyStatement({
    sid: 'DescribeSecrets',
    actions: ['secretsmanager:DescribeSecret'],
    resources: [...secretArns],
  });
}

/** Data keys of SOPS files; the policy of each key has the last word. */
export function decryptDataKeys(keys: readonly IKey[]): readonly PolicyStatement[] {
  if (keys.length === 0) return [];
  return [
    new PolicyStatement({
      sid: 'DecryptDataKeys',
      actions: ['kms:Decrypt'],
      resources: keys.map(({ keyArn }) => keyArn),
    }),
  ];
}

export function assumeRoles(roles: readonly IRole[]): readonly PolicyStatement[] {
  if (roles.length === 0) return [];
  return [
    new PolicyStatement({
      sid: 'AssumeDecryptionRoles',
      actions: ['sts:AssumeRole'],
      resources: roles.map(({ roleArn }) => roleArn),
    }),
  ];
}

/** As a registry is read: tags, manifests and blobs. The token is the account's; it opens what the second statement says. */
export function pullCharts(repositories: readonly IRepository[]): readonly PolicyStatement[] {
  if (repositories.length === 0) return [];
  return [
    new PolicyStatement({
      sid: 'LogInToRegistry',
      actions: ['ecr:GetAuthorizationToken'],
      resources: ['*'],
    }),
    new PolicyStatement({
      sid: 'PullCharts',
      actions: ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer', 'ecr:ListImages'],
      resources: repositories.map(({ repositoryArn }) => repositoryArn),
    }),
  ];
}

/** Every secret of a role, in this installation alone. */
export function secretArn(secretPrefix: string, role: SecretRole): string {
  return ownArn('secretsmanager', `secret:${secretPrefix}/${role}/*`);
}

/** Registering; what is there already is replaced, and what is removed is gone at once, as lib/secrets does it. */
export function writeSecrets(secretPrefix: string, ...roles: readonly SecretRole[]): PolicyStatement {
  return new PolicyStatement({
    sid: 'WriteSecrets',
    actions: ['secretsmanager:CreateSecret', 'secretsmanager:DeleteSecret', 'secretsmanager:PutSecretValue'],
    resources: roles.map((role) => secretArn(secretPrefix, role)),
  });
}

export function lookAtQueues(...queues: readonly IQueue[]): PolicyStatement {
  return new PolicyStatement({
    sid: 'LookAtQueues',
    actions: ['sqs:GetQueueAttributes'],
    resources: queues.map((queue) => queue.queueArn),
  });
}

export function call(fn: IFunction): PolicyStatement {
  return new PolicyStatement({
    sid: 'CallFunction',
    actions: ['lambda:InvokeFunction'],
    resources: [fn.functionArn],
  });
}

/** Only through the services that hold what it encrypts; nothing is encrypted by our own code. */
export function useKey(key: IKey, services: readonly string[]): PolicyStatement {
  return new PolicyStatement({
    sid: 'UseKey',
    actions: ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey'],
    resources: [key.keyArn],
    conditions: {
      StringEquals: {
        'kms:ViaService': services.map((service) => `${service}.${Aws.REGION}.amazonaws.com`),
      },
    },
  });
}
