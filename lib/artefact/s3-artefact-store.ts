import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { HoldfastError } from '../model/errors.ts';
import { sha256, type Digest } from '../model/ids.ts';
import type { ArtefactStore } from './artefact-store.ts';

export interface S3ArtefactStoreDependencies {
  readonly s3: S3Client;
  readonly bucket: string;
  /** Of every key. Default `artefacts/`. */
  readonly prefix?: string;
}

/** What an artefact can be at most, compressed: the limit of its content, and a little for what does not compress. */
const MAX_BYTES = 220 * 1024 * 1024;

/** Artefacts as objects `<prefix><digest>`. Old ones are expired by a rule of the bucket, never deleted from here. */
export function s3ArtefactStore({
  s3,
  bucket,
  prefix = 'artefacts/',
}: S3ArtefactStoreDependencies): ArtefactStore {
  const at = (digest: Digest) => ({ Bucket: bucket, Key: `${prefix}${digest}` });
  return {
    has: async (digest) => {
      try {
        await s3.send(new HeadObjectCommand(at(digest)));
        return true;
      } catch (error) {
        if (isMissing(error)) return false;
        throw failed('HeadObject', digest, error);
      }
    },
    put: async (digest, bytes) => {
      assertDigest(digest, bytes);
      try {
        await s3.send(
          new PutObjectCommand({ ...at(digest), Body: bytes, ContentType: 'application/octet-stream' }),
        );
      } catch (error) {
        throw failed('PutObject', digest, error);
      }
    },
    get: async (digest) => {
      const bytes = await read(s3, at(digest), digest);
      if (bytes !== undefined) assertDigest(digest, bytes);
      return bytes;
    },
  };
}

async function read(
  s3: S3Client,
  at: { readonly Bucket: string; readonly Key: string },
  digest: Digest,
): Promise<Uint8Array | undefined> {
  try {
    const { Body, ContentLength } = await s3.send(new GetObjectCommand(at));
    if (Body === undefined) return new Uint8Array();
    if (ContentLength !== undefined && ContentLength > MAX_BYTES) {
      throw new HoldfastError('git-too-large', `artefact ${digest} has ${ContentLength} bytes`, {
        details: { digest },
      });
    }
    return await Body.transformToByteArray();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error instanceof HoldfastError ? error : failed('GetObject', digest, error);
  }
}

function assertDigest(digest: Digest, bytes: Uint8Array): void {
  if (sha256(bytes) === digest) return;
  throw new HoldfastError('git-corrupt', `artefact ${digest} is damaged: its bytes have another digest`, {
    details: { digest },
  });
}

function isMissing(error: unknown): boolean {
  const name = (error as { readonly name?: unknown } | null)?.name;
  return name === 'NotFound' || name === 'NoSuchKey';
}

/** Only the error's name is told: the SDK's messages may hold request headers. */
function failed(operation: string, digest: Digest, cause: unknown): HoldfastError {
  const name = String((cause as { readonly name?: unknown } | null)?.name ?? 'unknown');
  return new HoldfastError('internal', `artefact ${digest}: ${operation} failed (${name})`, {
    retryable: true,
    details: { digest, operation },
    cause,
  });
}
