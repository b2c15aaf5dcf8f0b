import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createChartHost } from '../charts/create-chart-host.ts';
import { openElsewhere, type ElsewhereOptions } from '../compose/elsewhere.ts';
import { isDefinitionKind } from '../definitions/read-definitions.ts';
import type { Application } from '../model/application.ts';
import { HoldfastError } from '../model/errors.ts';
import type { ApplicationId, RootId, SourceId } from '../model/ids.ts';
import { resourceId, type Manifest } from '../model/resource.ts';
import { namespaceToCreate } from '../plan/build-plan.ts';
import { compareForApply } from '../plan/order.ts';
import { createRenderer } from '../render/create-renderer.ts';
import { normaliseManifests, type Rejection } from '../render/normalise.ts';
import type { RenderInput } from '../render/renderer.ts';
import { parseAgeIdentities } from '../render/sops/data-key.ts';
import { builtInScopeOf } from '../render/scopes.ts';
import { findTools } from '../render/tools.ts';
import { usesHelm } from '../render/uses-helm.ts';
import { packArtefact, unpackArtefact } from '../source/artefact.ts';
import type { SecretRole, SecretStore } from '../secrets/secret-store.ts';
import { inputClosure } from '../source/closure.ts';
import type { Elsewhere } from '../source/closure-walk.ts';
import type { FileTree } from '../source/file-tree.ts';
import { createGitHost } from '../source/git-host.ts';
import { localDirectoryReader } from '../source/local-directory.ts';
import type { DeclaredApplication } from './declared-application.ts';
import { readLocalValues } from './local-values.ts';
import { locateDirectory } from './locate-directory.ts';
import type { LocalValue } from './options.ts';

export interface RenderDirectoryInput {
  /** @default the path that `declared` says, in the repository in which it is declared */
  readonly path?: string;
  /** How to render. @default what lies at the path decides, and the next two */
  readonly declared?: DeclaredApplication;
  readonly namespace?: string;
  readonly releaseName?: string;
  /** What the destination is and serves. @default what helm takes for granted */
  readonly kubeVersion?: string;
  readonly apiVersions?: readonly string[];
  /** For what an application takes from elsewhere. */
  readonly values?: readonly LocalValue[];
  /** age identities, a line each, for what SOPS encrypted. @default such objects are refused */
  readonly ageKeys?: string;
  /** What may be read that does not lie in the directory. @default public charts, and no bases */
  readonly elsewhere?: ElsewhereOptions;
  /** Tools are unpacked here once. */
  readonly toolsDirectory: string;
}

export interface RenderedDirectory {
  /** In the order in which they would be applied, as they would be sent, without marks. */
  readonly manifests: readonly Manifest[];
  /** What a chart has run around the rest, and Holdfast does not run yet. */
  readonly hooks: readonly Manifest[];
  /** Definitions: a root registers them, and applies them nowhere. */
  readonly definitions: readonly Manifest[];
  /** Kinds whose scope only the cluster knows, and objects that cannot be applied as they stand. */
  readonly rejections: readonly Rejection[];
  /** What the renderer has to say, and what only an installation knows. */
  readonly notes: readonly string[];
}

/**
 * Renders a directory of this machine, uncommitted changes included, the way a commit of it would be: the same closure,
 * refusals and tools, and the same form of the objects. What it may read ends at the repository's root, or at the
 * directory itself outside of one.
 * @throws HoldfastError as the renderer, the closure and readLocalValues do
 */
