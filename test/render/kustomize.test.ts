import { readdirSync } from 'node:fs';

import { createRenderer } from '../../lib/render/create-renderer.ts';
import type { RenderLimits } from '../../lib/render/limits.ts';
import { anApplication, aTree, configMap, inTemporaryDirectory, namesOf } from './rendering.ts';
import { tools, whySkipped, withTools } from './tools-for-tests.ts';

type Files = Parameters<typeof aTree>[0];

/** Renders, and sees to it that nothing stays in the temporary directory. */
async function render(
  files: Files,
  facts: Parameters<typeof anApplication>[0] = {},
  limits: Partial<RenderLimits> = {},
) {
  return await inTemporaryDirectory(async (temporaryDirectory) => {
    try {
      const renderer = createRenderer({ tools, temporaryDirectory, limits });
      const { manifests } = await renderer.render({ files: aTree(files), application: anApplication(facts) });
      return manifests;
    } finally {
      expect(readdirSync(temporaryDirectory)).toEqual([]);
    }
  });
}

const refusal = async (files: Files): Promise<string> => {
  const failing = render(files);
  // Of a repository that might have been fetched it is said that the artefact is not whole.
  await expect(failing).rejects.toMatchObject({ code: expect.stringMatching(/^render-(?:refused|failed)$/) });
  return await failing.then(
    () => '',
    (error: Error) => error.message,
  );
};

withTools(`a kustomization${whySkipped}`, () => {
  it('renders bases, components, patches, generators, replacements and transformers', async () => {
    const manifests = await render({
      'app/kustomization.yaml': [
        'resources: [../base, extra.yaml]',
        'components: [../component]',
        'namePrefix: web-',
        'configMapGenerator:',
        '- {name: made, files: [settings.ini, renamed=settings.ini], envs: [made.env]}',
        'patches:',
        '- path: patch.yaml',
        '- target: {kind: ConfigMap, name: base}',
        '  patch: |-',
        '    - {op: add, path: /data/inline, value: "1"}',
        'replacements: [{path: replacement.yaml}]',
        'transformers: [labels.yaml]',
        'openapi: {path: openapi.json}',
        'configurations: [configuration.yaml]',
      ].join('\n'),
      'app/extra.yaml': configMap('extra', '{to: x}'),
      'app/settings.ini': 'a=1',
      'app/made.env': 'B=2\n',
      'app/patch.yaml': configMap('base', '{patched: "yes"}'),
      'app/replacement.yaml':
        'source: {kind: ConfigMap, name: base, fieldPath: data.patched}\ntargets: [{select: {name: extra}, fieldPaths: [data.to]}]\n',
      'app/labels.yaml':
        'apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: l}\nlabels: {team: a}\nfieldSpecs: [{path: metadata/labels, create: true}]\n',
      'app/openapi.json': '{"definitions": {}}',
      'app/configuration.yaml': 'nameReference: []\n',
      'base/kustomization.yml': 'resources: [base.yaml, nested/]\n',
      'base/base.yaml': configMap('base'),
      'base/nested/Kustomization': 'resources: [nested.yaml]\n',
      'base/nested/nested.yaml': configMap('nested'),
      'component/kustomization.yaml':
        'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [c.yaml]\n',
      'component/c.yaml': configMap('component'),
    });

    expect(
      namesOf(manifests)
        .map((name) => name.replace(/-[a-z0-9]{10}$/, ''))
        .sort(),
    ).toEqual([
      'ConfigMap web-base',
      'ConfigMap web-component',
      'ConfigMap web-extra',
      'ConfigMap web-made',
      'ConfigMap web-nested',
    ]);
    const data = Object.fromEntries(manifests.map(({ object }) => [object.metadata.name, object.data]));
    expect(data['web-base']).toEqual({ inline: '1', patched: 'yes' });
    expect(data['web-extra']).toEqual({ to: 'yes' });
    expect(manifests.every(({ object }) => object.metadata.labels?.team === 'a')).toBe(true);
    expect(manifests.every(({ origin }) => origin.file === 'app')).toBe(true);
  });

  it('renders at the root of the repository, and in a directory whose name begins with a dash', async () => {
    const root = await render(
      { 'kustomization.yaml': 'resources: [a.yaml]', 'a.yaml': configMap('a') },
      { path: '.' },
    );
    const dash = await render(
      { '--help/kustomization.yaml': 'resources: [a.yaml]', '--help/a.yaml': configMap('b') },
      { path: '--help' },
    );

    expect([...namesOf(root), ...namesOf(dash)]).toEqual(['ConfigMap a', 'ConfigMap b']);
  });

  it('lets the tool see only what the kustomizations refer to', async () => {
    const failing = render({
      'app/kustomization.yaml':
        'resources: [a.yaml]\nconfigMapGenerator: [{name: x, files: [../b/secret.txt]}]\n',
      'app/a.yaml': configMap('a'),
      'b/secret.txt': 'x',
    });

    await expect(failing).rejects.toMatchObject({ code: 'render-failed' });
    await expect(failing).rejects.toThrow(/app: kubectl kustomize failed \(exit code 1\): .*security/s);
  });

  it('rejects with the words of the tool, without our directory and without the values of Secrets', async () => {
    const failing = render({
      'app/kustomization.yaml':
        'resources: [s.yaml]\nsecretGenerator: [{name: g, literals: [k=literal-value]}]\npatches: [{path: p.yaml}]\n',
      'app/s.yaml':
        'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter-two, 1: number-one}\n',
      'app/p.yaml': configMap('unknown'),
    });

    const message = await failing.then(
      () => '',
      (error: Error) => error.message,
    );
    expect(message).toMatch(/^app: kubectl kustomize failed/);
    expect(message).not.toMatch(/hunter-two|number-one|literal-value|holdfast-render|\/tmp/);
  });

  it('is stopped when it takes too long', async () => {
    const files = { 'app/kustomization.yaml': 'resources: [a.yaml]', 'app/a.yaml': configMap('a') };

    await expect(render(files, {}, { toolTimeoutMs: 1 })).rejects.toMatchObject({ code: 'render-limit' });
  });

  it('is stopped when it writes too much', async () => {
    const files = {
      'app/kustomization.yaml': 'resources: [a.yaml]',
      'app/a.yaml': configMap('a', `{x: ${'y'.repeat(100_000)}}`),
    };

    await expect(render(files, {}, { maxOutputBytes: 50_000 })).rejects.toMatchObject({
      code: 'render-limit',
    });
  });
});

