import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { createAccessKey } from '../../../lib/local/access-key.ts';
import { type SecretsServer, startSecretsServer } from '../../../lib/local/secrets-server.ts';

describe('the local secrets server', () => {
  const accessKey = createAccessKey();
  let directory: string;
  let server: SecretsServer;
  let client: SecretsManagerClient;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-secrets-'));
    server = await startSecretsServer({ directory, accessKey });
    client = new SecretsManagerClient({
      endpoint: server.endpoint,
      region: 'us-east-1',
      credentials: accessKey,
      maxAttempts: 1,
    });
  });

  afterEach(async () => {
    client.destroy();
    await server.close();
    await rm(directory, { recursive: true });
  });

  const create = (Name: string, SecretString = 'value') =>
    client.send(new CreateSecretCommand({ Name, SecretString }));

  it('creates, reads, updates, describes and deletes', async () => {
    await create('holdfast/git/a', 'one');
    await client.send(new PutSecretValueCommand({ SecretId: 'holdfast/git/a', SecretString: 'zwei ✓' }));

    const read = await client.send(new GetSecretValueCommand({ SecretId: 'holdfast/git/a' }));
    const described = await client.send(new DescribeSecretCommand({ SecretId: 'holdfast/git/a' }));
    await client.send(
      new DeleteSecretCommand({ SecretId: 'holdfast/git/a', ForceDeleteWithoutRecovery: true }),
    );

    expect(read.SecretString).toBe('zwei ✓');
    expect(described.Name).toBe('holdfast/git/a');
    expect(JSON.stringify(described)).not.toContain('zwei');
    expect(await readdir(directory)).toEqual([]);
  });

  it.each([
    [
      'a read of what is not there',
      () => new GetSecretValueCommand({ SecretId: 'x' }),
      'ResourceNotFoundException',
    ],
    [
      'an update of what is not there',
      () => new PutSecretValueCommand({ SecretId: 'x', SecretString: 'y' }),
      'ResourceNotFoundException',
    ],
    [
      'a second creation',
      () => new CreateSecretCommand({ Name: 'there', SecretString: 'y' }),
      'ResourceExistsException',
    ],
    [
      'a deletion with a recovery window',
      () => new DeleteSecretCommand({ SecretId: 'there' }),
      'InvalidParameterException',
    ],
    [
      'a value that is too long',
      () => new PutSecretValueCommand({ SecretId: 'there', SecretString: 'x'.repeat(65_537) }),
      'InvalidParameterException',
    ],
    [
      'a name that is none',
      () => new CreateSecretCommand({ Name: 'a b', SecretString: 'y' }),
      'InvalidParameterException',
    ],
    [
      'an operation that it does not have',
      () => new RotateSecretCommand({ SecretId: 'there' }),
      'UnknownOperationException',
    ],
  ])('refuses %s with the error of AWS', async (_case, command, name) => {
    await create('there');

    await expect(client.send(command() as GetSecretValueCommand)).rejects.toMatchObject({ name });
  });

  it('lets exactly one of many creations win', async () => {
    const results = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => create('one', String(n))));

    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  });

  it('lists by prefix, page by page', async () => {
    for (const name of ['a/3', 'a/1', 'b/1', 'a/2']) {
      await create(name);
    }
    const names: (string | undefined)[] = [];
    let token: string | undefined;
    do {
      const page = await client.send(
        new ListSecretsCommand({
          MaxResults: 2,
          Filters: [{ Key: 'name', Values: ['a/'] }],
          ...(token !== undefined && { NextToken: token }),
        }),
      );
      names.push(...(page.SecretList ?? []).map((secret) => secret.Name));
      token = page.NextToken;
    } while (token !== undefined);

    expect(names).toEqual(['a/1', 'a/2', 'a/3']);
  });

  it('takes a name as a name, not as a path', async () => {
    await create('../../etc/passwd');

    const read = await client.send(new GetSecretValueCommand({ SecretId: '../../etc/passwd' }));

    expect(read.SecretString).toBe('value');
    expect(await readdir(directory)).toHaveLength(1);
  });

  it('rejects a damaged file without quoting it', async () => {
    await create('a');
    const [file] = await readdir(directory);
    await writeFile(join(directory, file ?? ''), '{"value":"half-written-sec');

    const error = await client
      .send(new GetSecretValueCommand({ SecretId: 'a' }))
      .catch((caught: unknown) => caught);

    expect(String(error)).toContain('InternalServiceError');
    expect(String(error)).not.toContain('half-written');
  });

  it('answers others while one request is still being sent', async () => {
    const { request } = await import('node:http');
    const slow = request(server.endpoint, { method: 'POST', headers: { 'content-length': '100' } });
    slow.on('error', () => undefined);
    await new Promise<void>((resolve) => slow.write('{', () => resolve()));

    await create('a');

    slow.destroy();
  });
});
