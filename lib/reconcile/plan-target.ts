import type { KubeApi } from '../cluster/kube-api.ts';
import { observe } from '../cluster/observe.ts';
import {
  groupOf,
  type KubeObject,
  type Manifest,
  type ResourceId,
  resourceId,
  resourceKey,
  versionOf,
} from '../model/resource.ts';
import { fieldManagerOf, MARK_LABEL } from '../model/ids.ts';
import type { Inventory } from '../model/inventory.ts';
import type { TargetState } from '../model/target-state.ts';
import { buildPlan, type BuiltPlan } from '../plan/build-plan.ts';
import { judgeAll } from '../plan/judge.ts';
import type { HashKey } from '../plan/keyed-hash.ts';
import { normaliseManifests } from '../render/normalise.ts';
import { validateManifests } from '../render/validate-openapi.ts';
import { crdStates } from './crd-states.ts';

export interface PlannedTarget {
  readonly plan: BuiltPlan;
  /** Counts by action, for the log. */
  readonly summary: Readonly<Record<string, number>>;
}

/**
 * Settles namespaces, looks at what lives, judges it, and plans. Reads only.
 * @throws HoldfastError `render-failed` for what the destination's schemas rule out, where the application asks for that
 */
export async function planTarget(
  deps: { readonly kube: KubeApi; readonly key: HashKey },
  input: {
    readonly state: TargetState;
    readonly takeover: boolean;
    readonly manifests: readonly Manifest[];
    readonly inventory: Inventory;
    /** Objects that another target of this cluster waits for, by resourceKey, with its title. */
    readonly claimedElsewhere?: ReadonlyMap<string, string>;
    readonly deadline: number;
  },
): Promise<PlannedTarget> {
  const { kube, key } = deps;
  const { state, inventory, deadline } = input;
  const { wanted } = state;
  const application = wanted.kind === 'removed' ? undefined : wanted.application;
  const discovery = await kube.discovery({ deadline });
  const settled = normaliseManifests(input.manifests, {
    ...(application?.targetNamespace === undefined ? {} : { targetNamespace: application.targetNamespace }),
    scopeOf: (apiVersion, kind) => {
      const type = discovery.find(apiVersion, kind) ?? discovery.preferred(groupOf(apiVersion), kind);
      if (type === undefined) return undefined;
      return type.namespaced ? 'namespaced' : 'cluster';
    },
  });
  if (application?.render.validation === 'strict' && settled.manifests.length > 0) {
    validateManifests(settled.manifests, await kube.openapi({ deadline }));
  }
  const createNamespace = application?.createNamespace === true ? application.targetNamespace : undefined;
  const namespaceId: ResourceId | undefined =
    createNamespace === undefined ? undefined : { group: '', kind: 'Namespace', name: createNamespace };
  const entries = [...inventory.values()];
  const twins = twinsOf(settled.manifests, inventory);
  const fieldManager = fieldManagerOf(state.target);
  const observation = await observe({
    kube,
    selector: `${MARK_LABEL}=${state.target}`,
    wanted: [
      ...entries.map(({ id, version, namespaced }) => ({ id, version, namespaced })),
      ...twins.map((object) => ({
        id: resourceId(object),
        version: versionOf(object.apiVersion),
        namespaced: object.metadata.namespace !== undefined,
      })),
      ...(namespaceId === undefined || inventory.has(resourceKey(namespaceId))
        ? []
        : [{ id: namespaceId, version: 'v1', namespaced: false }]),
    ],
    deadline,
  });
  const crdOf = await crdStates(
    kube,
    entries.map(({ id }) => id),
    deadline,
  );
  const revision = wanted.kind === 'revision' ? wanted.revision : '';
  const { allowance } = state;
  const plan = buildPlan({
    target: state.target,
    application: state.title,
    key,
    revision,
    mode: wanted.kind === 'removed' ? 'remove' : 'reconcile',
    manifests: settled.manifests,
    rejections: settled.rejections,
    inventory,
    verdicts: judgeAll({ inventory, observation, fieldManager, crdOf }),
    observation,
    prune: wanted.kind === 'removed' ? wanted.prune : (application?.prune ?? true),
    takeover: input.takeover,
    requested: state.handled < state.requested,
    claimedElsewhere: input.claimedElsewhere ?? new Map(),
    ...(createNamespace === undefined ? {} : { createNamespace }),
    ...(allowance === undefined
      ? {}
      : { allowance: { deleteSet: allowance.deleteSet, revision: allowance.revision ?? '' } }),
  });
  const summary: Record<string, number> = {};
  for (const { kind } of plan.actions) summary[kind] = (summary[kind] ?? 0) + 1;
  return { plan, summary };
}

/**
 * Manifests that are new under their group and have the kind, namespace and name of an entry of another group. They may
 * be one object, as an Ingress is that moves from extensions to networking.k8s.io; their uids tell.
 */
function twinsOf(manifests: readonly Manifest[], inventory: Inventory): readonly KubeObject[] {
  const nameOf = (id: ResourceId) => `${id.kind}/${id.namespace ?? ''}/${id.name}`;
  const known = new Set([...inventory.values()].map(({ id }) => nameOf(id)));
  return manifests
    .map(({ object }) => object)
    .filter((object) => {
      const id = resourceId(object);
      return !inventory.has(resourceKey(id)) && known.has(nameOf(id));
    });
}
