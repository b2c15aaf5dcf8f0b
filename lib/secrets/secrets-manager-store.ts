import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { HoldfastError } from '../model/errors.ts';
import type { SecretRole, SecretStore, SecretVersions, VersionedSecret } from './secret-store.ts';

/** How long a rotation may go unnoticed by a warm function that nobody contradicts. */
const FOUND_TTL_MS = 5 * 60_000;
/** Short, so that a secret that was just written is found; long enough that a flood does not ask each time. */
const MISSING_TTL_MS = 60_000;
const MAX_ENTRIES = 1_000;

export interface SecretsManagerStoreDeps {
  readonly secretsManager: Pick<SecretsManagerClient, 'send'>;
  /** Names are `<prefix>/<role>/<name>`. */
  readonly prefix: string;
  /** Milliseconds on any clock that only grows. */
  readonly now?: () => number;
}

type Lookup = ({ readonly kind: 'found' } & VersionedSecret) | { readonly kind: 'missing' };

interface CacheEntry {
  readonly lookup: Promise<Lookup>;
  /** Infinity while the request is under way. */
  expiresAt: number;
}

/**
 * Secrets in AWS Secrets Manager, kept in memory for a while: values for five minutes, absence for one. Concurrent
 * gets of one secret share a request. Failures are not kept.
 */
export function createSecretsManagerStore(deps: SecretsManagerStoreDeps): SecretStore & SecretVersions {
  const now = deps.now ?? (() => performance.now());
  const cache = new Map<string, CacheEntry>();

  const fetchInto = (secretId: string): Promise<Lookup> => {
    const entry: CacheEntry = { lookup: fetchSecret(deps, secretId), expiresAt: Number.POSITIVE_INFINITY };
    cache.delete(secretId);
    cache.set(secretId, entry);
    entry.lookup.then(
      (found) => {
        entry.expiresAt = now() + (found.kind === 'found' ? FOUND_TTL_MS : MISSING_TTL_MS);
      },
      () => {
        if (cache.get(secretId) === entry) {
          cache.delete(secretId);
        }
      },
    );
    evict(cache);
    return entry.lookup;
  };

  return {
    async get(role, name, options = {}) {
      const secretId = secretIdOf(deps.prefix, role, name);
      const cached = cache.get(secretId);
      // A request under way is fresh enough for `fresh` too: it was not answered before this call.
      const usable =
        cached !== undefined &&
        (cached.expiresAt === Number.POSITIVE_INFINITY ||
          (options.fresh !== true && now() < cached.expiresAt));
      return present(await (usable ? cached.lookup : fetchInto(secretId)), secretId).value;
    },
    async getVersioned(role, name) {
      const secretId = secretIdOf(deps.prefix, role, name);
      const cached = cache.get(secretId);
      const underWay = cached?.expiresAt === Number.POSITIVE_INFINITY ? cached.lookup : undefined;
      const { value, version } = present(await (underWay ?? fetchInto(secretId)), secretId);
      return { value, version };
    },
    async currentVersion(role, name) {
      const secretId = secretIdOf(deps.prefix, role, name);
      try {
        const answer = await deps.secretsManager.send(new DescribeSecretCommand({ SecretId: secretId }));
        if (answer.DeletedDate !== undefined) return undefined;
        const stages = Object.entries(answer.VersionIdsToStages ?? {});
        return stages.find(([, names]) => names.includes('AWSCURRENT'))?.[0];
      } catch (cause) {
        if (cause instanceof ResourceNotFoundException) return undefined;
        throw storeError('read', secretId, cause);
      }
    },
    async put(role, name, value) {
      const secretId = secretIdOf(deps.prefix, role, name);
      try {
        await createOrUpdate(deps, secretId, value);
      } catch (cause) {
        throw storeError('write', secretId, cause);
      } finally {
        cache.delete(secretId);
      }
    },
    async delete(role, name) {
      const secretId = secretIdOf(deps.prefix, role, name);
      try {
        // Without recovery: the name must be free for the next put.
        await deps.secretsManager.send(
          new DeleteSecretCommand({ SecretId: secretId, ForceDeleteWithoutRecovery: true }),
        );
      } catch (cause) {
        if (!(cause instanceof ResourceNotFoundException)) {
          throw storeError('delete', secretId, cause);
        }
      } finally {
        cache.delete(secretId);
      }
    },
  };
}

/**
 * The full name in Secrets Manager.
 * @throws HoldfastError `invalid-input` for a name that could leave its role, on which the IAM policies hang
 */
export function secretIdOf(prefix: string, role: SecretRole, name: string): string {
  if (!/^[A-Za-z0-9_+=.@-]{1,200}$/.test(name)) {
    throw new HoldfastError(
      'invalid-input',
      `secret name of role ${role}: expected 1 to 200 letters, digits and _+=.@-, without "/"`,
    );
  }
  return `${prefix}/${role}/${name}`;
}

function present(found: Lookup, secretId: string): VersionedSecret {
  if (found.kind === 'found') return found;
  throw new HoldfastError(
    'secret-missing',
    `secret "${secretId}" does not exist or has no text value: create it, or correct the name`,
    { details: { secret: secretId } },
  );
}

async function fetchSecret(deps: SecretsManagerStoreDeps, secretId: string): Promise<Lookup> {
  try {
    const answer = await deps.secretsManager.send(new GetSecretValueCommand({ SecretId: secretId }));
    return answer.SecretString === undefined
      ? { kind: 'missing' }
      : { kind: 'found', value: answer.SecretString, version: answer.VersionId ?? '' };
  } catch (cause) {
    if (cause instanceof ResourceNotFoundException) {
      return { kind: 'missing' };
    }
    throw storeError('read', secretId, cause);
  }
}

async function createOrUpdate(deps: SecretsManagerStoreDeps, secretId: string, value: string): Promise<void> {
  try {
    await deps.secretsManager.send(new PutSecretValueCommand({ SecretId: secretId, SecretString: value }));
    return;
  } catch (error) {
    if (!(error instanceof ResourceNotFoundException)) {
      throw error;
    }
  }
  try {
    await deps.secretsManager.send(new CreateSecretCommand({ Name: secretId, SecretString: value }));
  } catch (error) {
    if (!(error instanceof ResourceExistsException)) {
      throw error;
    }
    // Someone else created it in between.
    await deps.secretsManager.send(new PutSecretValueCommand({ SecretId: secretId, SecretString: value }));
  }
}

function storeError(verb: 'read' | 'write' | 'delete', secretId: string, cause: unknown): HoldfastError {
  return new HoldfastError('internal', `cannot ${verb} secret "${secretId}" in Secrets Manager`, {
    retryable: true,
    details: { secret: secretId, reason: cause instanceof Error ? cause.name : 'unknown' },
    cause,
  });
}

/** Oldest first; an entry is moved to the end whenever it is fetched again. */
function evict(cache: Map<string, CacheEntry>): void {
  for (const key of cache.keys()) {
    if (cache.size <= MAX_ENTRIES) {
      return;
    }
    cache.delete(key);
  }
}
