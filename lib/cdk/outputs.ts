import { CfnOutput } from 'aws-cdk-lib';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { InstallationNames } from '../compose/names.ts';
import type { HoldfastFunction } from './holdfast-function.ts';

interface Deployed extends Construct {
  readonly names: InstallationNames;
  readonly webhookUrl: string;
  readonly sourceDeadLetterQueue: IQueue;
  readonly targetDeadLetterQueue: IQueue;
  readonly driftScan: HoldfastFunction;
  readonly targetStage: HoldfastFunction;
}

/** By name. In a stack of its own these are the names of the outputs; in another one the construct's path stands before. */
export function createOutputs(holdfast: Deployed): Readonly<Record<string, CfnOutput>> {
  return Object.fromEntries(
    Object.entries(describe(holdfast)).map(([name, { value, description }]) => [
      name,
      new CfnOutput(holdfast, name, { value, description }),
    ]),
  );
}

function describe(holdfast: Deployed) {
  const { names } = holdfast;
  return {
    WebhookUrl: { value: holdfast.webhookUrl, description: 'Webhooks go to <this>/<source id>' },
    Installation: { value: names.installation, description: 'Part of the id of every application' },
    Table: { value: names.table, description: 'State' },
    SourceQueueUrl: { value: names.sourceQueueUrl, description: 'Wake-ups of sources' },
    TargetQueueUrl: { value: names.targetQueueUrl, description: 'Wake-ups of targets' },
    SourceDeadLetterQueueUrl: {
      value: holdfast.sourceDeadLetterQueue.queueUrl,
      description: 'Wake-ups of sources that crashed',
    },
    TargetDeadLetterQueueUrl: {
      value: holdfast.targetDeadLetterQueue.queueUrl,
      description: 'Wake-ups of targets that crashed',
    },
    Bucket: { value: names.bucket, description: 'Artefacts' },
    SecretPrefix: { value: names.secretPrefix, description: 'Secrets are <this>/<role>/<name>' },
    DriftScanFunction: {
      value: holdfast.driftScan.function.functionName,
      description: 'Called with {"task":"drift-scan"} it scans now',
    },
    TargetStageRoleArn: {
      value: holdfast.targetStage.role.roleArn,
      description: 'Applies to clusters: the principal of their access entries for holdfast:apply',
    },
    DriftScanRoleArn: {
      value: holdfast.driftScan.role.roleArn,
      description: 'Reads clusters: the principal of their access entries for holdfast:read',
    },
  };
}
