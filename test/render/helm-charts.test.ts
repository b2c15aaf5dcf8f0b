import type { Application } from '../../lib/model/application.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { Manifest } from '../../lib/model/resource.ts';
import {
  aChartHost,
  anArchive,
  dataOf,
  helmTemplate,
  messageOf,
  objectsOf,
  renderCommit,
  withHelm,
  type ChartFiles,
  type Files,
} from './charts.ts';
import { configMap, namesOf } from './rendering.ts';
import { whySkipped, withTools } from './tools-for-tests.ts';

const chartYaml = (name: string, more = '') => `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n${more}`;
const template = (expression: string, name = '{{ .Release.Name }}-{{ .Chart.Name }}') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "${name}"}\ndata:\n  x: ${expression}\n`;
const asText = (files: Files) => files as Readonly<Record<string, string | Uint8Array>>;
const under = (directory: string, files: ChartFiles) =>
  Object.fromEntries(Object.entries(files).map(([path, content]) => [`${directory}/${path}`, content]));

/** Helm writes the CRD of a chart that is there under two names twice, and installs the first. */
const crdsOnce = (manifests: readonly Manifest[]) =>
  manifests.filter(
    ({ object }, index) =>
      object.kind !== 'CustomResourceDefinition' ||
      index === manifests.findIndex((each) => each.object.metadata.name === object.metadata.name),
  );

const LIBRARY: ChartFiles = {
  'Chart.yaml': chartYaml('common', 'type: library\n'),
  'templates/_names.tpl': '{{ define "common.name" }}{{ .Release.Name }}-{{ .Values.who }}{{ end }}',
};
const DB: ChartFiles = {
  'Chart.yaml': chartYaml(
    'db',
    'dependencies: [{name: common, version: "*", repository: "https://charts.example"}]\n',
  ),
  'values.yaml': 'who: db\nsize: 1\nglobal: {}\n',
  'values.schema.json': '{"properties": {"size": {"type": "integer"}}}',
  'templates/db.yaml': template('{{ .Values.size | quote }}', '{{ include "common.name" . }}'),
  'crds/crd.yaml':
    'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: dbs.example.com}\n',
  ...under('charts/common', LIBRARY),
};
const REMOTE = { repository: 'https://charts.example', name: 'db' };

withTools(`a published chart${whySkipped}`, () => {
  it('renders as helm renders it, with the places in it', async () => {
    const { manifests, warnings } = await renderCommit({
      files: { 'app/prod.yaml': 'size: 3' },
      facts: withHelm({ chart: { ...REMOTE, version: '1.x.*' }, valuesFiles: ['prod.yaml'] }),
      charts: aChartHost({ 'db@1.0.0': DB }),
    });

    const expected = await helmTemplate({ ...under('db', DB), 'prod.yaml': 'size: 3' }, [
      'web',
      'db',
      '--values=prod.yaml',
      '--include-crds',
    ]);
    expect(objectsOf(manifests)).toEqual(objectsOf(expected));
    expect(manifests.map(({ origin }) => origin.file)).toEqual([
      'db@1.0.0/crds/crd.yaml',
      'db@1.0.0/templates/db.yaml',
    ]);
    expect(warnings).toEqual([]);
  });

  it('renders where the path holds nothing else, and beside a chart of the repository', async () => {
    const charts = aChartHost({ 'db@1.0.0': DB });
    const files = { 'Chart.yaml': chartYaml('root'), 'templates/a.yaml': configMap('a') };
    const remote = withHelm({ chart: { ...REMOTE, version: '*' } });

    const alone = await renderCommit({ files: { 'x/y': '' }, facts: { ...remote, path: '.' }, charts });
    const beside = await renderCommit({ files, facts: { ...remote, path: '.' }, charts });
    const without = await renderCommit({ files, facts: { path: '.' } });

    expect(namesOf(alone.manifests)).toContain('ConfigMap web-db');
    expect(namesOf(beside.manifests)).toEqual(namesOf(alone.manifests));
    expect(namesOf(without.manifests)).toEqual(['ConfigMap a']);
  });

  it('is never half rendered when the repository fails', async () => {
    const down = new HoldfastError('chart-unreachable', 'https://charts.example cannot be reached', {
      retryable: true,
    });
    const charts = { fetch: () => Promise.reject(down), close: async () => undefined };
    const failing = renderCommit({ files: { 'app/x': '' }, facts: withHelm({ chart: REMOTE }), charts });

    await expect(failing).rejects.toMatchObject({ code: 'chart-unreachable', retryable: true });
  });
});

const PARENT = (dependencies: string) => ({
  'app/Chart.yaml': chartYaml('shop', `dependencies:\n${dependencies}`),
  'app/values.yaml': 'db: {size: 2}\nsecond: {size: 9, who: two}\n',
  'app/templates/a.yaml': template('1'),
});

withTools(`the place of an object${whySkipped}`, () => {
  it('is its template, whatever else its comments and empty documents name', async () => {
    const crd = (name: string) =>
      `apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: ${name}}\n`;
    const { manifests } = await renderCommit({
      files: {
        'app/Chart.yaml': chartYaml('shop'),
        'app/crds/empty.yaml': '# nothing\n',
        'app/crds/late.yaml': `# a licence\n---\n${crd('late')}`,
        'app/templates/a.yaml': `# Source: https://example.com/a.yaml\n${configMap('a')}`,
        'app/templates/b.yaml': `# Source: shop/nothing.yaml\n${configMap('b')}`,
      },
    });

    expect(manifests.map(({ object, origin }) => [object.metadata.name, origin.file]).sort()).toEqual([
      ['a', 'app/templates/a.yaml'],
      ['b', 'app/templates/b.yaml'],
      ['late', 'app/crds/late.yaml'],
    ]);
  });
});

