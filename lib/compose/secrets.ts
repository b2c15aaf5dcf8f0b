import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Log } from '../model/log.ts';
import { createRedactor, type Redactor } from '../secrets/redactor.ts';
import { registeringStore } from '../secrets/registering-store.ts';
import type { SecretStore, SecretVersions } from '../secrets/secret-store.ts';
import { createSecretsManagerStore } from '../secrets/secrets-manager-store.ts';
import { redactingLog } from './redacting-log.ts';

/** The secrets of an installation, and a log in which none of those that were fetched can appear. */
export interface SecretsAndLog {
  readonly secrets: SecretStore & SecretVersions;
  readonly log: Log;
  readonly redactor: Redactor;
}

/** One per process: the log knows what this very store has handed out. */
export function composeSecrets(parts: {
  readonly secretsManager: SecretsManagerClient;
  readonly prefix: string;
  readonly log: Log;
}): SecretsAndLog {
  const redactor = createRedactor();
  // The function's own keys: an SDK that fails may show how it signed.
  for (const variable of ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']) {
    const value = process.env[variable];
    if (value !== undefined) redactor.register(value);
  }
  const store = createSecretsManagerStore({ secretsManager: parts.secretsManager, prefix: parts.prefix });
  return {
    redactor,
    secrets: registeringStore(store, redactor),
    log: redactingLog(parts.log, (text) => redactor.mask(text)),
  };
}
