import { armor, Decrypter, identityToRecipient } from 'age-encryption';

import { HoldfastError } from '../../model/errors.ts';
import type { KmsKey, SopsMetadata } from './metadata.ts';
import { sopsFault } from './sops-fault.ts';

/** What a file may be decrypted with. */
export interface SopsKeys {
  /** `AGE-SECRET-KEY-1…`, one each. */
  readonly ageIdentities: readonly string[];
  /**
   * Asks AWS KMS. Absent: keys in KMS are not used. Throws HoldfastError with a message that may be shown, `retryable`
   * where KMS gave no answer.
   */
  readonly decryptDataKey?: (key: KmsRequest) => Promise<Uint8Array>;
}

export interface KmsRequest {
  readonly arn: string;
  /** From the ARN: where to ask. */
  readonly region: string;
  readonly ciphertext: Uint8Array;
  readonly context: Readonly<Record<string, string>>;
  /** To be assumed first. */
  readonly role?: string;
}

const DATA_KEY_BYTES = 32;
const ARN = /^arn:aws[a-z-]*:kms:([a-z0-9-]+):\d{12}:(?:key|alias)\/[A-Za-z0-9/_-]+$/;

/** Every identity of a key file as `age-keygen` writes it: comments and empty lines are none. */
export function parseAgeIdentities(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/**
 * For whom files have to be encrypted so that these identities open them; undefined: not a file of identities.
 * Post-quantum identities count as well.
 */
export async function readAgeIdentities(text: string): Promise<readonly string[] | undefined> {
  const identities = parseAgeIdentities(text);
  if (identities.length === 0) return undefined;
  try {
    return await Promise.all(identities.map((identity) => identityToRecipient(identity)));
  } catch {
    return undefined;
  }
}

/**
 * The key of a file's values: the first of its master keys that opens, age before KMS as in SOPS.
 *
 * @throws HoldfastError `render-failed` that says for whom the file is encrypted; `internal`, retryable, when a key might
 * have opened it and KMS did not answer
 */
export async function findDataKey(metadata: SopsMetadata, keys: SopsKeys): Promise<Uint8Array> {
  const tried: string[] = [];
  let unanswered: HoldfastError | undefined;
  for (const { recipient, enc } of metadata.age) {
    const key = await openWithAge(enc, keys.ageIdentities);
    if (key !== undefined) return checked(key, recipient);
    tried.push(`age ${recipient}`);
  }
  for (const kms of metadata.kms) {
    const opened = keys.decryptDataKey === undefined ? 'not asked' : await askKms(kms, keys.decryptDataKey);
    if (opened instanceof Uint8Array) return checked(opened, kms.arn);
    if (typeof opened !== 'string') unanswered ??= opened;
    tried.push(`KMS ${kms.arn} (${typeof opened === 'string' ? opened : opened.message})`);
  }
  if (unanswered !== undefined) throw unanswered;
  const others = metadata.otherKeys.length === 0 ? '' : `; not supported: ${metadata.otherKeys.join(', ')}`;
  const given = keys.ageIdentities.length === 0 ? 'there is no age key' : 'the age key given is none of them';
  throw sopsFault(
    `no key opens it. It is encrypted for ${tried.join(', ') || 'none that is known'}${others}; ${given}`,
  );
}

function checked(key: Uint8Array, from: string): Uint8Array {
  if (key.length === DATA_KEY_BYTES) return key;
  throw sopsFault(`its data key for ${from} has ${key.length} bytes, expected ${DATA_KEY_BYTES}`);
}

async function openWithAge(enc: string, identities: readonly string[]): Promise<Uint8Array | undefined> {
  if (identities.length === 0) return undefined;
  const decrypter = new Decrypter();
  for (const identity of identities) {
    try {
      decrypter.addIdentity(identity);
    } catch {
      throw sopsFault('the age key is not of the form AGE-SECRET-KEY-1…: only native age keys are supported');
    }
  }
  try {
    return await decrypter.decrypt(armor.decode(enc));
  } catch {
    // For another key, or broken: which, it does not say. The caller names every recipient.
    return undefined;
  }
}

async function askKms(
  key: KmsKey,
  ask: NonNullable<SopsKeys['decryptDataKey']>,
): Promise<Uint8Array | HoldfastError | string> {
  const region = ARN.exec(key.arn)?.[1];
  if (region === undefined) return 'not the ARN of a key';
  try {
    return await ask({
      arn: key.arn,
      region,
      ciphertext: Buffer.from(key.enc, 'base64'),
      context: key.context,
      ...(key.role === undefined ? {} : { role: key.role }),
    });
  } catch (error) {
    if (error instanceof HoldfastError) return error.retryable ? error : error.message;
    // The SDK's message may quote the request.
    return error instanceof Error ? error.name : 'failed';
  }
}
