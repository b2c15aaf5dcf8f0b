import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, posix, relative } from 'node:path';

import type { HelmOptions, RenderOptions } from '../../lib/model/application.ts';
import { canonical, objectsIn, objectsOf, renderThroughArtefact, runDirectly } from './equality.ts';
import { anApplication } from './rendering.ts';
import { withTools } from './tools-for-tests.ts';

/** A directory with argocd-example-apps/, flux2-kustomize-helm-example/ and flux2-kustomize-helm-example-2.6/. */
const compat = process.env.HOLDFAST_COMPAT;

const KUSTOMIZATIONS = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];

/** What cannot be compared here, and where it is. Nothing else of a repository may be left over. */
const NOT_COMPARED: Readonly<Record<string, string>> = {
  'argocd-example-apps/helm-dependency': 'a chart of a repository: in equality-charts.test.ts',
};

/** YAML that no render reads. */
const NO_MANIFESTS: Readonly<Record<string, string>> = {
  'flux2-kustomize-helm-example/.fluxschema.yml':
    'the configuration of an editor; .sourceignore leaves it out',
};

/** Published with empty files, for Flux to fill them: what comes of them is nothing, with us and with kustomize. */
const isEmpty = (path: string) => path.endsWith('/flux-system');

interface Row {
  readonly repository: string;
  readonly path: string;
  readonly what: string;
  readonly render: RenderOptions;
  /** What the tool says about the whole repository. */
  readonly directly: (repository: string) => Promise<string>;
  /** What both say, where neither renders. */
  readonly refusal?: RegExp;
}

const KUBE_VERSION = 'v1.33.4';
const NAMESPACE = 'compat';
const RELEASE = 'compat';

const filesIn = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith('.git/'))
    .sort();

const isYaml = (path: string) => /\.(ya?ml|json)$/.test(path);

function rowsOf(repository: string): readonly Row[] {
  const files = filesIn(join(compat ?? '', repository));
  const charts = files.filter((path) => basename(path) === 'Chart.yaml').map((path) => dirname(path));
  const kustomizations = files
    .filter((path) => KUSTOMIZATIONS.includes(basename(path)))
    .map((path) => dirname(path));
  const isInChart = (path: string) => charts.some((chart) => `${path}/`.startsWith(`${chart}/`));
  const plain = [...new Set(files.filter(isYaml).map((path) => dirname(path)))].filter(
    (path) => path !== '.' && !isInChart(path) && !kustomizations.includes(path),
  );
  return [
    ...kustomizations.map((path) => kustomizeRow(repository, path)),
    ...plain.flatMap((path) => [
      plainRow(repository, path, files),
      generatedRow(repository, path, files, kustomizations),
    ]),
    ...charts
      .filter((path) => NOT_COMPARED[`${repository}/${path}`] === undefined)
      .flatMap((path) => chartRows(repository, path, files)),
  ];
}

function kustomizeRow(repository: string, path: string): Row {
  const directly = (root: string) => runDirectly('kubectl', 'kustomize', join(root, path));
  return { repository, path, what: 'kustomize', render: { tool: 'auto' }, directly };
}

/** A plain directory is what a kustomization gives that names its files, or a chart where kustomize does not take them. */
function plainRow(repository: string, path: string, files: readonly string[]): Row {
  const inside = files.filter((file) => file.startsWith(`${path}/`));
  const manifests = inside.filter((file) => isYaml(file) && !KUSTOMIZATIONS.includes(basename(file)));
  const resources = manifests.map((file) => posix.relative(path, file));
  const directly = isNameless(repository, manifests)
    ? (root: string) => templateOf(root, manifests)
    : (root: string) => buildCopy(root, path, resources);
  return { repository, path, what: 'plain', render: { tool: 'plain' }, directly };
}

/** kustomize has no generateName. */
function isNameless(repository: string, files: readonly string[]): boolean {
  return files.some((file) =>
    readFileSync(join(compat ?? '', repository, file), 'utf8').includes('generateName:'),
  );
}

/** The files as the templates of a chart that has nothing else. */
async function templateOf(root: string, files: readonly string[]): Promise<string> {
  const chart = mkdtempSync(join(tmpdir(), 'holdfast-equality-'));
  try {
    writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: plain\nversion: 1.0.0\n');
    mkdirSync(join(chart, 'templates'));
    for (const [index, file] of files.entries())
      cpSync(join(root, file), join(chart, 'templates', `${index}.yaml`));
    return await runDirectly('helm', 'template', RELEASE, chart);
  } finally {
    rmSync(chart, { recursive: true, force: true });
  }
}

