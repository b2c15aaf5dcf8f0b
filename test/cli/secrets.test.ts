import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterName, RootId } from '../../lib/model/ids.ts';
import { rootApplication } from '../../lib/model/registry.ts';
import { IDENTITY, OTHER_IDENTITY, OTHER_RECIPIENT, RECIPIENT } from '../render/sops/age-vectors.ts';
import { type ReconcileWorld, reconcileWorld } from '../support/reconcile-world.ts';
import { type CliWorld, cliWorld } from './cli-world.ts';

const CANARY = 'value-that-nobody-may-see';

describe('secrets through the command line', () => {
  let directory: string;
  let world: ReconcileWorld;
  let cli: CliWorld;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
    world = await reconcileWorld({ clusters: {} });
    cli = cliWorld(world.deps);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('stores age identities, and says for whom to encrypt', async () => {
    const keys = `# created: 2026-11-01\n${IDENTITY}\n\n${OTHER_IDENTITY}\n`;

    const ended = await cli.runWith(keys, 'secret', 'set', 'decryption', 'sops');

    expect(ended.code).toBe(0);
    expect(cli.secrets.get('decryption/sops')).toBe(keys);
    expect(ended.out).toBe(
      `Stored secret sops of the role decryption.\n  opens files that are encrypted for ${RECIPIENT}\n  opens files that are encrypted for ${OTHER_RECIPIENT}\n`,
    );
  });

  it('stores values from a file, and tells their keys alone', async () => {
    const file = join(directory, 'web.json');
    writeFileSync(file, JSON.stringify({ USER: CANARY, PASSWORD: CANARY }));

    const ended = await cli.run('secret', 'set', 'values', 'web', '--file', file, '--output', 'json');

    expect(JSON.parse(ended.out)).toEqual({ role: 'values', name: 'web', keys: ['USER', 'PASSWORD'] });
    expect(cli.secrets.get('values/web')).toContain(CANARY);
  });

  it('takes the line end of a single line away, and leaves other texts as they are', async () => {
    await cli.runWith('one\n', 'secret', 'set', 'values', 'one');
    await cli.runWith('a: 1\nb: 2\n', 'secret', 'set', 'values', 'two');

    expect(cli.secrets.get('values/one')).toBe('one');
    expect(cli.secrets.get('values/two')).toBe('a: 1\nb: 2\n');
  });

  it.each([
    [
      'bot:pass:word',
      ['--host', 'a.example'],
      { username: 'bot', password: 'pass:word', hosts: ['a.example'] },
    ],
    [
      '{"username": "bot", "password": "x"}',
      ['--host', 'a.example', '--host', 'b.example:5000'],
      { username: 'bot', password: 'x', hosts: ['a.example', 'b.example:5000'] },
    ],
    ['{"token": "x", "hosts": ["a.example"]}', [], { token: 'x', hosts: ['a.example'] }],
  ])(
    'stores the credential %s of a chart repository, with its hosts',
    async (credential, options, stored) => {
      const ended = await cli.runWith(credential, 'secret', 'set', 'chart', 'acme', ...options);

      expect(ended.code).toBe(0);
      expect(JSON.parse(cli.secrets.get('chart/acme') ?? '')).toEqual(stored);
    },
  );

  it.each([
    ['chart', 'without a host', 'bot:pass', []],
    ['chart', 'for what is no host', 'bot:pass', ['--host', 'https://a.example']],
    ['values', 'with a host', 'x', ['--host', 'a.example']],
  ])('refuses a secret of the role %s %s', async (role, _what, value, options) => {
    const ended = await cli.runWith(value, 'secret', 'set', role, 'acme', ...options);

    expect(ended.code).toBe(1);
    expect(ended.err).toContain('host');
    expect(cli.secrets.size).toBe(0);
  });

  it.each([
    ['what are no age identities', 'decryption', `${IDENTITY}\n${CANARY}`],
    ['what is no credential', 'chart', CANARY],
    ['a credential without a password', 'chart', `{"username": "${CANARY}"}`],
    ['nothing', 'values', ' \n'],
    ['too much', 'values', CANARY.repeat(3000)],
  ])('refuses %s, and does not quote it', async (_what, role, value) => {
    const ended = await cli.runWith(value, 'secret', 'set', role, 'a');

    expect(ended.code).toBe(1);
    expect(ended.err).toContain(`secret "a" in the role ${role}: what was given`);
    expect(ended.err).not.toContain(CANARY);
    expect(cli.secrets.size).toBe(0);
  });

  it('refuses roles that belong to sources and clusters, and names that leave their role', async () => {
    expect(await cli.runWith('x', 'secret', 'set', 'webhook', 'a')).toMatchObject({ code: 64 });
    expect(await cli.runWith('x', 'secret', 'set', 'values', '../git/a')).toMatchObject({ code: 1 });
  });

  it('deletes one, and says where there is none', async () => {
    await cli.runWith('x', 'secret', 'set', 'values', 'web');

    expect(await cli.run('secret', 'delete', 'values', 'web')).toMatchObject({ code: 0 });
    expect(cli.secrets.size).toBe(0);
    expect(await cli.run('secret', 'delete', 'values', 'web')).toMatchObject({ code: 3 });
  });

  it('lets a root decrypt, and counts that as a change of it', async () => {
    await world.deps.state.putCluster({
      schema: 1,
      name: 'prod' as ClusterName,
      labels: {},
      endpoint: 'https://prod.example',
      applySecret: 'prod',
      readSecret: 'prod',
    });
    const bootstrap = (...more: string[]) =>
      cli.json<{ readonly change: string }>(
        ...['bootstrap', 'edge', '--source', 'shop', '--path', 'clusters', '--cluster', 'prod', ...more],
      );

    expect(await bootstrap()).toMatchObject({ change: 'created' });
    expect(await bootstrap('--decryption-age', 'sops', '--decryption-kms')).toMatchObject({
      change: 'changed',
      decryption: { age: 'sops', kms: true },
    });
    expect(await bootstrap('--decryption-age', 'sops', '--decryption-kms')).toMatchObject({
      change: 'unchanged',
    });

    const root = await world.deps.state.getRoot('edge' as RootId);
    expect(root && rootApplication(root).render.decryption).toEqual({ age: 'sops', kms: true });
    expect(await bootstrap()).toMatchObject({ change: 'changed' });
  });
});
