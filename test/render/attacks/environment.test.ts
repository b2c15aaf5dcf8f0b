import { configMap } from '../rendering.ts';
import { whySkipped, withTools } from '../tools-for-tests.ts';
import {
  aChart,
  attack,
  CHART,
  expectEnd,
  failed,
  NEIGHBOUR,
  templateOf,
  textOf,
  withCanary,
} from './attack.ts';
import type { Files } from './attack.ts';

const canary = withCanary();

withTools(`a template reaches nothing outside of its chart${whySkipped}`, () => {
  // Beside the chart lies what it may not have; some of these are errors in helm, some give nothing.
  it.each<readonly [string, () => string]>([
    ['.Files.Get with ../', () => `.Files.Get "../${NEIGHBOUR}"`],
    ['.Files.Get with a detour', () => `.Files.Get "templates/../../${NEIGHBOUR}"`],
    ['.Files.Get with an absolute path', () => `.Files.Get "${canary().file}"`],
    ['.Files.Get of its environment', () => '.Files.Get "/proc/self/environ"'],
    ['.Files.Get of the environment of process 1', () => '.Files.Get "/proc/1/environ"'],
    ['.Files.Get of the environment of its parent', () => `.Files.Get "/proc/${process.pid}/environ"`],
    ['.Files.Get of a URL', () => `.Files.Get "${canary().url}"`],
    ['.Files.Glob of everything', () => '(.Files.Glob "/**").AsConfig'],
    ['.Files.Glob above', () => '(.Files.Glob "../**").AsConfig'],
    ['.Files.Lines', () => `.Files.Lines "../${NEIGHBOUR}" | join ","`],
    ['.Files.AsSecrets', () => '(.Files.Glob "../../**").AsSecrets'],
    ['lookup of Secrets', () => 'lookup "v1" "Secret" "" "" | toJson'],
    ['lookup of its namespace', () => 'lookup "v1" "Namespace" "" "kube-system" | toJson'],
    ['a name of the network', () => 'getHostByName "localhost"'],
    ['the working directory', () => 'osBase "/etc/passwd"'],
    ['tpl that gets a file', () => `tpl "{{ .Files.Get \\"../${NEIGHBOUR}\\" }}" .`],
    ['tpl that looks up', () => 'tpl "{{ lookup \\"v1\\" \\"Secret\\" \\"\\" \\"\\" | toJson }}" .'],
    ['a file by its subchart', () => `.Subcharts | toJson`],
  ])('by %s', async (_name, expression) => {
    const { manifests } = await attack({ files: aChart({}, templateOf(`{{ ${expression()} | quote }}`)) });

    expect(textOf(manifests)).toMatch(/^(?:|\{\}|\{\}\n|passwd|null)$/);
  });

  it.each<readonly [string, () => string]>([
    ['env', () => 'env "AWS_SECRET_ACCESS_KEY"'],
    ['expandenv', () => 'expandenv "$HOLDFAST_CANARY"'],
    ['env in tpl', () => 'tpl "{{ env \\"HOLDFAST_CANARY\\" }}" .'],
    ['expandenv in tpl', () => 'tpl "{{ expandenv \\"$HOME\\" }}" .'],
    ['a function that runs programs', () => 'exec "id"'],
    ['a function that reads files', () => `readFile "${canary().file}"`],
    ['a function that reads directories', () => 'readDir "/"'],
    ['a function of helmfile', () => `fetchSecretValue "ref+file://${canary().file}"`],
    ['a function of gomplate', () => `datasource "${canary().url}"`],
    ['a template of another chart', () => 'include "../../neighbour" .'],
  ])('by %s, which helm refuses', async (_name, expression) => {
    await expectEnd(
      { files: aChart({}, templateOf(`{{ ${expression()} | quote }}`)) },
      failed('app: helm template'),
    );
  });

  it('by any of what helm tells it', async () => {
    const expression =
      '{{ dict "r" .Release "c" .Chart "k" .Capabilities "t" .Template "v" .Values | toJson | quote }}';

    const { manifests } = await attack({ files: aChart({}, templateOf(expression)) });

    expect(textOf(manifests)).not.toMatch(/holdfast-render|holdfast-test|\/tmp|\/proc/);
  });

  it('by what stands in the values', async () => {
    const values = [
      'a: ${HOLDFAST_CANARY}',
      'b: $AWS_SECRET_ACCESS_KEY',
      'c: "{{ env \\"HOME\\" }}"',
      `d: !file ${canary().file}`,
      'e: ref+awssecrets://x',
    ].join('\n');

    const { manifests } = await attack({
      files: aChart({ 'app/values.yaml': values }, templateOf('{{ .Values | toJson | quote }}')),
    });

    expect(JSON.parse(textOf(manifests))).toEqual({
      a: '${HOLDFAST_CANARY}',
      b: '$AWS_SECRET_ACCESS_KEY',
      c: '{{ env "HOME" }}',
      d: canary().file,
      e: 'ref+awssecrets://x',
    });
  });

  it.each([
    'http',
    'file',
    'relative',
    'in a dependency',
    'by its own address',
    'by an escape',
    'as a dialect',
  ])('by a schema of its values: %s', async (kind) => {
    const { url, file } = canary();
    const schemas: Readonly<Record<string, unknown>> = {
      http: { properties: { a: { $ref: `${url}/schema.json` } } },
      file: { properties: { a: { $ref: `file://${file}` } } },
      relative: { properties: { a: { $ref: '../neighbour/canary.yaml' } } },
      'by its own address': { $id: `${url}/a`, properties: { a: { $ref: 'b.json' } } },
      'as a dialect': { $schema: `${url}/dialect` },
    };
    const escaped = `{"properties": {"a": {"\\u0024ref": "${url}/escaped.json"}}}`;
    const http = JSON.stringify(schemas['http']);
    const files: Files =
      kind === 'in a dependency'
        ? { 'app/charts/x/Chart.yaml': CHART, 'app/charts/x/values.schema.json': http }
        : { 'app/values.schema.json': kind === 'by an escape' ? escaped : JSON.stringify(schemas[kind]) };

    await expectEnd({ files: aChart({ 'app/values.yaml': 'a: 1\n', ...files }) }, { code: 'rendered' });
  });
});

