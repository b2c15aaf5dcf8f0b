import { Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

/** After this many receives that all crashed a message is dead. */
const MAX_RECEIVE_COUNT = 5;
/** What SQS keeps at most. */
const RETENTION = Duration.days(14);
/** AWS's advice for queues that feed a function: throttled and retried receives fit in before a message is seen again. */
const VISIBILITY_FACTOR = 6;

export interface WakeUpQueueProps {
  /** Of the function that reads it. */
  readonly functionTimeout: Duration;
  /** @default the queue is encrypted with a key of SQS */
  readonly encryptionKey?: IKey | undefined;
  readonly removalPolicy: RemovalPolicy;
}

/** A queue of wake-ups with its dead-letter queue: standard, encrypted, over TLS only. */
export class WakeUpQueue extends Construct {
  readonly queue: IQueue;
  readonly deadLetterQueue: IQueue;

  constructor(scope: Construct, id: string, props: WakeUpQueueProps) {
    super(scope, id);
    this.deadLetterQueue = deadLetterQueue(this, 'DeadLetters', props);
    this.queue = new Queue(this, 'Queue', {
      ...encryption(props.encryptionKey),
      enforceSSL: true,
      visibilityTimeout: Duration.seconds(props.functionTimeout.toSeconds() * VISIBILITY_FACTOR),
      // A wake-up that nobody took for days says nothing that the sweep has not said meanwhile.
      retentionPeriod: Duration.days(4),
      receiveMessageWaitTime: Duration.seconds(20),
      deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount: MAX_RECEIVE_COUNT },
      removalPolicy: props.removalPolicy,
    });
  }
}

export function deadLetterQueue(
  scope: Construct,
  id: string,
  props: Pick<WakeUpQueueProps, 'encryptionKey' | 'removalPolicy'>,
): Queue {
  const queue = new Queue(scope, id, {
    ...encryption(props.encryptionKey),
    enforceSSL: true,
    retentionPeriod: RETENTION,
    removalPolicy: props.removalPolicy,
  });
  const reason =
    'It is a dead-letter queue itself: what fails there has nowhere further to go, and an alarm watches it.';
  Validations.of(queue).acknowledge(
    { id: 'Serverless-SQSRedrivePolicy', reason },
    { id: 'AwsSolutions-SQS3', reason },
  );
  return queue;
}

function encryption(key: IKey | undefined) {
  return key === undefined
    ? { encryption: QueueEncryption.SQS_MANAGED }
    : { encryption: QueueEncryption.KMS, encryptionMasterKey: key };
}
