import { errorRecord, HoldfastError } from '../model/errors.ts';
import type { WakeUp } from '../model/wake-up.ts';
import { parseWakeUp } from '../queue/parse-wake-up.ts';
import type { SourceStageDeps, TargetStageDeps } from './deps.ts';
import { runSourceStage } from './source-stage.ts';
import { runTargetStage } from './target-stage.ts';

export interface QueueMessage {
  readonly messageId: string;
  readonly body: string;
}

/**
 * Works off a batch, one message after the other.
 * @returns ids of the messages that stay in the queue: only those whose handling crashed. Everything else, failures
 *   included, is recorded in the state and acknowledged.
 */
export async function handleWakeUps(
  deps: SourceStageDeps & TargetStageDeps,
  messages: readonly QueueMessage[],
  deadline: number,
): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const { messageId, body } of messages) {
    try {
      await handle(deps, parseWakeUp(body), deadline);
    } catch (error) {
      const record = errorRecord(error);
      if (error instanceof HoldfastError && !error.retryable && error.code === 'invalid-input') {
        // No later version of us reads it either: it goes to the dead letters by being left alone.
        deps.log.error('message not understood', { messageId, error: record.message });
      } else {
        deps.log.error('wake-up not handled', { messageId, error: record.message, cause: error });
      }
      failed.push(messageId);
    }
  }
  return failed;
}

async function handle(
  deps: SourceStageDeps & TargetStageDeps,
  wakeUp: WakeUp,
  deadline: number,
): Promise<void> {
  const { reason, deliveryId } = wakeUp;
  const trace = deliveryId === undefined ? {} : { deliveryId };
  switch (wakeUp.kind) {
    case 'source': {
      const log = deps.log.child({ source: wakeUp.source, reason, ...trace });
      const outcome = await runSourceStage({ ...deps, log }, wakeUp.source, { reason, ...trace });
      log.info('source looked at', { outcome });
      return;
    }
    case 'target': {
      const log = deps.log.child({ target: wakeUp.target, reason, ...trace });
      const outcome = await runTargetStage({ ...deps, log }, wakeUp.target, { reason, deadline });
      if (outcome.kind !== 'ran') log.info('target not run', { outcome });
      return;
    }
  }
}