withTools(`a kustomization reaches nothing outside of its files${whySkipped}`, () => {
  it.each([
    [
      'a variable in a generator',
      'configMapGenerator: [{name: a, literals: ["x=$HOLDFAST_CANARY", "y=${HOME}"]}]',
      {},
    ],
    [
      'a name without a value in an env file',
      'configMapGenerator: [{name: a, envs: [e.env]}]',
      { 'app/e.env': 'AWS_SECRET_ACCESS_KEY\nHOLDFAST_CANARY\n' },
    ],
    [
      'a name without a value in a secret env file',
      'secretGenerator: [{name: a, envs: [e.env]}]',
      { 'app/e.env': 'AWS_SECRET_ACCESS_KEY\nGITHUB_TOKEN\n' },
    ],
    [
      'a variable of a kustomization',
      'resources: [a.yaml]\nvars: [{name: V, objref: {kind: ConfigMap, name: a, apiVersion: v1}}]',
      { 'app/a.yaml': configMap('a', '{x: $(HOLDFAST_CANARY)}') },
    ],
  ])('by %s', async (_name, kustomization, files) => {
    const outcome = await attack({ files: { 'app/kustomization.yaml': kustomization, ...files } });

    expect(outcome.code).toMatch(/^rendered$|^render-failed$/);
  });

  it('by where its files came from', async () => {
    const kustomization =
      'resources: [a.yaml]\nbuildMetadata: [originAnnotations, managedByLabel, transformerAnnotations]';
    const files = { 'app/kustomization.yaml': kustomization, 'app/a.yaml': configMap('a') };

    const { manifests } = await attack({ files });

    expect(JSON.stringify(manifests)).not.toMatch(/holdfast-render|holdfast-test|\/tmp/);
  });
});
