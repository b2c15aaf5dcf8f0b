import type { KMSClient } from '@aws-sdk/client-kms';

import type { AwsCredentials } from '../cluster/eks-token.ts';
import type { Sts } from '../cluster/eks-sts.ts';
import { HoldfastError } from '../model/errors.ts';
import type { KmsRequest } from '../render/sops/data-key.ts';

export interface KmsDataKeysDeps {
  readonly sts: Pick<Sts, 'assumeRole'>;
  /** Told each data key, in hex and base64, and whatever AWS gives out on the way: to be kept out of logs. */
  readonly onSecret?: (value: string) => void;
}

const ROLE = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/;
const CONNECT_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 5_000;
const MAX_ATTEMPTS = 3;
/** In CloudTrail of the account whose role it is. */
const SESSION_NAME = 'holdfast';
/** Kept for less than the shortest session that a role may allow (15 minutes). */
const ROLE_KEPT_MS = 10 * 60_000;

/** What AWS says when it will answer the same way next time. */
const REFUSALS: Readonly<Record<string, string>> = {
  AccessDeniedException:
    'access denied: allow kms:Decrypt on it to the target stage (decryptionKeys), and in the policy of the key',
  InvalidCiphertextException: 'it did not encrypt this file, or the encryption context differs',
  IncorrectKeyException: 'it did not encrypt this file',
  NotFoundException: 'there is no such key',
  DisabledException: 'the key is disabled',
  KMSInvalidStateException: 'the key cannot be used: it may be about to be deleted',
  InvalidKeyUsageException: 'the key is not for encryption',
  InvalidGrantTokenException: 'a grant that is not valid',
};

interface Assumed {
  readonly credentials: Promise<AwsCredentials>;
  readonly until: number;
}

/**
 * Data keys of SOPS files from AWS KMS, which decides by IAM who may have them: the process's own rights, or those of a
 * role that the file names. The SDK is loaded at first use.
 *
 * @throws HoldfastError `render-failed` with a message that may be shown; `internal`, retryable, when AWS gave no answer
 */
export function createKmsDataKeys(deps: KmsDataKeysDeps): (request: KmsRequest) => Promise<Uint8Array> {
  const clients = new Map<string, KMSClient>();
  const roles = new Map<string, Assumed>();

  async function assume(role: string, region: string): Promise<AwsCredentials> {
    // It comes out of a file in Git.
    if (!ROLE.test(role)) throw noRole(role);
    const known = roles.get(role);
    if (known !== undefined && performance.now() < known.until) return known.credentials;
    const credentials = deps.sts.assumeRole({ region, roleArn: role, sessionName: SESSION_NAME });
    roles.set(role, { credentials, until: performance.now() + ROLE_KEPT_MS });
    try {
      const { secretAccessKey, sessionToken } = await credentials;
      for (const secret of [secretAccessKey, sessionToken]) if (secret !== undefined) deps.onSecret?.(secret);
      return await credentials;
    } catch (error) {
      roles.delete(role);
      throw roleError(error, role);
    }
  }

  async function clientOf(region: string, role: string | undefined): Promise<KMSClient> {
    const { KMSClient } = await import('@aws-sdk/client-kms');
    const options = {
      region,
      maxAttempts: MAX_ATTEMPTS,
      requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
    };
    // Made anew for a role: its credentials end.
    if (role !== undefined) return new KMSClient({ ...options, credentials: await assume(role, region) });
    const client = clients.get(region) ?? new KMSClient(options);
    clients.set(region, client);
    return client;
  }

  return async ({ arn, region, ciphertext, context, role }) => {
    const client = await clientOf(region, role);
    try {
      const { DecryptCommand } = await import('@aws-sdk/client-kms');
      const { Plaintext } = await client.send(
        new DecryptCommand({
          CiphertextBlob: ciphertext,
          EncryptionContext: { ...context },
          // So that no other key of ours opens what names this one. An alias may have moved on since.
          ...(arn.includes(':key/') ? { KeyId: arn } : {}),
        }),
      );
      if (Plaintext === undefined) throw new Error('KMS answered without a plaintext');
      deps.onSecret?.(Buffer.from(Plaintext).toString('hex'));
      deps.onSecret?.(Buffer.from(Plaintext).toString('base64'));
      return Plaintext;
    } catch (error) {
      throw kmsError(error, arn);
    } finally {
      if (role !== undefined) client.destroy();
    }
  };
}

/** Only names: the SDK's messages may quote the request. */
function kmsError(error: unknown, arn: string): HoldfastError {
  const name = error instanceof Error ? error.name : 'unknown error';
  const why = REFUSALS[name];
  if (why !== undefined) return new HoldfastError('render-failed', why, { details: { key: arn } });
  return new HoldfastError('internal', `KMS gave no answer for ${arn} (${name}): it is asked again`, {
    retryable: true,
    details: { key: arn },
    cause: error,
  });
}

function noRole(role: string): HoldfastError {
  return new HoldfastError('render-failed', `${JSON.stringify(role.slice(0, 200))} is not the ARN of a role`);
}

function roleError(error: unknown, role: string): HoldfastError {
  const name = error instanceof Error ? error.name : 'unknown error';
  if (name === 'AccessDenied' || name === 'AccessDeniedException') {
    return new HoldfastError(
      'render-failed',
      `role ${role} may not be assumed: allow sts:AssumeRole on it to the target stage (decryptionRoles), and trust the stage in the role`,
      { details: { role } },
    );
  }
  if (name === 'ValidationError') return noRole(role);
  return new HoldfastError('internal', `role ${role} could not be assumed (${name}): it is tried again`, {
    retryable: true,
    details: { role },
    cause: error,
  });
}
