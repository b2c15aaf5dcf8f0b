import type { Redactor } from './redactor.ts';
import type { SecretStore } from './secret-store.ts';

/** The same store; whatever it hands out or takes is known to the redactor first. */
export function registeringStore(store: SecretStore, redactor: Redactor): SecretStore {
  return {
    async get(role, name, options) {
      const value = await store.get(role, name, options);
      redactor.register(value);
      return value;
    },
    async put(role, name, value) {
      redactor.register(value);
      await store.put(role, name, value);
    },
    delete: (role, name) => store.delete(role, name),
  };
}
