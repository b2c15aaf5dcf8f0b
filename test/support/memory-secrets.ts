import { HoldfastError } from '../../lib/model/errors.ts';
import { sha256 } from '../../lib/model/ids.ts';
import type { SecretVersions } from '../../lib/secrets/secret-store.ts';

/** Secrets by `<role>/<name>`; what a value hashes to is its version. `reads` counts the values that were given out. */
export function memorySecrets(): SecretVersions & {
  readonly values: Map<string, string>;
  readonly reads: { count: number };
} {
  const values = new Map<string, string>();
  const reads = { count: 0 };
  return {
    values,
    reads,
    async getVersioned(role, name) {
      const value = values.get(`${role}/${name}`);
      if (value === undefined)
        throw new HoldfastError('secret-missing', `secret "${role}/${name}" does not exist`);
      reads.count += 1;
      return { value, version: sha256(value) };
    },
    async currentVersion(role, name) {
      const value = values.get(`${role}/${name}`);
      return value === undefined ? undefined : sha256(value);
    },
  };
}
