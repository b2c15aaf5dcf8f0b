import type { RootId } from '../../lib/model/ids.ts';
import type { Manifest } from '../../lib/model/resource.ts';
import { isDefinitionKind, readDefinitions } from '../../lib/definitions/read-definitions.ts';

const context = { installation: 'prod', root: 'fleet' as RootId };
const SPEC = { source: 'shop', clusters: ['eu'] };

function aDefinition(
  name: string,
  spec: unknown = SPEC,
  line = 1,
  facts: Record<string, unknown> = {},
): Manifest {
  const object = {
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Application',
    metadata: { name },
    spec,
    ...facts,
  };
  return { object, origin: { file: 'apps.yaml', line } };
}
const aConfigMap: Manifest = {
  object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } },
  origin: { file: 'cm.yaml', line: 1 },
};
const read = (...manifests: readonly Manifest[]) => readDefinitions(manifests, context);
const errorsOf = (spec: unknown) => read(aDefinition('web', spec)).errors.map(({ path }) => path);

describe('an Application', () => {
  it('is read with its defaults', () => {
    const { applications, errors, others } = read(aDefinition('web'), aConfigMap);

    expect(errors).toEqual([]);
    expect(others).toEqual([aConfigMap]);
    expect(applications).toEqual([
      {
        id: 'prod/fleet/holdfast/default/web',
        root: 'fleet',
        dialect: 'holdfast',
        namespace: 'default',
        name: 'web',
        source: 'shop',
        ref: { kind: 'branch', name: 'main' },
        path: '.',
        render: { tool: 'auto' },
        destinations: [{ cluster: 'eu' }],
        createNamespace: false,
        prune: true,
        drift: 'correct',
        suspend: false,
      },
    ]);
  });

  it('is read with everything it can say', () => {
    const spec = {
      source: 'shop',
      ref: { tag: 'v1.0/rc' },
      path: './apps//web/',
      clusters: ['eu', 'us-1'],
      namespace: 'shop',
      createNamespace: true,
      prune: false,
      drift: 'report',
      suspend: true,
      render: { tool: 'helm', releaseName: 'the-shop' },
      substitute: { variables: { REGION: 'eu', REPLICAS: '3' }, strategy: 'Always' },
    };

    const { applications } = read(
      aDefinition('web', spec, 1, { metadata: { name: 'web', namespace: 'team', labels: { a: 'b' } } }),
    );

    expect(applications[0]).toEqual({
      id: 'prod/fleet/holdfast/team/web',
      root: 'fleet',
      dialect: 'holdfast',
      namespace: 'team',
      name: 'web',
      source: 'shop',
      ref: { kind: 'tag', name: 'v1.0/rc' },
      path: 'apps/web',
      targetNamespace: 'shop',
      render: {
        tool: 'helm',
        releaseName: 'the-shop',
        substitute: { variables: { REGION: 'eu', REPLICAS: '3' }, strategy: 'Always' },
      },
      destinations: [{ cluster: 'eu' }, { cluster: 'us-1' }],
      createNamespace: true,
      prune: false,
      drift: 'report',
      suspend: true,
    });
  });

  it('is read with everything it can say about rendering, as it is written', () => {
    const patches = [{ patch: '- op: remove\n  path: /spec/replicas\n', target: { kind: 'Deployment' } }];
    const render = {
      tool: 'helm',
      helm: {
        chart: {
          repository: 'oci://registry.example.com/charts',
          name: 'web',
          version: '^1.2',
          digest: `sha256:${'a'.repeat(64)}`,
          credentials: 'registry',
        },
        namespace: 'web',
        valuesFiles: ['values.yaml', '../shared/values.yaml'],
        ignoreMissingValuesFiles: true,
        valuesFrom: [
          { kind: 'SecretsManager', name: 'web' },
          { kind: 'Secret', name: 'db', namespace: 'data', key: 'password', targetPath: 'db.password' },
          { kind: 'ConfigMap', name: 'cluster', optional: true },
        ],
        values: { replicas: 2, list: [1, null, { a: true }] },
        parameters: [{ name: 'image.tag', value: '1.0', forceString: true }],
        kubeVersion: '1.33.0',
        apiVersions: ['monitoring.coreos.com/v1'],
        skipCrds: true,
        skipSchemaValidation: true,
        postRender: { patches, images: [{ name: 'web', newTag: '2' }] },
      },
      commonMetadata: { labels: { team: 'shop' }, annotations: { a: 'b' } },
      validation: 'strict',
    };
    const decryption = { age: 'team', kms: true };
    const from = [{ kind: 'ConfigMap', name: 'cluster-vars' }];

    const { applications, errors } = read(
      aDefinition('web', { ...SPEC, render, decryption, substitute: { from } }),
    );

    expect(errors).toEqual([]);
    expect(applications[0]?.render).toEqual({ ...render, decryption, substitute: { variables: {}, from } });
  });

  it.each([
    { plain: { include: ['*.yaml'], exclude: ['test/**'], recurse: false } },
    {
      kustomize: {
        namePrefix: 'a-',
        nameSuffix: '-b',
        namespace: 'c',
        images: [{ name: 'web', newName: 'other', digest: `sha256:${'b'.repeat(64)}` }],
        patches: [{ patch: 'kind: Deployment' }],
        components: ['../components/debug'],
        ignoreMissingComponents: true,
        replicas: [{ name: 'web', count: 0 }],
      },
    },
  ])('is read with the options of its tool: %j', (render) => {
    const { applications, errors } = read(aDefinition('web', { ...SPEC, render }));

    expect(errors).toEqual([]);
    expect(applications[0]?.render).toEqual({ ...render, tool: 'auto' });
  });

  it('follows a commit', () => {
    const sha = 'a'.repeat(40);

    expect(read(aDefinition('web', { ...SPEC, ref: { commit: sha } })).applications[0]?.ref).toEqual({
      kind: 'commit',
      sha,
    });
  });

  it.each([
    ['no source', { clusters: ['eu'] }, ['spec.source']],
    ['no clusters', { source: 'shop' }, ['spec.clusters']],
    ['an empty list of clusters', { ...SPEC, clusters: [] }, ['spec.clusters']],
    ['a cluster twice', { ...SPEC, clusters: ['eu', 'us', 'eu'] }, ['spec.clusters[2]']],
    ['clusters that are a text', { ...SPEC, clusters: 'eu' }, ['spec.clusters']],
    ['an odd cluster', { ...SPEC, clusters: ['eu', 7, 'Us'] }, ['spec.clusters[1]', 'spec.clusters[2]']],
    ['an empty ref', { ...SPEC, ref: {} }, ['spec.ref']],
    ['two refs', { ...SPEC, ref: { branch: 'a', tag: 'b' } }, ['spec.ref']],
    ['a short commit', { ...SPEC, ref: { commit: 'abc1234' } }, ['spec.ref.commit']],
    ['a branch that is an option', { ...SPEC, ref: { branch: '--upload-pack=x' } }, ['spec.ref.branch']],
    ['a branch that climbs', { ...SPEC, ref: { branch: 'a/../b' } }, ['spec.ref.branch']],
    ['a branch with a blank', { ...SPEC, ref: { branch: 'a b' } }, ['spec.ref.branch']],
    ['a path out of the repository', { ...SPEC, path: '../x' }, ['spec.path']],
    ['a path that climbs inside', { ...SPEC, path: 'a/../../x' }, ['spec.path']],
    ['an absolute path', { ...SPEC, path: '/etc' }, ['spec.path']],
    ['a path with a backslash', { ...SPEC, path: 'a\\b' }, ['spec.path']],
    ['a path with a line break', { ...SPEC, path: 'a\n..' }, ['spec.path']],
    ['an empty path', { ...SPEC, path: '' }, ['spec.path']],
    ['a namespace with a dot', { ...SPEC, namespace: 'a.b' }, ['spec.namespace']],
    ['a switch that is a text', { ...SPEC, prune: 'yes' }, ['spec.prune']],
    ['an unknown drift policy', { ...SPEC, drift: 'fix' }, ['spec.drift']],
    ['an unknown tool', { ...SPEC, render: { tool: 'jsonnet' } }, ['spec.render.tool']],
    [
      'a release name that is an option',
      { ...SPEC, render: { releaseName: '--debug' } },
      ['spec.render.releaseName'],
    ],
    [
      'unknown fields',
      { ...SPEC, prunes: true, render: { values: {} } },
      ['spec.render.values', 'spec.prunes'],
    ],
    ['no variables', { ...SPEC, substitute: {} }, ['spec.substitute']],
    ['no key to decrypt with', { ...SPEC, decryption: { kms: false } }, ['spec.decryption']],
    [
      'options of a tool that is not used',
      { ...SPEC, render: { tool: 'helm', plain: { recurse: false }, kustomize: { namePrefix: 'a-' } } },
      ['spec.render.plain', 'spec.render.kustomize'],
    ],
    [
      'a chart by ssh, with credentials in its URL, and one that is an option',
      {
        ...SPEC,
        render: { helm: { chart: { repository: 'https://me:secret@charts.example.com', name: '--debug' } } },
      },
      ['spec.render.helm.chart.repository', 'spec.render.helm.chart.name'],
    ],
    [
      'values files that are options, absolute or URLs',
      { ...SPEC, render: { helm: { valuesFiles: ['--x', '/etc/passwd', 'https://a/b', '../ok.yaml'] } } },
      [0, 1, 2].map((index) => `spec.render.helm.valuesFiles[${index}]`),
    ],
    [
      'a value from nowhere',
      { ...SPEC, render: { helm: { valuesFrom: [{ kind: 'Vault', name: 'a' }] } } },
      ['spec.render.helm.valuesFrom[0].kind'],
    ],
    [
      'more than can be kept',
      { ...SPEC, render: { helm: { values: { a: 'x'.repeat(70_000) } } } },
      ['spec.render'],
    ],
    [
      'a variable that is a number',
      { ...SPEC, substitute: { variables: { A: 3 } } },
      ['spec.substitute.variables.A'],
    ],
    [
      'a variable with an odd name',
      { ...SPEC, substitute: { variables: { 'a-b': 'x' } } },
      ['spec.substitute.variables["a-b"]'],
    ],
    [
      'more variables than can be kept',
      { ...SPEC, substitute: { variables: { A: 'x'.repeat(40_000) } } },
      ['spec.substitute.variables'],
    ],
    [
      'an unknown strategy',
      { ...SPEC, substitute: { variables: {}, strategy: 'always' } },
      ['spec.substitute.strategy'],
    ],
    ['no spec', null, ['spec']],
    ['a spec that is a list', [], ['spec']],
    ['nulls', { source: null, clusters: null, ref: null }, ['spec.source', 'spec.ref', 'spec.clusters']],
  ])('rejects %s by its path', (_what, spec, paths) => {
    expect(errorsOf(spec)).toEqual(paths);
  });

  it('rejects with what was expected, what was got and what to do, and all at once', () => {
    const { errors, applications } = read(
      aDefinition('web', { sourc: 'x', clusters: ['EU'], path: '../x' }, 7),
    );

    expect(applications).toEqual([]);
    expect(errors.map(({ message }) => message)).toEqual([
      'apps.yaml:7: Application web: spec.source: expected a string, got nothing: add it',
      'apps.yaml:7: Application web: spec.path: expected a path relative to the repository\'s root, without "..", such as apps/web, got "../x": correct it',
      'apps.yaml:7: Application web: spec.clusters[0]: expected lower-case letters, digits and dashes, at most 63 characters, got "EU": correct it',
      'apps.yaml:7: Application web: spec.sourc: unknown field; correct its spelling or remove it (known: source, ref, path, clusters, namespace, createNamespace, prune, drift, suspend, render, substitute, decryption)',
    ]);
    expect(new Set(errors.map(({ id }) => id))).toEqual(new Set(['prod/fleet/holdfast/default/web']));
  });

  it('does not repeat long values', () => {
    const { errors } = read(aDefinition('web', { ...SPEC, namespace: 'X'.repeat(10_000) }));

    expect(errors[0]?.message.length).toBeLessThan(300);
  });
});

