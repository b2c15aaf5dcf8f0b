import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { composeReconcile } from '../../lib/compose/reconcile.ts';
import type { TourRuntime } from '../../lib/local/tour/tour-world.ts';
import { silentLog } from '../../lib/model/log.ts';
import { createSecretsManagerStore } from '../../lib/secrets/secrets-manager-store.ts';
import type { Box } from './box.ts';

/** A box as the tour knows an installation: its state and queues as an operator sees them, its webhook endpoint. */
export async function boxRuntime(box: Box, directory: string): Promise<TourRuntime> {
  const { clients, names } = box;
  const deps = await composeReconcile({
    clients,
    names,
    log: silentLog,
    temporaryDirectory: join(directory, `operator-${randomUUID()}`),
  });
  return {
    deps,
    secrets: createSecretsManagerStore({
      secretsManager: clients.secretsManager,
      prefix: names.secretPrefix,
    }),
    webhookUrl: `${box.httpUrl}/hooks`,
    async close() {
      await box.close();
      await deps.close();
    },
  };
}

/** Looks until something is there. @throws Error that says how it stood */
export async function eventually<T>(
  what: string,
  seconds: number,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${seconds} seconds`);
    await sleep(50);
  }
}
