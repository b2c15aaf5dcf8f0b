import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { KubeError } from './kube-error.ts';

const gunzipAsync = promisify(gunzip);

/** @throws KubeError when there is more than `limit` bytes */
export async function readBounded(body: AsyncIterable<Buffer>, limit: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) {
      throw tooLarge(what, limit);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** @throws KubeError when it inflates to more than `limit` bytes, or is damaged */
export async function inflateBounded(raw: Buffer, limit: number, what: string): Promise<Buffer> {
  try {
    return await gunzipAsync(raw, { maxOutputLength: limit });
  } catch (error) {
    if (codeOf(error) === 'ERR_BUFFER_TOO_LARGE') {
      throw tooLarge(what, limit);
    }
    throw new KubeError('kube-error', `${what}: the answer's gzip is damaged`, {
      retryable: true,
      cause: error,
    });
  }
}

function tooLarge(what: string, limit: number): KubeError {
  return new KubeError('kube-error', `${what}: the answer is larger than ${limit} bytes`, {
    retryable: false,
  });
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
