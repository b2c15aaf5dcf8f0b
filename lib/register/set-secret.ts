import { HoldfastError } from '../model/errors.ts';
import { readAgeIdentities } from '../render/sops/data-key.ts';
import type { RegisterDeps } from './deps.ts';
import { NotRegisteredError } from './names.ts';

/** Roles whose secrets are named by definitions, and by people. The others belong to sources and clusters. */
export const NAMED_ROLES = ['decryption', 'values', 'chart'] as const;
export type NamedRole = (typeof NAMED_ROLES)[number];

export interface StoredSecret {
  readonly role: NamedRole;
  readonly name: string;
  /** Of `decryption`: for whom files are to be encrypted. */
  readonly recipients?: readonly string[];
  /** Of `values`: the keys, where it has any. */
  readonly keys?: readonly string[];
  /** Of `chart`: where alone it is sent. */
  readonly hosts?: readonly string[];
}

/** What Secrets Manager takes. */
const MAX_BYTES = 65_536;
const NAME = /^[A-Za-z0-9_+=.@-]{1,200}$/;

/**
 * Stores a secret that definitions refer to by its name, over what is there under it. Checked for what it is for, so that
 * a wrong file is noticed here and not by a render.
 * @throws HoldfastError `invalid-input`, which never quotes the value
 */
export async function setSecret(
  deps: Pick<RegisterDeps, 'secrets'>,
  role: NamedRole,
  name: string,
  value: string,
  hosts: readonly string[] = [],
): Promise<StoredSecret> {
  assertName(role, name);
  const bytes = Buffer.byteLength(value);
  if (value.trim() === '' || bytes > MAX_BYTES) {
    throw refusal(role, name, `has ${bytes} bytes: expected 1 to ${MAX_BYTES}, and not blanks alone`);
  }
  if (role === 'chart') {
    const credential = chartCredential(name, value, hosts);
    await deps.secrets.put(role, name, JSON.stringify(credential));
    return { role, name, hosts: credential.hosts };
  }
  if (hosts.length > 0) throw refusal(role, name, 'has hosts: only credentials of the role chart have any');
  const about = await describe(role, name, value);
  await deps.secrets.put(role, name, value);
  return { role, name, ...about };
}

/** @throws NotRegisteredError when there is none; HoldfastError `invalid-input` */
export async function deleteSecret(
  deps: Pick<RegisterDeps, 'secrets'>,
  role: NamedRole,
  name: string,
): Promise<void> {
  assertName(role, name);
  try {
    await deps.secrets.get(role, name, { fresh: true });
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'secret-missing')
      throw new NotRegisteredError(`no secret "${name}" in the role ${role}`);
    throw error;
  }
  await deps.secrets.delete(role, name);
}

async function describe(
  role: Exclude<NamedRole, 'chart'>,
  name: string,
  value: string,
): Promise<Omit<StoredSecret, 'role' | 'name'>> {
  switch (role) {
    case 'decryption': {
      const recipients = await readAgeIdentities(value);
      if (recipients !== undefined) return { recipients };
      throw refusal(
        role,
        name,
        'is not a file of age identities: expected lines AGE-SECRET-KEY-1…, as age-keygen writes them',
      );
    }
    case 'values': {
      const keys = keysOf(value);
      return keys === undefined ? {} : { keys };
    }
  }
}

/** A definition names both the secret and the repository, so the credential itself has to say where it may be sent. */
function chartCredential(
  name: string,
  value: string,
  given: readonly string[],
): { readonly hosts: readonly string[] } {
  const document = parseObject(value) ?? fromText(value.trim());
  const { token, username, password, hosts: written } = document;
  const isText = (text: unknown): boolean => typeof text === 'string' && text !== '';
  if (!isText(token) && !(isText(username) && isText(password))) {
    const expected = 'expected user:password, or JSON {"username", "password"} or {"token"}';
    throw refusal('chart', name, `is no credential: ${expected}`);
  }
  const hosts = [...(Array.isArray(written) ? written : []), ...given];
  const odd = hosts.find((host) => typeof host !== 'string' || !HOST.test(host));
  if (odd !== undefined || hosts.length === 0) {
    const what = hosts.length === 0 ? 'says of no host' : 'names something that is no host';
    throw refusal(
      'chart',
      name,
      `${what} where it may be sent: give --host registry.example.com, port included`,
    );
  }
  return { ...document, hosts: [...new Set(hosts as readonly string[])] };
}

const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?$/;

function fromText(value: string): Readonly<Record<string, unknown>> {
  const match = /^([^\s:"]+):(\S+)$/.exec(value);
  return match === null ? {} : { username: match[1], password: match[2] };
}

/** As a render sees them: of a JSON object of texts, and of nothing else. */
function keysOf(value: string): readonly string[] | undefined {
  const document = parseObject(value);
  if (document === undefined || !Object.values(document).every((text) => typeof text === 'string'))
    return undefined;
  return Object.keys(document);
}

function parseObject(value: string): Readonly<Record<string, unknown>> | undefined {
  if (!value.trimStart().startsWith('{')) return undefined;
  try {
    return JSON.parse(value) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

function assertName(role: NamedRole, name: string): void {
  if (NAME.test(name)) return;
  throw new HoldfastError(
    'invalid-input',
    `secret name in the role ${role}: expected 1 to 200 letters, digits and _+=.@-, without "/"`,
  );
}

function refusal(role: NamedRole, name: string, problem: string): HoldfastError {
  return new HoldfastError(
    'invalid-input',
    `secret "${name}" in the role ${role}: what was given ${problem}`,
  );
}
