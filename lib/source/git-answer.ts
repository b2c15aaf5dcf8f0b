import { HoldfastError } from '../model/errors.ts';
import type { CommitSha } from '../model/ids.ts';
import { commitMissing, refused } from './git-errors.ts';

// isomorphic-git takes an answer that breaks off for one that ends, and passes over what a server reports as an error:
// a list of refs cut short would read as deleted branches, half a pack as a commit. So answers are taken whole, and
// their framing is looked at before the library parses them.

/**
 * What comes before the pack. The library makes a path of the id in a shallow line as it comes, and reads there: with
 * dots and slashes instead of digits, any file of the machine.
 */
const LINE_BEFORE_PACK = /^(NAK|ACK [0-9a-f]{40}( [a-z]+)?|(un)?shallow [0-9a-f]{40})\n?$/;

/** One packet: all of its bytes, and what it carries. Marks such as the flush (0000) carry nothing. */
interface Packet {
  readonly bytes: Buffer;
  readonly payload: Buffer | undefined;
}

/**
 * @param maxBytes of the whole answer, checked as it comes
 * @throws HoldfastError `git-too-large`
 */
export async function wholeAnswer(
  chunks: AsyncIterable<Uint8Array>,
  options: { readonly maxBytes: number; readonly place: string; readonly what: string },
): Promise<Buffer> {
  const { maxBytes, place, what } = options;
  const received: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      const message = `${place}: ${what} is larger than ${maxBytes} bytes`;
      throw new HoldfastError('git-too-large', message, { details: { place, maxBytes } });
    }
    received.push(chunk);
  }
  return Buffer.concat(received, bytes);
}

/**
 * A list of refs or capabilities, as `info/refs` and `ls-refs` give it.
 * @throws HoldfastError `git-unreachable` when it is not there to its end, `git-corrupt`, `git-refused`
 */
export function checkRefs(answer: Buffer, place: string): void {
  let banner = false;
  let flushes = 0;
  let last: Packet | undefined;
  let previous = '';
  for (const packet of packetsOf(answer, place)) {
    last = packet;
    if (packet.payload === undefined) {
      flushes += isFlush(packet) ? 1 : 0;
      continue;
    }
    // Only the name matters, and capabilities behind it can be long.
    const line = packet.payload.toString('latin1', 0, 1_000);
    if (line.startsWith('ERR ')) throw refused(place, 'refuses to list its refs');
    banner ||= line.startsWith('# service=');
    const name = line.slice(41).replace(/[\0\n].*$/s, '');
    // The library looks for the tag among all refs when it does not come right before: hours for a hostile list.
    const peeled = name.endsWith('^{}') && name !== 'capabilities^{}';
    if (peeled && name !== `${previous}^{}`) throw corrupt(place, 'lists a peeled tag without its tag');
    previous = name;
  }
  // The banner has a flush of its own.
  if (last === undefined || !isFlush(last) || flushes < (banner ? 2 : 1)) throw endedEarly(place);
}

/**
 * The answer to a fetch: its packets without progress messages, and the pack in them.
 * @throws HoldfastError `git-commit-missing` when there is no pack, `git-unreachable` when it breaks off, `git-corrupt`,
 * `git-refused`
 */
export function checkPackAnswer(
  answer: Buffer,
  place: string,
  commit: CommitSha,
): { readonly packets: readonly Buffer[]; readonly pack: Buffer } {
  const packets: Buffer[] = [];
  const pack: Buffer[] = [];
  let ended = false;
  for (const packet of packetsOf(answer, place)) {
    const { bytes, payload } = packet;
    const band = payload?.[0];
    if (band === 3) throw refused(place, 'broke off while sending the commit');
    // What the server says is not repeated: it could say anything, the request's credential among it.
    const line = payload?.toString('latin1', 0, 1_000) ?? '';
    if (line.startsWith('ERR ')) throw serverError(line, place, commit);
    if (payload !== undefined && band !== 1 && band !== 2 && !LINE_BEFORE_PACK.test(line)) {
      throw corrupt(place, 'does not answer in the Git protocol');
    }
    if (band === 1) pack.push(bytes.subarray(5));
    ended = pack.length > 0 && isFlush(packet);
    if (band !== 2) packets.push(bytes);
  }
  // Git before 2.20 says nothing at all when it does not give out the commit.
  if (pack.length === 0) throw commitMissing(place, commit);
  if (!ended) throw endedEarly(place);
  return { packets, pack: Buffer.concat(pack) };
}

function* packetsOf(answer: Buffer, place: string): Generator<Packet> {
  for (let position = 0; position < answer.length; ) {
    const digits = answer.toString('latin1', position, position + 4);
    const length = /^[0-9a-f]{4}$/i.test(digits) ? Number.parseInt(digits, 16) : 3;
    if (digits.length === 4 && (length === 3 || length > 65_520)) {
      throw corrupt(place, 'does not answer in the Git protocol');
    }
    const bytes = answer.subarray(position, position + Math.max(length, 4));
    if (bytes.length < Math.max(length, 4)) throw endedEarly(place);
    yield { bytes, payload: length < 4 ? undefined : bytes.subarray(4) };
    position += bytes.length;
  }
}

function isFlush({ bytes }: Packet): boolean {
  return bytes.length === 4 && bytes.toString('latin1') === '0000';
}

function serverError(line: string, place: string, commit: CommitSha): HoldfastError {
  if (/not our ref|unadvertised object|no such (remote )?ref|not found|missing/i.test(line)) {
    return commitMissing(place, commit);
  }
  return refused(place, 'refuses to send the commit');
}

function corrupt(place: string, what: string): HoldfastError {
  return new HoldfastError('git-corrupt', `${place} ${what}`, { details: { place } });
}

/** A connection that broke is worth another try, unlike an answer that is wrong. */
function endedEarly(place: string): HoldfastError {
  const message = `${place}: the answer ended in the middle; tried again later`;
  return new HoldfastError('git-unreachable', message, { retryable: true, details: { place } });
}
