import { HoldfastError } from '../model/errors.ts';
import type { Manifest } from '../model/resource.ts';
import { mayLackPath } from '../source/closure.ts';
import { isIgnoreFile } from '../source/ignore-filter.ts';
import { setCommonMetadata } from './common-metadata.ts';
import { decryptFiles, decryptSecrets } from './decrypt-inputs.ts';
import { deriveNames } from './derive-names.ts';
import { addExternalSecrets } from './external-secret-texts.ts';
import { DEFAULT_RENDER_LIMITS } from './limits.ts';
import type { RenderLimits } from './limits.ts';
import { prepareInputs } from './prepare-inputs.ts';
import { removeAbandoned } from './private-directory.ts';
import { refuseEncrypted } from './refuse-encrypted.ts';
import { renderHelm } from './render-helm.ts';
import { renderKustomize } from './render-kustomize.ts';
import type { ToolContext } from './render-kustomize.ts';
import { renderPlain } from './render-plain.ts';
import type { Rendered, Renderer, RenderInput } from './renderer.ts';
import type { Sandbox } from './sandbox.ts';
import { collectSecretTexts } from './secret-texts.ts';
import type { SecretTexts } from './secret-texts.ts';
import { collectVariables } from './substitute/collect-variables.ts';
import { hasVariables, substituteManifests } from './substitute/substitute-manifests.ts';
import type { ToolPaths } from './tools.ts';
import { indexTree } from './tree-index.ts';

/** Counts up when the same files come to other manifests; it is part of every input closure. */
const RENDER_FORMAT = 2;

/** Longest first. One render must not push out of memory what others are to keep out of logs, too. */
const MAX_TOLD = 1_000;

/**
 * Artefact → manifests, with the tool that the application names or that its path asks for. Reads nothing but the given
 * files; kustomize and helm see them in a directory of mode 0700 that is gone when `render` returns or throws. What SOPS
 * encrypted is decrypted first, in memory and in that directory alone.
 *
 * Errors, all HoldfastError, without secrets: `path-missing`; `render-failed` with every faulty document;
 * `render-refused` for what could reach outside, and for secrets in anything but a Secret; `render-limit`; `internal`,
 * retryable, where KMS gives no answer.
 */
export function createRenderer(options: {
  readonly tools: ToolPaths;
  readonly temporaryDirectory: string;
  readonly limits?: Partial<RenderLimits>;
  /** @default what this machine allows */
  readonly sandbox?: Sandbox;
  /** Told every secret text of a render, whatever becomes of it: to be kept out of logs. */
  readonly onSecret?: (text: string) => void;
}): Renderer {
  const limits: RenderLimits = { ...DEFAULT_RENDER_LIMITS, ...options.limits };
  const { tools, temporaryDirectory, sandbox } = options;
  const context = { tools, temporaryDirectory, limits, sandbox };
  let cleaning: Promise<void> | undefined;
  return {
    version: `render-${RENDER_FORMAT}+${options.tools.version}`,
    render: async (input) => {
      // Also where no tool is started any more that would clean up. Nothing there is nothing to clean.
      cleaning ??= removeAbandoned(options.temporaryDirectory).catch(() => undefined);
      await cleaning;
      const secrets = collectSecretTexts(input.files, JSON.stringify(input.application));
      try {
        return await renderInput({ ...context, secrets }, input);
      } catch (error) {
        throw withoutSecrets(error, secrets);
      } finally {
        for (const text of secrets.hidden().slice(0, MAX_TOLD)) options.onSecret?.(text);
      }
    },
  };
}

type RenderContext = ToolContext & { readonly secrets: SecretTexts };

async function renderInput(context: RenderContext, input: RenderInput): Promise<Rendered> {
  const { limits, secrets } = context;
  const { application, keys, values, purpose = 'apply' } = input;
  if (values !== undefined) addExternalSecrets(secrets, values, limits);
  const decryption = keys === undefined || purpose === 'definitions' ? undefined : { keys, secrets, limits };
  const files = decryption === undefined ? input.files : await decryptFiles(input.files, decryption);
  const { manifests, warnings } = await runTools(context, { ...input, files });
  if (manifests.length > limits.maxManifests) {
    throw new HoldfastError(
      'render-limit',
      `${application.path}: ${manifests.length} objects, at most ${limits.maxManifests} are allowed: split the application`,
    );
  }
  const decrypted = decryption === undefined ? manifests : await decryptSecrets(manifests, decryption);
  const { substitute } = application.render;
  const substituted =
    substitute === undefined
      ? decrypted
      : substituteManifests(decrypted, collectVariables(application, values), substitute.strategy, limits);
  const final = deriveNames(setCommonMetadata(substituted, application.render.commonMetadata));
  if (purpose === 'apply') {
    refuseEncrypted(final);
    secrets.refuseOutside(final);
  }
  return { manifests: final, warnings };
}

async function runTools(context: RenderContext, input: RenderInput): Promise<Rendered> {
  const { limits } = context;
  const { application } = input;
  const tree = indexTree(input.files, limits);
  assertPathExists(
    application.path,
    tree.paths.every(isIgnoreFile) || mayLackPath(application),
    tree.isFile(application.path) || tree.isDirectory(application.path),
  );
  const prepared = await prepareInputs(context, tree, application);
  switch (prepared.tool) {
    case 'plain':
      return withoutWarnings(
        renderPlain(tree, prepared.walked, { ...limits, drafts: hasVariables(application) }),
      );
    case 'kustomize':
      return withoutWarnings(await renderKustomize(context, prepared, application));
    case 'helm':
      return await renderHelm(context, prepared, input);
  }
}

function withoutWarnings(manifests: readonly Manifest[]): Rendered {
  return { manifests, warnings: [] };
}

/** Whoever wrote the message may have quoted what was decrypted. */
function withoutSecrets(error: unknown, secrets: SecretTexts): unknown {
  if (!(error instanceof HoldfastError) || secrets.hidden().length === 0) return error;
  const { code, retryable, details } = error;
  return new HoldfastError(code, secrets.mask(error.message), {
    retryable,
    details: Object.fromEntries(
      Object.entries(details).map(([name, value]) => {
        if (typeof value === 'string') return [name, secrets.mask(value)];
        return [name, Array.isArray(value) ? value.map((text) => secrets.mask(String(text))) : value];
      }),
    ),
  });
}

function assertPathExists(path: string, nothingAtAll: boolean, exists: boolean): void {
  // An artefact without any file but ignore files is a directory without manifests: empty, not missing. Pruning has its own guard for that.
  if (exists || nothingAtAll) return;
  throw new HoldfastError('path-missing', `${path}: no such path in the repository: correct spec.path`);
}
