import { existsSync } from 'node:fs';
import { mkdtemp, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { createChartHost } from '../charts/create-chart-host.ts';
import { openElsewhere, type ElsewhereOptions } from '../compose/elsewhere.ts';
import { isDefinitionKind } from '../definitions/read-definitions.ts';
import type { Application } from '../model/application.ts';
import { HoldfastError } from '../model/errors.ts';
import type { ApplicationId, RootId, SourceId } from '../model/ids.ts';
import { resourceId, type Manifest } from '../model/resource.ts';
import { compareForApply } from '../plan/order.ts';
import { leaveOutHooks } from '../reconcile/leave-out-hooks.ts';
import { createRenderer } from '../render/create-renderer.ts';
import { normaliseManifests, type Rejection } from '../render/normalise.ts';
import { parseAgeIdentities } from '../render/sops/data-key.ts';
import { builtInScopeOf } from '../render/scopes.ts';
import { findTools } from '../render/tools.ts';
import { packArtefact, unpackArtefact } from '../source/artefact.ts';
import type { SecretRole, SecretStore } from '../secrets/secret-store.ts';
import { inputClosure } from '../source/closure.ts';
import type { Elsewhere } from '../source/closure-walk.ts';
import { createGitHost } from '../source/git-host.ts';
import { localDirectoryReader } from '../source/local-directory.ts';

export interface RenderDirectoryInput {
  readonly path: string;
  readonly namespace?: string;
  readonly kubeVersion?: string;
  readonly releaseName?: string;
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
  /** Definitions: a root registers them, and applies them nowhere. */
  readonly definitions: readonly Manifest[];
  /** Kinds whose scope only the cluster knows, and objects that cannot be applied as they stand. */
  readonly rejections: readonly Rejection[];
  /** What the renderer has to say, and what is left out. */
  readonly notes: readonly string[];
}

/**
 * Renders a directory of this machine, uncommitted changes included, the way a commit of it would be: the same closure,
 * refusals and tools. What it may read ends at the repository's root, or at the directory itself outside of one.
 * @throws HoldfastError as the renderer and the closure do
 */
export async function renderDirectory(input: RenderDirectoryInput): Promise<RenderedDirectory> {
  const { repository, path } = await locate(input.path);
  const reader = await localDirectoryReader(repository);
  const application = applicationOf(path, input);
  const temporary = await mkdtemp(join(tmpdir(), 'holdfast-render-'));
  try {
    const tools = await findTools({ cacheDirectory: input.toolsDirectory });
    const renderer = createRenderer({ tools, temporaryDirectory: temporary });
    const artefact = await withElsewhere(temporary, input.elsewhere ?? {}, async (elsewhere) =>
      packArtefact(await inputClosure({ reader, application, salt: [renderer.version], elsewhere })),
    );
    const output = await renderer.render({
      files: unpackArtefact(artefact.digest, artefact.bytes),
      application,
      ...(input.kubeVersion === undefined ? {} : { kubeVersion: input.kubeVersion }),
      ...(input.ageKeys === undefined ? {} : { keys: { ageIdentities: parseAgeIdentities(input.ageKeys) } }),
    });
    const { manifests: rendered, warnings } = leaveOutHooks(output.manifests);
    const isDefinition = ({ object }: Manifest) => isDefinitionKind(object.apiVersion, object.kind);
    const { manifests, rejections } = normaliseManifests(
      rendered.filter((manifest) => !isDefinition(manifest)),
      {
        ...(input.namespace === undefined ? {} : { targetNamespace: input.namespace }),
        scopeOf: builtInScopeOf,
      },
    );
    return {
      manifests: manifests.toSorted((a, b) => compareForApply(resourceId(a.object), resourceId(b.object))),
      definitions: rendered.filter(isDefinition),
      rejections,
      notes: [...output.warnings, ...warnings],
    };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
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

async function locate(given: string): Promise<{ readonly repository: string; readonly path: string }> {
  const place = await realpath(given).catch(() => undefined);
  if (place === undefined) {
    throw new HoldfastError('path-missing', `${given}: no such file or directory`);
  }
  const start = (await stat(place)).isDirectory() ? place : dirname(place);
  let repository = start;
  for (let directory = start; ; directory = dirname(directory)) {
    if (existsSync(join(directory, '.git'))) {
      repository = directory;
      break;
    }
    if (dirname(directory) === directory) break;
  }
  return { repository, path: relative(repository, place).split(sep).join('/') || '.' };
}

function applicationOf(path: string, input: RenderDirectoryInput): Application {
  return {
    id: 'local' as ApplicationId,
    root: 'local' as RootId,
    dialect: 'holdfast',
    namespace: 'default',
    name: input.releaseName ?? 'release-name',
    source: 'local' as SourceId,
    ref: { kind: 'branch', name: 'main' },
    path,
    render: {
      tool: 'auto',
      ...(input.releaseName === undefined ? {} : { releaseName: input.releaseName }),
    },
    destinations: [],
    ...(input.namespace === undefined ? {} : { targetNamespace: input.namespace }),
    createNamespace: false,
    prune: true,
    drift: 'correct',
    suspend: false,
  };
}
