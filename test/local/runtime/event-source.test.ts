import type { Context, SQSEvent } from 'aws-lambda';
import { type EventSourceOptions, startEventSource } from '../../../lib/local/event-source.ts';
import { aFakeQueue, until } from './fake-sqs.ts';

type Handler = (event: SQSEvent, context: Context) => Promise<unknown>;

function aSource(
  queue: ReturnType<typeof aFakeQueue>,
  handler: Handler,
  options: Partial<EventSourceOptions> & { readonly timeoutSeconds?: number } = {},
) {
  const { timeoutSeconds = 60, ...rest } = options;
  return startEventSource({
    sqs: queue.sqs,
    queueUrl: 'http://127.0.0.1:1/000000000000/targets',
    function: { name: 'reconcile', timeoutSeconds, handler },
    retrySeconds: 0.001,
    ...rest,
  });
}

describe('an event source', () => {
  it("hands over Lambda's event and deletes what succeeded", async () => {
    const queue = aFakeQueue(['a', 'b', 'c']);
    const events: SQSEvent[] = [];
    const source = aSource(
      queue,
      async (event) => {
        events.push(event);
      },
      { batchSize: 10 },
    );

    await until(() => queue.deleted.length === 3);
    await source.stop();

    expect(events).toHaveLength(1);
    expect(events[0]?.Records.map((record) => record.body)).toEqual(['a', 'b', 'c']);
    expect(events[0]?.Records[0]).toMatchObject({
      messageId: 'm0',
      eventSource: 'aws:sqs',
      eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:targets',
    });
    expect(queue.deleted).toEqual(['m0', 'm1', 'm2']);
  });

  it('leaves exactly the failures of a partial response', async () => {
    const queue = aFakeQueue(['a', 'b', 'c']);
    const source = aSource(queue, async () => ({ batchItemFailures: [{ itemIdentifier: 'm1' }] }), {
      batchSize: 10,
    });

    await until(() => queue.deleted.length === 2);
    await source.stop();

    expect(queue.deleted).toEqual(['m0', 'm2']);
    expect(queue.hiddenIds()).toEqual(['m1']);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['an empty object', {}],
    ['an empty list', { batchItemFailures: [] }],
    ['null for the list', { batchItemFailures: null }],
  ])('takes %s as success of all', async (_case, response) => {
    const queue = aFakeQueue(['a', 'b']);
    const source = aSource(queue, async () => response, { batchSize: 10 });

    await until(() => queue.deleted.length === 2);
    await source.stop();

    expect(queue.hiddenIds()).toEqual([]);
  });

  it.each([
    ['a text', 'ok'],
    ['a list', [{ itemIdentifier: 'm0' }]],
    ['an empty identifier', { batchItemFailures: [{ itemIdentifier: '' }] }],
    ['a null identifier', { batchItemFailures: [{ itemIdentifier: null }] }],
    ['a misspelt key', { batchItemFailures: [{ itemId: 'm0' }] }],
    ['an id that is not in the batch', { batchItemFailures: [{ itemIdentifier: 'm9' }] }],
    ['something else than a list', { batchItemFailures: 'm0' }],
  ])('takes %s as failure of all', async (_case, response) => {
    const queue = aFakeQueue(['a', 'b']);
    const source = aSource(queue, async () => response, { batchSize: 10 });

    await until(() => queue.world.received === 2);
    await source.stop();

    expect(queue.deleted).toEqual([]);
    expect(queue.hiddenIds()).toEqual(['m0', 'm1']);
  });

  it.each([
    [
      'throws',
      async () => {
        throw new Error('crash');
      },
    ],
    ['runs out of time', () => new Promise<never>(() => undefined)],
  ])(
    'leaves the whole batch when the function %s, and tries again once it is visible',
    async (_case, fail) => {
      const queue = aFakeQueue(['a', 'b']);
      let calls = 0;
      const source = aSource(queue, async () => (++calls === 1 ? fail() : undefined), {
        batchSize: 10,
        timeoutSeconds: 0.02,
        maxConcurrency: 1,
      });

      await until(() => queue.hiddenIds().length === 2);
      queue.expireVisibility();
      await until(() => queue.deleted.length === 2);
      await source.stop();

      expect(calls).toBe(2);
      expect(queue.hiddenIds()).toEqual([]);
    },
  );

  it('lets the remaining time of the context run down', async () => {
    const queue = aFakeQueue(['a']);
    const left: number[] = [];
    const source = aSource(
      queue,
      async (_event, context) => {
        left.push(context.getRemainingTimeInMillis());
        await new Promise((resolve) => setTimeout(resolve, 20));
        left.push(context.getRemainingTimeInMillis());
      },
      { timeoutSeconds: 30 },
    );

    await until(() => queue.deleted.length === 1);
    await source.stop();

    expect(left[0]).toBeLessThanOrEqual(30_000);
    expect(left[1]).toBeLessThan(left[0] ?? 0);
    expect(left[1]).toBeGreaterThan(0);
  });

  it('never runs more batches at once than it may, and as many as it may', async () => {
    const queue = aFakeQueue(Array.from({ length: 12 }, (_, n) => String(n)));
    let running = 0;
    let most = 0;
    const source = aSource(
      queue,
      async () => {
        running++;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
      },
      { batchSize: 2, maxConcurrency: 3 },
    );

    await until(() => queue.deleted.length === 12);
    await source.stop();

    expect(most).toBe(3);
    expect(queue.receiveSizes).toEqual([2, 2, 2, 2, 2, 2]);
  });

  it('goes on after polls that failed', async () => {
    const queue = aFakeQueue(['a']);
    queue.world.failReceives = 3;
    const source = aSource(queue, async () => undefined);

    await until(() => queue.deleted.length === 1);
    await source.stop();

    expect(queue.deleted).toEqual(['m0']);
  });

  it('deletes again when a delete fails', async () => {
    const queue = aFakeQueue(['a']);
    queue.world.failDeletes = 2;
    const source = aSource(queue, async () => undefined);

    await until(() => queue.deleted.length === 1);
    await source.stop();

    expect(queue.hiddenIds()).toEqual([]);
  });

  it('waits on stop for what is in flight, and receives nothing more', async () => {
    const queue = aFakeQueue(['a', 'b']);
    let finish = (): void => undefined;
    const source = aSource(
      queue,
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
      { maxConcurrency: 1 },
    );
    await until(() => queue.world.received === 1);

    const stopped = source.stop();
    finish();
    await stopped;

    expect(queue.deleted).toEqual(['m0']);
    expect(queue.world.received).toBe(1);
  });
});
