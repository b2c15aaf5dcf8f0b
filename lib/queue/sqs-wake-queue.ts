import { SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { HoldfastError } from '../model/errors.ts';
import type { WakeUp } from '../model/wake-up.ts';
import type { WakeQueue } from './wake-queue.ts';

/** SQS takes at most ten messages in one request. */
const BATCH_SIZE = 10;
/** SQS's longest delay of one message. */
const MAX_DELAY_SECONDS = 900;
/** Requests for what a batch left over; the SDK retries whole requests by itself. */
const ATTEMPTS = 3;

export interface SqsWakeQueueDeps {
  readonly sqs: Pick<SQSClient, 'send'>;
  /** Absent in the drift scan, which may wake targets only. */
  readonly sourceQueueUrl?: string;
  /** Absent in the webhook, which may wake sources only. */
  readonly targetQueueUrl?: string;
  /** Waits between the attempts of one batch. */
  readonly wait?: (milliseconds: number) => Promise<void>;
}

/** Wake-ups on two standard SQS queues. A send that is cut off may have been taken: at least once, never silently none. */
export function createSqsWakeQueue(deps: SqsWakeQueueDeps): WakeQueue {
  return {
    async send(wakeUps, delaySeconds = 0) {
      const delay = clampDelay(delaySeconds);
      const of = (kind: WakeUp['kind']) => wakeUps.filter((wakeUp) => wakeUp.kind === kind);
      await sendAll(deps, 'sources', deps.sourceQueueUrl, of('source'), delay);
      await sendAll(deps, 'targets', deps.targetQueueUrl, of('target'), delay);
    },
  };
}

function clampDelay(seconds: number): number {
  // Up, not down: waking before `nextAttemptAt` would find nothing due.
  return Number.isNaN(seconds) ? 0 : Math.min(MAX_DELAY_SECONDS, Math.max(0, Math.ceil(seconds)));
}

async function sendAll(
  deps: SqsWakeQueueDeps,
  queue: 'sources' | 'targets',
  queueUrl: string | undefined,
  wakeUps: readonly WakeUp[],
  delaySeconds: number,
): Promise<void> {
  if (wakeUps.length === 0) {
    return;
  }
  if (queueUrl === undefined) {
    throw new HoldfastError('internal', `this function was given no queue of ${queue}`);
  }
  for (let start = 0; start < wakeUps.length; start += BATCH_SIZE) {
    await sendBatch(deps, queueUrl, wakeUps.slice(start, start + BATCH_SIZE), delaySeconds);
  }
}

async function sendBatch(
  deps: SqsWakeQueueDeps,
  queueUrl: string,
  wakeUps: readonly WakeUp[],
  delaySeconds: number,
): Promise<void> {
  const wait = deps.wait ?? ((ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)));
  let left = wakeUps.map((wakeUp, index) => ({
    Id: String(index),
    MessageBody: JSON.stringify(wakeUp),
    ...(delaySeconds > 0 && { DelaySeconds: delaySeconds }),
  }));
  let codes: readonly string[] = [];
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const answer = await request(deps, queueUrl, left);
    // What the answer does not call sent is not sent: an entry may be in neither list.
    const sent = new Set(answer.Successful?.map((entry) => entry.Id));
    left = left.filter((entry) => !sent.has(entry.Id));
    if (left.length === 0) {
      return;
    }
    codes = [...new Set(answer.Failed?.map((entry) => entry.Code ?? 'unknown'))];
    if (attempt < ATTEMPTS) {
      await wait(100 * 4 ** (attempt - 1));
    }
  }
  throw new HoldfastError('internal', `the queue did not take ${left.length} of ${wakeUps.length} wake-ups`, {
    retryable: true,
    details: { queueUrl, codes },
  });
}

async function request(
  deps: SqsWakeQueueDeps,
  queueUrl: string,
  entries: { Id: string; MessageBody: string; DelaySeconds?: number }[],
) {
  try {
    return await deps.sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries }));
  } catch (cause) {
    throw new HoldfastError('internal', 'the queue cannot be reached or refused the request', {
      retryable: true,
      details: { queueUrl },
      cause,
    });
  }
}
