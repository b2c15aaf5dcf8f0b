import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { IDENTITY } from '../render/sops/age-vectors.ts';
import { yamlFile } from '../render/sops/build-sops.ts';
import { reconcileWorld } from '../support/reconcile-world.ts';
import { gitWorld } from '../support/git-world.ts';
import { type CliWorld, cliWorld } from './cli-world.ts';

describe('holdfast render', () => {
  let directory: string;
  let cli: CliWorld;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-render-test-'));
    cli = cliWorld((await reconcileWorld({ clusters: {} })).deps);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function write(path: string, content: string): string {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  const objects = (yaml: string): readonly unknown[] =>
    parseAllDocuments(yaml).map((each) => each.toJS() as unknown);

  it('prints what would be applied: namespaces first, defaulted, without marks', async () => {
    write('app/a.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {answer: "yes"}\n');
    write('app/z.yaml', 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n');

    const ended = await cli.run('render', join(directory, 'app'), '--namespace', 'shop');

    expect(ended.code).toBe(0);
    expect(objects(ended.out)).toEqual([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'a', namespace: 'shop' },
        data: { answer: 'yes' },
      },
    ]);
    // Readers of YAML 1.1 would take a bare yes for a boolean.
    expect(ended.out).toMatch(/answer: ["']yes["']/);
  });

  it('prints JSON for programs', async () => {
    write('app/a.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n');

    const ended = await cli.run('render', join(directory, 'app'), '--output', 'json');

    expect(JSON.parse(ended.out)).toEqual([
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' } },
    ]);
  });

  it('leaves definitions out and says so', async () => {
    write(
      'app/x.yaml',
      'apiVersion: holdfast.dev/v1alpha1\nkind: Application\nmetadata: {name: x}\nspec: {source: s, clusters: [c]}\n',
    );

    const ended = await cli.run('render', join(directory, 'app'));

    expect(ended).toMatchObject({ code: 0, out: '' });
    expect(ended.err).toContain('1 definition left out');
  });

  it('prints no values of Secrets when asked not to', async () => {
    write(
      'app/s.yaml',
      'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n',
    );

    const ended = await cli.run('render', join(directory, 'app'), '--mask-secrets');

    expect(ended.out).toContain('(secret)');
    expect(ended.out).not.toContain('hunter2');
    expect(ended.out).not.toContain(Buffer.from('hunter2').toString('base64'));
  });

  it('warns of kinds whose scope only the cluster knows, and prints them all the same', async () => {
    write('app/w.yaml', 'apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n');

    const ended = await cli.run('render', join(directory, 'app'));

    expect(objects(ended.out)).toHaveLength(1);
    expect(ended.err).toMatch(/^warning: .*w\.yaml:1.*Widget/);
  });

  it('refuses broken YAML with file and line, on one line', async () => {
    write('app/a.yaml', 'apiVersion: v1\nkind: [\n');

    const ended = await cli.run('render', join(directory, 'app'));

    expect(ended.code).toBe(1);
    expect(ended.err).toMatch(/^error: .*a\.yaml:\d+/);
    expect(ended.err.trim().split('\n')).toHaveLength(1);
  });

  it('fetches bases from the hosts that are named, and from no others', async () => {
    const world = await gitWorld();
    try {
      await world.commit({
        'base/kustomization.yaml': 'resources: [b.yaml]\n',
        'base/b.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n',
      });
      await world.push('main');
      write('app/kustomization.yaml', `resources: ["${world.source.url}//base?ref=main"]\n`);
      const path = join(directory, 'app');

      const allowed = await cli.run('render', path, '--remote-base', new URL(world.source.url).origin);
      const refused = await cli.run('render', path);

      expect(objects(allowed.out)).toMatchObject([{ kind: 'ConfigMap', metadata: { name: 'b' } }]);
      expect(refused.out).toBe('');
      expect(refused.err).toMatch(/bases are not fetched from http:/);
    } finally {
      await world.close();
    }
  });

  it('decrypts what SOPS encrypted with the age identities of a file, and refuses it without', async () => {
    write(
      'app/a.yaml',
      yamlFile(
        (s) =>
          `apiVersion: ${s.plain('v1')}\nkind: ${s.plain('Secret')}\nmetadata:\n  name: ${s.plain('a')}\nstringData:\n  p: ${s.enc('stringData:p:', 'plain')}\n`,
        { metadata: { encrypted_regex: '^stringData$' } },
      ),
    );
    const path = join(directory, 'app');

    const decrypted = await cli.run('render', path, '--age-key-file', write('keys.txt', `${IDENTITY}\n`));
    const without = await cli.run('render', path);
    const wrong = await cli.run('render', path, '--age-key-file', write('no.txt', 'no-key-at-all\n'));

    expect(objects(decrypted.out)).toMatchObject([{ data: { p: Buffer.from('plain').toString('base64') } }]);
    expect(without).toMatchObject({ code: 1, out: '' });
    expect(wrong).toMatchObject({ code: 64, out: '' });
    expect(wrong.err).not.toContain('no-key-at-all');
  });

  it('refuses a link out of the repository', async () => {
    write('app/a.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n');
    symlinkSync('/etc/hostname', join(directory, 'app', 'b.yaml'));

    const ended = await cli.run('render', join(directory, 'app'));

    expect(ended.code).toBe(1);
    expect(ended.err).toContain('b.yaml');
  });

  it('refuses a path that does not exist', async () => {
    expect((await cli.run('render', join(directory, 'nope'))).code).toBe(1);
  });
});