withTools(`dependencies${whySkipped}`, () => {
  const remote = '{name: db, version: ^1, repository: "https://charts.example"';
  const cases: readonly (readonly [string, string, string])[] = [
    ['one', `- ${remote}}\n`, ''],
    ['one with an alias', `- ${remote}, alias: second}\n`, ''],
    ['one under two names', `- ${remote}}\n- ${remote}, alias: second}\n`, ''],
    ['one that a condition leaves out', `- ${remote}, condition: db.enabled}\n`, 'db: {enabled: false}'],
    ['one that a tag leaves out', `- ${remote}, tags: [data]}\n`, 'tags: {data: false}'],
    ['one that gives values', `- ${remote}, import-values: [{child: ".", parent: "from"}]}\n`, ''],
  ];

  it.each(cases)('%s renders as if it were vendored', async (_what, dependencies, values) => {
    const files = { ...PARENT(dependencies), 'app/prod.yaml': values };
    const facts = withHelm({ valuesFiles: ['prod.yaml'] });

    const { manifests } = await renderCommit({ files, facts, charts: aChartHost({ 'db@1.0.0': DB }) });

    const argv = ['web', 'app', '--values=app/prod.yaml', '--include-crds'];
    expect(objectsOf(manifests)).toEqual(
      objectsOf(crdsOnce(await helmTemplate({ ...files, ...under('app/charts/db', DB) }, argv))),
    );
  });

  it('come as archives, from the repository and from elsewhere, each with its own places', async () => {
    const near = {
      ...DB,
      'Chart.yaml': chartYaml('near'),
      'crds/crd.yaml': '',
      'values.yaml': 'who: near\nsize: 1',
    };
    const files = {
      ...PARENT(
        `- ${remote}}\n- ${remote}, alias: second}\n- {name: near, version: "*", repository: "file://../near"}\n`,
      ),
      'app/charts/zip-1.0.0.tgz': await anArchive(
        under('zip', {
          'Chart.yaml': chartYaml('zip'),
          'templates/z.yaml': configMap('z'),
          // A chart in an archive in a chart.
          'charts/in/Chart.yaml': chartYaml('in'),
          'charts/in/templates/in.yaml': configMap('in'),
        }),
      ),
      ...under('near', near),
    };

    const { manifests } = await renderCommit({ files, charts: aChartHost({ 'db@1.0.0': DB }) });

    expect(manifests.map(({ object, origin }) => [object.metadata.name, origin.file]).sort()).toEqual([
      ['dbs.example.com', 'db@1.0.0/crds/crd.yaml'],
      ['in', 'in@1.0.0/templates/in.yaml'],
      ['web-db', 'db@1.0.0/templates/db.yaml'],
      ['web-near', 'near/templates/db.yaml'],
      ['web-shop', 'app/templates/a.yaml'],
      ['web-two', 'db@1.0.0/templates/db.yaml'],
      ['z', 'zip@1.0.0/templates/z.yaml'],
    ]);
    const packed = { ...asText(files), ...under('app/charts/db', DB), ...under('app/charts/near', near) };
    const expected = await helmTemplate(packed, ['web', 'app', '--include-crds']);
    expect(objectsOf(manifests)).toEqual(objectsOf(crdsOnce(expected)));
  });

  it('in the old format are taken too', async () => {
    const files = {
      'app/Chart.yaml': 'apiVersion: v1\nname: shop\nversion: 1.0.0\n',
      'app/requirements.yaml': `dependencies:\n- ${remote}}\n`,
      'app/templates/a.yaml': template('1'),
    };

    const { manifests } = await renderCommit({ files, charts: aChartHost({ 'db@1.0.0': DB }) });

    expect(namesOf(manifests)).toContain('ConfigMap web-db');
  });

  it('are checked against their schemas, whichever way they came', async () => {
    const files = { ...PARENT(`- ${remote}}\n`), 'app/values.yaml': 'db: {size: big}' };
    const charts = aChartHost({ 'db@1.0.0': DB });
    const archived = {
      ...PARENT('- {name: db, version: "*", repository: ""}\n'),
      'app/values.yaml': 'db: {size: big}',
      'app/charts/db-1.0.0.tgz': await anArchive(under('db', DB)),
    };

    expect(await messageOf(renderCommit({ files, charts }))).toMatch(/schema/);
    expect(await messageOf(renderCommit({ files: archived }))).toMatch(/schema/);
    const skipping = await renderCommit({ files, charts, facts: withHelm({ skipSchemaValidation: true }) });
    expect(skipping.manifests).toHaveLength(3);
  });

  it('do not check values where one of their schemas reads from elsewhere', async () => {
    const db = { ...DB, 'values.schema.json': '{"properties": {"size": {"$ref": "file:///etc/passwd"}}}' };

    const { manifests } = await renderCommit({
      files: PARENT(`- ${remote}}\n`),
      charts: aChartHost({ 'db@1.0.0': db }),
    });

    expect(manifests).toHaveLength(3);
  });
});

