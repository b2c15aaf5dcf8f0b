import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { HelmOptions } from '../../lib/model/application.ts';
import type { JsonObject, Manifest } from '../../lib/model/resource.ts';
import { aChart, chartWorld, digestOf, indexOf } from '../charts/chart-world.ts';
import type { ChartWorld, Listed } from '../charts/chart-world.ts';
import { canonical, objectsIn, objectsOf, renderThroughArtefact, runDirectly } from './equality.ts';
import { anApplication } from './rendering.ts';
import { withTools } from './tools-for-tests.ts';

/** A directory with argocd-example-apps/, flux2-kustomize-helm-example/ and flux2-kustomize-helm-example-2.6/. */
const compat = process.env.HOLDFAST_COMPAT;
const withCompat = compat === undefined ? describe.skip : withTools;

const KUBE_VERSION = 'v1.33.4';

/**
 * Charts of our own, under the names and in versions such as the published ones have: those are not to be had offline.
 * Each shows in a ConfigMap all that it is given.
 */
const PUBLISHED: Readonly<Record<string, readonly string[]>> = {
  wordpress: ['9.0.2', '9.0.3', '9.0.4'],
  podinfo: ['6.9.0', '6.9.1', '6.10.0-rc.1', '0.9.0'],
  'cert-manager': ['v1.18.2', 'v1.19.0-alpha.0', 'v2.0.0'],
  'gateway-helm': ['1.7.3', '1.8.0-rc.1', 'v0.0.0-latest'],
  'ingress-nginx': ['4.13.0', '4.13.2', '5.0.0-beta.1'],
};