describe('definitions among manifests', () => {
  it('are told from what is to be applied by their group', () => {
    expect(isDefinitionKind('holdfast.dev/v1alpha1', 'Application')).toBe(true);
    expect(isDefinitionKind('holdfast.dev/v9', 'Whatever')).toBe(true);
    expect(isDefinitionKind('argoproj.io/v1alpha1', 'Application')).toBe(false);
    expect(isDefinitionKind('v1', 'ConfigMap')).toBe(false);
    expect(isDefinitionKind('sub.holdfast.dev/v1', 'Application')).toBe(false);
  });

  it('rejects a kind or version of holdfast.dev that is not known, instead of applying it', () => {
    const { errors, others } = read(
      aDefinition('a', SPEC, 1, { kind: 'Aplication' }),
      aDefinition('b', SPEC, 2, { apiVersion: 'holdfast.dev/v1' }),
    );

    expect(others).toEqual([]);
    expect(errors.map(({ path, message }) => [path, message])).toEqual([
      ['kind', expect.stringContaining('expected Application, got "Aplication"')],
      ['apiVersion', expect.stringContaining('expected holdfast.dev/v1alpha1, got "holdfast.dev/v1"')],
    ]);
  });

  it('rejects both of two with one name, naming both places, and keeps the others', () => {
    const { applications, errors } = read(
      aDefinition('web', SPEC, 1),
      aDefinition('api', SPEC, 2),
      aDefinition('web', SPEC, 3),
    );

    expect(applications.map(({ name }) => name)).toEqual(['api']);
    expect(errors.map(({ origin }) => origin.line)).toEqual([1, 3]);
    expect(errors[0]?.message).toContain('declared more than once, in apps.yaml:1 and apps.yaml:3');
  });

  it('keeps names of other namespaces apart', () => {
    const { applications } = read(
      aDefinition('web'),
      aDefinition('web', SPEC, 2, { metadata: { name: 'web', namespace: 'team' } }),
    );

    expect(applications).toHaveLength(2);
  });

  it('reads nothing from nothing', () => {
    expect(read()).toEqual({ applications: [], errors: [], others: [] });
  });
});