describe('a hostile kustomization', () => {
  const URLS = [
    'https://example.com/x.yaml',
    'HTTP://127.0.0.1:9001/2018-06-01/runtime/invocation/next',
    'http:/127.0.0.1/x',
    'git::https://example.com/r',
    'git@github.com:org/repo',
    'ssh://git@example.com/repo',
    'github.com/org/repo//base?ref=v1',
    'gh:org/repo',
    'file:///etc/passwd',
    'ftp://example.com',
    '//example.com/x',
    ' https://example.com/x.yaml',
    'org/repo?ref=main',
  ];
  const FIELDS: readonly (readonly [string, (entry: string) => string])[] = [
    ['resources', (entry) => `resources: [${entry}]`],
    ['bases', (entry) => `bases: [${entry}]`],
    ['components', (entry) => `components: [${entry}]`],
    ['crds', (entry) => `crds: [${entry}]`],
    ['configurations', (entry) => `configurations: [${entry}]`],
    ['openapi.path', (entry) => `openapi: {path: ${entry}}`],
    ['patches', (entry) => `patches: [{path: ${entry}}]`],
    ['patchesStrategicMerge', (entry) => `patchesStrategicMerge: [${entry}]`],
    [
      'patchesJson6902',
      (entry) => `patchesJson6902: [{path: ${entry}, target: {kind: X, name: y, version: v1}}]`,
    ],
    ['replacements', (entry) => `replacements: [{path: ${entry}}]`],
    ['generators', (entry) => `generators: [${entry}]`],
    ['transformers', (entry) => `transformers: [${entry}]`],
    ['validators', (entry) => `validators: [${entry}]`],
    ['configMapGenerator files', (entry) => `configMapGenerator: [{name: a, files: [${entry}]}]`],
    [
      'configMapGenerator named files',
      (entry) => `configMapGenerator: [{name: a, files: [${JSON.stringify(`k=${JSON.parse(entry)}`)}]}]`,
    ],
    ['secretGenerator envs', (entry) => `secretGenerator: [{name: a, envs: [${entry}]}]`],
    ['secretGenerator env', (entry) => `secretGenerator: [{name: a, env: ${entry}}]`],
  ];

  it.each(FIELDS)('is refused for every URL in %s', async (_field, kustomization) => {
    for (const url of URLS) {
      const message = await refusal({ 'app/kustomization.yaml': kustomization(JSON.stringify(url)) });

      expect(message).toMatch(/^app\/kustomization.yaml: .*(?:is remote|does not exist|leads out)/);
    }
  });

  it.each(FIELDS)('is refused for paths out of the repository in %s', async (_field, kustomization) => {
    for (const path of [
      '../../etc',
      '/etc/passwd',
      '..',
      '../..',
      'a/../../../b',
      '..\\..\\x',
      'missing.yaml',
    ]) {
      const message = await refusal({ 'app/kustomization.yaml': kustomization(JSON.stringify(path)) });

      expect(message).toMatch(
        /leads out of the repository|not a relative path|does not exist|holds no kustomization|is a directory/,
      );
    }
  });

  it.each([
    ['charts', 'helmCharts: [{name: x, repo: "https://example.com"}]', 'not rendered'],
    ['the chart generator', 'helmChartInflationGenerator: [{chartName: x}]', 'not rendered'],
    ['chart globals', 'helmGlobals: {chartHome: /etc}', 'not rendered'],
    ['a field in another case, which Go would read', 'Resources: ["https://example.com"]', 'case-sensitive'],
    [
      'a field in odd letters, which Go would read',
      're\u017fources: ["https://example.com"]',
      'case-sensitive',
    ],
    ['an inner field in another case', 'patches: [{Path: "https://example.com"}]', 'write it as "path"'],
    ['an inner field in odd letters', 'openapi: {"pAth": "https://example.com"}', 'write it as "path"'],
    [
      'a generator of programs',
      'generators: ["{apiVersion: x.io/v1, kind: Exec, metadata: {name: a}}"]',
      'only built-in',
    ],
    [
      'a chart as an inline generator',
      'generators: ["{apiVersion: builtin, kind: HelmChartInflationGenerator, metadata: {name: a}}"]',
      'not rendered',
    ],
    [
      'a container as a transformer',
      'transformers: ["{apiVersion: builtin, kind: X, metadata: {name: a, annotations: {config.kubernetes.io/function: x}}}"]',
      'not run',
    ],
    [
      'a URL in an inline transformer',
      'transformers: ["{apiVersion: builtin, kind: PatchTransformer, metadata: {name: a}, path: https://example.com}"]',
      'is remote',
    ],
    ['several documents', 'resources: []\n---\nresources: ["https://example.com"]', 'several'],
    ['two equal fields', 'resources: []\nresources: ["https://example.com"]', 'duplicate key'],
    ['a list', '- a', 'expected a mapping'],
    ['text for a list', 'resources: https://example.com', 'expected a list'],
  ])('is refused for %s', async (_what, kustomization, message) => {
    expect(await refusal({ 'app/kustomization.yaml': kustomization })).toContain(message);
  });

  it('is refused for a URL in the configuration file of a transformer', async () => {
    const message = await refusal({
      'app/kustomization.yaml': 'transformers: [t.yaml]',
      'app/t.yaml':
        'apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a}\npath: http://169.254.169.254/\n',
    });

    expect(message).toMatch(/^app\/t.yaml: path: .*is remote/);
  });

  const bomb = `x: &a [${'lol, '.repeat(100)}]\n${Array.from({ length: 9 }, (_, i) => `y${i}: &${'bcdefghij'[i]} [${`*${'abcdefghi'[i]}, `.repeat(10)}]`).join('\n')}\n`;
  it.each([
    ['a resource', 'resources: [bomb.yaml]'],
    ['a patch', 'patches: [{path: bomb.yaml}]'],
    ['a CRD', 'crds: [bomb.yaml]'],
    ['a configuration', 'configurations: [bomb.yaml]'],
    ['a replacement', 'replacements: [{path: bomb.yaml}]'],
    ['an inline patch', `patches:\n- patch: |\n${bomb.replace(/^/gm, '    ')}`],
    ['a strategic merge patch', `patchesStrategicMerge:\n- |\n${bomb.replace(/^/gm, '    ')}`],
    ['the kustomization itself', bomb],
    ['a resource of a base', 'resources: [../base]'],
  ])('is refused for an alias bomb in %s', async (_what, kustomization) => {
    const message = await refusal({
      'app/kustomization.yaml': kustomization,
      'app/bomb.yaml': bomb,
      'base/kustomization.yaml': 'resources: [bomb.yaml]',
      'base/bomb.yaml': bomb,
    });

    expect(message).toContain('aliases expand');
  });

  it('never shows the user and password of a URL', async () => {
    const message = await refusal({
      'app/kustomization.yaml': 'resources: ["https://user:hunter2@example.com/x"]',
    });

    expect(message).not.toContain('hunter2');
  });

  it('is refused for going in circles', async () => {
    const message = await refusal({
      'app/kustomization.yaml': 'resources: [../b]',
      'b/kustomization.yaml': 'resources: [../app]',
    });

    expect(message).toContain('app → b → app');
  });

  it('is refused for a chain of more bases than kustomize could go through', async () => {
    const chain = Array.from({ length: 120 }, (_, index) => [
      `${index === 0 ? 'app' : `b${index}`}/kustomization.yaml`,
      `resources: [../b${index + 1}]`,
    ]);

    expect(await refusal(Object.fromEntries(chain))).toContain('more than 100 deep');
  });

  it('is refused for what it names in the place of other repositories', async () => {
    const message = await refusal({
      'app/kustomization.yaml': 'resources: [../.holdfast-external/bases/0123456789abcdef]',
      '.holdfast-external/bases/0123456789abcdef/kustomization.yaml': 'resources: []',
    });

    expect(message).toContain('leads out of the repository');
  });
});

