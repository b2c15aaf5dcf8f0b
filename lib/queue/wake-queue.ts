import type { WakeUp } from '../model/wake-up.ts';

/** Two standard queues behind one port: wake-ups of sources and of targets. At least once, in any order. */
export interface WakeQueue {
  /**
   * @param delaySeconds 0 to 900 (SQS's limit); larger values are cut to 900, and the sweep finds what is not due yet.
   * @throws HoldfastError when the queue did not take all of them; the caller must not acknowledge what depends on it.
   */
  send(wakeUps: readonly WakeUp[], delaySeconds?: number): Promise<void>;
}
