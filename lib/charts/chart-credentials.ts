import { HoldfastError } from '../model/errors.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import { refused } from './chart-errors.ts';

/**
 * The Basic credential for a chart server, from a secret in the role `chart`: `user:password`, or JSON {"token"} or
 * {"username", "password"}, either with "hosts": then it is sent to no others, whatever a definition says.
 * @param host host[:port] of the repository
 * @throws HoldfastError `secret-missing`; `chart-authentication` when the value has another shape; `chart-refused` when
 * the host is none of its hosts
 */
export async function chartAuthorization(
  secrets: SecretStore,
  secret: string,
  host: string,
  options: { readonly fresh?: boolean } = {},
): Promise<string> {
  const { username, password, hosts } = parseCredential(await secrets.get('chart', secret, options), secret);
  if (hosts !== undefined && !hosts.includes(host)) {
    throw refused(`secret chart/${secret}`, `is not for ${host}: its "hosts" does not list it`);
  }
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}

interface Credential {
  readonly username: string;
  readonly password: string;
  readonly hosts?: readonly string[];
}

function parseCredential(value: string, secret: string): Credential {
  const trimmed = value.trim();
  const credential = trimmed.startsWith('{') ? fromObject(parseObject(trimmed)) : fromText(trimmed);
  if (credential !== undefined) return credential;
  // The parser's own message would quote the value.
  throw new HoldfastError(
    'chart-authentication',
    `secret chart/${secret} does not hold a credential: store user:password, or JSON {"username": "…", "password": "…"}`,
  );
}

function fromText(value: string): Credential | undefined {
  const match = /^([^\s:"]+):(\S+)$/.exec(value);
  return match === null ? undefined : { username: match[1] ?? '', password: match[2] ?? '' };
}

function fromObject(parsed: Readonly<Record<string, unknown>>): Credential | undefined {
  const { token, username, password, hosts } = parsed;
  if (hosts !== undefined && !isTexts(hosts)) return undefined;
  const limited = hosts === undefined ? {} : { hosts };
  if (typeof token === 'string' && token !== '') {
    // Registries of Git hosts look at the token alone.
    return {
      username: typeof username === 'string' ? username : 'x-access-token',
      password: token,
      ...limited,
    };
  }
  if (typeof username !== 'string' || typeof password !== 'string' || username.includes(':'))
    return undefined;
  return { username, password, ...limited };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function parseObject(value: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(value) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}
