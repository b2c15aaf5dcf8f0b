import { tgzOf, type Entry } from '../../charts/chart-world.ts';
import { configMap, namesOf } from '../rendering.ts';
import { whySkipped, withTools } from '../tools-for-tests.ts';
import { aChart, attack, CHART, expectEnd, NEIGHBOUR, refused, templateOf, withCanary } from './attack.ts';
import type { End, Files } from './attack.ts';

const canary = withCanary();

const everything = templateOf('{{ .Values | toJson | quote }}');

/** CVE-2022-24348, CVE-2022-31036: values files by traversal and by links. */
const PLACES: Readonly<Record<string, () => string>> = {
  'a file outside of the repository, by ../': () => `../../../../../../../..${canary().file}`,
  'a file outside of the repository, by an absolute path': () => canary().file,
  'a file outside of the repository, by a detour': () => `x/../../../../../../../../..${canary().file}`,
  'the environment of the tool': () => '/proc/self/environ',
  'the environment of process 1': () => '../../../../../proc/1/environ',
  'a file:// URL': () => `file://${canary().file}`,
  'a scheme look-alike': () => `FILE:${canary().file}`,
  'a URL': () => `${canary().url}/values.yaml`,
  'a URL of a registry': () => `oci://127.0.0.1/values`,
  'a getter of a plug-in': () => `s3://bucket/values.yaml`,
  'a path with backslashes': () => `..\\..${canary().file}`,
  'a path with a NUL': () => `values.yaml\0`,
  'a path with a line feed': () => `${canary().file}\n`,
  'nothing that exists': () => 'missing.yaml',
  'standard input': () => '-',
  'a directory': () => 'templates',
  'a symbolic link': () => 'link.yaml',
  'a file behind a symbolic link': () => 'linked/values.yaml',
  'a file in a submodule': () => 'module/values.yaml',
  'what is reserved for other repositories': () => '../.holdfast-external/charts/x/values.yaml',
};

withTools(`a values file is refused${whySkipped}`, () => {
  it.each(Object.keys(PLACES))('that is %s', async (place) => {
    const files = aChart(
      {
        'app/link.yaml': { type: 'symlink' },
        'app/linked': { type: 'symlink' },
        'app/module': { type: 'submodule' },
      },
      everything,
    );
    const valuesFiles = [PLACES[place]?.() ?? ''];

    await expectEnd(
      { files: { 'values-link': '', ...files }, facts: { render: { tool: 'helm', helm: { valuesFiles } } } },
      refused(),
    );
  });

  it('under a name that would be an option, and is a name', async () => {
    const files = aChart({ 'app/--post-renderer=x.yaml': 'a: from-dash\n' }, everything);
    const helm = { valuesFiles: ['--post-renderer=x.yaml'] };

    const { manifests } = await attack({ files, facts: { render: { tool: 'helm', helm } } });

    expect(manifests[0]?.object['data']).toEqual({ x: '{"a":"from-dash"}' });
  });
});

const depends = (dependency: string): Files =>
  aChart({ 'app/Chart.yaml': `${CHART}dependencies:\n- ${dependency}\n` });

const DEPENDENCIES: readonly (readonly [string, () => Files, string | RegExp])[] = [
  [
    'at file:// outside',
    () => depends('{name: x, repository: "file://../../x"}'),
    'leads out of the repository',
  ],
  ['at an absolute file://', () => depends('{name: x, repository: "file:///etc"}'), 'not a relative path'],
  [
    'at file:// with backslashes',
    () => depends('{name: x, repository: "file://..\\\\..\\\\x"}'.replaceAll('"', "'")),
    'not a relative path',
  ],
  ['at file:// of a URL', () => depends(`{name: x, repository: "file://${canary().url}"}`), 'is remote'],
  [
    'at a symbolic link',
    () => ({ ...depends('{name: x, repository: "file://../link"}'), link: { type: 'symlink' } }),
    'symbolic links',
  ],
  [
    'in a submodule',
    () => ({ ...depends('{name: x, repository: "file://../module"}'), module: { type: 'submodule' } }),
    'submodules',
  ],
  ['at git::', () => depends('{name: x, repository: "git::https://example.com/x"}'), 'expected https://'],
  ['at ext::', () => depends('{name: x, repository: "ext::sh -c id"}'), 'expected https://'],
  ['at s3://', () => depends('{name: x, repository: "s3://bucket"}'), 'expected https://'],
  [
    'under a name with a path',
    () => depends('{name: ../../x, repository: "file://../x"}'),
    'expected the name of a chart',
  ],
  [
    'under a name that is an option',
    () => depends('{name: --debug, repository: "file://../x"}'),
    'expected the name of a chart',
  ],
  [
    'under a name with a NUL',
    () => depends('{name: "a\\0b", repository: "file://../x"}'),
    'expected the name of a chart',
  ],
  ['under an alias of somebody’s helm', () => depends('{name: x, repository: "@stable"}'), 'write its URL'],
  [
    'of the old format, outside',
    () => aChart({ 'app/requirements.yaml': 'dependencies: [{name: x, repository: "file://../../x"}]' }),
    'leads out of the repository',
  ],
  ['at itself', () => depends('{name: shop, repository: "file://."}'), 'in a circle'],
  [
    'in what is reserved for other repositories',
    () => depends('{name: x, repository: "file://../.holdfast-external/x"}'),
    'is reserved',
  ],
];

