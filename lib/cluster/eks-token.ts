import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { HoldfastError } from '../model/errors.ts';

/** Keys as the AWS SDK gives them. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

export interface EksTokenInput {
  /** The cluster's name in EKS. */
  readonly clusterName: string;
  readonly region: string;
  readonly credentials: AwsCredentials;
  readonly now: Date;
}

const PREFIX = 'k8s-aws-v1.';
const CLUSTER_HEADER = 'x-k8s-aws-id';
/** The server counts fifteen minutes from X-Amz-Date whatever this says; 60 is what every client sends. */
const EXPIRES_SECONDS = 60;

/** The order in which the AWS CLI writes them. The server does not care; a byte-equal token can be compared. */
const PARAMETERS = [
  'Action',
  'Version',
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Security-Token',
  'X-Amz-Signature',
] as const;

/** Partitions whose names do not end in amazonaws.com; from botocore's partitions.json. */
const DNS_SUFFIXES: readonly (readonly [RegExp, string])[] = [
  [/^cn-/, 'amazonaws.com.cn'],
  [/^eusc-/, 'amazonaws.eu'],
  [/^us-iso-/, 'c2s.ic.gov'],
  [/^us-isob-/, 'sc2s.sgov.gov'],
  [/^eu-isoe-/, 'cloud.adc-e.uk'],
  [/^us-isof-/, 'csp.hci.ic.gov'],
];

/**
 * The bearer token that an EKS API server takes: a presigned STS GetCallerIdentity request, which the server sends to
 * learn who signed it. Nothing is sent from here. The server refuses parameters that it does not know, so the request
 * is built by hand: an SDK's presigner adds some.
 *
 * @throws HoldfastError `invalid-input` for a name or region that AWS cannot have given
 */
export async function signEksToken(input: EksTokenInput): Promise<string> {
  const { region, credentials } = input;
  const hostname = stsHost(region);
  const signer = new SignatureV4({
    credentials: { ...credentials },
    region,
    service: 'sts',
    sha256: NodeSha256,
  });
  const signed = await signer.presign(
    {
      method: 'GET',
      protocol: 'https:',
      hostname,
      path: '/',
      query: { Action: 'GetCallerIdentity', Version: '2011-06-15' },
      headers: { host: hostname, [CLUSTER_HEADER]: parseEksClusterName(input.clusterName) },
    },
    {
      expiresIn: EXPIRES_SECONDS,
      signingDate: input.now,
      // A header of another name is otherwise moved into the query.
      unhoistableHeaders: new Set([CLUSTER_HEADER]),
    },
  );
  const query = PARAMETERS.flatMap((name) => {
    const value = signed.query?.[name];
    return typeof value === 'string' ? [`${name}=${encode(value)}`] : [];
  });
  return PREFIX + Buffer.from(`https://${hostname}/?${query.join('&')}`).toString('base64url');
}

/** The regional endpoint: EKS accepts no other for clusters outside us-east-1, and it stays up when another region is down. */
export function stsHost(region: string): string {
  const suffix = DNS_SUFFIXES.find(([partition]) => partition.test(parseRegion(region)))?.[1];
  return `sts.${region}.${suffix ?? 'amazonaws.com'}`;
}

/** @throws HoldfastError `invalid-input`; a region becomes part of a host name */
export function parseRegion(region: string): string {
  if (!/^[a-z]{2,4}(-[a-z]{2,12}){1,2}-\d{1,2}$/.test(region)) {
    throw new HoldfastError(
      'invalid-input',
      `region ${JSON.stringify(region.slice(0, 40))}: expected an AWS region like eu-central-1`,
    );
  }
  return region;
}

/** @throws HoldfastError `invalid-input` */
export function parseEksClusterName(name: string): string {
  if (!/^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$/.test(name)) {
    throw new HoldfastError(
      'invalid-input',
      `EKS cluster name ${JSON.stringify(name.slice(0, 100))}: expected at most 100 letters, digits, dashes and underscores`,
    );
  }
  return name;
}

/** RFC 3986, as signatures are computed: encodeURIComponent leaves five more characters alone. */
function encode(value: string): string {
  return encodeURIComponent(value).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** node:crypto in the shape that the signer asks for. */
class NodeSha256 {
  readonly #hash;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#hash.digest()));
  }

  reset(): void {
    throw new Error('a hash of this signer is used once');
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, 'utf8');
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
