import { HoldfastError } from '../model/errors.ts';
import type { CommitSha } from '../model/ids.ts';
import { advertisement, type Advertisement } from './git-advertisement.ts';
import { refused, type GitHttp } from './git-http.ts';
import { encodeLines, endedEarly, lineOf, readPackets, type Packet } from './pkt-line.ts';

/** Framing and progress on top of the pack itself. */
const FRAMING_ALLOWANCE = 1.02;
const FRAMING_BYTES = 1024 * 1024;

/**
 * Fetches the pack of exactly one commit, without its history. The protocol is spoken here and not by isomorphic-git:
 * that fetches over protocol 0 only, fails where HEAD names no branch yet, reports success for a commit that is not
 * there, and does not bound what a pack inflates to.
 *
 * Protocol 2 serves any commit that the server has; protocols 0 and 1 only tips, unless the server is configured for
 * more: there the commit is asked for as the tag or branch that points at it.
 * @throws HoldfastError with the git-* codes
 */
export async function fetchPack(
  http: GitHttp,
  commit: CommitSha,
  options: { readonly maxPackBytes: number },
): Promise<Buffer> {
  const advertised = await advertisement(http);
  const body =
    advertised.version === 2 ? requestV2(advertised, commit, http) : requestV0(advertised, commit, http);
  const answer = await http.post(
    '/git-upload-pack',
    {
      'content-type': 'application/x-git-upload-pack-request',
      accept: 'application/x-git-upload-pack-result',
      ...(advertised.version === 2 ? { 'git-protocol': 'version=2' } : {}),
    },
    body,
  );
  const packets = readPackets(answer.body, {
    maxBytes: Math.ceil(options.maxPackBytes * FRAMING_ALLOWANCE) + FRAMING_BYTES,
    place: http.place,
    what: `commit ${commit}`,
  });
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of packParts(packets, http.place, commit)) {
    bytes += part.length;
    if (bytes > options.maxPackBytes) {
      const message = `${http.place}: commit ${commit} is larger than ${options.maxPackBytes} bytes, packed`;
      throw new HoldfastError('git-too-large', message, { details: { place: http.place, commit } });
    }
    parts.push(part);
  }
  return Buffer.concat(parts, bytes);
}

function requestV2(advertised: Advertisement & { version: 2 }, commit: CommitSha, http: GitHttp): Buffer {
  const fetch = advertised.capabilities.get('fetch');
  if (fetch === undefined || !fetch.split(' ').includes('shallow')) {
    throw refused(http.place, 'cannot serve one commit without its history (no shallow fetch)');
  }
  return encodeLines([
    'command=fetch',
    ...(advertised.capabilities.has('object-format') ? ['object-format=sha1'] : []),
    'delimiter',
    'no-progress',
    'ofs-delta',
    `want ${commit}`,
    'deepen 1',
    'done',
    'flush',
  ]);
}

function requestV0(advertised: Advertisement & { version: 0 }, commit: CommitSha, http: GitHttp): Buffer {
  const { capabilities, refs } = advertised;
  if (!capabilities.has('shallow') && refs.length > 0) {
    throw refused(http.place, 'cannot serve one commit without its history (no shallow fetch)');
  }
  const isTip = refs.some(({ oid }) => oid === commit);
  const servesAny = ['allow-reachable-sha1-in-want', 'allow-tip-sha1-in-want'].some((name) =>
    capabilities.has(name),
  );
  const tag = refs.find(({ peeled }) => peeled === commit);
  const want = isTip || (servesAny && tag === undefined) ? commit : tag?.oid;
  if (want === undefined) throw commitMissing(http.place, commit);
  const understood = ['multi_ack_detailed', 'no-done', 'side-band-64k', 'ofs-delta', 'no-progress'];
  const chosen = understood.filter((name) => capabilities.has(name));
  if (!chosen.includes('side-band-64k')) throw refused(http.place, 'is too old: it knows no side-band-64k');
  return encodeLines([`want ${want} ${chosen.join(' ')}`, 'deepen 1', 'flush', 'done']);
}

/** The pack out of the answer of either protocol: what band 1 carries. */
async function* packParts(
  packets: AsyncIterable<Packet>,
  place: string,
  commit: CommitSha,
): AsyncGenerator<Buffer> {
  let inPack = false;
  let complete = false;
  for await (const packet of packets) {
    if (packet.kind !== 'data') {
      complete ||= inPack && packet.kind === 'flush';
      continue;
    }
    if (complete) throw refused(place, 'sends something after the commit');
    if (inPack) {
      const band = packet.bytes[0];
      if (band === 1) yield packet.bytes.subarray(1);
      else if (band === 3) throw refused(place, 'broke off while sending the commit');
      continue;
    }
    const line = lineOf(packet.bytes);
    // What the server says is not repeated: it could say anything, the request's credential among it.
    if (line.startsWith('ERR ')) throw serverError(line, place, commit);
    if (line === 'packfile' || line === 'NAK' || line.startsWith('ACK ')) inPack = true;
  }
  if (!inPack) throw commitMissing(place, commit);
  if (!complete) throw endedEarly(place);
}

function serverError(line: string, place: string, commit: CommitSha): HoldfastError {
  if (/not our ref|unadvertised object|no such (remote )?ref|not found|missing/i.test(line)) {
    return commitMissing(place, commit);
  }
  return refused(place, 'refuses to send the commit');
}

export function commitMissing(place: string, commit: CommitSha): HoldfastError {
  const message =
    `${place} does not give out commit ${commit}: it is not there (any more), ` +
    'or the server only serves the tips of branches and tags (uploadpack.allowReachableSHA1InWant)';
  return new HoldfastError('git-commit-missing', message, { details: { place, commit } });
}