withTools(`a chart is refused that depends on one${whySkipped}`, () => {
  it.each(DEPENDENCIES)('%s', async (_name, files, says) => {
    await expectEnd({ files: files() }, refused(says));
  });
});

const link = { type: 'symlink' } as const;

describe('a link or a submodule in a chart is refused', () => {
  // CVE-2022-24904, and what helm follows with a line in its log.
  it.each([
    ['a template', { 'app/templates/link.yaml': link }],
    ['a directory of templates', { 'app/templates/more': link }],
    ['a file for .Files', { 'app/environ': link }],
    ['the values', { 'app/values.yaml': link }],
    ['the schema of the values', { 'app/values.schema.json': link }],
    ['Chart.yaml of a dependency', { 'app/charts/x/Chart.yaml': link }],
    ['a dependency', { 'app/charts/x': link }],
    ['all dependencies', { 'app/charts': link }],
    ['an archive', { 'app/charts/x.tgz': link }],
    ['a CRD', { 'app/crds/c.yaml': link }],
    ['a submodule as a dependency', { 'app/charts/x': { type: 'submodule' as const } }],
  ])('%s', async (_name, files) => {
    await expectEnd({ files: aChart(files) }, refused(/symbolic links|submodules/));
  });

  it('Chart.yaml itself', async () => {
    await expectEnd({ files: { 'app/Chart.yaml': link } }, refused('symbolic links'));
  });
});

const header = (name: string, facts: NonNullable<Entry['header']> = {}, content = ''): Entry => ({
  name,
  content,
  header: facts,
});
const chartYaml: Entry = { name: 'x/Chart.yaml', content: 'apiVersion: v2\nname: x\nversion: 1.0.0\n' };

describe('an archive in charts/ is refused', () => {
  it.each<readonly [string, readonly Entry[], End['code']]>([
    ['with ../ in a name', [chartYaml, { name: 'x/../../../../tmp/evil', content: 'a' }], 'chart-refused'],
    ['with an absolute name', [chartYaml, { name: '/tmp/evil', content: 'a' }], 'chart-refused'],
    ['with backslashes in a name', [chartYaml, { name: 'x\\..\\..\\evil', content: 'a' }], 'chart-refused'],
    [
      'with a symbolic link',
      [chartYaml, header('x/templates/l.yaml', { type: 'symlink', linkname: '/proc/self/environ' })],
      'chart-refused',
    ],
    [
      'with a link to a directory',
      [chartYaml, header('x/templates', { type: 'symlink', linkname: '/' })],
      'chart-refused',
    ],
    [
      'with a hard link',
      [chartYaml, header('x/l', { type: 'link', linkname: '/etc/passwd' })],
      'chart-refused',
    ],
    [
      'with a device',
      [chartYaml, header('x/d', { type: 'block-device', devmajor: 8, devminor: 0 })],
      'chart-refused',
    ],
    ['with a pipe', [chartYaml, header('x/p', { type: 'fifo' })], 'chart-refused'],
    [
      'with a file twice',
      [chartYaml, { name: 'x/a', content: '1' }, { name: 'x/./a', content: '2' }],
      'chart-refused',
    ],
    [
      'with a file that is a directory, too',
      [chartYaml, { name: 'x/a', content: '1' }, { name: 'x/a/b', content: '2' }],
      'chart-refused',
    ],
    ['with two directories at the top', [chartYaml, { name: 'y/a', content: '1' }], 'chart-refused'],
    ['with a file beside its directory', [chartYaml, { name: 'a', content: '1' }], 'chart-refused'],
    ['with a control character in a name', [chartYaml, { name: 'x/a\nb', content: '1' }], 'chart-refused'],
    [
      'with a name that is too long',
      [chartYaml, { name: `x/${'y'.repeat(300)}`, content: '1' }],
      'chart-refused',
    ],
    ['without a Chart.yaml', [{ name: 'x/values.yaml', content: 'a: 1' }], 'chart-corrupt'],
  ])('%s', async (_name, entries, code) => {
    const files = aChart({ 'app/charts/x-1.0.0.tgz': await tgzOf(entries) });

    await expectEnd({ files }, { code, says: 'app/charts/x-1.0.0.tgz' });
  });

  it('that is none', async () => {
    await expectEnd({ files: aChart({ 'app/charts/x.tgz': 'not gzip' }) }, { code: 'chart-corrupt' });
  });
});

