import { randomUUID } from 'node:crypto';
import type { Context } from 'aws-lambda';

export interface LocalFunction<Event> {
  /** For the log and the context. */
  readonly name: string;
  readonly timeoutSeconds: number;
  readonly handler: (event: Event, context: Context) => Promise<unknown>;
}

export type InvocationOutcome =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** Lambda would have killed it; here it may still run, and what it does late must be harmless. */
  | { readonly kind: 'timed-out' };

/** Calls a handler the way Lambda does: with a context whose remaining time runs down, up to the timeout. */
export async function invokeFunction<Event>(
  target: LocalFunction<Event>,
  event: Event,
): Promise<InvocationOutcome> {
  const deadline = performance.now() + target.timeoutSeconds * 1000;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<InvocationOutcome>((resolve) => {
    timer = setTimeout(() => resolve({ kind: 'timed-out' }), target.timeoutSeconds * 1000);
  });
  try {
    return await Promise.race([settle(target, event, deadline), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

async function settle<Event>(
  target: LocalFunction<Event>,
  event: Event,
  deadline: number,
): Promise<InvocationOutcome> {
  try {
    return { kind: 'returned', value: await target.handler(event, contextOf(target.name, deadline)) };
  } catch (error) {
    return { kind: 'failed', error };
  }
}

function contextOf(functionName: string, deadline: number): Context {
  const unsupported = () => {
    throw new Error('callbacks are not supported: return a promise');
  };
  return {
    awsRequestId: randomUUID(),
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:us-east-1:000000000000:function:${functionName}`,
    memoryLimitInMB: '1024',
    logGroupName: functionName,
    logStreamName: 'local',
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => Math.max(0, Math.floor(deadline - performance.now())),
    done: unsupported,
    fail: unsupported,
    succeed: unsupported,
  };
}
