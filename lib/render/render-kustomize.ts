import { join, posix } from 'node:path';

import type { Application } from '../model/application.ts';
import { HoldfastError } from '../model/errors.ts';
import type { Manifest } from '../model/resource.ts';
import type { RenderLimits } from './limits.ts';
import { decodeText, parseManifests } from './parse-manifests.ts';
import type { ParseOptions } from './parse-manifests.ts';
import { parseYaml } from './parse-yaml.ts';
import type { PreparedInputs } from './prepare-inputs.ts';
import { materialise, withPrivateDirectory } from './private-directory.ts';
import { renderFaultsError } from './render-faults.ts';
import { runTool } from './run-tool.ts';
import type { Sandbox } from './sandbox.ts';
import type { SecretTexts } from './secret-texts.ts';
import { hasVariables } from './substitute/substitute-manifests.ts';
import { toolError } from './tool-words.ts';
import type { ToolPaths } from './tools.ts';

export interface ToolContext {
  readonly tools: ToolPaths;
  readonly temporaryDirectory: string;
  readonly limits: RenderLimits;
  /** @default what this machine allows */
  readonly sandbox?: Sandbox | undefined;
  /** Of the render at hand: to be kept out of what its tool says. */
  readonly secrets?: SecretTexts;
}

/** `kubectl kustomize` on the files its kustomizations refer to, and on nothing else. */
export async function renderKustomize(
  context: ToolContext,
  prepared: PreparedInputs,
  application: Application,
): Promise<readonly Manifest[]> {
  const path = posix.normalize(application.path || '.').replace(/(.)\/$/, '$1');
  const { files, secrets } = prepared;
  const output = await runKustomize(context, { path, files, secrets }).catch((error: unknown) => {
    throw repeatedKeys(error, prepared, context.limits) ?? error;
  });
  return parseOutput(output, path, { ...context.limits, drafts: hasVariables(application) });
}

/** kustomize says of a key that stands twice in which line it does, and not in which file. */
function repeatedKeys(
  error: unknown,
  { walked, files }: PreparedInputs,
  limits: RenderLimits,
): HoldfastError | undefined {
  if (!(error instanceof HoldfastError) || !/ already defined at line \d/.test(error.message))
    return undefined;
  const faults = [...walked.roles].flatMap(([file, roles]) => {
    const text = roles.has('yaml') || roles.has('manifest') ? decodeText(files.get(file) ?? NO_BYTES) : '';
    return parseYaml(text ?? '', { limits }).flatMap((document) =>
      document.ok ? [] : [{ origin: { file, line: document.line }, message: document.message }],
    );
  });
  return faults.length === 0 ? undefined : renderFaultsError(faults);
}

const NO_BYTES = new Uint8Array();

export interface KustomizeRun {
  /** Of the directory with the kustomization. */
  readonly path: string;
  /** All that there is, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** To be kept out of what the tool says, with those of the context. */
  readonly secrets: readonly string[];
}

/**
 * What `kubectl kustomize` writes about files that have been checked.
 *
 * @throws HoldfastError `render-failed` with the tool's words, `render-limit`
 */
export async function runKustomize(context: ToolContext, run: KustomizeRun): Promise<Uint8Array> {
  const { limits } = context;
  const { path, files } = run;
  const binary = await context.tools.kubectl();
  return await withPrivateDirectory(context.temporaryDirectory, async (directory) => {
    const root = join(directory, 'tree');
    await materialise(root, files);
    try {
      return await runTool({
        name: 'kubectl kustomize',
        binary,
        // An absolute path: kustomize takes none of them for a URL, and it cannot begin with a dash.
        argv: ['kustomize', join(root, path), '--load-restrictor=LoadRestrictionsRootOnly'],
        directory,
        workingDirectory: root,
        limits,
        sandbox: context.sandbox,
      });
    } catch (error) {
      const secrets = [...run.secrets, ...(context.secrets?.hidden() ?? [])];
      throw toolError(error, { name: 'kubectl kustomize', path, directory, secrets });
    }
  });
}

function parseOutput(output: Uint8Array, path: string, options: ParseOptions): readonly Manifest[] {
  const origin = { file: path };
  const text = decodeText(output);
  if (text === undefined)
    throw renderFaultsError([{ origin, message: 'kustomize wrote something that is not UTF-8 text' }]);
  const { manifests, faults } = parseManifests(text, () => origin, options);
  if (faults.length > 0) throw renderFaultsError(faults);
  return manifests;
}
