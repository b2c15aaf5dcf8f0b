import { HoldfastError } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import type { Source } from '../model/source.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import type { RefetchGate } from './refetch-gate.ts';
import type { Proof } from './webhook-host.ts';

/** The current secret and, during a rotation, the other one. */
const MAX_SECRETS = 2;

export interface VerifyProofDeps {
  readonly secrets: Pick<SecretStore, 'get'>;
  readonly mayRefetchSecrets?: RefetchGate;
  readonly log: Log;
}

/**
 * Whether the proof holds under one of the source's secrets: as cached, and if not, once more with fresh ones.
 * A secret that does not exist proves nothing, and neither does an empty one.
 * @throws HoldfastError when a secret cannot be read for another reason and no readable one decides for the delivery
 */
export async function verifyProof(
  deps: VerifyProofDeps,
  source: Source,
  proof: Proof,
  body: Uint8Array,
): Promise<boolean> {
  if (source.webhookSecrets.length === 0) {
    deps.log.error('source has no webhook secret', { fix: 'register one with the source' });
    return false;
  }
  if (await matchesAny(deps, source, proof, body, false)) {
    return true;
  }
  const mayRefetch = deps.mayRefetchSecrets?.(source.id) ?? true;
  return mayRefetch && (await matchesAny(deps, source, proof, body, true));
}

async function matchesAny(
  deps: VerifyProofDeps,
  source: Source,
  proof: Proof,
  body: Uint8Array,
  fresh: boolean,
): Promise<boolean> {
  const names = source.webhookSecrets.slice(0, MAX_SECRETS);
  const readings = await Promise.allSettled(
    names.map((name) => deps.secrets.get('webhook', name, { fresh })),
  );
  let matches = false;
  let unreadable: HoldfastError | undefined;
  for (const [index, reading] of readings.entries()) {
    if (reading.status === 'fulfilled') {
      // Each is tried, whether or not an earlier one matched: time does not tell which.
      const holds = reading.value !== '' && proof(body, reading.value);
      matches = matches || holds;
    } else if (reading.reason instanceof HoldfastError && reading.reason.code === 'secret-missing') {
      deps.log.error('webhook secret of the source does not exist', { secret: names[index] });
    } else {
      unreadable = new HoldfastError('internal', 'a webhook secret of the source cannot be read', {
        retryable: true,
        cause: reading.reason,
      });
    }
  }
  if (!matches && unreadable !== undefined) {
    throw unreadable;
  }
  return matches;
}
