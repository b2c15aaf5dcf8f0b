/** Secret names are partitioned by role, because IAM hangs on them: `<prefix>/<role>/<name>`. */
export type SecretRole =
  | 'webhook'
  | 'git'
  /** User name and password of chart repositories and registries. */
  | 'chart'
  | 'cluster-apply'
  | 'cluster-read'
  | 'hash-key'
  /** age identities for SOPS. */
  | 'decryption'
  /** Values for charts and variables. */
  | 'values';

/** A value with the id of its version: another id, another value. */
export interface VersionedSecret {
  readonly value: string;
  readonly version: string;
}

/** For who has to know whether a secret is still the one that was used. */
export interface SecretVersions {
  /**
   * The current value, asked for now; never one that was kept.
   * @throws HoldfastError `secret-missing` (never names a value)
   */
  getVersioned(role: SecretRole, name: string): Promise<VersionedSecret>;
  /** The id of the current version, without reading the value; undefined: there is none. */
  currentVersion(role: SecretRole, name: string): Promise<string | undefined>;
}

export interface SecretStore {
  /**
   * The current value. Cached briefly; `fresh` refetches (after a rejection).
   * @throws HoldfastError `secret-missing` (never names a value)
   */
  get(role: SecretRole, name: string, options?: { readonly fresh?: boolean }): Promise<string>;
  /** For the command line only; functions have no right to write. */
  put(role: SecretRole, name: string, value: string): Promise<void>;
  delete(role: SecretRole, name: string): Promise<void>;
}
