import { sha256 } from '../model/ids.ts';
import type { HashKey } from '../plan/keyed-hash.ts';
import type { SecretStore } from '../secrets/secret-store.ts';

/** The installation's key for hashes of manifests and Secret values, in the role `hash-key`. */
export const HASH_KEY_NAME = 'current';

/** The key's id is derived from it, so that a rotated key is told from the one before without a second secret. */
export async function loadHashKey(secrets: SecretStore): Promise<HashKey> {
  const value = await secrets.get('hash-key', HASH_KEY_NAME);
  const bytes = Buffer.from(value, 'utf8');
  return {
    id: sha256(Buffer.concat([Buffer.from('holdfast hash key id\0'), bytes])).slice(0, 8),
    key: bytes,
  };
}