withTools(`.helmignore${whySkipped}`, () => {
  const listing = 'files: [{{ range $path, $_ := .Files.Glob "**" }}{{ $path | quote }}, {{ end }}]';
  const lists = (name: string) =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {${listing}}\n`;
  const aListing = (name: string, more = ''): ChartFiles => ({
    'Chart.yaml': chartYaml(name, more),
    'templates/list.yaml': lists(name),
    'templates/dev/list.yaml': lists(`${name}-dev`),
    'a.txt': '',
    'b.txt': '',
    'docs/a.txt': '',
  });
  const dependencies =
    'dependencies: [{name: near, version: "*", repository: "file://../near"}, {name: within, version: "*", repository: "file://within"}]\n';

  it('counts for the chart that it lies in, as if each had been packaged', async () => {
    const files = {
      ...under('app', aListing('shop', dependencies)),
      'app/.helmignore': 'a.txt\n/templates/dev/\n/within/docs/*\n/charts/vendored/b.txt\n[[]x]*\n',
      'app/within/[x]*?.txt': '',
      ...under('app/within', { ...aListing('within'), '.helmignore': 'docs/' }),
      ...under('near', { ...aListing('near'), '.helmignore': '*/dev\nb.txt\n' }),
      ...under('app/charts/vendored', { ...aListing('vendored'), '.helmignore': 'docs' }),
    };

    const { manifests } = await renderCommit({ files });

    const expected = await helmTemplate(files, ['web', 'app'], 'app');
    expect(listsIn(manifests)).toEqual(listsIn(expected));
    expect(expected).toHaveLength(6);
  });

  it('counts not for what is put in as an archive', async () => {
    const zip = { ...aListing('zip'), '.helmignore': 'b.txt' };
    const files = {
      ...under('app', aListing('shop')),
      'app/.helmignore': 'a.txt\ndev\n',
      'app/charts/zip-1.0.0.tgz': await anArchive(under('zip', zip)),
    };

    const { manifests } = await renderCommit({ files });

    expect(listsIn(manifests)).toEqual(listsIn(await helmTemplate(files, ['web', 'app'])));
  });

  it('of a published chart has been applied when it was packaged', async () => {
    const chart = { ...aListing('db'), '.helmignore': 'a.txt', ...under('charts/sub', aListing('sub')) };
    const facts = withHelm({ chart: { ...REMOTE, version: '1.0.0' } });

    const { manifests } = await renderCommit({
      files: { 'app/x': '' },
      facts,
      charts: aChartHost({ 'db@1.0.0': chart }),
    });

    const packed = { 'db.tgz': await anArchive(under('db', chart)) };
    expect(listsIn(manifests)).toEqual(listsIn(await helmTemplate(packed, ['web', 'db.tgz'])));
  });

  it('is left to helm in a chart alone', async () => {
    const files = { ...under('app', aListing('shop')), 'app/.helmignore': 'a.txt\n/templates/dev/\n' };

    const { manifests } = await renderCommit({ files });

    expect(listsIn(manifests)).toEqual(listsIn(await helmTemplate(files, ['web', 'app'])));
  });

  function listsIn(manifests: readonly Manifest[]): unknown {
    return manifests
      .map(({ object }) => [object.metadata.name, (object['data'] as { files: unknown }).files])
      .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  }
});

withTools(`the options of a release${whySkipped}`, () => {
  const files = {
    ...under('app', DB),
    'app/templates/about.yaml': template(
      '{{ .Release.Name }} {{ .Release.Namespace }} {{ .Capabilities.KubeVersion }} {{ .Capabilities.APIVersions.Has "x.io/v1/Y" }} {{ .Capabilities.APIVersions.Has "z.io/v1" }}',
      'about',
    ),
  };
  const aboutIn = async (facts: Partial<Application>) => {
    const { manifests } = await renderCommit({
      files,
      facts,
      kubeVersion: 'v1.20.2',
      apiVersions: ['z.io/v1'],
    });
    return dataOf(manifests, 'about')['x'];
  };

  it('come from the definition, then from the destination', async () => {
    expect(await aboutIn({ targetNamespace: 'shop' })).toBe('web shop v1.20.2 false true');
    expect(
      await aboutIn(
        withHelm(
          { namespace: 'release', kubeVersion: '1.33', apiVersions: ['x.io/v1/Y'] },
          { targetNamespace: 'shop', render: { tool: 'helm', releaseName: 'named' } },
        ),
      ),
    ).toBe('named release v1.33 true true');
  });

  it('leave CRDs out', async () => {
    const { manifests } = await renderCommit({ files, facts: withHelm({ skipCrds: true }) });

    expect(namesOf(manifests).toSorted()).toEqual(['ConfigMap about', 'ConfigMap web-db']);
  });

  it.each([
    [{ namespace: '--debug' }, 'namespace "--debug"'],
    [{ kubeVersion: 'x' }, 'Kubernetes version "x"'],
    [{ apiVersions: ['a,b'] }, 'API version "a,b"'],
  ])('are refused: %j', async (options, message) => {
    const said = await messageOf(renderCommit({ files, facts: withHelm(options) }));

    expect(said).toMatch(/^render-refused: /);
    expect(said).toContain(message);
  });
});

withTools(`hooks${whySkipped}`, () => {
  const hook = (name: string, annotations: Readonly<Record<string, string>>) => ({
    [`app/templates/${name}.yaml`]: JSON.stringify({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name, annotations },
    }),
  });
  const hookOf = async (annotations: Readonly<Record<string, string>>) => {
    const files = { 'app/Chart.yaml': chartYaml('shop'), ...hook('job', annotations) };
    const { manifests } = await renderCommit({ files });
    return manifests.map((manifest) => manifest.hook ?? 'ordinary');
  };

  it.each([
    ['pre-install', ['pre-sync']],
    ['pre-upgrade', ['pre-sync']],
    ['pre-install,pre-upgrade', ['pre-sync']],
    ['post-install', ['post-sync']],
    ['Post-Upgrade , pre-delete', ['post-sync', 'pre-delete']],
    ['post-delete', ['post-delete']],
    ['pre-install,test', ['pre-sync']],
  ])('of %s run in %j', async (event, phases) => {
    expect(await hookOf({ 'helm.sh/hook': event })).toEqual([
      { phases, weight: 0, deletePolicies: ['before-hook-creation'] },
    ]);
  });

  it.each([
    'test',
    'test-success',
    'test-failure',
    'pre-rollback',
    'post-rollback',
    'test,post-rollback',
    'unheard-of',
  ])('of %s are left out', async (event) => {
    expect(await hookOf({ 'helm.sh/hook': event })).toEqual([]);
  });

  it('have a weight and say when they are deleted', async () => {
    const annotations = (weight: string, policy: string) => ({
      'helm.sh/hook': 'pre-install',
      'helm.sh/hook-weight': weight,
      'helm.sh/hook-delete-policy': policy,
    });

    expect(await hookOf(annotations('-5', 'hook-succeeded, Hook-Failed'))).toMatchObject([
      { weight: -5, deletePolicies: ['hook-succeeded', 'hook-failed'] },
    ]);
    expect(await hookOf(annotations('heavy', 'never'))).toMatchObject([{ weight: 0, deletePolicies: [] }]);
  });

  it('are no hooks where the annotation says nothing', async () => {
    expect(await hookOf({ 'helm.sh/resource-policy': 'keep' })).toEqual(['ordinary']);
  });
});

withTools(`kustomize over a chart${whySkipped}`, () => {
  const files = {
    'app/Chart.yaml': chartYaml('shop'),
    'app/templates/deployment.yaml':
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: c, image: "nginx:1"}]}}}\n',
    'app/templates/cm.yaml': configMap('cm', '{version: "1.10", "yes": "no", long: "0123"}'),
    'app/templates/job.yaml': JSON.stringify({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'job', annotations: { 'helm.sh/hook': 'pre-install' } },
    }),
  };

  it('changes what it is told to, and keeps places and hooks', async () => {
    const { manifests } = await renderCommit({
      files,
      facts: withHelm({
        postRender: {
          images: [{ name: 'nginx', newName: 'mirror.example/nginx', newTag: '2' }],
          patches: [
            { patch: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {more: x}' },
            {
              patch: '- {op: add, path: /metadata/labels, value: {team: a}}',
              target: { kind: 'Deployment|Job' },
            },
          ],
        },
      }),
    });

    const found = new Map(manifests.map((manifest) => [manifest.object.kind, manifest]));
    expect(found.get('ConfigMap')).toEqual({
      object: expect.objectContaining({ data: { version: '1.10', yes: 'no', long: '0123', more: 'x' } }),
      origin: { file: 'app/templates/cm.yaml' },
    });
    expect(JSON.stringify(found.get('Deployment')?.object)).toContain('mirror.example/nginx:2');
    expect(found.get('Deployment')).toMatchObject({
      object: { metadata: { labels: { team: 'a' } } },
      origin: { file: 'app/templates/deployment.yaml' },
    });
    expect(found.get('Job')).toMatchObject({
      object: { metadata: { labels: { team: 'a' } } },
      hook: { phases: ['pre-sync'] },
    });
  });

  it('may take objects away, and gives new names no place but the chart', async () => {
    const { manifests } = await renderCommit({
      files,
      facts: withHelm({
        postRender: {
          patches: [
            { patch: '$patch: delete\napiVersion: batch/v1\nkind: Job\nmetadata: {name: job}' },
            {
              patch: '[{"op": "replace", "path": "/metadata/name", "value": "renamed"}]',
              target: { kind: 'ConfigMap' },
            },
          ],
        },
      }),
    });

    expect(manifests.map(({ object, origin }) => [object.metadata.name, origin.file]).sort()).toEqual([
      ['renamed', 'app'],
      ['web', 'app/templates/deployment.yaml'],
    ]);
  });

  it('is refused when a patch explodes, and rejected with the words of kustomize', async () => {
    const bomb = `a: &a [${'lol, '.repeat(100)}]\n${Array.from({ length: 8 }, (_, i) => `${'bcdefghi'[i]}: &${'bcdefghi'[i]} [${`*${'abcdefgh'[i]}, `.repeat(10)}]`).join('\n')}\n`;
    const patched = (patch: string) =>
      messageOf(renderCommit({ files, facts: withHelm({ postRender: { patches: [{ patch }] } }) }));

    expect(await patched(bomb)).toMatch(
      /^render-refused: app: spec.render.helm.postRender.patches\[0\], line/,
    );
    const nobody = await patched('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: nobody}');
    expect(nobody).toMatch(/^render-failed: spec.render.helm.postRender: kubectl kustomize failed/);
  });
});
