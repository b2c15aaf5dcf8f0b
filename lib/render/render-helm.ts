import { join, posix } from 'node:path';

import { HoldfastError } from '../model/errors.ts';
import type { Application } from '../model/application.ts';
import type { Manifest, Origin } from '../model/resource.ts';
import { decodeText, parseManifests } from './parse-manifests.ts';
import type { ParseOptions } from './parse-manifests.ts';
import { preflightHelm } from './preflight-helm.ts';
import type { HelmPreflight } from './preflight-helm.ts';
import { materialise, withPrivateDirectory } from './private-directory.ts';
import { renderFaultsError } from './render-faults.ts';
import { contentsOf } from './render-kustomize.ts';
import type { ToolContext } from './render-kustomize.ts';
import type { RenderInput } from './renderer.ts';
import { runTool } from './run-tool.ts';
import { hasVariables } from './substitute/substitute-manifests.ts';
import { toolError } from './tool-words.ts';
import type { TreeIndex } from './tree-index.ts';

const RELEASE_NAME = /^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$/;
const KUBE_VERSION = /^v?\d+\.\d+(?:\.\d+)?(?:[-+][0-9A-Za-z.+-]*)?$/;
const API_VERSION = /^[A-Za-z0-9][A-Za-z0-9./-]*$/;

/**
 * `helm template` of a chart in the repository, with its CRDs. Objects that helm would run as hooks (annotation
 * `helm.sh/hook`) are left out: applied as ordinary objects they would run at the wrong time, over and over.
 */
export async function renderHelm(
  context: ToolContext,
  tree: TreeIndex,
  input: RenderInput,
): Promise<readonly Manifest[]> {
  const { limits } = context;
  const { application } = input;
  const argv = helmArguments(input);
  const preflight = preflightHelm({ tree, limits }, application.path);
  const binary = await context.tools.helm();
  return await withPrivateDirectory(context.temporaryDirectory, async (directory) => {
    const root = join(directory, 'tree');
    await materialise(root, contentsOf(tree, preflight.files));
    try {
      const output = await runTool({
        name: 'helm template',
        binary,
        argv: [
          'template',
          releaseNameOf(application),
          // An absolute path: helm takes none of them for a chart reference, and it cannot begin with a dash.
          join(root, application.path),
          ...argv,
          ...(preflight.validateSchema ? [] : ['--skip-schema-validation']),
        ],
        directory,
        workingDirectory: root,
        limits,
      });
      return parseOutput(output, application.path, preflight, {
        ...limits,
        drafts: hasVariables(application),
      });
    } catch (error) {
      throw toolError(error, {
        name: 'helm template',
        path: application.path,
        directory,
        secrets: [...preflight.secrets, ...(context.secrets?.hidden() ?? [])],
      });
    }
  });
}

function releaseNameOf(application: Application): string {
  const name = application.render.releaseName ?? application.name;
  if (!RELEASE_NAME.test(name) || name.length > 53) {
    throw new HoldfastError(
      'render-refused',
      `release name ${JSON.stringify(name.slice(0, 80))}: expected at most 53 lower-case letters, digits, dashes and dots; set spec.render.releaseName`,
    );
  }
  return name;
}

function helmArguments({ application, kubeVersion, apiVersions = [] }: RenderInput): readonly string[] {
  if (kubeVersion !== undefined && !KUBE_VERSION.test(kubeVersion)) {
    throw new HoldfastError(
      'render-refused',
      `Kubernetes version ${JSON.stringify(kubeVersion)}: expected one such as v1.35.2`,
    );
  }
  const odd = apiVersions.find((version) => !API_VERSION.test(version));
  if (odd !== undefined) {
    throw new HoldfastError(
      'render-refused',
      `API version ${JSON.stringify(odd)}: expected one such as apps/v1 or apps/v1/Deployment`,
    );
  }
  return [
    `--namespace=${application.targetNamespace ?? 'default'}`,
    '--include-crds',
    '--no-hooks',
    ...(kubeVersion === undefined ? [] : [`--kube-version=${kubeVersion}`]),
    ...(apiVersions.length === 0 ? [] : [`--api-versions=${apiVersions.join(',')}`]),
  ];
}

function parseOutput(
  output: Uint8Array,
  path: string,
  preflight: HelmPreflight,
  options: ParseOptions,
): readonly Manifest[] {
  const text = decodeText(output);
  if (text === undefined) {
    throw renderFaultsError([
      { origin: { file: path }, message: 'helm wrote something that is not UTF-8 text' },
    ]);
  }
  const originOf = ({ comment }: { readonly comment: string }): Origin =>
    templateOf(comment, path, preflight);
  const { manifests, faults } = parseManifests(text, originOf, options);
  if (faults.length > 0) throw renderFaultsError(faults);
  return manifests.filter(({ object }) => !isHook(object.metadata.annotations));
}

function isHook(annotations: Readonly<Record<string, unknown>> | null | undefined): boolean {
  const hook = annotations?.['helm.sh/hook'];
  return typeof hook === 'string' && hook !== 'crd-install';
}

/** `# Source: <chart>/templates/x.yaml`: the template in the repository, or the chart where that is not to be found. */
function templateOf(comment: string, path: string, preflight: HelmPreflight): Origin {
  const source = /^ ?Source: (.+)$/m.exec(comment)?.[1]?.trim();
  if (source?.startsWith(`${preflight.chartName}/`)) {
    const template = preflight.files.get(posix.join(path, source.slice(preflight.chartName.length + 1)));
    if (template !== undefined) return { file: template };
  }
  return { file: path };
}
