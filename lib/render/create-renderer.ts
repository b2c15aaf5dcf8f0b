import { HoldfastError } from '../model/errors.ts';
import { chooseTool } from './choose-tool.ts';
import { DEFAULT_RENDER_LIMITS } from './limits.ts';
import type { RenderLimits } from './limits.ts';
import { refuseEncrypted } from './refuse-encrypted.ts';
import { renderHelm } from './render-helm.ts';
import { renderKustomize } from './render-kustomize.ts';
import { renderPlain } from './render-plain.ts';
import type { Renderer, RenderInput } from './renderer.ts';
import { hasVariables, substituteManifests } from './substitute/substitute-manifests.ts';
import type { ToolPaths } from './tools.ts';
import { indexTree } from './tree-index.ts';

/** Counts up when the same files come to other manifests; it is part of every input closure. */
const RENDER_FORMAT = 1;

/**
 * Artefact → manifests, with the tool that the application names or that its path asks for. Reads nothing but the given
 * files; kustomize and helm see them in a directory of mode 0700 that is gone when `render` returns or throws.
 *
 * Errors, all HoldfastError: `path-missing`; `render-failed` with every faulty document; `render-refused` for what could
 * reach outside; `render-limit`.
 */
export function createRenderer(options: {
  readonly tools: ToolPaths;
  readonly temporaryDirectory: string;
  readonly limits?: Partial<RenderLimits>;
}): Renderer {
  const limits: RenderLimits = { ...DEFAULT_RENDER_LIMITS, ...options.limits };
  const context = { tools: options.tools, temporaryDirectory: options.temporaryDirectory, limits };
  const render = async (input: RenderInput) => {
    const { application } = input;
    const tree = indexTree(input.files, limits);
    assertPathExists(
      application.path,
      tree.paths.length === 0,
      tree.isFile(application.path) || tree.isDirectory(application.path),
    );
    switch (chooseTool(application, tree)) {
      case 'plain':
        return renderPlain(tree, application.path, { ...limits, drafts: hasVariables(application) });
      case 'kustomize':
        return await renderKustomize(context, tree, application);
      case 'helm':
        return await renderHelm(context, tree, input);
    }
  };
  return {
    version: `render-${RENDER_FORMAT}+${options.tools.version}`,
    render: async (input) => {
      const manifests = await render(input);
      if (manifests.length > limits.maxManifests) {
        throw new HoldfastError(
          'render-limit',
          `${input.application.path}: ${manifests.length} objects, at most ${limits.maxManifests} are allowed: split the application`,
        );
      }
      const { substitute } = input.application.render;
      const final = substitute === undefined ? manifests : substituteManifests(manifests, substitute, limits);
      refuseEncrypted(final);
      return { manifests: final, warnings: [] };
    },
  };
}

function assertPathExists(path: string, nothingAtAll: boolean, exists: boolean): void {
  // An artefact without any file is a directory without manifests: empty, not missing. Pruning has its own guard for that.
  if (exists || nothingAtAll) return;
  throw new HoldfastError('path-missing', `${path}: no such path in the repository: correct spec.path`);
}
