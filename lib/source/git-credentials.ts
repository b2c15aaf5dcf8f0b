import { HoldfastError } from '../model/errors.ts';
import type { Source } from '../model/source.ts';
import type { SecretStore } from '../secrets/secret-store.ts';

/**
 * The Authorization header of a source, from its secret in the role `git`: JSON {"token"} or {"username","password"}.
 * @returns undefined for an anonymous source
 * @throws HoldfastError `secret-missing`; `git-authentication` when the secret's value has another shape
 */
export async function authorizationOf(
  secrets: SecretStore,
  source: Source,
  options: { readonly fresh?: boolean } = {},
): Promise<string | undefined> {
  if (source.gitSecret === undefined) return undefined;
  const value = await secrets.get('git', source.gitSecret, options);
  const { username, password } = parseCredential(value, source.gitSecret);
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}

function parseCredential(
  value: string,
  secret: string,
): { readonly username: string; readonly password: string } {
  const parsed = parseObject(value);
  const { token, username, password } = parsed;
  if (typeof token === 'string' && token !== '') {
    // The user name under which GitHub takes a token; GitLab, Gitea and Bitbucket take any.
    return { username: typeof username === 'string' ? username : 'x-access-token', password: token };
  }
  if (typeof username === 'string' && typeof password === 'string' && !username.includes(':')) {
    return { username, password };
  }
  // The parser's own message would quote the value.
  throw new HoldfastError(
    'git-authentication',
    `secret git/${secret} does not hold a credential: store JSON {"token": "…"} or {"username": "…", "password": "…"}`,
  );
}

function parseObject(value: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
