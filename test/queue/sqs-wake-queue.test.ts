import type { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { SourceId, TargetId } from '../../lib/model/ids.ts';
import type { WakeUp } from '../../lib/model/wake-up.ts';
import { createSqsWakeQueue } from '../../lib/queue/sqs-wake-queue.ts';

type Batch = NonNullable<SendMessageBatchCommand['input']>;
type Answer = {
  readonly Successful?: readonly { readonly Id: string }[];
  readonly Failed?: readonly { readonly Id: string; readonly Code?: string }[];
};

/** An SQS client that answers each batch as told; by default it takes all. */
function aQueue(answerTo: (batch: Batch, attempt: number) => Answer = takeAll) {
  const batches: Batch[] = [];
  const waits: number[] = [];
  const send = async (command: SendMessageBatchCommand) => {
    batches.push(command.input);
    return answerTo(command.input, batches.length);
  };
  const queue = createSqsWakeQueue({
    sqs: { send },
    sourceQueueUrl: 'http://sqs/sources',
    targetQueueUrl: 'http://sqs/targets',
    wait: async (milliseconds) => {
      waits.push(milliseconds);
    },
  });
  return { queue, batches, waits };
}

function takeAll(batch: Batch): Answer {
  return { Successful: (batch.Entries ?? []).map(({ Id }) => ({ Id: Id ?? '' })) };
}

function sources(count: number): WakeUp[] {
  return Array.from({ length: count }, (_, n) => ({
    v: 1,
    kind: 'source',
    source: `s-${n}` as SourceId,
    reason: 'sweep',
  }));
}

const target: WakeUp = { v: 1, kind: 'target', target: 'a'.repeat(32) as TargetId, reason: 'retry' };

describe('the wake-up queue on SQS', () => {
  it('sends sources and targets to their own queues, ten at a time', async () => {
    const { queue, batches } = aQueue();

    await queue.send([...sources(23), target]);

    expect(batches.map((batch) => [batch.QueueUrl, batch.Entries?.length])).toEqual([
      ['http://sqs/sources', 10],
      ['http://sqs/sources', 10],
      ['http://sqs/sources', 3],
      ['http://sqs/targets', 1],
    ]);
    const bodies = batches.flatMap((batch) => batch.Entries ?? []).map(({ MessageBody }) => MessageBody);
    expect(new Set(bodies).size).toBe(24);
  });

  it('sends nothing for no wake-ups', async () => {
    const { queue, batches } = aQueue();

    await queue.send([]);

    expect(batches).toEqual([]);
  });

  it.each([
    [undefined, undefined],
    [0, undefined],
    [-5, undefined],
    [Number.NaN, undefined],
    [0.2, 1],
    [900, 900],
    [901, 900],
    [Number.POSITIVE_INFINITY, 900],
  ])('turns a delay of %p into %p', async (delay, expected) => {
    const { queue, batches } = aQueue();

    await queue.send(sources(1), delay);

    expect(batches[0]?.Entries?.[0]?.DelaySeconds).toBe(expected);
  });

  it('sends again only what a batch left over', async () => {
    const { queue, batches, waits } = aQueue((batch, attempt) =>
      attempt === 1
        ? { Successful: [{ Id: '0' }], Failed: [{ Id: '1', Code: 'InternalError' }] }
        : takeAll(batch),
    );

    await queue.send(sources(3));

    expect(batches.map((batch) => batch.Entries?.map(({ Id }) => Id))).toEqual([
      ['0', '1', '2'],
      ['1', '2'],
    ]);
    expect(waits).toHaveLength(1);
  });

  it('rejects when some are never taken, naming how many and why', async () => {
    const { queue, batches } = aQueue((batch) => ({
      Failed: (batch.Entries ?? []).map(({ Id }) => ({ Id: Id ?? '', Code: 'ThrottlingException' })),
    }));

    await expect(queue.send(sources(2))).rejects.toMatchObject({
      retryable: true,
      message: 'the queue did not take 2 of 2 wake-ups',
      details: { codes: ['ThrottlingException'] },
    });
    expect(batches).toHaveLength(3);
  });

  it('rejects when the request fails', async () => {
    const { queue } = aQueue(() => {
      throw new Error('ECONNREFUSED');
    });

    await expect(queue.send(sources(1))).rejects.toMatchObject({ name: 'HoldfastError', retryable: true });
  });

  it('rejects a wake-up of a target where no such queue was given', async () => {
    const sqs = { send: async () => ({}) } as unknown as SQSClient;
    const webhookQueue = createSqsWakeQueue({ sqs, sourceQueueUrl: 'http://sqs/sources' });

    await expect(webhookQueue.send([target])).rejects.toThrow('no queue of targets');
  });

  it('rejects a wake-up of a source where no such queue was given', async () => {
    const sqs = { send: async () => ({}) } as unknown as SQSClient;
    const scanQueue = createSqsWakeQueue({ sqs, targetQueueUrl: 'http://sqs/targets' });

    await expect(scanQueue.send(sources(1))).rejects.toThrow('no queue of sources');
  });
});
