import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { composeReconcileFromEnvironment, type ReconcileDeps } from '../../lib/compose/reconcile.ts';
import { handleWakeUps } from '../../lib/reconcile/handle-wake-ups.ts';
import { sweep } from '../../lib/reconcile/sweep.ts';

/** Sent by the schedule. */
export interface SweepEvent {
  readonly task: 'sweep';
}

export type ReconcileContext = Pick<Context, 'getRemainingTimeInMillis'>;
export type ReconcileHandler = (
  event: SQSEvent | SweepEvent,
  context: ReconcileContext,
) => Promise<SQSBatchResponse | undefined>;

/** The function over given dependencies: local mode and the tests enter here. */
export function createHandler(deps: ReconcileDeps): ReconcileHandler {
  return async (event, context) => {
    if ('task' in event) {
      await sweep(deps);
      return undefined;
    }
    const messages = event.Records.map(({ messageId, body }) => ({ messageId, body }));
    const deadline = deps.clock.monotonic() + context.getRemainingTimeInMillis();
    const failed = await handleWakeUps(deps, messages, deadline);
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  };
}

let composed: Promise<ReconcileHandler> | undefined;

/** The Lambda function. Composed at the first event, so that importing it needs no environment. */
export const handler: ReconcileHandler = async (event, context) => {
  composed ??= composeReconcileFromEnvironment(process.env, 'reconcile').then(createHandler);
  return (await composed)(event, context);
};
