import { readHmacProof } from './hmac-proof.ts';
import type { WebhookHost } from './webhook-host.ts';

/**
 * Any host or script that can compute an HMAC: `X-Signature: sha256=<hex>` or `sha512=<hex>` over the raw body, the
 * form of Flux's generic-hmac receiver without its SHA-1. The body may be empty or anything: it is not read, and every
 * valid delivery is taken as a change.
 */
export const generic: WebhookHost = {
  readProof: (headers) => readHmacProof(headers['x-signature'], ['sha256', 'sha512']),
  readDelivery: () => ({ kind: 'change' }),
};
