import { join } from 'node:path';

import { HoldfastError } from '../model/errors.ts';
import type { Application } from '../model/application.ts';
import type { Manifest, Origin } from '../model/resource.ts';
import { chartDirectory } from '../source/closure-helm.ts';
import { normalPath } from '../source/closure.ts';
import { helmArguments, releaseNameOf } from './helm-arguments.ts';
import { chartOrigins } from './helm-origins.ts';
import { hookOf } from './helm-hooks.ts';
import { postRender } from './helm-post-render.ts';
import { canCheckSchemas } from './helm-schemas.ts';
import { helmValues } from './helm-values.ts';
import type { HelmValues } from './helm-values.ts';
import { markVolatile } from './helm-volatile.ts';
import { rendersToCompare, withOtherDice } from './helm-dice.ts';
import { decodeText, parseManifests } from './parse-manifests.ts';
import type { PreparedInputs } from './prepare-inputs.ts';
import { materialise, withPrivateDirectory } from './private-directory.ts';
import { renderFaultsError } from './render-faults.ts';
import type { ToolContext } from './render-kustomize.ts';
import type { Rendered, RenderInput } from './renderer.ts';
import { runTool } from './run-tool.ts';
import { hasVariables } from './substitute/substitute-manifests.ts';
import { toolError } from './tool-words.ts';

/** What one run of helm is started on. */
interface HelmRun {
  readonly application: Application;
  /** Path in the private directory → content. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Of the chart, in the private directory. */
  readonly chart: string;
  readonly values: HelmValues;
  readonly argv: readonly string[];
  readonly secrets: readonly string[];
  readonly originOf: (document: { readonly comment: string }) => Origin;
}

/**
 * `helm template` of a chart, with its CRDs. Objects that helm would run as hooks say so in `hook`; tests are left out.
 * A chart that throws dice is rendered again: what comes out differently is `volatile`, with a warning for each object.
 *
 * @throws HoldfastError `render-failed`, `render-refused`, `render-limit`, `value-missing`
 */
export async function renderHelm(
  context: ToolContext,
  prepared: PreparedInputs,
  input: RenderInput,
): Promise<Rendered> {
  const { application } = input;
  const { helm } = application.render;
  const { files, origins } = prepared;
  const chart = chartDirectory(normalPath(application), helm);
  const argv = helmArguments(input);
  const values = helmValues({ limits: context.limits, files }, input);
  const mayCheck = helm?.skipSchemaValidation !== true && canCheckSchemas(context.limits, files, chart);
  const origin = chartOrigins({ limits: context.limits, files, origins }, chart);
  const run: HelmRun = {
    application,
    files,
    chart,
    values,
    argv: [...argv, ...values.argv, ...(mayCheck ? [] : ['--skip-schema-validation'])],
    secrets: [...prepared.secrets, ...values.secrets],
    originOf: ({ comment }) => origin(comment),
  };
  const manifests = await renderOnce(context, run);
  const again: (readonly Manifest[])[] = [];
  const needed = moreRenders(run);
  while (again.length < needed) again.push(await renderAgain(context, run));
  return markVolatile(manifests, again);
}

async function renderOnce(context: ToolContext, run: HelmRun): Promise<readonly Manifest[]> {
  const { limits } = context;
  const { application, values } = run;
  const binary = await context.tools.helm();
  const options = { ...limits, drafts: hasVariables(application) };
  const name = 'helm template';
  const output = await withPrivateDirectory(context.temporaryDirectory, async (directory) => {
    const root = join(directory, 'tree');
    await materialise(root, run.files);
    await materialise(
      join(directory, 'values'),
      values.files.map(({ name, content }) => [name, content] as const),
    );
    try {
      return await runTool({
        name,
        binary,
        argv: [
          'template',
          releaseNameOf(application),
          // An absolute path: helm takes none of them for a chart reference, and it cannot begin with a dash.
          join(root, run.chart),
          ...values.files.map((file) => `--values=${join(directory, 'values', file.name)}`),
          ...run.argv,
        ],
        directory,
        workingDirectory: root,
        limits,
        sandbox: context.sandbox,
      });
    } catch (error) {
      const secrets = [...run.secrets, ...(context.secrets?.hidden() ?? [])];
      throw toolError(error, { name, path: application.path, directory, secrets });
    }
  });
  return withHooks(await postRender(context, run, parseOutput(output, run, options)));
}

function moreRenders({ files, values, chart }: HelmRun): number {
  const ofChart = [...files].flatMap(([path, content]) => (isIn(path, chart) ? [content] : []));
  const needed = [...ofChart, ...values.files.map(({ content }) => content)].map((content) => {
    const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
    return bytes.includes('{{') ? rendersToCompare(bytes.toString('utf8')) : 0;
  });
  return needed.reduce((most, count) => Math.max(most, count), 0);
}

/** With other dice, where the chart takes them; else once more with its own. */
async function renderAgain(context: ToolContext, run: HelmRun): Promise<readonly Manifest[]> {
  const change = (content: Uint8Array): Uint8Array => {
    const text = decodeText(content);
    if (text === undefined || !text.includes('{{')) return content;
    const changed = withOtherDice(text);
    return changed === text ? content : Buffer.from(changed);
  };
  const files = new Map(
    [...run.files].map(([path, content]) => [path, isIn(path, run.chart) ? change(content) : content]),
  );
  const values = {
    ...run.values,
    files: run.values.files.map(({ name, content }) => ({ name, content: change(content) })),
  };
  try {
    return await renderOnce(context, { ...run, files, values });
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'render-failed') throw error;
    return await renderOnce(context, run);
  }
}

function isIn(path: string, directory: string): boolean {
  return directory === '.' || path.startsWith(`${directory}/`);
}

function parseOutput(
  output: Uint8Array,
  { application, originOf }: HelmRun,
  options: Parameters<typeof parseManifests>[2],
): readonly Manifest[] {
  const text = decodeText(output);
  if (text === undefined) {
    throw renderFaultsError([
      { origin: { file: application.path }, message: 'helm wrote something that is not UTF-8 text' },
    ]);
  }
  const { manifests, faults } = parseManifests(text, originOf, options);
  if (faults.length > 0) throw renderFaultsError(faults);
  return withoutRepeatedCrds(manifests);
}

/** A chart that is there under two names brings its crds/ twice. Helm installs the first and leaves it alone then. */
function withoutRepeatedCrds(manifests: readonly Manifest[]): readonly Manifest[] {
  const seen = new Set<string>();
  return manifests.filter(({ object, origin }) => {
    const { name } = object.metadata;
    if (object.kind !== 'CustomResourceDefinition' || !/(?:^|\/)crds\//.test(origin.file)) return true;
    if (name === undefined || seen.has(name)) return name === undefined;
    seen.add(name);
    return true;
  });
}

function withHooks(manifests: readonly Manifest[]): readonly Manifest[] {
  return manifests.flatMap((manifest) => {
    const hook = hookOf(manifest.object);
    if (hook === 'left-out') return [];
    return [hook === undefined ? manifest : { ...manifest, hook }];
  });
}
