import type { Redactor } from './redactor.ts';
import type { SecretStore, SecretVersions } from './secret-store.ts';

/** The same store; whatever it hands out or takes is known to the redactor first. */
export function registeringStore(
  store: SecretStore & SecretVersions,
  redactor: Redactor,
): SecretStore & SecretVersions {
  return {
    async get(role, name, options) {
      const value = await store.get(role, name, options);
      redactor.register(value);
      return value;
    },
    async getVersioned(role, name) {
      const secret = await store.getVersioned(role, name);
      redactor.register(secret.value);
      return secret;
    },
    currentVersion: (role, name) => store.currentVersion(role, name),
    async put(role, name, value) {
      redactor.register(value);
      await store.put(role, name, value);
    },
    delete: (role, name) => store.delete(role, name),
  };
}
