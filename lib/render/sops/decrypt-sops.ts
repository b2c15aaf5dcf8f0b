import { isUtf8 } from 'node:buffer';
import { createHash, timingSafeEqual } from 'node:crypto';

import { findDataKey } from './data-key.ts';
import type { SopsKeys } from './data-key.ts';
import { decryptValue } from './decrypt-value.ts';
import { readDotenvFile } from './dotenv-file.ts';
import { readBinaryFile, readJsonFile } from './json-file.ts';
import { macBytes, textOf, wordOf } from './leaf.ts';
import type { EncryptedFile, LeafValue } from './leaf.ts';
import { parseMetadata } from './metadata.ts';
import type { SopsMetadata } from './metadata.ts';
import { sopsFault } from './sops-fault.ts';
import { readYamlFile } from './yaml-file.ts';

/** How a file is written; SOPS goes by the name: .yaml, .yml; .json; .env; everything else is binary. */
export type SopsFormat = 'yaml' | 'json' | 'dotenv' | 'binary';

export function sopsFormatOf(path: string): SopsFormat {
  if (/\.ya?ml$/.test(path)) return 'yaml';
  if (path.endsWith('.json')) return 'json';
  return path.endsWith('.env') ? 'dotenv' : 'binary';
}

/** Every encrypted file has a MAC, and no other file looks like it. */
export function isSopsFile(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return /(?:^|[\s"_{,])mac"?[ \t]*[:=]\s*["']?ENC\[AES256_GCM,/.test(text);
}

/**
 * A file as it was before SOPS 3 encrypted it. Every value is authenticated under its keys, and the MAC over all of them
 * in their order: a file that fails anything gives nothing. `encrypted_comment_regex`, Shamir's groups, and keys other
 * than age and AWS KMS are not supported.
 *
 * @param onSecret is told each value that was encrypted, as text, before anything can fail over it; bytes in base64
 * @throws HoldfastError `render-failed`, with keys and places, never a value
 */
export async function decryptSops(
  bytes: Uint8Array,
  format: SopsFormat,
  keys: SopsKeys,
  onSecret: (text: string) => void = () => undefined,
): Promise<Uint8Array> {
  const file = READERS[format](textOf(bytes, 'the file'));
  const metadata = parseMetadata(file.metadata);
  const dataKey = await findDataKey(metadata, keys);
  const mac = decryptLeaves(file, metadata, dataKey, onSecret);
  assertMac(metadata, dataKey, mac);
  return file.write();
}

const READERS: Readonly<Record<SopsFormat, (text: string) => EncryptedFile>> = {
  yaml: readYamlFile,
  json: readJsonFile,
  dotenv: readDotenvFile,
  binary: readBinaryFile,
};

function decryptLeaves(
  file: EncryptedFile,
  metadata: SopsMetadata,
  dataKey: Uint8Array,
  onSecret: (text: string) => void,
): Buffer {
  const hash = createHash('sha512');
  // So that a MAC of the one kind is never one of the other.
  if (metadata.macOnlyEncrypted) hash.update(createHash('sha256').update('sops').digest());
  for (const leaf of file.leaves) {
    const place = leaf.path.join('.');
    const isEncrypted = metadata.isEncrypted(leaf.path);
    if (isEncrypted && leaf.value.type !== 'str')
      throw sopsFault(`${place}: should be encrypted, and is not`);
    const value =
      isEncrypted && leaf.value.type === 'str'
        ? decryptValue(textOf(leaf.value.bytes, place), dataKey, `${leaf.path.join(':')}:`, place)
        : leaf.value;
    if (isEncrypted) onSecret(secretText(value));
    if (isEncrypted || !metadata.macOnlyEncrypted) hash.update(macBytes(value));
    if (isEncrypted) leaf.replace(value);
  }
  return Buffer.from(hash.digest('hex').toUpperCase());
}

function secretText(value: LeafValue): string {
  if (value.type !== 'str') return wordOf(value, '');
  const bytes = Buffer.from(value.bytes.buffer, value.bytes.byteOffset, value.bytes.byteLength);
  return isUtf8(bytes) ? bytes.toString() : bytes.toString('base64');
}

function assertMac(metadata: SopsMetadata, dataKey: Uint8Array, expected: Buffer): void {
  const mac = decryptValue(metadata.mac, dataKey, metadata.lastModified, 'sops.mac');
  const given = mac.type === 'str' ? Buffer.from(mac.bytes) : Buffer.alloc(0);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw sopsFault(
      'its MAC does not fit: something was changed, added, removed or moved since it was encrypted',
    );
  }
}
