import { HoldfastError } from '../model/errors.ts';

/** The framing of the Git wire protocol: four hex digits of length, then the payload; 0000 to 0002 are marks. */
export type Packet =
  | { readonly kind: 'data'; readonly bytes: Buffer }
  | { readonly kind: 'flush' | 'delimiter' | 'response-end' };

const MARKS = ['flush', 'delimiter', 'response-end'] as const;

export function encodeLines(lines: readonly (string | 'flush' | 'delimiter')[]): Buffer {
  return Buffer.concat(
    lines.map((line) => {
      if (line === 'flush') return Buffer.from('0000');
      if (line === 'delimiter') return Buffer.from('0001');
      const bytes = Buffer.from(`${line}\n`, 'utf8');
      return Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, '0')), bytes]);
    }),
  );
}

/** One payload as text, without its line end. */
export function lineOf(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/\n$/, '');
}

/**
 * @param maxBytes of the whole answer, checked as it comes
 * @throws HoldfastError `git-too-large`; `git-corrupt` for what is not framed like this; `git-unreachable` when it ends early
 */
export async function* readPackets(
  chunks: AsyncIterable<Uint8Array>,
  options: { readonly maxBytes: number; readonly place: string; readonly what: string },
): AsyncGenerator<Packet> {
  const { maxBytes, place, what } = options;
  let pending: Buffer[] = [];
  let available = 0;
  let received = 0;
  /** Takes `length` bytes off the front; only when they are there. Joins chunks once per packet, not once per chunk. */
  const take = (length: number): Buffer => {
    const joined = pending.length === 1 ? (pending[0] as Buffer) : Buffer.concat(pending);
    pending = joined.length > length ? [joined.subarray(length)] : [];
    available -= length;
    return joined.subarray(0, length);
  };
  let wanted: number | undefined;
  for await (const chunk of chunks) {
    received += chunk.length;
    if (received > maxBytes) {
      const message = `${place}: ${what} is larger than ${maxBytes} bytes`;
      throw new HoldfastError('git-too-large', message, { details: { place, maxBytes } });
    }
    if (chunk.length === 0) continue;
    pending.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    available += chunk.length;
    for (;;) {
      if (wanted === undefined) {
        if (available < 4) break;
        const length = lengthOf(take(4), place);
        if (length < 3) {
          yield { kind: MARKS[length] as (typeof MARKS)[number] };
          continue;
        }
        wanted = length - 4;
      }
      if (available < wanted) break;
      const bytes = wanted === 0 ? Buffer.alloc(0) : take(wanted);
      wanted = undefined;
      yield { kind: 'data', bytes };
    }
  }
  if (available > 0 || wanted !== undefined) throw endedEarly(place);
}

function lengthOf(digits: Buffer, place: string): number {
  const text = digits.toString('latin1');
  const length = /^[0-9a-f]{4}$/i.test(text) ? Number.parseInt(text, 16) : 3;
  if (length === 3 || length > 65_520) {
    throw new HoldfastError('git-corrupt', `${place} does not answer in the Git protocol`, {
      details: { place },
    });
  }
  return length;
}

/** A connection that broke is worth another try, unlike an answer that is wrong. */
export function endedEarly(place: string): HoldfastError {
  const message = `${place}: the answer ended in the middle; tried again later`;
  return new HoldfastError('git-unreachable', message, { retryable: true, details: { place } });
}
