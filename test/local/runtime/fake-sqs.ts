import { DeleteMessageBatchCommand, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';

/** A queue whose received messages stay hidden until the test brings them back: visibility without a clock. */
export function aFakeQueue(bodies: readonly string[]) {
  const ready = bodies.map((body, n) => ({ id: `m${n}`, body }));
  const hidden = new Map<string, { readonly id: string; readonly body: string }>();
  const deleted: string[] = [];
  const receiveSizes: number[] = [];
  const world = { failReceives: 0, failDeletes: 0, received: 0 };
  let receipts = 0;

  const send = async (command: unknown): Promise<unknown> => {
    if (command instanceof ReceiveMessageCommand) {
      if (world.failReceives > 0) {
        world.failReceives--;
        throw new Error('ECONNREFUSED');
      }
      const batch = ready.splice(0, command.input.MaxNumberOfMessages ?? 1);
      if (batch.length === 0) {
        // Stands for the long poll: gives way to everything else that is waiting to run.
        await new Promise((resolve) => setTimeout(resolve, 1));
        return {};
      }
      world.received += batch.length;
      receiveSizes.push(batch.length);
      const messages = batch.map((message) => {
        const handle = `r${receipts++}`;
        hidden.set(handle, message);
        return { MessageId: message.id, ReceiptHandle: handle, Body: message.body, MD5OfBody: '' };
      });
      return { Messages: messages };
    }
    if (command instanceof DeleteMessageBatchCommand) {
      if (world.failDeletes > 0) {
        world.failDeletes--;
        throw new Error('ECONNRESET');
      }
      const entries = command.input.Entries ?? [];
      for (const { ReceiptHandle: handle = '' } of entries) {
        const message = hidden.get(handle);
        if (message !== undefined) {
          hidden.delete(handle);
          deleted.push(message.id);
        }
      }
      return { Successful: entries.map(({ Id }) => ({ Id })) };
    }
    throw new Error('not a call that an event source makes');
  };

  return {
    sqs: { send } as unknown as SQSClient,
    world,
    deleted,
    receiveSizes,
    hiddenIds: () => [...hidden.values()].map(({ id }) => id).sort(),
    /** The visibility timeout of everything hidden ends. */
    expireVisibility() {
      ready.push(...hidden.values());
      hidden.clear();
    },
  };
}

/** Waits for a condition; the test's own timeout is the limit. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
