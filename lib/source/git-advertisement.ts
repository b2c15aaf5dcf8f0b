import { HoldfastError } from '../model/errors.ts';
import { refused, type GitHttp } from './git-http.ts';
import { MAX_ADVERTISEMENT_BYTES } from './git-limits.ts';
import { lineOf, readPackets, type Packet } from './pkt-line.ts';

/** What a server answers to `info/refs`. Protocol 2 lists no refs yet; 0 and 1 list them at once. */
export type Advertisement =
  | { readonly version: 2; readonly capabilities: ReadonlyMap<string, string> }
  | {
      readonly version: 0;
      /** Capability → its values; a capability without a value has ''. */
      readonly capabilities: ReadonlyMap<string, string>;
      readonly refs: readonly AdvertisedRef[];
    };

export interface AdvertisedRef {
  readonly name: string;
  readonly oid: string;
  /** What an annotated tag points at in the end. */
  readonly peeled?: string;
}

/**
 * Asks for protocol 2 and takes what the server speaks.
 * @throws HoldfastError with the git-* codes
 */
export async function advertisement(http: GitHttp): Promise<Advertisement> {
  const answer = await http.get('/info/refs?service=git-upload-pack', {
    accept: 'application/x-git-upload-pack-advertisement',
    'git-protocol': 'version=2',
  });
  if (!/^application\/x-git-upload-pack-advertisement\s*(;|$)/i.test(answer.contentType)) {
    throw refused(http.place, 'answers, but not as a Git server over smart HTTP: check the URL');
  }
  const lines = advertisedLines(
    readPackets(answer.body, {
      maxBytes: MAX_ADVERTISEMENT_BYTES,
      place: http.place,
      what: 'the list of its refs',
    }),
  );
  const parsed = await parseAdvertisement(lines, http.place);
  assertSha1(parsed.capabilities, http.place);
  return parsed;
}

/** Text lines without the marks and without the banner `# service=…`, which some servers leave out. */
async function* advertisedLines(packets: AsyncIterable<Packet>): AsyncGenerator<string> {
  for await (const packet of packets) {
    if (packet.kind !== 'data') continue;
    const line = lineOf(packet.bytes);
    if (!line.startsWith('# service=')) yield line;
  }
}

async function parseAdvertisement(lines: AsyncIterable<string>, place: string): Promise<Advertisement> {
  let version: 0 | 2 = 0;
  const capabilities = new Map<string, string>();
  const refs: AdvertisedRef[] = [];
  let first = true;
  for await (const line of lines) {
    if (line.startsWith('ERR ')) throw refused(place, 'refuses to list its refs');
    if (first && line === 'version 2') version = 2;
    else if (first && line === 'version 1') continue;
    else if (version === 2) addCapability(capabilities, line);
    else addRef(refs, capabilities, line, place);
    first = false;
  }
  return version === 2 ? { version, capabilities } : { version, capabilities, refs };
}

function addCapability(capabilities: Map<string, string>, text: string): void {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? '' : text.slice(equals + 1);
  const earlier = capabilities.get(name);
  capabilities.set(name, earlier === undefined ? value : `${earlier} ${value}`);
}

function addRef(refs: AdvertisedRef[], capabilities: Map<string, string>, line: string, place: string): void {
  const [ref = '', names] = line.split('\0');
  for (const name of names?.split(' ') ?? []) {
    if (name !== '') addCapability(capabilities, name);
  }
  const match = /^([0-9a-f]{40,64}) (.+)$/.exec(ref);
  if (match === null) {
    // Shallow lines of a server whose own repository is shallow.
    if (/^shallow [0-9a-f]+$/.test(ref)) return;
    throw new HoldfastError('git-corrupt', `${place} lists a ref that is none`, { details: { place } });
  }
  const [, oid = '', name = ''] = match;
  // How an empty repository tells its capabilities.
  if (name === 'capabilities^{}') return;
  const last = refs.at(-1);
  if (name.endsWith('^{}') && last !== undefined && `${last.name}^{}` === name) {
    refs[refs.length - 1] = { ...last, peeled: oid };
  } else {
    refs.push({ name, oid });
  }
}

function assertSha1(capabilities: ReadonlyMap<string, string>, place: string): void {
  const formats = capabilities.get('object-format');
  if (formats !== undefined && !formats.split(' ').includes('sha1')) {
    throw refused(place, `keeps its objects as ${formats}, and Holdfast reads sha1 repositories only`);
  }
}
