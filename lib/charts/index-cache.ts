import { gunzip } from 'node:zlib';
import { promisify } from 'node:util';
import { sha256 } from '../model/ids.ts';
import { chartFailure, statusError, tooLarge } from './chart-errors.ts';
import type { ChartAnswer, ChartGet, Conversation } from './chart-http.ts';
import type { ChartLimits } from './chart-limits.ts';

/** Indexes as they were served, for the life of the process; each is asked for again, with its ETag. */
export interface IndexCache {
  /** @throws HoldfastError chart-* */
  fetch(conversation: Conversation, url: URL, credential: ChartGet['credential']): Promise<Buffer>;
}

interface KnownIndex {
  readonly body: Buffer;
  readonly validators: Readonly<Record<string, string>>;
}

const unzip = promisify(gunzip);

export function indexCache(limits: Required<ChartLimits>): IndexCache {
  /** Least recently used first. */
  const known = new Map<string, KnownIndex>();

  function keep(key: string, index: KnownIndex): void {
    known.delete(key);
    if (Object.keys(index.validators).length === 0 || index.body.length > limits.indexCacheBytes) return;
    known.set(key, index);
    let total = [...known.values()].reduce((sum, { body }) => sum + body.length, 0);
    for (const [oldest, { body }] of known) {
      if (total <= limits.indexCacheBytes) break;
      known.delete(oldest);
      total -= body.length;
    }
  }

  return {
    async fetch(conversation, url, credential) {
      // Who may not read it gets nothing of what another one was given.
      const key = sha256(`${url.href}\n${credential?.authorization ?? ''}`);
      const before = known.get(key);
      const answer = await conversation.get(url, {
        headers: { 'accept-encoding': 'gzip', ...before?.validators },
        credential,
        maxBytes: limits.maxIndexBytes,
        limit: ['the index', 'maxIndexBytes'],
      });
      if (answer.status === 304 && before !== undefined) {
        keep(key, before);
        return before.body;
      }
      if (answer.status !== 200) throw statusError(answer);
      const body = await decoded(answer, limits.maxIndexBytes);
      keep(key, { body, validators: validatorsOf(answer) });
      return body;
    },
  };
}

function validatorsOf(answer: ChartAnswer): Readonly<Record<string, string>> {
  const etag = answer.header('etag');
  if (etag !== '') return { 'if-none-match': etag };
  const modified = answer.header('last-modified');
  return modified === '' ? {} : { 'if-modified-since': modified };
}

async function decoded({ body, header, place }: ChartAnswer, maxBytes: number): Promise<Buffer> {
  const encoding = header('content-encoding').toLowerCase();
  if (encoding === '' || encoding === 'identity') return body;
  if (encoding !== 'gzip' && encoding !== 'x-gzip') {
    throw chartFailure('chart-corrupt', place, 'the index is packed in a way that was not asked for');
  }
  try {
    return await unzip(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw tooLarge(place, 'the index, unpacked,', maxBytes, 'maxIndexBytes');
    }
    throw chartFailure('chart-corrupt', place, 'the index cannot be unpacked');
  }
}
