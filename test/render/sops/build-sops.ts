import { createCipheriv, createHash, randomBytes } from 'node:crypto';

import { DATA_KEY, DATA_KEY_FOR_RECIPIENT, RECIPIENT } from './age-vectors.ts';

// SOPS files written from its specification. Nothing here is shared with what decrypts them.

export const LAST_MODIFIED = '2026-11-01T12:00:00Z';

export interface Sealing {
  /** `ENC[…]` of a value under these keys (`data:a:`); counts for the MAC where it stands. */
  enc(additionalData: string, plain: string | Uint8Array, type?: string): string;
  /** A value that stays readable, as the MAC sees it. */
  plain(text: string, macText?: string): string;
}

export interface Rules {
  readonly macOnlyEncrypted?: boolean;
  readonly lastModified?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly key?: Uint8Array;
}

export function seal(
  plain: string | Uint8Array,
  additionalData: string,
  type = 'str',
  key = DATA_KEY,
): string {
  const iv = randomBytes(32);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  cipher.setAAD(Buffer.from(additionalData));
  const data = Buffer.concat([cipher.update(plain), cipher.final()]);
  const parts = [data, iv, cipher.getAuthTag()].map((part) => part.toString('base64'));
  return `ENC[AES256_GCM,data:${parts[0]},iv:${parts[1]},tag:${parts[2]},type:${type}]`;
}

/** The body and the metadata that goes with it. `body` is called once, in the order of the file. */
function sealed(body: (sealing: Sealing) => string, rules: Rules) {
  const hash = createHash('sha512');
  if (rules.macOnlyEncrypted === true) {
    hash.update(Buffer.from('8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69', 'hex'));
  }
  const text = body({
    enc(additionalData, plain, type) {
      hash.update(plain);
      return seal(plain, additionalData, type, rules.key);
    },
    plain(text, macText = text) {
      if (rules.macOnlyEncrypted !== true) hash.update(macText);
      return text;
    },
  });
  const lastmodified = rules.lastModified ?? LAST_MODIFIED;
  const metadata: Readonly<Record<string, unknown>> = {
    kms: [],
    age: [{ recipient: RECIPIENT, enc: DATA_KEY_FOR_RECIPIENT }],
    lastmodified,
    mac: seal(hash.digest('hex').toUpperCase(), lastmodified, 'str', rules.key),
    pgp: [],
    ...(rules.macOnlyEncrypted === true ? { mac_only_encrypted: true } : {}),
    version: '3.9.4',
    ...rules.metadata,
  };
  return { text, metadata };
}

/** JSON is YAML: the metadata is written as such. */
export function yamlFile(body: (sealing: Sealing) => string, rules: Rules = {}): string {
  const { text, metadata } = sealed(body, rules);
  const [first = '', ...others] = text.split(/(?<=^|\n)---\n/);
  const sops = `sops: ${JSON.stringify(metadata)}\n`;
  return [first, ...others].map((document) => document + sops).join('---\n');
}

/** `body` gives the members, without braces. */
export function jsonFile(body: (sealing: Sealing) => string, rules: Rules = {}): string {
  const { text, metadata } = sealed(body, rules);
  return `{\n\t${text},\n\t"sops": ${JSON.stringify(metadata, null, '\t')}\n}\n`;
}

export function dotenvFile(body: (sealing: Sealing) => string, rules: Rules = {}): string {
  const { text, metadata } = sealed(body, rules);
  const lines = [...flattened('sops_', metadata)].map(
    ([name, value]) => `${name}=${value.replaceAll('\n', '\\n')}\n`,
  );
  return text + lines.sort().join('');
}

function* flattened(prefix: string, value: unknown): Generator<readonly [string, string]> {
  const entries = Object.entries(value as Record<string, unknown>);
  for (const [key, inner] of entries) {
    const name =
      prefix === 'sops_' ? `sops_${key}` : `${prefix}__${Array.isArray(value) ? 'list' : 'map'}_${key}`;
    if (typeof inner === 'object' && inner !== null) yield* flattened(name, inner);
    else yield [name, String(inner)];
  }
}
