import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Proof } from './webhook-host.ts';

export type HmacAlgorithm = 'sha256' | 'sha512';

const HEX_DIGITS: Readonly<Record<HmacAlgorithm, number>> = { sha256: 64, sha512: 128 };

/**
 * Reads `<algorithm>=<lower-case hex>`, exactly: several headers joined by ',' are not well formed, and a weaker
 * algorithm than those allowed is not one of them.
 */
export function readHmacProof(
  header: string | undefined,
  allowed: readonly HmacAlgorithm[],
): Proof | undefined {
  const [name, hex, ...rest] = header?.split('=') ?? [];
  const algorithm = allowed.find((candidate) => candidate === name);
  if (algorithm === undefined || hex === undefined || rest.length > 0) {
    return undefined;
  }
  if (hex.length !== HEX_DIGITS[algorithm] || !/^[0-9a-f]+$/.test(hex)) {
    return undefined;
  }
  const claimed = Buffer.from(hex, 'hex');
  return (body, secret) => timingSafeEqual(createHmac(algorithm, secret).update(body).digest(), claimed);
}
