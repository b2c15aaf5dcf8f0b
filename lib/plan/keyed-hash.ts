import { createHmac } from 'node:crypto';

/** A key of the role "hash keys". The id is stored with every hash, so that a rotated key is told from a changed value. */
export interface HashKey {
  /** Letters, digits and dashes. */
  readonly id: string;
  readonly key: Uint8Array;
}

/** `<key id>:<hex HMAC-SHA-256>`: what is kept of a value that must not be readable, not even by guessing. */
export function keyedHash(key: HashKey, data: string | Uint8Array): string {
  return `${key.id}:${createHmac('sha256', key.key).update(data).digest('hex')}`;
}

/** The id of the key by which a hash was made; undefined for what is no keyed hash. */
export function hashKeyId(hash: unknown): string | undefined {
  return typeof hash === 'string' ? /^([A-Za-z0-9-]+):[0-9a-f]{64}$/.exec(hash)?.[1] : undefined;
}
