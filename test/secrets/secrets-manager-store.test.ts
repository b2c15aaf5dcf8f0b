import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
} from '@aws-sdk/client-secrets-manager';
import { createSecretsManagerStore, secretIdOf } from '../../lib/secrets/secrets-manager-store.ts';

/** Secrets Manager in memory, with a clock that the test turns. */
function aStore(secrets: Record<string, string | undefined> = {}) {
  const world = { now: 0, reads: 0, failing: undefined as Error | undefined, secrets, raceOnCreate: false };
  const missing = () => new ResourceNotFoundException({ message: 'no such secret', $metadata: {} });
  const send = async (command: unknown): Promise<unknown> => {
    if (world.failing !== undefined) {
      throw world.failing;
    }
    if (command instanceof GetSecretValueCommand) {
      world.reads++;
      const name = command.input.SecretId ?? '';
      if (!(name in secrets)) {
        throw missing();
      }
      return { SecretString: secrets[name], VersionId: `v-${secrets[name]}` };
    }
    if (command instanceof DescribeSecretCommand) {
      const name = command.input.SecretId ?? '';
      if (!(name in secrets)) {
        throw missing();
      }
      return { VersionIdsToStages: { old: ['AWSPREVIOUS'], [`v-${secrets[name]}`]: ['AWSCURRENT'] } };
    }
    if (command instanceof PutSecretValueCommand) {
      if (!((command.input.SecretId ?? '') in secrets)) {
        throw missing();
      }
      secrets[command.input.SecretId ?? ''] = command.input.SecretString;
    } else if (command instanceof CreateSecretCommand) {
      if (world.raceOnCreate) {
        secrets[command.input.Name ?? ''] = 'of the other';
        throw new ResourceExistsException({ message: 'exists', $metadata: {} });
      }
      secrets[command.input.Name ?? ''] = command.input.SecretString;
    } else if (command instanceof DeleteSecretCommand) {
      if (!((command.input.SecretId ?? '') in secrets)) {
        throw missing();
      }
      delete secrets[command.input.SecretId ?? ''];
    }
    return {};
  };
  const store = createSecretsManagerStore({
    secretsManager: { send },
    prefix: 'holdfast',
    now: () => world.now,
  });
  return { store, world };
}

