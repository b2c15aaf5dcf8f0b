import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { SQSEvent, SQSRecord } from 'aws-lambda';
import { type Log, silentLog } from '../model/log.ts';
import { readBatchResponse } from './batch-response.ts';
import { invokeFunction, type LocalFunction } from './invocation.ts';

export interface EventSourceOptions {
  readonly sqs: Pick<SQSClient, 'send'>;
  readonly queueUrl: string;
  readonly function: LocalFunction<SQSEvent>;
  /** 1 to 10. @default 1 */
  readonly batchSize?: number;
  /** Batches in flight at once. @default 2 */
  readonly maxConcurrency?: number;
  /** Length of one long poll, which `stop` waits for. @default 2 */
  readonly waitSeconds?: number;
  /** Pause after a failed poll. @default 1 */
  readonly retrySeconds?: number;
  readonly log?: Log;
}

export interface EventSource {
  /** Stops polling and waits for what is in flight; what a poll still brought in is handled too. */
  stop(): Promise<void>;
}

const DELETE_ATTEMPTS = 3;

/**
 * Polls a queue and calls a function, as Lambda's event source mapping for SQS does with ReportBatchItemFailures:
 * messages that succeeded are deleted, the others stay hidden until their visibility timeout ends; a throw, a timeout
 * or a malformed answer fails the whole batch. Nothing is ever given back early.
 */
export function startEventSource(options: EventSourceOptions): EventSource {
  const log = (options.log ?? silentLog).child({ function: options.function.name });
  const maxConcurrency = options.maxConcurrency ?? 2;
  const stopping = new AbortController();
  const inFlight = new Set<Promise<void>>();

  const poll = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      if (inFlight.size >= maxConcurrency) {
        await Promise.race(inFlight);
        continue;
      }
      const messages = await receive(options, log, stopping.signal);
      if (messages.length > 0) {
        const batch = handleBatch(options, log, messages);
        inFlight.add(batch);
        void batch.finally(() => inFlight.delete(batch));
      }
    }
  };

  const polling = poll();
  return {
    async stop() {
      stopping.abort();
      await polling;
      await Promise.all(inFlight);
    },
  };
}

/** A poll is not aborted on stop: the messages that it may just have hidden would stay hidden with nobody to take them. */
async function receive(
  options: EventSourceOptions,
  log: Log,
  stopping: AbortSignal,
): Promise<readonly Message[]> {
  try {
    const answer = await options.sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: options.queueUrl,
        MaxNumberOfMessages: options.batchSize ?? 1,
        WaitTimeSeconds: options.waitSeconds ?? 2,
        MessageSystemAttributeNames: ['All'],
      }),
    );
    return answer.Messages ?? [];
  } catch (error) {
    log.warn('queue could not be polled', { queueUrl: options.queueUrl, error });
    await sleep((options.retrySeconds ?? 1) * 1000, undefined, { signal: stopping }).catch(() => undefined);
    return [];
  }
}

/** Never rejects: what goes wrong leaves messages in the queue. */
async function handleBatch(
  options: EventSourceOptions,
  log: Log,
  messages: readonly Message[],
): Promise<void> {
  const records = messages.map((message) => toRecord(options.queueUrl, message));
  const outcome = await invokeFunction(options.function, { Records: records });
  switch (outcome.kind) {
    case 'failed':
      log.error('function failed, its messages come back', {
        messages: records.length,
        error: outcome.error,
      });
      return;
    case 'timed-out':
      log.error('function timed out, its messages come back', {
        messages: records.length,
        timeoutSeconds: options.function.timeoutSeconds,
      });
      return;
    case 'returned': {
      const verdict = readBatchResponse(outcome.value, new Set(records.map((record) => record.messageId)));
      if (verdict.kind === 'malformed') {
        log.error('function gave a malformed batch response, its messages come back', {
          messages: records.length,
        });
        return;
      }
      if (verdict.failed.size > 0) {
        log.warn('function failed messages, which come back', { messages: verdict.failed.size });
      }
      await deleteMessages(
        options,
        log,
        records.filter((record) => !verdict.failed.has(record.messageId)),
      );
    }
  }
}

async function deleteMessages(
  options: EventSourceOptions,
  log: Log,
  records: readonly SQSRecord[],
): Promise<void> {
  let left = records.map((record, index) => ({ Id: String(index), ReceiptHandle: record.receiptHandle }));
  for (let attempt = 1; left.length > 0 && attempt <= DELETE_ATTEMPTS; attempt++) {
    try {
      const answer = await options.sqs.send(
        new DeleteMessageBatchCommand({ QueueUrl: options.queueUrl, Entries: left }),
      );
      const deleted = new Set(answer.Successful?.map((entry) => entry.Id));
      left = left.filter((entry) => !deleted.has(entry.Id));
    } catch (error) {
      log.warn('handled messages could not be deleted', { attempt, error });
    }
  }
  if (left.length > 0) {
    log.error('handled messages were not deleted and will be handled again', { messages: left.length });
  }
}

function toRecord(queueUrl: string, message: Message): SQSRecord {
  const attributes = message.Attributes ?? {};
  return {
    messageId: message.MessageId ?? '',
    receiptHandle: message.ReceiptHandle ?? '',
    body: message.Body ?? '',
    attributes: {
      ...attributes,
      ApproximateReceiveCount: attributes.ApproximateReceiveCount ?? '1',
      SentTimestamp: attributes.SentTimestamp ?? '0',
      SenderId: attributes.SenderId ?? '',
      ApproximateFirstReceiveTimestamp: attributes.ApproximateFirstReceiveTimestamp ?? '0',
    },
    messageAttributes: {},
    md5OfBody: message.MD5OfBody ?? '',
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:us-east-1:000000000000:${queueUrl.slice(queueUrl.lastIndexOf('/') + 1)}`,
    awsRegion: 'us-east-1',
  };
}
