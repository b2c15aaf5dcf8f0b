import type { Log } from '../model/log.ts';
import type { WakeQueue } from '../queue/wake-queue.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import type { StateStore } from '../state/state-store.ts';

/** What registering needs: done by people through the command line, never by a function. */
export interface RegisterDeps {
  /** Part of every ApplicationId. */
  readonly installation: string;
  readonly state: StateStore;
  readonly secrets: SecretStore;
  readonly queue: WakeQueue;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Lower-case letters and digits, different each time; names of secrets are made with it. */
  readonly newId: () => string;
  readonly log: Log;
}
