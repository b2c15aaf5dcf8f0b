import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';

import type { Json, Manifest } from '../../lib/model/resource.ts';
import { caseNames, readCase } from './corpus/read-case.ts';
import type { Case } from './corpus/read-case.ts';
import { canonical, objectsIn, objectsOf, renderThroughArtefact, runDirectly } from './equality.ts';
import { whySkipped, withTools } from './tools-for-tests.ts';

const KUSTOMIZATIONS = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];

/** Why what Holdfast gives is more than what a tool gives by itself; undefined where the two can be compared. */
function whyNotCompared({ directory, repository, application, elsewhere }: Case): string | undefined {
  const { render, path } = application;
  if (existsSync(join(directory, 'error.txt'))) return 'refused';
  if (elsewhere.charts !== undefined || elsewhere.openBase !== undefined) return 'from elsewhere';
  if (render.substitute !== undefined) return 'variables';
  if (render.decryption !== undefined) return 'SOPS';
  if (render.commonMetadata !== undefined) return 'common metadata';
  if (render.kustomize !== undefined) return 'options on top of a kustomization';
  if (render.helm?.valuesFrom !== undefined) return 'values from elsewhere';
  if (render.helm?.postRender !== undefined) return 'patches over a chart';
  if (render.plain !== undefined) return 'plain';
  return toolOf(join(repository, path)) === undefined ? 'plain' : undefined;
}

function toolOf(directory: string): 'kustomize' | 'helm' | undefined {
  if (KUSTOMIZATIONS.some((name) => existsSync(join(directory, name)))) return 'kustomize';
  return existsSync(join(directory, 'Chart.yaml')) ? 'helm' : undefined;
}

/** On a copy of the whole repository: helm writes what it depends on into its chart. */
async function directly({ repository, application, input }: Case): Promise<string> {
  const { path, render, targetNamespace, name } = application;
  const { helm } = render;
  const copy = mkdtempSync(join(tmpdir(), 'holdfast-equality-'));
  try {
    cpSync(repository, copy, { recursive: true });
    const place = join(copy, path);
    if (toolOf(place) === 'kustomize') return await runDirectly('kubectl', 'kustomize', place);
    vendor(place);
    const values = join(copy, 'inline-values.json');
    writeFileSync(values, JSON.stringify(helm?.values ?? {}));
    const kubeVersion = helm?.kubeVersion ?? input.kubeVersion;
    const files = (helm?.valuesFiles ?? [])
      .map((file) => join(place, file))
      .filter((file) => existsSync(file));
    return await runDirectly(
      'helm',
      'template',
      render.releaseName ?? name,
      place,
      `--namespace=${helm?.namespace ?? targetNamespace ?? 'default'}`,
      ...(helm?.skipCrds === true ? [] : ['--include-crds']),
      ...(helm?.skipSchemaValidation === true ? ['--skip-schema-validation'] : []),
      ...(kubeVersion === undefined ? [] : [`--kube-version=${kubeVersion}`]),
      ...[...(input.apiVersions ?? []), ...(helm?.apiVersions ?? [])].map((each) => `--api-versions=${each}`),
      ...[...files, values].map((file) => `--values=${file}`),
      ...(helm?.parameters ?? []).map(
        ({ name, value, forceString }) =>
          `${forceString === true ? '--set-string' : '--set'}=${name}=${asWritten(value)}`,
      ),
    );
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** As somebody writes it on a command line who means one value. */
const asWritten = (value: string) => (value.startsWith('{') ? value : value.replaceAll(',', '\\,'));

/** What stands at file:// is put into charts/ by hand: helm would want to fetch the others again, vendored or not. */
function vendor(chart: string): void {
  for (const file of ['Chart.yaml', 'requirements.yaml'].map((name) => join(chart, name))) {
    if (!existsSync(file)) continue;
    const { dependencies = [] } = parse(readFileSync(file, 'utf8')) as ChartFile;
    for (const { name, repository = '' } of dependencies) {
      if (!repository.startsWith('file://')) continue;
      const from = join(chart, repository.slice('file://'.length));
      vendor(from);
      cpSync(from, join(chart, 'charts', name), { recursive: true });
    }
  }
}

interface ChartFile {
  readonly dependencies?: readonly { readonly name: string; readonly repository?: string }[];
}

/** The events of an object that helm has and a sync has not. */
const OTHER_EVENTS = ['test', 'test-success', 'test-failure', 'pre-rollback', 'post-rollback'];

function isOfASync(object: Json): boolean {
  const { annotations } = (object as unknown as Manifest['object']).metadata;
  const events = annotations?.['helm.sh/hook']?.split(',').map((event) => event.trim());
  return events === undefined || events.some((event) => !OTHER_EVENTS.includes(event));
}

/** What differs from render to render is left out of both. */
function withoutVolatile(objects: readonly Json[], manifests: readonly Manifest[]): readonly Json[] {
  return objects.map((object) => {
    const { kind, metadata } = object as unknown as Manifest['object'];
    const found = manifests.find(
      (each) => each.object.kind === kind && each.object.metadata.name === metadata.name,
    );
    const copy = structuredClone(object) as Record<string, unknown>;
    for (const pointer of found?.volatile ?? []) {
      const keys = pointer.slice(1).split('/');
      const last = keys.pop() ?? '';
      delete keys.reduce((at, key) => at[key] as Record<string, unknown>, copy)[last];
    }
    return copy as unknown as Json;
  });
}

const cases = caseNames.map(readCase);
const compared = cases.filter((each) => whyNotCompared(each) === undefined);

withTools(`the corpus, rendered by us and by the tools${whySkipped}`, () => {
  it.each(compared.map((each) => [each.name, each] as const))('%s', async (_name, each) => {
    const { repository, application, input } = each;

    const { manifests } = await renderThroughArtefact(repository, application, input);

    const theirs = objectsOf(await directly(each)).filter(isOfASync);
    const ours = objectsIn(manifests, theirs);
    expect(canonical(withoutVolatile(ours, manifests))).toEqual(
      canonical(withoutVolatile(theirs, manifests)),
    );
  });

  it('covers all that the tools can do by themselves', () => {
    const reasons = new Set(cases.map(whyNotCompared));

    expect([...reasons].sort()).toEqual(
      [
        'SOPS',
        'common metadata',
        'from elsewhere',
        'options on top of a kustomization',
        'patches over a chart',
        'plain',
        'refused',
        'values from elsewhere',
        'variables',
        undefined,
      ].sort(),
    );
    expect(compared.length).toBeGreaterThan(30);
  });
});
