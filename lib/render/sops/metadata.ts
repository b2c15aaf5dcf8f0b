import { compilePattern } from './key-pattern.ts';
import { sopsFault } from './sops-fault.ts';

export interface AgeKey {
  readonly recipient: string;
  /** An armoured age file that holds the data key. */
  readonly enc: string;
}

export interface KmsKey {
  readonly arn: string;
  readonly role?: string;
  readonly context: Readonly<Record<string, string>>;
  /** Base64. */
  readonly enc: string;
}

export interface SopsMetadata {
  readonly age: readonly AgeKey[];
  readonly kms: readonly KmsKey[];
  /** Kinds of further keys, which are not understood here: `pgp`, … */
  readonly otherKeys: readonly string[];
  readonly mac: string;
  /** As the MAC is bound to it: RFC 3339, whole seconds. */
  readonly lastModified: string;
  readonly macOnlyEncrypted: boolean;
  /** Whether a value under these keys is encrypted. */
  readonly isEncrypted: (path: readonly string[]) => boolean;
}

const OTHER_KEYS = ['pgp', 'gcp_kms', 'azure_kv', 'hc_vault', 'hckms'];

/**
 * What stands under `sops`. Text and booleans in either form, because YAML is read as text here.
 *
 * @throws HoldfastError `render-failed`
 */
export function parseMetadata(value: unknown): SopsMetadata {
  if (!isRecord(value)) throw sopsFault('no metadata of SOPS: expected a mapping "sops"');
  const keys = keysOf(value);
  return {
    ...keys,
    mac: textOf(value.mac, 'sops.mac'),
    lastModified: lastModifiedOf(textOf(value.lastmodified, 'sops.lastmodified')),
    macOnlyEncrypted: booleanOf(value.mac_only_encrypted, 'sops.mac_only_encrypted'),
    isEncrypted: ruleOf(value),
  };
}

type Record_ = Readonly<Record<string, unknown>>;

function keysOf(metadata: Record_): Pick<SopsMetadata, 'age' | 'kms' | 'otherKeys'> {
  const own = readKeys(metadata, 'sops');
  const groups = listOf(metadata.key_groups, 'sops.key_groups');
  if (own.age.length + own.kms.length + own.otherKeys.length > 0) return own;
  const [group, another] = groups;
  if (another !== undefined) {
    throw sopsFault(
      `its key is shared among ${groups.length} key groups (Shamir), which is not supported: encrypt it with one group`,
    );
  }
  if (!isRecord(group)) throw sopsFault('it is encrypted for nobody: no key under sops.age or sops.kms');
  return readKeys(group, 'sops.key_groups[0]');
}

function readKeys(group: Record_, where: string): Pick<SopsMetadata, 'age' | 'kms' | 'otherKeys'> {
  return {
    age: listOf(group.age, `${where}.age`).map((key, index) => ageKey(key, `${where}.age[${index}]`)),
    kms: listOf(group.kms, `${where}.kms`).map((key, index) => kmsKey(key, `${where}.kms[${index}]`)),
    otherKeys: OTHER_KEYS.filter((kind) => listOf(group[kind], `${where}.${kind}`).length > 0),
  };
}

function ageKey(value: unknown, where: string): AgeKey {
  if (!isRecord(value)) throw sopsFault(`${where}: expected a mapping`);
  return {
    recipient: textOf(value.recipient, `${where}.recipient`),
    enc: textOf(value.enc, `${where}.enc`),
  };
}

function kmsKey(value: unknown, where: string): KmsKey {
  if (!isRecord(value)) throw sopsFault(`${where}: expected a mapping`);
  const context = isAbsent(value.context) ? {} : value.context;
  if (!isRecord(context)) throw sopsFault(`${where}.context: expected a mapping`);
  return {
    arn: textOf(value.arn, `${where}.arn`),
    enc: textOf(value.enc, `${where}.enc`),
    context: Object.fromEntries(
      Object.entries(context).map(([key, text]) => [key, textOf(text, `${where}.context`)]),
    ),
    ...(isAbsent(value.role) ? {} : { role: textOf(value.role, `${where}.role`) }),
  };
}

function ruleOf(metadata: Record_): SopsMetadata['isEncrypted'] {
  for (const name of ['encrypted_comment_regex', 'unencrypted_comment_regex']) {
    if (!isAbsent(metadata[name]))
      throw sopsFault(`sops.${name}: rules by comment are not supported: encrypt by key`);
  }
  const given = ['unencrypted_suffix', 'encrypted_suffix', 'unencrypted_regex', 'encrypted_regex'].filter(
    (name) => !isAbsent(metadata[name]),
  );
  if (given.length > 1) throw sopsFault(`sops: at most one of ${given.join(' and ')}`);
  const [name = 'unencrypted_suffix'] = given;
  const text = given.length === 0 ? '_unencrypted' : textOf(metadata[name], `sops.${name}`);
  // Any key on the way counts, not only the last.
  const matches = name.endsWith('_regex') ? compilePattern(text) : (key: string) => key.endsWith(text);
  return name.startsWith('unencrypted') ? (path) => !path.some(matches) : (path) => path.some(matches);
}

function lastModifiedOf(text: string): string {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[-+]\d\d:\d\d)$/.exec(text);
  if (match === null) throw sopsFault('sops.lastmodified: expected a time such as 2026-01-31T12:00:00Z');
  const [, time = '', zone = ''] = match;
  return time + (/^[-+]00:00$/.test(zone) ? 'Z' : zone);
}

function booleanOf(value: unknown, where: string): boolean {
  if (isAbsent(value) || value === false || value === 'false') return false;
  if (value === true || value === 'true') return true;
  throw sopsFault(`${where}: expected true or false`);
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (isAbsent(value)) return [];
  if (!Array.isArray(value)) throw sopsFault(`${where}: expected a list`);
  return value;
}

function textOf(value: unknown, where: string): string {
  if (typeof value !== 'string' || value === '') throw sopsFault(`${where}: expected text`);
  return value;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === '' || value === 'null' || value === '~';
}

function isRecord(value: unknown): value is Record_ {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
