import { HoldfastError } from '../model/errors.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import { refused } from './chart-errors.ts';

/**
 * The Basic credential for a chart server, from a secret in the role `chart`: JSON {"username", "password"} or {"token"},
 * with "hosts", to which alone it is sent: a definition in Git names both the secret and the repository, and whoever may
 * write one must not have the credential sent to a server of their own.
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
  if (!hosts.includes(host)) {
    throw refused(`secret chart/${secret}`, `is not for ${host}: its "hosts" does not list it`);
  }
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}

interface Credential {
  readonly username: string;
  readonly password: string;
  readonly hosts: readonly string[];
}

function parseCredential(value: string, secret: string): Credential {
  const credential = fromObject(parseObject(value));
  if (credential !== undefined) return credential;
  // The parser's own message would quote the value.
  throw new HoldfastError(
    'chart-authentication',
    `secret chart/${secret} does not hold a credential: store it with "holdfast secret set chart ${secret} --host HOST"`,
  );
}

function fromObject(parsed: Readonly<Record<string, unknown>>): Credential | undefined {
  const { token, username, password, hosts } = parsed;
  if (!isTexts(hosts) || hosts.length === 0) return undefined;
  if (typeof token === 'string' && token !== '') {
    // Registries of Git hosts look at the token alone.
    return { username: typeof username === 'string' ? username : 'x-access-token', password: token, hosts };
  }
  if (typeof username !== 'string' || typeof password !== 'string' || username.includes(':'))
    return undefined;
  return { username, password, hosts };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function parseObject(value: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}