const SHOWN = `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-{{ .Chart.Name }}
  namespace: {{ .Release.Namespace }}
data:
  chart: {{ .Chart.Name }}-{{ .Chart.Version }}
  cluster: {{ .Capabilities.KubeVersion.Version }}
  values: |
{{ toYaml .Values | indent 4 }}
`;
const HOOK = `apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-migrate
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "5"}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"}]}}}
`;
const TEST = HOOK.replace('-migrate', '-test').replace('pre-install,pre-upgrade', 'test');
const CRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.NAME.example.com}
spec: {group: NAME.example.com, scope: Namespaced, names: {kind: Thing, plural: things}, versions: []}
`;
const MARIADB = {
  'charts/mariadb/Chart.yaml': 'apiVersion: v2\nname: mariadb\nversion: 7.0.0\n',
  'charts/mariadb/values.yaml': 'db: {name: wordpress}\n',
  'charts/mariadb/templates/shown.yaml': SHOWN,
};

function filesOf(name: string, version: string): Readonly<Record<string, string>> {
  const hasDatabase = name === 'wordpress';
  const dependencies = hasDatabase
    ? 'dependencies: [{name: mariadb, version: 7.x.x, repository: "https://charts.helm.sh/stable", condition: mariadb.enabled}]\n'
    : '';
  return {
    'Chart.yaml': `apiVersion: v2\nname: ${name}\nversion: ${version}\n${dependencies}`,
    'values.yaml': `image: {repository: example.com/${name}, tag: "${version}"}\nmariadb: {enabled: true}\n`,
    'templates/shown.yaml': SHOWN,
    'templates/hook.yaml': HOOK,
    'templates/tests/test.yaml': TEST,
    'templates/NOTES.txt': 'Thank you for {{ .Chart.Name }}.\n',
    'crds/things.yaml': CRD.replaceAll('NAME', name),
    ...(hasDatabase ? MARIADB : {}),
  };
}

let world: ChartWorld;
let repositoryUrl: string;

beforeAll(async () => {
  world = await chartWorld();
  const files: Record<string, string | Buffer> = {};
  const indexes: string[] = [];
  for (const [name, versions] of Object.entries(PUBLISHED)) {
    const listed: Listed[] = [];
    for (const version of versions) {
      const archive = await aChart({ name, version, files: filesOf(name, version) });
      files[`${name}-${version}.tgz`] = archive;
      listed.push({ version, digest: digestOf(archive).replace('sha256:', '') });
    }
    indexes.push(indexOf(name, listed));
  }
  files['index.yaml'] = [
    'apiVersion: v1\nentries:',
    ...indexes.map((index) => /^entries:\n([\s\S]*)^generated/m.exec(index)?.[1] ?? ''),
  ].join('\n');
  repositoryUrl = (await world.serveFiles(files)).url;
});

afterAll(() => world.close());

const flagsOf = (namespace: string) => [
  `--namespace=${namespace}`,
  '--include-crds',
  '--skip-tests',
  `--kube-version=${KUBE_VERSION}`,
];

const hooksIn = (manifests: readonly Manifest[]) =>
  manifests.flatMap(({ object, hook }) => (hook === undefined ? [] : [object.metadata.name]));

withCompat('argocd-example-apps/helm-dependency, from a chart repository of our own', () => {
  let copies = 0;

  /** A copy with the URL in its Chart.yaml replaced: nothing else of it is changed. */
  function copyOfChart(): string {
    const copy = join(world.directory, `helm-dependency-${copies++}`);
    cpSync(join(compat ?? '', 'argocd-example-apps/helm-dependency'), copy, { recursive: true });
    const file = join(copy, 'Chart.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('https://charts.helm.sh/stable', repositoryUrl));
    return copy;
  }

  it.each<[string, HelmOptions]>([
    ['its own values', {}],
    ['values-nomaria.yaml', { valuesFiles: ['values-nomaria.yaml'] }],
  ])('with %s gives what helm gives that has built the dependencies', async (what, helm) => {
    const charts = world.aHost();
    const vendored = copyOfChart();
    await runDirectly('helm', 'dependency', 'build', vendored);
    const values = (helm.valuesFiles ?? []).map((file) => `--values=${join(vendored, file)}`);

    const ours = await renderThroughArtefact(
      copyOfChart(),
      anApplication({
        path: '.',
        render: { tool: 'auto', releaseName: 'blog', helm },
        targetNamespace: 'blog',
      }),
      { kubeVersion: KUBE_VERSION, elsewhere: { charts } },
    );

    const theirs = objectsOf(
      await runDirectly('helm', 'template', 'blog', vendored, ...flagsOf('blog'), ...values),
    );
    expect(theirs).toHaveLength(what === 'its own values' ? 4 : 3);
    expect(canonical(objectsIn(ours.manifests, theirs))).toEqual(canonical(theirs));
    expect(hooksIn(ours.manifests)).toEqual(['blog-migrate']);
    await charts.close();
  });
});

interface Release {
  readonly name: string;
  readonly namespace: string;
  readonly chart: string;
  readonly range: string;
  readonly values: JsonObject;
}

/** What Flux would make of the HelmReleases of a kustomization: chart and version of the release or of the source it names. */
function releasesIn(manifests: readonly Manifest[]): readonly Release[] {
  const sources = new Map(
    manifests.flatMap(({ object }) =>
      object.kind === 'OCIRepository' ? [[object.metadata.name, object['spec'] as OciSource] as const] : [],
    ),
  );
  return manifests.flatMap(({ object }) => {
    if (object.kind !== 'HelmRelease') return [];
    const { name = '', namespace = '' } = object.metadata;
    const spec = object['spec'] as ReleaseSpec;
    const source = sources.get(spec.chartRef?.name);
    const chart = spec.chart?.spec.chart ?? source?.url.split('/').at(-1) ?? '';
    const range = spec.chart?.spec.version ?? source?.ref.semver ?? '*';
    return [{ name: spec.releaseName ?? name, namespace, chart, range, values: spec.values ?? {} }];
  });
}

interface OciSource {
  readonly url: string;
  readonly ref: { readonly semver: string };
}

interface ReleaseSpec {
  readonly releaseName?: string;
  readonly chart?: { readonly spec: { readonly chart: string; readonly version?: string } };
  readonly chartRef?: { readonly name: string };
  readonly values?: JsonObject;
}

withCompat("the HelmReleases of Flux's examples, from a chart repository of our own", () => {
  it.each([
    ['flux2-kustomize-helm-example', 'apps/production', { podinfo: '6.9.1' }],
    ['flux2-kustomize-helm-example', 'apps/staging', { podinfo: '6.10.0-rc.1' }],
    [
      'flux2-kustomize-helm-example',
      'infrastructure/controllers',
      { 'cert-manager': 'v1.18.2', 'gateway-helm': '1.8.0-rc.1' },
    ],
    ['flux2-kustomize-helm-example-2.6', 'apps/production', { podinfo: '6.9.1' }],
    ['flux2-kustomize-helm-example-2.6', 'apps/staging', { podinfo: '6.10.0-rc.1' }],
    [
      'flux2-kustomize-helm-example-2.6',
      'infrastructure/controllers',
      { 'cert-manager': 'v1.18.2', 'ingress-nginx': '4.13.2' },
    ],
  ])('%s/%s give what helm gives with the same repository', async (repository, path, chosen) => {
    const directory = join(compat ?? '', repository);
    const { manifests } = await renderThroughArtefact(directory, anApplication({ path }));
    const charts = world.aHost();
    const versions: Record<string, string> = {};

    for (const { name, namespace, chart, range, values } of releasesIn(manifests)) {
      const ours = await renderThroughArtefact(
        directory,
        anApplication({
          path,
          targetNamespace: namespace,
          render: {
            tool: 'helm',
            releaseName: name,
            helm: { chart: { repository: repositoryUrl, name: chart, version: range }, values },
          },
        }),
        { kubeVersion: KUBE_VERSION, elsewhere: { charts } },
      );

      const file = join(world.directory, 'values.json');
      writeFileSync(file, JSON.stringify(values));
      const theirs = objectsOf(
        await runDirectly(
          'helm',
          'template',
          name,
          chart,
          `--repo=${repositoryUrl}`,
          `--version=${range}`,
          `--values=${file}`,
          ...flagsOf(namespace),
        ),
      );
      expect(theirs).toHaveLength(3);
      expect(canonical(objectsIn(ours.manifests, theirs))).toEqual(canonical(theirs));
      expect(hooksIn(ours.manifests)).toEqual([`${name}-migrate`]);
      const shown = theirs.find((object) => (object as JsonObject)['kind'] === 'ConfigMap') as JsonObject;
      versions[chart] = String((shown['data'] as JsonObject)['chart']).slice(chart.length + 1);
    }

    expect(versions).toEqual(chosen);
    await charts.close();
  });
});
