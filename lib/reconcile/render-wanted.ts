import type { ArtefactStore } from '../artefact/artefact-store.ts';
import type { KubeApi } from '../cluster/kube-api.ts';
import { isDefinitionKind } from '../definitions/read-definitions.ts';
import type { RecordedInputs, TargetState } from '../model/target-state.ts';
import type { Rendered, Renderer } from '../render/renderer.ts';
import { unpackArtefact } from '../source/artefact.ts';
import { leaveOutHooks } from './leave-out-hooks.ts';
import { type ReadInputsDeps, readInputs } from './read-inputs.ts';

export interface RenderWantedDeps extends ReadInputsDeps {
  readonly artefacts: Pick<ArtefactStore, 'get'>;
  readonly renderer: Pick<Renderer, 'render'>;
}

/**
 * What a target should hold now: the artefact of its wanted revision, rendered with the values, keys and capabilities of
 * now. Definitions are left out: they are registered by the source stage, and a cluster never sees them. Hooks too.
 *
 * @param about.connect the destination, with a credential that may read what the application names; asked for only if
 * the render depends on it
 * @throws HoldfastError as the renderer and `readInputs` do
 */
export async function renderWanted(
  deps: RenderWantedDeps,
  about: {
    readonly state: TargetState;
    readonly connect: () => Promise<KubeApi>;
    readonly deadline: number;
    readonly onRecorded?: (inputs: RecordedInputs) => void;
  },
): Promise<Rendered | 'artefact-missing'> {
  const { state, connect, deadline, onRecorded } = about;
  const { wanted } = state;
  if (wanted.kind !== 'revision') return { manifests: [], warnings: [] };
  const { application, artefact } = wanted;
  const bytes = await deps.artefacts.get(artefact);
  if (bytes === undefined) return 'artefact-missing';
  const files = unpackArtefact(artefact, bytes);
  const outside = await readInputs(deps, {
    application,
    files,
    connect,
    deadline,
    ...(onRecorded === undefined ? {} : { onRecorded }),
  });
  const rendered = await deps.renderer.render({ files, artefact, application, ...outside });
  const { manifests, warnings } = leaveOutHooks(rendered.manifests);
  return {
    manifests: manifests.filter(({ object }) => !isDefinitionKind(object.apiVersion, object.kind)),
    warnings: [...rendered.warnings, ...warnings],
  };
}