/** The kustomization that Flux would write: files, and directories with a kustomization of their own as a whole. */
function generatedRow(
  repository: string,
  path: string,
  files: readonly string[],
  kustomizations: readonly string[],
): Row {
  const bases = kustomizations.filter((directory) => directory.startsWith(`${path}/`));
  const isInBase = (file: string) => bases.some((base) => file.startsWith(`${base}/`));
  const inside = files.filter((file) => file.startsWith(`${path}/`) && !isInBase(file));
  const resources = [...inside.filter((file) => /\.ya?ml$/.test(file)), ...bases];
  const entries = resources.map((file) => posix.relative(path, file));
  return {
    repository,
    path,
    what: 'a generated kustomization',
    render: { tool: 'kustomize' },
    directly: (root) => buildCopy(root, path, entries),
    ...(isNameless(repository, inside) ? { refusal: /missing metadata\.name/ } : {}),
  };
}

async function buildCopy(root: string, path: string, resources: readonly string[]): Promise<string> {
  const copy = mkdtempSync(join(tmpdir(), 'holdfast-equality-'));
  try {
    cpSync(root, copy, { recursive: true });
    writeFileSync(join(copy, path, 'kustomization.yaml'), JSON.stringify({ resources }));
    return await runDirectly('kubectl', 'kustomize', join(copy, path));
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** With the chart's own values, with every other values file beside them, and with everything that a definition may say. */
function chartRows(repository: string, path: string, files: readonly string[]): readonly Row[] {
  const others = files
    .filter((file) => dirname(file) === path && /^values-.*\.yaml$/.test(basename(file)))
    .map((file) => basename(file));
  const row = (what: string, helm: HelmOptions, ...flags: readonly string[]): Row => ({
    repository,
    path,
    what,
    render: { tool: 'auto', releaseName: RELEASE, helm },
    directly: (root) =>
      runDirectly(
        'helm',
        'template',
        RELEASE,
        join(root, path),
        `--namespace=${NAMESPACE}`,
        '--include-crds',
        '--skip-tests',
        `--kube-version=${KUBE_VERSION}`,
        ...flags.map((flag) => flag.replace('{path}', join(root, path))),
      ),
  });
  return [
    row('helm', {}),
    ...others.map((file) => row(`helm with ${file}`, { valuesFiles: [file] }, `--values={path}/${file}`)),
    row(
      'helm with parameters',
      {
        parameters: [
          { name: 'replicaCount', value: '3' },
          { name: 'image.tag', value: '1.10', forceString: true },
        ],
        apiVersions: ['example.com/v1/Thing'],
      },
      '--set=replicaCount=3',
      '--set-string=image.tag=1.10',
      '--api-versions=example.com/v1/Thing',
    ),
  ];
}

const repositories =
  compat === undefined
    ? []
    : readdirSync(compat, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
        .sort();
const rows = repositories.flatMap(rowsOf);
const withCompat = compat === undefined ? describe.skip : withTools;
const titles = (chosen: readonly Row[]) =>
  chosen.map((row) => [`${row.repository}/${row.path}`, row.what, row] as const);

function render({ repository, path, render }: Row) {
  const application = anApplication({ path, render, targetNamespace: NAMESPACE });
  return renderThroughArtefact(join(compat ?? '', repository), application, { kubeVersion: KUBE_VERSION });
}

withCompat('published repositories (HOLDFAST_COMPAT), rendered by us and by the tools', () => {
  const read = new Set<string>();

  it('finds the repositories', () => {
    expect(repositories.length).toBeGreaterThan(0);
  });

  it.each(titles(rows.filter(({ refusal }) => refusal === undefined)))(
    '%s: %s gives what the tool gives on the whole repository',
    async (_path, _what, row) => {
      const ours = await render(row);

      const files = ours.entries.filter(({ type }) => type === 'blob');
      for (const { path } of files) read.add(`${row.repository}/${path}`);
      const theirs = objectsOf(await row.directly(join(compat ?? '', row.repository)));
      expect(theirs.length === 0).toBe(isEmpty(row.path));
      expect(canonical(objectsIn(ours.manifests, theirs))).toEqual(canonical(theirs));
    },
  );

  it.each(titles(rows.filter(({ refusal }) => refusal !== undefined)))(
    'refuses %s: %s, as the tool does',
    async (_path, _what, row) => {
      const { refusal = /never/ } = row;

      await expect(row.directly(join(compat ?? '', row.repository))).rejects.toThrow(refusal);
      await expect(render(row)).rejects.toThrow(refusal);
    },
  );

  it('read every YAML file of the repositories, but for those that are named with a reason', () => {
    const all = repositories.flatMap((name) =>
      filesIn(join(compat ?? '', name)).map((file) => `${name}/${file}`),
    );
    const isNamed = (file: string) =>
      NO_MANIFESTS[file] !== undefined ||
      Object.keys(NOT_COMPARED).some((directory) => file.startsWith(`${directory}/`));

    const left = all.filter((file) => isYaml(file) && !read.has(file) && !isNamed(file));

    expect(left).toEqual([]);
  });
});