withTools(`names that look like something else${whySkipped}`, () => {
  it.each(['-f', '--post-renderer=/bin/sh', '--set=x=y', '.', '..', 'a b', 'a\0b', '$(id)', '; id', 'ſhop'])(
    'as a release are refused: %j',
    async (releaseName) => {
      await expectEnd(
        { files: aChart(), facts: { render: { tool: 'helm', releaseName } } },
        refused('release name'),
      );
    },
  );

  it.each(['-n', '--kubeconfig=x', '../x', 'a,b', '$(id)'])(
    'as a namespace are refused: %j',
    async (namespace) => {
      await expectEnd(
        { files: aChart(), facts: { render: { tool: 'helm', helm: { namespace } } } },
        refused('namespace'),
      );
    },
  );

  it.each(['v1.30.0 --debug', '--version', 'v1', ''])(
    'as a version of Kubernetes are refused: %j',
    async (kubeVersion) => {
      await expectEnd({ files: aChart(), input: { kubeVersion } }, refused('Kubernetes version'));
    },
  );

  it.each(['-x', 'a,b', '--debug', 'a b'])('as a version of an API are refused: %j', async (apiVersion) => {
    await expectEnd({ files: aChart(), input: { apiVersions: [apiVersion] } }, refused('API version'));
  });

  it('as a parameter only set a value', async () => {
    const parameters = [
      { name: 'a', value: 'x,b=y --post-renderer=/bin/sh' },
      { name: 'c', value: '@/etc/passwd' },
      { name: 'd', value: `{${canary().file}}` },
    ];

    const { manifests } = await attack({
      files: aChart({}, everything),
      facts: { render: { tool: 'helm', helm: { parameters } } },
    });

    const [first] = manifests;
    if (first === undefined) throw new Error('nothing was rendered');
    expect(JSON.parse((first.object['data'] as { x: string }).x)).toEqual({
      a: 'x,b=y --post-renderer=/bin/sh',
      c: '@/etc/passwd',
      d: [canary().file],
    });
  });

  it.each(['--help', '-', '-f', '~', '$(id)', '`id`', ';id', "'", '"', 'a b', '%2e%2e', '．．', '*'])(
    'as a directory are names: %j',
    async (path) => {
      const chart = { [`${path}/Chart.yaml`]: CHART, [`${path}/templates/c.yaml`]: configMap('in-chart') };
      const kustomization = {
        [`${path}/kustomization.yaml`]: 'resources: [c.yaml]',
        [`${path}/c.yaml`]: configMap('in-base'),
      };

      const byHelm = await attack({ files: chart, facts: { path } });
      const byKustomize = await attack({ files: kustomization, facts: { path } });

      expect(namesOf([...byHelm.manifests, ...byKustomize.manifests])).toEqual([
        'ConfigMap in-chart',
        'ConfigMap in-base',
      ]);
    },
  );

  it.each(['..', '../x', '/etc', 'a/../../x', 'a\\b', 'a\0b', 'app\n'])(
    'as an application’s path are refused: %j',
    async (path) => {
      await expectEnd({ files: aChart(), facts: { path } }, refused('spec.path'));
    },
  );

  it.each([
    ['a name that no disk takes', `app/templates/${'x'.repeat(300)}.yaml`],
    ['a name that is longer in UTF-8 than in characters', `app/templates/${'€'.repeat(100)}.yaml`],
    ['a path that no disk takes', `app/templates/${`${'x'.repeat(200)}/`.repeat(25)}a.yaml`],
    ['a backslash', 'app/templates/..\\..\\x.yaml'],
    ['a line feed', 'app/templates/a\n.yaml'],
    ['an escape sequence', 'app/templates/\u001b[31m.yaml'],
    ['bytes that are no UTF-8', 'app/templates/\ufffd.yaml'],
  ])('as a file are refused: %s', async (_name, file) => {
    await expectEnd({ files: aChart({ [file]: configMap('x') }) }, refused());
  });

  it('as a file for a neighbour stay what they are', async () => {
    // Go cleans such names; here they are directories of these names, and lead nowhere.
    const files = aChart({ 'app/templates/%2e%2e/x.yaml': configMap('percent'), [NEIGHBOUR]: 'x' });

    const { manifests } = await attack({ files });

    expect(namesOf(manifests)).toContain('ConfigMap percent');
  });
});