describe('secrets in Secrets Manager', () => {
  it('reads <prefix>/<role>/<name>', async () => {
    const { store } = aStore({ 'holdfast/git/a': 'of git', 'holdfast/webhook/a': 'of webhook' });

    expect(await store.get('git', 'a')).toBe('of git');
    expect(await store.get('webhook', 'a')).toBe('of webhook');
  });

  it('keeps a value for five minutes', async () => {
    const { store, world } = aStore({ 'holdfast/git/a': 'one' });

    await store.get('git', 'a');
    world.secrets['holdfast/git/a'] = 'two';
    world.now = 299_999;
    const kept = await store.get('git', 'a');
    world.now = 300_000;
    const read = await store.get('git', 'a');

    expect([kept, read]).toEqual(['one', 'two']);
  });

  it('reads anew when asked for a fresh value, and keeps that one', async () => {
    const { store, world } = aStore({ 'holdfast/git/a': 'one' });

    await store.get('git', 'a');
    world.secrets['holdfast/git/a'] = 'two';
    const fresh = await store.get('git', 'a', { fresh: true });
    const after = await store.get('git', 'a');

    expect([fresh, after, world.reads]).toEqual(['two', 'two', 2]);
  });

  it('rejects a missing secret, and remembers that for a minute', async () => {
    const { store, world } = aStore();

    await expect(store.get('git', 'a')).rejects.toMatchObject({ code: 'secret-missing', retryable: false });
    world.secrets['holdfast/git/a'] = 'one';
    world.now = 59_999;
    await expect(store.get('git', 'a')).rejects.toMatchObject({ code: 'secret-missing' });
    world.now = 60_000;
    const found = await store.get('git', 'a');

    expect([found, world.reads]).toEqual(['one', 2]);
  });

  it('rejects a secret without a text value', async () => {
    const { store } = aStore({ 'holdfast/git/a': undefined });

    await expect(store.get('git', 'a')).rejects.toMatchObject({ code: 'secret-missing' });
  });

  it('asks once for many at the same time', async () => {
    const { store, world } = aStore({ 'holdfast/git/a': 'one' });

    const values = await Promise.all(Array.from({ length: 20 }, () => store.get('git', 'a')));

    expect(new Set(values)).toEqual(new Set(['one']));
    expect(world.reads).toBe(1);
  });

  it('rejects retryably when the service fails, and does not remember it', async () => {
    const { store, world } = aStore({ 'holdfast/git/a': 'one' });
    world.failing = new Error('throttled');

    await expect(store.get('git', 'a')).rejects.toMatchObject({ code: 'internal', retryable: true });
    world.failing = undefined;

    expect(await store.get('git', 'a')).toBe('one');
  });

  it('holds a bounded number of them', async () => {
    const secrets = Object.fromEntries(Array.from({ length: 1_001 }, (_, n) => [`holdfast/git/s${n}`, 'x']));
    const { store, world } = aStore(secrets);

    for (let n = 0; n <= 1_000; n++) {
      await store.get('git', `s${n}`);
    }
    await store.get('git', 's1000');
    await store.get('git', 's0');

    expect(world.reads).toBe(1_002);
  });

  it('puts by creating or updating, and the next get sees it', async () => {
    const { store } = aStore();

    await store.put('git', 'a', 'one');
    const first = await store.get('git', 'a');
    await store.put('git', 'a', 'two');
    const second = await store.get('git', 'a');

    expect([first, second]).toEqual(['one', 'two']);
  });

  it('puts also when somebody else creates it in between', async () => {
    const { store, world } = aStore();
    world.raceOnCreate = true;

    await store.put('git', 'a', 'mine');

    expect(await store.get('git', 'a')).toBe('mine');
  });

  it('deletes, also twice', async () => {
    const { store } = aStore({ 'holdfast/git/a': 'one' });

    await store.get('git', 'a');
    await store.delete('git', 'a');
    await store.delete('git', 'a');

    await expect(store.get('git', 'a')).rejects.toMatchObject({ code: 'secret-missing' });
  });

  it.each(['', 'a/b', '../a', 'a b', 'ä', 'x'.repeat(201)])('refuses the name "%s"', (name) => {
    expect(() => secretIdOf('holdfast', 'git', name)).toThrow(
      expect.objectContaining({ code: 'invalid-input' }),
    );
  });

  it('never names a value in an error', async () => {
    const { store, world } = aStore({ 'holdfast/git/a': 'one' });
    world.failing = new Error('down');

    const error = await store.put('git', 'a', 'the-value').catch((caught: unknown) => caught);

    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('the-value');
  });

  it('gives a value with its version, asked for now, and the version alone without reading', async () => {
    const { store, world } = aStore({ 'holdfast/values/a': 'one' });
    await store.get('values', 'a');
    world.secrets['holdfast/values/a'] = 'two';

    expect(await store.getVersioned('values', 'a')).toEqual({ value: 'two', version: 'v-two' });
    expect(await store.get('values', 'a')).toBe('two');
    const { reads } = world;
    expect(await store.currentVersion('values', 'a')).toBe('v-two');
    expect(world.reads).toBe(reads);
  });

  it('has no version of what does not exist, and refuses its value', async () => {
    const { store, world } = aStore();

    expect(await store.currentVersion('values', 'a')).toBeUndefined();
    await expect(store.getVersioned('values', 'a')).rejects.toMatchObject({ code: 'secret-missing' });
    world.failing = new Error('quotes the request');
    await expect(store.currentVersion('values', 'a')).rejects.toMatchObject({ retryable: true });
  });
});