export async function renderDirectory(input: RenderDirectoryInput): Promise<RenderedDirectory> {
  const { repository, application } = await applicationOf(input);
  const { values, unused } = await readLocalValues(application, input.values ?? []);
  const reader = await localDirectoryReader(repository);
  const temporary = await mkdtemp(join(tmpdir(), 'holdfast-render-'));
  try {
    const tools = await findTools({ cacheDirectory: input.toolsDirectory });
    const renderer = createRenderer({ tools, temporaryDirectory: temporary });
    const artefact = await withElsewhere(temporary, input.elsewhere ?? {}, async (elsewhere) =>
      packArtefact(await inputClosure({ reader, application, salt: [renderer.version], elsewhere })),
    ).catch((error: unknown) => {
      throw inWordsOfDirectories(error, input);
    });
    const files = unpackArtefact(artefact.digest, artefact.bytes);
    const output = await renderer
      .render({ files, application, values, ...outsideOf(input, application) })
      .catch((error: unknown) => {
        throw inWordsOfKeys(error, input);
      });
    return {
      ...settle(output.manifests, application),
      notes: [
        ...output.warnings,
        ...unused.map((what) => `--from: the application takes nothing from ${what}`),
        ...unknownHere(input, application, files),
      ],
    };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function outsideOf(
  input: RenderDirectoryInput,
  { render }: Application,
): Pick<RenderInput, 'keys' | 'kubeVersion' | 'apiVersions'> {
  const { ageKeys, kubeVersion, apiVersions } = input;
  const decrypts = input.declared === undefined ? ageKeys !== undefined : render.decryption !== undefined;
  return {
    ...(kubeVersion === undefined ? {} : { kubeVersion }),
    ...(apiVersions === undefined ? {} : { apiVersions }),
    ...(decrypts ? { keys: { ageIdentities: parseAgeIdentities(ageKeys ?? '') } } : {}),
  };
}

/** As a run settles them before it looks at the cluster; see lib/reconcile/plan-target.ts. */
function settle(rendered: readonly Manifest[], application: Application): Omit<RenderedDirectory, 'notes'> {
  const { targetNamespace, createNamespace } = application;
  const options = {
    ...(targetNamespace === undefined ? {} : { targetNamespace }),
    scopeOf: builtInScopeOf,
  };
  const isDefinition = ({ object }: Manifest) => isDefinitionKind(object.apiVersion, object.kind);
  const applied = rendered.filter((manifest) => manifest.hook === undefined && !isDefinition(manifest));
  const { manifests, rejections } = normaliseManifests(applied, options);
  const declares = applied.some(
    ({ object }) => object.kind === 'Namespace' && object.metadata.name === targetNamespace,
  );
  const namespaces =
    createNamespace && targetNamespace !== undefined && !declares ? [namespaceToCreate(targetNamespace)] : [];
  return {
    manifests: [...namespaces, ...manifests].toSorted((a, b) =>
      compareForApply(resourceId(a.object), resourceId(b.object)),
    ),
    hooks: rendered.flatMap((manifest) => {
      const { hook } = manifest;
      if (hook === undefined) return [];
      const settled = normaliseManifests([manifest], options);
      return [...settled.manifests, ...settled.rejections.map((each) => each.manifest)].map((each) => ({
        ...each,
        hook,
      }));
    }),
    definitions: rendered.filter(isDefinition),
    rejections,
  };
}

/** Where the output may differ from what a run applies, because only the destination knows. */
function unknownHere(
  input: RenderDirectoryInput,
  application: Application,
  files: FileTree,
): readonly string[] {
  const { helm, validation } = application.render;
  const asks = (): boolean =>
    files.paths.some((path) => Buffer.from(files.read(path) ?? []).includes('.Capabilities'));
  const isTold = (input.kubeVersion ?? helm?.kubeVersion) !== undefined && input.apiVersions !== undefined;
  return [
    ...(usesHelm(application, files) && !isTold && asks()
      ? [
          'the chart asks what the cluster is and serves: without --kube-version and --api-versions it was told what helm takes for granted',
        ]
      : []),
    ...(validation === 'strict'
      ? ['spec.render.validation: only a cluster can tell, so nothing was checked']
      : []),
  ];
}

/** The source stage's view of the rest of the world, without a credential for any of it. */
async function withElsewhere<T>(
  temporary: string,
  options: ElsewhereOptions,
  use: (elsewhere: Elsewhere) => Promise<T>,
): Promise<T> {
  const git = createGitHost({ secrets: NO_SECRETS, cacheDirectory: join(temporary, 'git') });
  const charts = createChartHost({
    secrets: NO_SECRETS,
    cacheDirectory: join(temporary, 'charts'),
    allowedOrigins: options.chartOrigins ?? [],
  });
  try {
    const { elsewhere, close } = openElsewhere({ git, charts }, options)();
    return await use(elsewhere).finally(close);
  } finally {
    await charts.close();
    await git.close();
  }
}

const noSecret = async (role: SecretRole, name: string): Promise<never> => {
  throw new HoldfastError('secret-missing', `secret ${role}/${name}: this command has no secrets`);
};
const NO_SECRETS: SecretStore = { get: noSecret, put: noSecret, delete: noSecret };

async function applicationOf(
  input: RenderDirectoryInput,
): Promise<{ readonly repository: string; readonly application: Application }> {
  const { path, declared } = input;
  if (declared === undefined) {
    const located = await locateDirectory(path ?? '.');
    return { repository: located.repository, application: undeclared(located.path, input) };
  }
  const { repository, path: found } = await locateDirectory(path ?? declared.file);
  const { application } = declared;
  return { repository, application: path === undefined ? application : { ...application, path: found } };
}

function inWordsOfKeys(error: unknown, { declared, ageKeys }: RenderDirectoryInput): unknown {
  const wantsKeys = declared?.application.render.decryption?.age !== undefined && ageKeys === undefined;
  if (!wantsKeys || !(error instanceof HoldfastError) || !error.message.includes('no key opens it'))
    return error;
  const message = `${error.message}: give the age identities with --age-key-file`;
  return new HoldfastError(error.code, message, { cause: error });
}

/** The application may lie in another repository than the one that declares it. */
function inWordsOfDirectories(error: unknown, { declared, path }: RenderDirectoryInput): unknown {
  const isMissing = error instanceof HoldfastError && error.code === 'path-missing';
  if (!isMissing || declared === undefined || path !== undefined) return error;
  const { application, file } = declared;
  const message = `${application.path}: no such path in the repository of ${file}: give the path of a checkout of source "${application.source}" as well`;
  return new HoldfastError('path-missing', message, { cause: error });
}

function undeclared(path: string, input: RenderDirectoryInput): Application {
  const { releaseName, namespace } = input;
  return {
    id: 'local' as ApplicationId,
    root: 'local' as RootId,
    dialect: 'holdfast',
    namespace: 'default',
    name: releaseName ?? 'release-name',
    source: 'local' as SourceId,
    ref: { kind: 'branch', name: 'main' },
    path,
    render: { tool: 'auto', ...(releaseName === undefined ? {} : { releaseName }) },
    destinations: [],
    ...(namespace === undefined ? {} : { targetNamespace: namespace }),
    createNamespace: false,
    prune: true,
    drift: 'correct',
    suspend: false,
  };
}
