import { HoldfastError } from '../model/errors.ts';
import type { CommitSha } from '../model/ids.ts';
import { refKey, type GitRef } from '../model/source.ts';
import { advertisement, type AdvertisedRef } from './git-advertisement.ts';
import type { GitHttp } from './git-http.ts';
import { MAX_ADVERTISEMENT_BYTES } from './git-limits.ts';
import { encodeLines, lineOf, readPackets } from './pkt-line.ts';

/**
 * Branches and tags of a repository by full name; annotated tags are peeled. Symbolic refs such as HEAD and refs that
 * hosts keep for themselves (pull requests) are left out: no application can follow them.
 */
export async function listBranchesAndTags(http: GitHttp): Promise<ReadonlyMap<string, CommitSha>> {
  const advertised = await advertisement(http);
  const refs = advertised.version === 2 ? await lsRefs(http) : advertised.refs;
  return new Map(
    refs
      .filter(({ name }) => name.startsWith('refs/heads/') || name.startsWith('refs/tags/'))
      .map(({ name, oid, peeled }) => [name, (peeled ?? oid) as CommitSha]),
  );
}

async function lsRefs(http: GitHttp): Promise<readonly AdvertisedRef[]> {
  const answer = await http.post(
    '/git-upload-pack',
    {
      'content-type': 'application/x-git-upload-pack-request',
      accept: 'application/x-git-upload-pack-result',
      'git-protocol': 'version=2',
    },
    encodeLines([
      'command=ls-refs',
      'delimiter',
      'peel',
      'ref-prefix refs/heads/',
      'ref-prefix refs/tags/',
      'flush',
    ]),
  );
  const refs: AdvertisedRef[] = [];
  let complete = false;
  const options = { maxBytes: MAX_ADVERTISEMENT_BYTES, place: http.place, what: 'the list of its refs' };
  for await (const packet of readPackets(answer.body, options)) {
    if (packet.kind === 'flush') complete = true;
    if (packet.kind !== 'data') continue;
    const [oid = '', name = '', ...attributes] = lineOf(packet.bytes).split(' ');
    // A branch without a commit yet.
    if (oid === 'unborn') continue;
    const peeled = attributes.find((attribute) => attribute.startsWith('peeled:'))?.slice('peeled:'.length);
    if (!isSha1(oid) || (peeled !== undefined && !isSha1(peeled)) || name === '') {
      throw new HoldfastError('git-corrupt', `${http.place} lists a ref that is none`, {
        details: { place: http.place },
      });
    }
    refs.push(peeled === undefined ? { name, oid } : { name, oid, peeled });
  }
  // A list cut short would read as deleted branches.
  if (!complete) {
    const message = `${http.place}: the list of its refs ended in the middle; tried again later`;
    throw new HoldfastError('git-unreachable', message, { retryable: true, details: { place: http.place } });
  }
  return refs;
}

export function isSha1(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}

/**
 * The commit that a ref means now.
 * @throws HoldfastError `git-ref-missing` when there is no such branch or tag; `invalid-input` for a commit that is not
 * given in full
 */
export function resolveRef(refs: ReadonlyMap<string, CommitSha>, ref: GitRef): CommitSha {
  if (ref.kind === 'commit') {
    const sha = ref.sha.toLowerCase();
    if (isSha1(sha)) return sha as CommitSha;
    throw new HoldfastError('invalid-input', `commit "${ref.sha}": give all 40 hexadecimal digits`);
  }
  const commit = refs.get(refKey(ref));
  if (commit === undefined) {
    throw new HoldfastError('git-ref-missing', `there is no ${ref.kind} "${ref.name}" in the repository`, {
      details: { ref: refKey(ref) },
    });
  }
  return commit;
}
