import { CfnOutput, Stack, type StackProps, Tags } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { Holdfast } from './holdfast.ts';
import type { HoldfastProps } from './holdfast-props.ts';

export interface HoldfastStackProps extends StackProps {
  /** Or a function of the stack, in which existing resources can be imported. @default every default of Holdfast */
  readonly holdfast?: HoldfastProps | ((stack: Stack) => HoldfastProps);
}

/** One installation as one stack. Its outputs are what the command line finds the installation by. */
export class HoldfastStack extends Stack {
  readonly holdfast: Holdfast;

  constructor(scope: Construct, id: string, { holdfast, ...props }: HoldfastStackProps = {}) {
    super(scope, id, { description: 'Holdfast: serverless GitOps for Kubernetes', ...props });
    this.holdfast = new Holdfast(
      this,
      'Holdfast',
      typeof holdfast === 'function' ? holdfast(this) : holdfast,
    );
    Tags.of(this).add('holdfast:installation', this.holdfast.installation);
    for (const [name, { value, description }] of Object.entries(outputsOf(this.holdfast))) {
      new CfnOutput(this, name, { value, description });
    }
  }
}

function outputsOf(holdfast: Holdfast) {
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
