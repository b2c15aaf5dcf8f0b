import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** What STS knows of a caller. */
export interface KnownKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly arn: string;
}

export type Identity =
  | { readonly kind: 'caller'; readonly arn: string }
  | { readonly kind: 'refused'; readonly why: string };

const PREFIX = 'k8s-aws-v1.';
/** Those that aws-iam-authenticator lets through; anything else makes it refuse the token. */
const PARAMETERS = new Set([
  'action',
  'version',
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
]);
const TOKEN_MINUTES = 15;
const MAX_TOKEN_LENGTH = 1024 * 4;

/**
 * What an EKS API server and STS do with a token, from first principles: the server reads the URL out of it, checks it,
 * and sends it to STS with its own cluster's name in the header x-k8s-aws-id; STS computes the signature again.
 */
export function identify(
  token: string,
  server: {
    readonly clusterName: string;
    readonly region: string;
    readonly keys: readonly KnownKey[];
    readonly now: Date;
  },
): Identity {
  const refused = (why: string): Identity => ({ kind: 'refused', why });
  if (!token.startsWith(PREFIX)) return refused('prefix');
  if (token.length > MAX_TOKEN_LENGTH) return refused('too long');
  if (!/^[A-Za-z0-9_-]+$/.test(token.slice(PREFIX.length))) return refused('not base64url without padding');
  const url = new URL(Buffer.from(token.slice(PREFIX.length), 'base64url').toString('utf8'));
  const suffix = server.region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  if (url.origin !== `https://sts.${server.region}.${suffix}` || url.pathname !== '/') return refused('host');

  const query = new Map<string, string>();
  for (const pair of url.search.slice(1).split('&')) {
    const [name = '', value = ''] = pair.split('=');
    if (!PARAMETERS.has(name.toLowerCase()) || query.has(name)) return refused(`parameter ${name}`);
    query.set(name, value);
  }
  const text = (name: string): string => decodeURIComponent(query.get(name) ?? '');
  if (text('Action') !== 'GetCallerIdentity') return refused('action');
  if (text('X-Amz-SignedHeaders') !== 'host;x-k8s-aws-id') return refused('signed headers');
  const signedAt = dateOf(text('X-Amz-Date'));
  const age = (server.now.getTime() - signedAt) / 60_000;
  if (!(age >= -TOKEN_MINUTES && age < TOKEN_MINUTES)) return refused('expired');
  const expires = Number(text('X-Amz-Expires'));
  if (!(expires > 0 && expires <= 900)) return refused('expiry');

  const [keyId, day, region, service, end] = text('X-Amz-Credential').split('/');
  const key = server.keys.find(({ accessKeyId }) => accessKeyId === keyId);
  if (key === undefined) return refused('unknown key');
  if (
    day !== text('X-Amz-Date').slice(0, 8) ||
    region !== server.region ||
    service !== 'sts' ||
    end !== 'aws4_request'
  ) {
    return refused('scope');
  }
  if ((key.sessionToken ?? '') !== text('X-Amz-Security-Token')) return refused('session token');

  const canonicalQuery = [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encodeURIComponent(name)}=${value}`)
    .sort()
    .join('&');
  const canonical = [
    'GET',
    '/',
    canonicalQuery,
    `host:${url.hostname}`,
    // The server puts its own name here: a token for another cluster has another signature.
    `x-k8s-aws-id:${server.clusterName}`,
    '',
    'host;x-k8s-aws-id',
    sha256(''),
  ].join('\n');
  const scope = `${day}/${region}/sts/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', text('X-Amz-Date'), scope, sha256(canonical)].join('\n');
  let signingKey: Buffer = Buffer.from(`AWS4${key.secretAccessKey}`);
  for (const part of [day, region, 'sts', 'aws4_request']) signingKey = hmac(signingKey, part);
  const expected = hmac(signingKey, toSign);
  const given = Buffer.from(text('X-Amz-Signature'), 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return refused('signature');
  return { kind: 'caller', arn: key.arn };
}

function dateOf(text: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  const [, year, month, day, hours, minutes, seconds] = match ?? [];
  return Date.parse(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: Buffer, text: string | undefined): Buffer {
  return createHmac('sha256', key)
    .update(text ?? '')
    .digest();
}
