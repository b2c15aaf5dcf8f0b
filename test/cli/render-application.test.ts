import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { IDENTITY } from '../render/sops/age-vectors.ts';
import { yamlFile } from '../render/sops/build-sops.ts';
import { configMap, definition, reconcileWorld } from '../support/reconcile-world.ts';
import { type CliWorld, cliWorld } from './cli-world.ts';

describe('holdfast render --application', () => {
  let directory: string;
  let cli: CliWorld;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-render-application-'));
    mkdirSync(join(directory, '.git'));
    cli = cliWorld((await reconcileWorld({ clusters: {} })).deps);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function write(path: string, content: string): string {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  }
  const app = (name: string, spec: Readonly<Record<string, unknown>> = {}) =>
    definition(name, { path: `apps/${name}`, clusters: ['a'], ...spec });
  const render = (...argv: readonly string[]) => cli.run('render', '--application', ...argv);
  const objects = (yaml: string): readonly unknown[] =>
    parseAllDocuments(yaml).map((each) => each.toJS() as unknown);

  it('renders the path that the definition says, in the repository of the file, as the definition says', async () => {
    const file = write('clusters/web.yaml', app('web', { namespace: 'shop', createNamespace: true }));
    write('apps/web/a.yaml', configMap('a', {}));

    const ended = await render(file);

    expect(ended).toMatchObject({ code: 0, err: '' });
    expect(objects(ended.out)).toMatchObject([
      { kind: 'Namespace', metadata: { name: 'shop', annotations: { 'holdfast.dev/prune': 'disabled' } } },
      { kind: 'ConfigMap', metadata: { name: 'a', namespace: 'shop' } },
    ]);
  });

  it('renders another path, for an application whose source is another repository', async () => {
    const file = write('clusters/web.yaml', app('web', { namespace: 'shop' }));
    write('elsewhere/a.yaml', configMap('a', {}));

    const ended = await render(file, join(directory, 'elsewhere'));
    const without = await render(file);

    expect(objects(ended.out)).toMatchObject([{ metadata: { name: 'a', namespace: 'shop' } }]);
    expect(without.code).toBe(1);
    expect(without.err).toContain('give the path of a checkout of source "shop" as well');
  });

  it('takes one of several definitions by its name, even beside a broken one', async () => {
    const several = [app('web'), app('api'), definition('bad', { clusters: [] }), configMap('other', {})];
    const file = write('clusters/all.yaml', several.join('\n---\n'));
    write('apps/api/a.yaml', configMap('of-api', {}));

    const named = await render(`${file}#default/api`);
    const short = await render(`${file}#api`);

    expect(objects(named.out)).toMatchObject([{ metadata: { name: 'of-api' } }]);
    expect(short.out).toBe(named.out);
  });

  it.each([
    [
      'several without a name',
      [app('web'), app('api')],
      '',
      /several applications.*default\/web, default\/api/,
    ],
    ['a name that is not there', [app('web')], '#api', /no application "api", only default\/web/],
    ['none at all', [configMap('a', {})], '', /declares no application/],
    ['a broken one', [definition('bad', { clusters: [] })], '', /spec\.clusters: expected at least one/],
    ['no YAML', ['a: ['], '', /all\.yaml:1/],
  ])('refuses %s', async (_what, documents, name, message) => {
    const file = write('clusters/all.yaml', documents.join('\n---\n'));

    const ended = await render(`${file}${name}`);

    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.err).toMatch(message);
  });

  it.each([
    ['--namespace', 'shop'],
    ['--release-name', 'web'],
    ['--age-key-file', 'keys.txt'],
    ['--from', 'Widget/a=b'],
    ['--from', 'SecretsManager/shop/a=b'],
    ['--from', 'Secret/a'],
  ])('refuses %s %s', async (option, value) => {
    const file = write('clusters/web.yaml', app('web'));
    write('apps/web/a.yaml', configMap('a', {}));

    const ended = await render(file, option, value);

    expect(ended).toMatchObject({ code: 64, out: '' });
    expect(ended.err).toContain(option);
  });

  it('refuses neither a path nor an application, and values without an application', async () => {
    expect(await cli.run('render')).toMatchObject({ code: 64, out: '' });
    expect(await cli.run('render', directory, '--from', 'Secret/a=b')).toMatchObject({ code: 64, out: '' });
  });

  it('refuses an application whose values are not given, and says how to give them', async () => {
    const from = [
      { kind: 'Secret', name: 'db' },
      { kind: 'SecretsManager', name: 'web' },
      { kind: 'ConfigMap', name: 'maybe', optional: true },
    ];
    const file = write('clusters/web.yaml', app('web', { namespace: 'shop', substitute: { from } }));
    write('apps/web/a.yaml', configMap('a', {}));

    const ended = await render(file);

    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.err).toContain('give --from Secret/shop/db=FILE --from SecretsManager/web=FILE');
  });

  it('refuses a file that is not what it is given for, without a word of what it holds', async () => {
    const from = [{ kind: 'Secret', name: 'db' }];
    const file = write('clusters/web.yaml', app('web', { substitute: { from } }));
    write('apps/web/a.yaml', configMap('a', {}));
    const canary = 'canary-31b7';
    const files = [
      write('local/1', configMap('db', { password: canary })),
      write('local/2', `${canary}: [`),
      write('local/3', `${configMap('a', {})}\n---\n${configMap('b', {})}`),
      write('local/4', `apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: [${canary}]\n`),
    ];

    const all = await Promise.all(files.map((each) => render(file, '--from', `Secret/db=${each}`)));

    for (const ended of all) expect(ended).toMatchObject({ code: 1, out: '' });
    expect(all.map(({ err }) => err).join('')).not.toContain(canary);
  });

  it('keeps a value of a Secret out of everything but Secrets, as a run does', async () => {
    const file = write(
      'clusters/web.yaml',
      app('web', { substitute: { from: [{ kind: 'SecretsManager', name: 'web' }] } }),
    );
    write('apps/web/a.yaml', configMap('a', { url: 'https://user:${PASSWORD}@db' }));
    const secret = write('local/web.json', '{"PASSWORD": "canary-31b7-8e1f"}');

    const ended = await render(file, '--from', `SecretsManager/web=${secret}`);

    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.err).toContain('comes from secret "web" of Secrets Manager');
    expect(ended.err).not.toContain('canary');
  });

  it('says which values it was given for nothing', async () => {
    const file = write('clusters/web.yaml', app('web'));
    write('apps/web/a.yaml', configMap('a', {}));

    const ended = await render(file, '--from', 'ConfigMap/shop/vars=not-read.yaml');

    expect(ended.code).toBe(0);
    expect(ended.err).toContain('the application takes nothing from ConfigMap shop/vars');
  });

  it('decrypts with the keys that the environment names, if and only if the application says that it is decrypted', async () => {
    const keys = write('local/keys.txt', `${IDENTITY}\n`);
    const withKeys = cliWorld((await reconcileWorld({ clusters: {} })).deps, { SOPS_AGE_KEY_FILE: keys });
    const encrypted = yamlFile(
      (s) =>
        `apiVersion: ${s.plain('v1')}\nkind: ${s.plain('Secret')}\nmetadata:\n  name: ${s.plain('a')}\nstringData:\n  p: ${s.enc('stringData:p:', 'plain')}\n`,
      { metadata: { encrypted_regex: '^stringData$' } },
    );
    const files = [app('web', { decryption: { age: 'team' } }), app('api')].join('\n---\n');
    const file = write('clusters/all.yaml', files);
    for (const name of ['web', 'api']) write(`apps/${name}/a.yaml`, encrypted);

    const decrypted = await withKeys.run('render', '--application', `${file}#web`);
    const without = await withKeys.run('render', '--application', `${file}#api`);
    const keyless = await render(`${file}#web`);

    expect(objects(decrypted.out)).toMatchObject([{ data: { p: Buffer.from('plain').toString('base64') } }]);
    expect(without).toMatchObject({ code: 1, out: '' });
    expect(keyless).toMatchObject({ code: 1, out: '' });
    expect(keyless.err).toContain('--age-key-file');
  });

  describe('of a chart', () => {
    const chart = (templates: Readonly<Record<string, string>>) => {
      write('apps/web/Chart.yaml', 'apiVersion: v2\nname: web\nversion: 1.0.0\n');
      for (const [name, text] of Object.entries(templates)) write(`apps/web/templates/${name}`, text);
      return write('clusters/web.yaml', app('web', { namespace: 'shop' }));
    };

    it('prints hooks last and says what they are, and leaves them out of the document for programs', async () => {
      const file = chart({
        'a.yaml': configMap('{{ .Release.Name }}', {}),
        'hook.yaml':
          'apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-5"}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}\n',
      });

      const ended = await render(file);
      const without = await render(file, '--no-hooks');
      const json = await render(file, '--output', 'json');

      expect(objects(ended.out)).toMatchObject([
        { kind: 'ConfigMap', metadata: { name: 'web' } },
        { kind: 'Job', metadata: { name: 'migrate', namespace: 'shop' } },
      ]);
      expect(ended.out).toContain('---\n# hook: pre-sync, weight -5\napiVersion: batch/v1\nkind: Job\n');
      expect(ended.err).toContain('note: 1 hook of the chart is not run yet');
      expect(objects(without.out)).toHaveLength(1);
      expect(JSON.parse(json.out)).toHaveLength(1);
    }, 20_000);

    it('says that a chart which asks for the cluster was told nothing of it, and tells it what is given', async () => {
      const file = chart({
        'a.yaml':
          'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  version: {{ .Capabilities.KubeVersion.Version }}\n  has: {{ .Capabilities.APIVersions.Has "example.com/v1/Widget" | quote }}\n',
      });

      const untold = await render(file);
      const told = await render(file, '--kube-version', '1.31.4', '--api-versions', 'example.com/v1/Widget');

      expect(untold.err).toContain('without --kube-version and --api-versions');
      expect(told.err).toBe('');
      expect(objects(told.out)).toMatchObject([{ data: { version: 'v1.31.4', has: 'true' } }]);
    }, 20_000);
  });
});
