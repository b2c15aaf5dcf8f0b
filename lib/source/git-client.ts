import type { GitHttpRequest, GitHttpResponse, HttpClient } from 'isomorphic-git';
import { checkRefs, wholeAnswer } from './git-answer.ts';
import { refused } from './git-errors.ts';
import type { GitHttp } from './git-http.ts';
import { MAX_ADVERTISEMENT_BYTES } from './git-limits.ts';

const ADVERTISEMENT_TYPE = 'application/x-git-upload-pack-advertisement';
const INFO_REFS = '/info/refs?service=git-upload-pack';
const UPLOAD_PACK = '/git-upload-pack';

/** What isomorphic-git asks for, answered with buffers that were looked at. */
interface Exchange {
  infoRefs(headers: Readonly<Record<string, string>>): Promise<readonly Buffer[]>;
  uploadPack(headers: Readonly<Record<string, string>>, body: Buffer): Promise<readonly Buffer[]>;
}

/**
 * isomorphic-git's `http` plug-in for lists of refs. Asks for the advertisement of each protocol version once, however
 * often the library wants it.
 */
export function listingClient(http: GitHttp): HttpClient {
  const limits = { maxBytes: MAX_ADVERTISEMENT_BYTES, place: http.place, what: 'the list of its refs' };
  const advertised = new Map<string, Promise<readonly Buffer[]>>();
  const advertisement = async (headers: Readonly<Record<string, string>>) => {
    const answer = await http.get(INFO_REFS, { accept: ADVERTISEMENT_TYPE, ...headers });
    const type = answer.contentType.replace(/\s*;.*$/s, '').toLowerCase();
    if (type !== ADVERTISEMENT_TYPE) {
      throw refused(http.place, 'answers, but not as a Git server over smart HTTP: check the URL');
    }
    const body = await wholeAnswer(answer.body, limits);
    checkRefs(body, http.place);
    return [body];
  };
  return clientOf({
    infoRefs: (headers) => {
      const protocol = headers['Git-Protocol'] ?? '';
      const answer = advertised.get(protocol) ?? advertisement(headers);
      advertised.set(protocol, answer);
      return answer;
    },
    uploadPack: async (headers, body) => {
      const answer = await http.post(UPLOAD_PACK, headers, body);
      const listed = await wholeAnswer(answer.body, limits);
      checkRefs(listed, http.place);
      return [listed];
    },
  });
}

/**
 * isomorphic-git's `http` plug-in for one fetch. The library reads the advertisement for a second time, and gives up
 * where HEAD names no branch yet; so it is told of nothing but the wanted object, as HEAD, and of the capabilities that
 * the server has. No ref name of the server comes near the disk this way either.
 * @param receive looks at the answer and gives what the library may see of it
 */
export function fetchingClient(
  http: GitHttp,
  want: { readonly oid: string; readonly capabilities: readonly string[] },
  receive: (answer: AsyncIterable<Uint8Array>) => Promise<readonly Buffer[]>,
): HttpClient {
  const lines = ['# service=git-upload-pack\n', '', `${want.oid} HEAD\0${want.capabilities.join(' ')}\n`, ''];
  return clientOf({
    infoRefs: async () => lines.map(packet),
    uploadPack: async (headers, body) => receive((await http.post(UPLOAD_PACK, headers, body)).body),
  });
}

/** A packet of the Git protocol; '' is the flush. */
function packet(line: string): Buffer {
  const length = line === '' ? 0 : Buffer.byteLength(line) + 4;
  return Buffer.from(length.toString(16).padStart(4, '0') + line);
}

/** Only successful answers come this far: what else a server answers, GitHttp has thrown. */
function clientOf(exchange: Exchange): HttpClient {
  return {
    request: async ({
      url,
      method = 'GET',
      headers = {},
      body,
    }: GitHttpRequest): Promise<GitHttpResponse> => {
      const answer =
        method === 'POST'
          ? await exchange.uploadPack(headers, await joined(body ?? []))
          : await exchange.infoRefs(headers);
      const type = method === 'POST' ? 'application/x-git-upload-pack-result' : ADVERTISEMENT_TYPE;
      return {
        url,
        method,
        headers: { 'content-type': type },
        body: inOrder(answer),
        statusCode: 200,
        statusMessage: 'OK',
      };
    },
  };
}

/** The library's own type says asynchronous only, and it hands over arrays. */
async function joined(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

async function* inOrder(buffers: readonly Buffer[]): AsyncGenerator<Uint8Array> {
  yield* buffers;
}
