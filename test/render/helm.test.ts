import { readdirSync } from 'node:fs';

import { createRenderer } from '../../lib/render/create-renderer.ts';
import type { RenderLimits } from '../../lib/render/limits.ts';
import type { RenderInput } from '../../lib/render/renderer.ts';
import { anApplication, aTree, configMap, inTemporaryDirectory, namesOf } from './rendering.ts';
import { tools, whySkipped, withTools } from './tools-for-tests.ts';

type Files = Parameters<typeof aTree>[0];

async function render(
  files: Files,
  facts: Parameters<typeof anApplication>[0] = {},
  more: { readonly limits?: Partial<RenderLimits> } & Pick<RenderInput, 'kubeVersion' | 'apiVersions'> = {},
) {
  const { limits = {}, ...input } = more;
  return await inTemporaryDirectory(async (temporaryDirectory) => {
    try {
      const renderer = createRenderer({ tools, temporaryDirectory, limits });
      const { manifests } = await renderer.render({
        files: aTree(files),
        application: anApplication(facts),
        ...input,
      });
      return manifests;
    } finally {
      expect(readdirSync(temporaryDirectory)).toEqual([]);
    }
  });
}

const CHART = 'apiVersion: v2\nname: shop\nversion: 1.0.0\n';
const template = (expression: string, name = '{{ .Release.Name }}') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "${name}"}\ndata:\n  x: ${expression}\n`;
const aChart = (files: Files = {}): Files => ({
  'app/Chart.yaml': CHART,
  'app/values.yaml': 'a: 1\n',
  'app/templates/cm.yaml': template('{{ .Values.a | quote }}'),
  ...files,
});
const dataOf = async (...args: Parameters<typeof render>) => (await render(...args))[0]?.object.data;

withTools(`a chart${whySkipped}`, () => {
  it('renders templates and CRDs with their places, and leaves tests and notes out', async () => {
    const manifests = await render(
      aChart({
        'app/crds/crd.yaml':
          'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b.io}\n',
        'app/templates/two.yaml': `${configMap('one')}---\n${configMap('two')}`,
        'app/templates/hook.yaml': configMap('hook').replace(
          'name: hook',
          'name: hook\n  annotations: {helm.sh/hook: pre-install}',
        ),
        'app/templates/tests/test.yaml': configMap('t').replace(
          'name: t',
          'name: t\n  annotations: {helm.sh/hook: test}',
        ),
        'app/templates/NOTES.txt': 'thanks',
        'app/templates/_helpers.tpl': '{{ define "x" }}{{ end }}',
      }),
    );

    expect(manifests.map(({ object, origin }) => [object.metadata.name, origin.file]).sort()).toEqual([
      ['a.b.io', 'app/crds/crd.yaml'],
      ['hook', 'app/templates/hook.yaml'],
      ['one', 'app/templates/two.yaml'],
      ['two', 'app/templates/two.yaml'],
      ['web', 'app/templates/cm.yaml'],
    ]);
  });

  it('is told of every kind that a large cluster serves', async () => {
    const apiVersions = Array.from(
      { length: 4000 },
      (_, index) => `group-${index}.with.a.long.name.example.com/v1beta1/KindNumber${index}`,
    );
    const has = (version: string) => `{{ .Capabilities.APIVersions.Has "${version}" | quote }}`;

    const first = await dataOf(
      aChart({ 'app/templates/cm.yaml': template(has(apiVersions[0] ?? '')) }),
      {},
      { apiVersions },
    );
    const last = await dataOf(
      aChart({ 'app/templates/cm.yaml': template(has(apiVersions.at(-1) ?? '')) }),
      {},
      { apiVersions },
    );

    expect([first, last]).toEqual([{ x: 'true' }, { x: 'true' }]);
  });

  it('tells the chart its release, namespace and the capabilities of the cluster', async () => {
    const expression =
      '{{ .Release.Name }} {{ .Release.Namespace }} {{ .Capabilities.KubeVersion.Version }} {{ .Capabilities.APIVersions.Has "x.io/v1/Y" }}';

    const data = await dataOf(
      aChart({ 'app/templates/cm.yaml': template(expression) }),
      { targetNamespace: 'shop', render: { tool: 'helm', releaseName: 'my-shop' } },
      { kubeVersion: 'v1.20.2-eks-1', apiVersions: ['x.io/v1/Y'] },
    );

    expect(data).toEqual({ x: 'my-shop shop v1.20.2-eks-1 true' });
  });

  it('renders at the root of the repository', async () => {
    const manifests = await render(
      { 'Chart.yaml': CHART, 'templates/cm.yaml': template('1') },
      { path: '.' },
    );

    expect(manifests.map(({ origin }) => origin.file)).toEqual(['templates/cm.yaml']);
  });

  it('renders vendored dependencies and those at file:// in the repository, with their own places', async () => {
    const manifests = await render(
      aChart({
        'app/Chart.yaml': `${CHART}dependencies:\n- {name: near, version: "*", repository: "file://../lib/near"}\n- {name: vendored, version: "*", repository: "https://example.com"}\n`,
        'app/charts/vendored/Chart.yaml': 'apiVersion: v2\nname: vendored\nversion: 1.0.0\n',
        'app/charts/vendored/templates/v.yaml': configMap('v'),
        'lib/near/Chart.yaml':
          'apiVersion: v2\nname: near\nversion: 1.0.0\ndependencies: [{name: far, version: "*", repository: "file://../far"}]\n',
        'lib/near/templates/n.yaml': configMap('near'),
        'lib/far/Chart.yaml': 'apiVersion: v2\nname: far\nversion: 1.0.0\n',
        'lib/far/templates/f.yaml': configMap('f'),
      }),
    );

    expect(manifests.map(({ object, origin }) => [object.metadata.name, origin.file]).sort()).toEqual([
      ['f', 'lib/far/templates/f.yaml'],
      ['near', 'lib/near/templates/n.yaml'],
      ['v', 'app/charts/vendored/templates/v.yaml'],
      ['web', 'app/templates/cm.yaml'],
    ]);
  });

  it('checks values against a schema that stands on its own', async () => {
    const schema =
      '{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"$ref": "#/definitions/t"}}, "definitions": {"t": {"type": "string"}}}';

    await expect(render(aChart({ 'app/values.schema.json': schema }))).rejects.toThrow(/schema/);
  });

  it.each(['http://127.0.0.1:1/x.json', 'file:///etc/passwd', 'other.json'])(
    'does not follow a schema to %s',
    async (ref) => {
      const schema = JSON.stringify({ properties: { a: { $ref: ref } } });

      const manifests = await render(aChart({ 'app/values.schema.json': schema }));

      expect(namesOf(manifests)).toEqual(['ConfigMap web']);
    },
  );

  it('rejects what a template makes that is not an object, naming the template', async () => {
    const failing = render(aChart({ 'app/templates/odd.yaml': 'a: b\n' }));

    await expect(failing).rejects.toMatchObject({ code: 'render-failed' });
    await expect(failing).rejects.toThrow(/^app\/templates\/odd.yaml: not a Kubernetes object/);
  });

  it('rejects with the words of the tool, without our directory and without secret values', async () => {
    const failing = render(
      aChart({
        'app/values.yaml': 'db: {password: hunter-two}\n',
        'app/templates/cm.yaml': '{{ fail (printf "cannot use %s" .Values.db.password) }}',
      }),
    );

    const message = await failing.then(
      () => '',
      (error: Error) => error.message,
    );
    expect(message).toMatch(/^app: helm template failed \(exit code 1\): .*cannot use \*\*\*/s);
    expect(message).not.toMatch(/hunter-two|holdfast-render|\/tmp/);
  });
});

withTools(`a hostile chart${whySkipped}`, () => {
  it('reaches neither files, nor the environment, nor the network', async () => {
    process.env.HOLDFAST_CANARY = 'canary-value';
    try {
      const expression = [
        '.Files.Get "../secret.txt"',
        '.Files.Get "/etc/passwd"',
        '.Files.Get "/proc/self/environ"',
        '(lookup "v1" "Secret" "" "") | toString',
        'getHostByName "localhost"',
        '(.Files.Glob "**").AsConfig',
      ]
        .map((part) => `{{ ${part} | quote }}`)
        .join('\n    ');
      const manifests = await render(
        aChart({ 'app/templates/cm.yaml': template(`>-\n    ${expression}`), 'secret.txt': 'canary-value' }),
      );

      expect(JSON.stringify(manifests)).not.toMatch(/canary-value|root:|127\.0\.0\.1/);
    } finally {
      delete process.env.HOLDFAST_CANARY;
    }
  });

  it.each(['{{ env "HOME" }}', '{{ expandenv "$HOME" }}'])('rejects %s', async (expression) => {
    await expect(render(aChart({ 'app/templates/cm.yaml': template(expression) }))).rejects.toMatchObject({
      code: 'render-failed',
    });
  });

  it.each([
    ['counts without end', '{{ range $i := until 100000000 }}{{ $i }}{{ end }}'],
    ['repeats without end', '{{ repeat 2000000000 "x" | sha256sum }}'],
  ])('is stopped when it %s', async (_what, expression) => {
    const failing = render(
      aChart({ 'app/templates/cm.yaml': template(expression) }),
      {},
      {
        limits: { toolTimeoutMs: 10_000, maxToolMemoryBytes: 300_000_000 },
      },
    );

    await expect(failing).rejects.toMatchObject({ code: 'render-limit' });
  });

  it('is stopped when it writes too much', async () => {
    const failing = render(
      aChart({ 'app/templates/cm.yaml': template('{{ repeat 300000 "x" }}') }),
      {},
      { limits: { maxOutputBytes: 100_000 } },
    );

    await expect(failing).rejects.toMatchObject({ code: 'render-limit', details: { limit: 'output' } });
  });

  it('rejects an alias bomb that a template writes', async () => {
    const bomb = `{{ range $i := until 9 }}\n  y{{ add1 $i }}: &a{{ add1 $i }} [{{ range until 10 }}*a{{ $i }}, {{ end }}]{{ end }}`;
    const failing = render(aChart({ 'app/templates/cm.yaml': template(`&a0 [lol]${bomb}`) }));

    await expect(failing).rejects.toMatchObject({ code: expect.stringMatching(/^render-/) });
  });
});

describe('a chart that is refused before helm is asked', () => {
  const refusal = async (files: Files, facts = {}, more = {}): Promise<string> => {
    const failing = render(files, facts, more);
    await expect(failing).rejects.toMatchObject({ code: 'render-refused' });
    return await failing.then(
      () => '',
      (error: Error) => error.message,
    );
  };
  const depends = (dependency: string) =>
    aChart({ 'app/Chart.yaml': `${CHART}dependencies:\n- ${dependency}\n` });

  it.each([
    [
      'is remote',
      '{name: x, repository: "https://user:hunter2@charts.example.com"}',
      'is not in the artefact',
    ],
    ['is in a registry', '{name: x, repository: "oci://example.com/charts"}', 'is not in the artefact'],
    ['has an alias for a repository', '{name: x, repository: "@stable"}', 'write its URL'],
    ['has no repository', '{name: x}', 'has no repository'],
    ['lies outside', '{name: x, repository: "file://../../x"}', 'leads out of the repository'],
    ['lies at an absolute path', '{name: x, repository: "file:///etc"}', 'not a relative path'],
    ['is missing', '{name: x, repository: "file://../x"}', 'does not exist'],
    ['has a path for a name', '{name: ../../x, repository: "file://../x"}', 'expected the name of a chart'],
  ])('because a dependency %s', async (_what, dependency, message) => {
    const said = await refusal(depends(dependency));

    expect(said).toContain(message);
    expect(said).toMatch(/^app\/Chart.yaml: dependencies\[0\]/);
    expect(said).not.toContain('hunter2');
  });

  it('because a dependency of the old format is remote', async () => {
    const said = await refusal(
      aChart({ 'app/requirements.yaml': 'dependencies: [{name: x, repository: "https://example.com"}]' }),
    );

    expect(said).toMatch(/^app\/requirements.yaml: dependencies\[0\]/);
  });

  it('because dependencies go in a circle', async () => {
    const said = await refusal({
      ...depends('{name: b, repository: "file://../b"}'),
      'b/Chart.yaml':
        'apiVersion: v2\nname: b\nversion: 1.0.0\ndependencies: [{name: shop, repository: "file://../app"}]\n',
    });

    expect(said).toContain('in a circle');
  });

  const bomb = `a: &a [${'lol, '.repeat(100)}]\n${Array.from({ length: 8 }, (_, i) => `${'bcdefghi'[i]}: &${'bcdefghi'[i]} [${`*${'abcdefgh'[i]}, `.repeat(10)}]`).join('\n')}\n`;
  it.each(['app/values.yaml', 'app/Chart.yaml', 'app/charts/x/values.yaml'])(
    'because of an alias bomb in %s',
    async (file) => {
      const said = await refusal(aChart({ 'app/charts/x/Chart.yaml': CHART, [file]: bomb }));

      expect(said).toContain('aliases expand');
    },
  );

  it.each(['-f', '--post-renderer=/bin/sh', 'UPPER', 'x'.repeat(54), 'a b'])(
    'because of the release name %j',
    async (releaseName) => {
      expect(await refusal(aChart(), { render: { tool: 'auto', releaseName } })).toContain('release name');
    },
  );

  it('because of odd capabilities', async () => {
    expect(await refusal(aChart(), {}, { kubeVersion: 'v1 --debug' })).toContain('Kubernetes version');
    expect(await refusal(aChart(), {}, { apiVersions: ['a,b'] })).toContain('API version');
  });
});

withTools(`variables in a chart${whySkipped}`, () => {
  it('are replaced in what helm wrote', async () => {
    const substitute = { variables: { V: 'x', N: 'y' } };

    const manifests = await render(
      aChart({ 'app/templates/cm.yaml': template('"{{ .Values.a }}${V}"', '${N}-cm') }),
      { render: { tool: 'auto', substitute } },
    );

    expect(manifests[0]?.object).toMatchObject({ metadata: { name: 'y-cm' }, data: { x: '1x' } });
    expect(manifests[0]?.origin).toEqual({ file: 'app/templates/cm.yaml' });
  });
});
