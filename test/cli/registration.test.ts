import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterName, RootId, SourceId } from '../../lib/model/ids.ts';
import { sha256 } from '../../lib/model/ids.ts';
import { type ReconcileWorld, reconcileWorld } from '../support/reconcile-world.ts';
import { type CliWorld, cliWorld } from './cli-world.ts';

const TOKEN = 'git-token-that-nobody-may-see';

describe('registering through the command line', () => {
  let directory: string;
  let world: ReconcileWorld;
  let cli: CliWorld;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
    world = await reconcileWorld({ clusters: {} });
    cli = cliWorld(world.deps);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function file(name: string, content: string): string {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  }

  const source = (name: string) => world.deps.state.getSource(name as SourceId);
  const add = (...more: string[]) =>
    cli.run('source', 'add', 'web', '--url', 'https://git.example/web', '--provider', 'github', ...more);

  describe('source add', () => {
    it('makes a webhook secret and shows it once, with the URL', async () => {
      const added = await add();

      const [name] = (await source('web'))?.webhookSecrets ?? [];
      const secret = cli.secrets.get(`webhook/${name}`) ?? '';
      expect(added.code).toBe(0);
      expect(secret.length).toBeGreaterThanOrEqual(32);
      expect(added.out).toContain(secret);
      expect(added.out).toContain('http://127.0.0.1:8080/hooks/web');
      const listed = await cli.run('source', 'list', '--output', 'json');
      expect(listed.out).not.toContain(secret);
    });

    it('stores a token from a file under a name, and prints it nowhere', async () => {
      const added = await add('--token-file', file('token', `${TOKEN}\n`));

      const stored = await source('web');
      expect(JSON.parse(cli.secrets.get(`git/${stored?.gitSecret}`) ?? '')).toEqual({ token: TOKEN });
      expect(JSON.stringify(stored) + added.out + added.err).not.toContain(TOKEN);
    });

    it('takes a password from standard input', async () => {
      const argv = ['source', 'add', 'web', '--url', 'https://git.example/web', '--provider', 'generic'];

      await cli.runWith('s3cret\n', ...argv, '--username', 'bot', '--password-file', '-');

      const { gitSecret } = (await source('web')) ?? {};
      expect(JSON.parse(cli.secrets.get(`git/${gitSecret}`) ?? '')).toEqual({
        username: 'bot',
        password: 's3cret',
      });
    });

    it('wakes the source, in case something waits for it', async () => {
      await add();

      expect(world.messages.map(({ wakeUp }) => wakeUp)).toContainEqual({
        v: 1,
        kind: 'source',
        source: 'web',
        reason: 'registered',
      });
    });

    it('keeps the former webhook secret beside a new one, and forgets the one before', async () => {
      await add('--webhook-secret-file', file('a', 'first-secret-0123456789'));
      await add('--replace', '--webhook-secret-file', file('b', 'second-secret-0123456789'));
      await add('--replace', '--webhook-secret-file', file('c', 'third-secret-0123456789'));

      const names = (await source('web'))?.webhookSecrets ?? [];
      expect(names.map((name) => cli.secrets.get(`webhook/${name}`))).toEqual([
        'third-secret-0123456789',
        'second-secret-0123456789',
      ]);
      expect([...cli.secrets.keys()].filter((key) => key.startsWith('webhook/'))).toHaveLength(2);
    });

    it('does not take a credential along to another URL', async () => {
      await add('--token-file', file('token', TOKEN));

      await cli.run(
        'source',
        'add',
        'web',
        '--replace',
        '--provider',
        'github',
        '--url',
        'https://other.example/web',
      );

      expect((await source('web'))?.gitSecret).toBeUndefined();
      expect([...cli.secrets.values()].join()).not.toContain(TOKEN);
    });

    it.each([
      [
        'refuses a name that is registered',
        ['shop', '--url', 'https://x.example/y'],
        1,
        'registered already',
      ],
      ['refuses plain http', ['web', '--url', 'http://git.example/web'], 1, '--allow-http'],
      ['refuses another scheme', ['web', '--url', 'ssh://git@git.example/web'], 1, 'scheme "ssh:"'],
      ['refuses a bad name', ['Web_1', '--url', 'https://git.example/web'], 1, 'lower-case letters'],
      [
        'refuses a missing file',
        ['web', '--url', 'https://a.example/b', '--token-file', '/no/such'],
        1,
        'does not exist',
      ],
      [
        'refuses a username alone',
        ['web', '--url', 'https://a.example/b', '--username', 'x'],
        64,
        'belong together',
      ],
      ['refuses no URL', ['web'], 64, '--url'],
    ])('%s', async (_name, argv, code, words) => {
      const ended = await cli.run('source', 'add', '--provider', 'github', ...argv);

      expect(ended.code).toBe(code);
      expect(ended.err).toContain(words);
      expect(ended.err.trim().split('\n')).toHaveLength(1);
    });

    it('refuses a password in the URL, without repeating it', async () => {
      const ended = await cli.run(
        'source',
        'add',
        'web',
        '--provider',
        'github',
        '--url',
        `https://bot:${TOKEN}@git.example/web`,
      );

      expect(ended.code).toBe(1);
      expect(ended.out + ended.err).not.toContain(TOKEN);
    });
  });

  describe('source remove', () => {
    it('forgets the source and its secrets', async () => {
      await add('--token-file', file('token', TOKEN));

      const removed = await cli.run('source', 'remove', 'web');

      expect(removed.code).toBe(0);
      expect(await source('web')).toBeUndefined();
      expect(cli.secrets.size).toBe(0);
    });

    it('refuses one that a root uses, and names it', async () => {
      const refused = await cli.run('source', 'remove', 'shop');

      expect(refused.code).toBe(1);
      expect(refused.err).toContain('root/main');
      expect(await source('shop')).toBeDefined();
    });

    it('ends with 3 for one that does not exist', async () => {
      expect((await cli.run('source', 'remove', 'nope')).code).toBe(3);
    });
  });

  describe('cluster add', () => {
    const kubeconfig = (user: string, server = 'https://127.0.0.1:6443'): string => `apiVersion: v1
kind: Config
current-context: deployer
clusters: [{name: c, cluster: {server: "${server}"}}]
contexts:
  - {name: deployer, context: {cluster: c, user: deployer}}
  - {name: reader, context: {cluster: c, user: reader}}
users:
  - {name: deployer, user: ${user}}
  - {name: reader, user: {token: read-token}}
`;
    const addCluster = (content: string, ...more: string[]) =>
      cli.run('cluster', 'add', 'prod', '--no-check', '--kubeconfig', file('kubeconfig', content), ...more);

    it('stores both credentials under names, and prints neither', async () => {
      const added = await addCluster(kubeconfig('{token: apply-token}'), '--read-context', 'reader');

      const cluster = await world.deps.state.getCluster('prod' as ClusterName);
      expect(cli.secrets.get(`cluster-apply/${cluster?.applySecret}`)).toBe('{"token":"apply-token"}');
      expect(cli.secrets.get(`cluster-read/${cluster?.readSecret}`)).toBe('{"token":"read-token"}');
      expect(added.code).toBe(0);
      expect(JSON.stringify(cluster) + added.out + added.err).not.toMatch(/(apply|read)-token/);
      expect(added.err).toBe('');
    });

    it('warns where the credential that reads is the one that applies', async () => {
      const added = await addCluster(kubeconfig('{token: apply-token}'));

      expect(added.code).toBe(0);
      expect(added.err).toMatch(/^warning: the read credential is the apply credential/);
    });

    it('leaves no former credential behind when it is replaced', async () => {
      await addCluster(kubeconfig('{token: old-token}'));

      await addCluster(kubeconfig('{token: new-token}'), '--replace');

      expect([...cli.secrets.values()]).toEqual(['{"token":"new-token"}', '{"token":"new-token"}']);
    });

    it.each([
      ['refuses exec', '{exec: {command: aws}}', 'exec'],
      ['refuses a file reference', '{tokenFile: /token}', 'tokenFile'],
      ['refuses a password', '{username: a, password: hunter2}', 'basic authentication'],
    ])('%s, saying why', async (_name, user, words) => {
      const refused = await addCluster(kubeconfig(user));

      expect(refused.code).toBe(1);
      expect(refused.err).toContain(words);
      expect(refused.err).not.toContain('hunter2');
      expect(cli.secrets.size).toBe(0);
    });

    it('refuses credentials of two different clusters', async () => {
      const other = file('other', kubeconfig('{token: t}', 'https://127.0.0.1:7443'));

      const refused = await addCluster(kubeconfig('{token: t}'), '--read-kubeconfig', other);

      expect(refused.code).toBe(1);
      expect(refused.err).toContain('https://127.0.0.1:7443');
    });

    it('refuses a cluster that does not answer, and stores nothing', async () => {
      const path = file('kubeconfig', kubeconfig('{token: t}', 'https://127.0.0.1:1'));

      const refused = await cli.run('cluster', 'add', 'prod', '--kubeconfig', path);

      expect(refused.code).toBe(1);
      expect(refused.err).toContain('--no-check');
      expect(cli.secrets.size).toBe(0);
    });

    it('is taken back by cluster remove', async () => {
      await addCluster(kubeconfig('{token: t}'));

      expect((await cli.run('cluster', 'remove', 'prod')).code).toBe(0);
      expect(cli.secrets.size).toBe(0);
      expect((await cli.run('cluster', 'remove', 'prod')).code).toBe(3);
    });
  });

  describe('bootstrap', () => {
    beforeEach(async () => {
      await world.deps.state.putCluster({
        schema: 1,
        name: 'prod' as ClusterName,
        labels: {},
        endpoint: 'https://cluster.example',
        applySecret: 'prod',
        readSecret: 'prod',
      });
    });
    const bootstrap = (path: string, ...more: string[]) =>
      cli.run('bootstrap', 'apps', '--source', 'shop', '--path', path, '--cluster', 'prod', ...more);
    const root = () => world.deps.state.getRoot('apps' as RootId);

    it('registers a root, links its source and wakes it', async () => {
      const ended = await bootstrap('./clusters/prod/');

      expect(ended.code).toBe(0);
      expect(await root()).toMatchObject({
        path: 'clusters/prod',
        ref: { kind: 'branch', name: 'main' },
        base: 1,
      });
      expect(await world.deps.state.rootsOfSource('shop' as SourceId)).toContain('apps');
      expect(world.messages.map(({ wakeUp }) => wakeUp.reason)).toEqual(['registered']);
    });

    it('changes nothing when it is repeated', async () => {
      await bootstrap('clusters/prod');

      const again = await bootstrap('clusters/prod', '--output', 'json');

      expect(JSON.parse(again.out)).toMatchObject({ change: 'unchanged' });
      expect((await root())?.base).toBe(1);
    });

    it('puts a changed root above everything registered through it', async () => {
      await bootstrap('clusters/prod');
      await world.deps.state.changeRegistry('apps' as RootId, (registry) => ({
        next: { ...registry, generation: 41 },
        result: undefined,
      }));

      await bootstrap('clusters/eu', '--tag', 'v1');

      expect(await root()).toMatchObject({ base: 42, ref: { kind: 'tag', name: 'v1' } });
    });

    it('allows exactly the removal that is held back', async () => {
      await bootstrap('clusters/prod');
      const deleteSet = sha256('the applications that left');
      await world.deps.state.changeRegistry('apps' as RootId, (registry) => ({
        next: { ...registry, held: { message: 'held', deleteSet } },
        result: undefined,
      }));

      const wrong = await cli.run('bootstrap', 'apps', '--allow-removal', '0123456789');
      const right = await cli.run('bootstrap', 'apps', '--allow-removal', deleteSet.slice(0, 12));

      expect(wrong.code).toBe(1);
      expect(right.code).toBe(0);
      expect((await world.deps.state.getRegistry('apps' as RootId)).allowance).toBe(deleteSet);
    });

    it('refuses to allow a removal when none is held back', async () => {
      await bootstrap('clusters/prod');

      const ended = await cli.run('bootstrap', 'apps', '--allow-removal', '0123456789');

      expect(ended.code).toBe(1);
      expect(ended.err).toContain('holds no removal back');
    });

    it.each([
      ['refuses a path out of the repository', ['--path', '../x'], 1],
      ['refuses an absolute path', ['--path', '/etc'], 1],
      ['refuses two refs', ['--path', 'a', '--branch', 'x', '--tag', 'y'], 64],
      ['refuses a ref that git refuses', ['--path', 'a', '--branch', 'a..b'], 1],
      ['refuses no path', [], 64],
    ])('%s', async (_name, argv, code) => {
      const ended = await cli.run('bootstrap', 'apps', '--source', 'shop', '--cluster', 'prod', ...argv);

      expect(ended.code).toBe(code);
      expect(await root()).toBeUndefined();
    });

    it('ends with 3 for an unknown source or cluster', async () => {
      const source = await cli.run('bootstrap', 'a', '--source', 'x', '--path', 'a', '--cluster', 'prod');
      const cluster = await cli.run('bootstrap', 'a', '--source', 'shop', '--path', 'a', '--cluster', 'x');

      expect([source.code, cluster.code]).toEqual([3, 3]);
      expect(cluster.err).toContain('holdfast cluster add');
    });
  });
});
