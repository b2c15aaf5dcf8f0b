import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AccessKey } from './access-key.ts';

export interface SignedRequest {
  readonly method: string;
  /** As in the request line. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Given: must have the hash that was signed. */
  readonly body?: Uint8Array;
}

export type SignatureVerdict =
  | { readonly kind: 'valid' }
  | { readonly kind: 'refused'; readonly reason: string };

/** The tolerance of AWS. Both ends share this machine's clock. */
const MAX_SKEW_MS = 15 * 60_000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{8})\/([^/,\s]+)\/([^/,\s]+)\/aws4_request, ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{64})$/;
const MUST_BE_SIGNED = ['host', 'x-amz-date', 'x-amz-content-sha256'];

/**
 * Whether a request carries an AWS Signature Version 4 made with this key. The signature is computed again by the SDK's
 * own signer. The emulators know no users of their own, so this is all that keeps other users of the machine out.
 */
export async function verifySignature(
  accessKey: AccessKey,
  request: SignedRequest,
  now: () => number = Date.now,
): Promise<SignatureVerdict> {
  const match = AUTHORIZATION.exec(request.headers.authorization ?? '');
  if (match === null) {
    return refused('no AWS4-HMAC-SHA256 Authorization header');
  }
  const [, keyId = '', day = '', region = '', service = '', names = '', signature = ''] = match;
  const signedNames = names.split(';');
  const unsigned = MUST_BE_SIGNED.find(
    (name) => !signedNames.includes(name) || typeof request.headers[name] !== 'string',
  );
  if (unsigned !== undefined) {
    return refused(`header ${unsigned} is not signed`);
  }
  const signingDate = readDate(request.headers['x-amz-date']);
  if (signingDate === undefined || Math.abs(signingDate.getTime() - now()) > MAX_SKEW_MS) {
    return refused('X-Amz-Date is not within 15 minutes of now');
  }
  if (!String(request.headers['x-amz-date']).startsWith(day)) {
    return refused('the credential scope is of another day');
  }
  if (keyId !== accessKey.accessKeyId) {
    return refused('unknown access key');
  }
  const expected = await sign(accessKey, request, signedNames, { signingDate, region, service });
  if (!timingSafeEqual(Buffer.from(expected, 'hex'), Buffer.from(signature, 'hex'))) {
    return refused('the signature does not match');
  }
  if (request.body !== undefined && !hasSignedHash(request.headers, request.body)) {
    return refused('the body is not the one that was signed');
  }
  return { kind: 'valid' };
}

async function sign(
  accessKey: AccessKey,
  request: SignedRequest,
  signedNames: readonly string[],
  scope: { readonly signingDate: Date; readonly region: string; readonly service: string },
): Promise<string> {
  const signer = new SignatureV4({
    credentials: accessKey,
    region: scope.region,
    service: scope.service,
    sha256: NodeSha256,
    // S3 signs the path as it is sent, the others escape it once more.
    uriEscapePath: scope.service !== 's3',
    applyChecksum: false,
  });
  // As sent: a URL object would resolve the dots of an S3 key.
  const queryAt = request.url.indexOf('?');
  const path = queryAt < 0 ? request.url : request.url.slice(0, queryAt);
  const query = new URLSearchParams(queryAt < 0 ? '' : request.url.slice(queryAt));
  const signed = await signer.sign(
    {
      method: request.method,
      protocol: 'http:',
      hostname: '127.0.0.1',
      path,
      query: readQuery(query),
      headers: Object.fromEntries(signedNames.map((name) => [name, String(request.headers[name] ?? '')])),
    },
    {
      signingDate: scope.signingDate,
      signingRegion: scope.region,
      signingService: scope.service,
      signableHeaders: new Set(signedNames),
    },
  );
  return /Signature=([0-9a-f]{64})$/.exec(signed.headers['authorization'] ?? '')?.[1] ?? '0'.repeat(64);
}

function readQuery(parameters: URLSearchParams): Record<string, string[]> {
  return Object.fromEntries([...parameters.keys()].map((name) => [name, parameters.getAll(name)]));
}

/** `20261130T120000Z` */
function readDate(header: string | readonly string[] | undefined): Date | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(String(header));
  if (match === null) {
    return undefined;
  }
  const [, year, month, day, hours, minutes, seconds] = match;
  const date = new Date(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function hasSignedHash(headers: IncomingHttpHeaders, body: Uint8Array): boolean {
  return headers['x-amz-content-sha256'] === createHash('sha256').update(body).digest('hex');
}

function refused(reason: string): SignatureVerdict {
  return { kind: 'refused', reason };
}

/** node:crypto in the shape that the signer asks for. */
class NodeSha256 {
  readonly #hash;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', toBytes(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(toBytes(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#hash.digest()));
  }

  reset(): void {
    throw new Error('a hash of this signer is used once');
  }
}

function toBytes(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') {
    return Buffer.from(data, 'utf8');
  }
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