withTools(`variables in a kustomization${whySkipped}`, () => {
  it('are replaced in what kustomize wrote, names and namespaces included', async () => {
    const files = {
      'app/kustomization.yaml':
        'namespace: ${NS}\nresources: [cm.yaml]\nimages: [{name: web, newTag: "${TAG}"}]\n',
      'app/cm.yaml': [
        configMap('${N}-a', '{k: "${V:-d}", s: "$${V} $V"}'),
        'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {priority: 0, containers: [{name: c, image: web}]}\n',
      ].join('---\n'),
    };
    const substitute = { variables: { N: 'eu', NS: 'shop', TAG: 'v1' } };

    const manifests = await render(files, { render: { tool: 'auto', substitute } });

    expect(manifests.map(({ object }) => object)).toMatchObject([
      { metadata: { name: 'eu-a', namespace: 'shop' }, data: { k: 'd', s: '${V} $V' } },
      { metadata: { namespace: 'shop' }, spec: { priority: 0, containers: [{ image: 'web:v1' }] } },
    ]);
  });

  it('rejects a generated Secret that holds an encrypted file', async () => {
    const files = {
      'app/kustomization.yaml': 'secretGenerator: [{name: s, files: [f.yaml]}]\n',
      'app/f.yaml': 'a: ENC[AES256_GCM,data:x]\nsops:\n  mac: ENC[AES256_GCM,data:x]\n',
    };

    await expect(render(files)).rejects.toThrow('data.f.yaml is encrypted with SOPS');
  });
});
