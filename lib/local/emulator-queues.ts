import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  QueueDoesNotExist,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';

export interface QueueUrls {
  readonly sources: string;
  readonly targets: string;
  readonly sourcesDead: string;
  readonly targetsDead: string;
}

const QUEUE_NAMES: Readonly<Record<keyof QueueUrls, string>> = {
  sources: 'sources',
  targets: 'targets',
  sourcesDead: 'sources-dead',
  targetsDead: 'targets-dead',
};
/** A message that is received more often than this goes to the dead-letter queue. */
const MAX_RECEIVE_COUNT = 5;
/** SQS's longest: 14 days. */
const DEAD_RETENTION_SECONDS = 1_209_600;
const ACCOUNT_ID = '000000000000';

/** The two queues with their dead-letter queues, made or brought up to these settings; messages stay. */
export async function ensureQueues(
  sqs: SQSClient,
  endpoint: string,
  visibilityTimeoutSeconds: number,
): Promise<QueueUrls> {
  // Not as the emulator returns them: those carry the port at which a queue was created.
  const urlOf = (name: string) => `${endpoint}/${ACCOUNT_ID}/${name}`;
  const ensure = async (key: keyof QueueUrls, attributes: Record<string, string>): Promise<string> => {
    const url = urlOf(QUEUE_NAMES[key]);
    try {
      await sqs.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: attributes }));
    } catch (error) {
      if (!(error instanceof QueueDoesNotExist)) {
        throw error;
      }
      await sqs.send(new CreateQueueCommand({ QueueName: QUEUE_NAMES[key], Attributes: attributes }));
    }
    return url;
  };
  const ensurePair = async (live: 'sources' | 'targets', dead: 'sourcesDead' | 'targetsDead') => {
    const deadUrl = await ensure(dead, { MessageRetentionPeriod: String(DEAD_RETENTION_SECONDS) });
    const redrive = { deadLetterTargetArn: await arnOf(sqs, deadUrl), maxReceiveCount: MAX_RECEIVE_COUNT };
    const liveUrl = await ensure(live, {
      VisibilityTimeout: String(visibilityTimeoutSeconds),
      RedrivePolicy: JSON.stringify(redrive),
    });
    return [liveUrl, deadUrl] as const;
  };
  const [sources, sourcesDead] = await ensurePair('sources', 'sourcesDead');
  const [targets, targetsDead] = await ensurePair('targets', 'targetsDead');
  return { sources, targets, sourcesDead, targetsDead };
}

async function arnOf(sqs: SQSClient, queueUrl: string): Promise<string> {
  const answer = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['QueueArn'] }),
  );
  const arn = answer.Attributes?.['QueueArn'];
  if (arn === undefined) {
    throw new Error(`the emulator gives no ARN for ${queueUrl}`);
  }
  return arn;
}
