import { PRUNE_ANNOTATION, type TargetId } from '../model/ids.ts';
import type { Inventory } from '../model/inventory.ts';
import type { Action, Observation, Plan, Verdict } from '../model/plan.ts';
import { type Manifest, type ResourceId, resourceKey } from '../model/resource.ts';
import type { HashKey } from './keyed-hash.ts';
import { compareForApply, compareForPrune } from './order.ts';
import { planDeletions } from './plan-deletions.ts';
import { planManifests } from './plan-manifests.ts';
import { deleteSetDigest, type PruneAllowance } from './prune-guards.ts';

/** A manifest that cannot be applied as it stands, and why. Its object is still wanted, and never pruned. */
export interface RejectedManifest {
  readonly manifest: Manifest;
  readonly why: string;
}

export interface PlanInput {
  readonly target: TargetId;
  /** For the commands that messages recommend. */
  readonly application: string;
  /** Makes the hash by which a changed render is told. */
  readonly key: HashKey;
  readonly revision: string;
  /** `remove`: the target is to go; what is rendered does not count. */
  readonly mode: 'reconcile' | 'remove';
  /** With their namespaces settled. */
  readonly manifests: readonly Manifest[];
  /** @default [] */
  readonly rejections?: readonly RejectedManifest[];
  readonly inventory: Inventory;
  /** For each entry of the inventory, by resourceKey; one that is not there is unknown. */
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** Of the inventory's entries, the manifests, and the namespace to create. */
  readonly observation: Observation;
  readonly prune: boolean;
  /** Created where it is absent and not in Git; never pruned, and not marked, for several targets may share it. */
  readonly createNamespace?: string;
  /** The lease was taken from a worker that may still be writing: its pending set is applied again. */
  readonly takeover: boolean;
  /** Somebody asked for this run: what could not be judged is applied too. */
  readonly requested: boolean;
  readonly allowance?: PruneAllowance;
  /** Objects that another target of this cluster wants now, by resourceKey, with its name: handed over, not pruned. */
  readonly claimedElsewhere?: ReadonlyMap<string, string>;
  /** @default 0.5 */
  readonly maxPruneShare?: number;
  /** Fewer deletions than these are never held. @default 5 */
  readonly minPruneCount?: number;
}

export interface BuiltPlan extends Plan {
  /** What a reader of the run should know, and no error: objects that could not be judged. */
  readonly warnings: readonly string[];
}

/**
 * The way from what the cluster holds to what was rendered. Every manifest, every rejection and every entry of the
 * inventory is in exactly one action; nothing that is not in the inventory is ever pruned.
 *
 * The apply set is the changed renders and what is not clean. An object whose state is unknown (its list failed) is
 * applied only if its render changed, and then without preconditions: server-side apply needs none to be safe, and a
 * list that fails for one kind must not stop a push. Unchanged, it waits for the next judgement, with a warning.
 */
export function buildPlan(given: PlanInput): BuiltPlan {
  const input = given.mode === 'remove' ? withoutRender(given) : given;
  const wanted = planManifests(input, namespaceManifest(input));
  const deletions = planDeletions(input, wanted.actions);

  const applies = wanted.actions.toSorted((a, b) => compareForApply(a.id, b.id));
  const prunes = deletions.actions.toSorted((a, b) => compareForPrune(a.id, b.id));
  const actions: readonly Action[] = [...applies, ...prunes];
  return {
    actions,
    deleteSet: deleteSetDigest(deletions.undecided),
    ...(deletions.held === undefined ? {} : { pruneHeld: deletions.held }),
    warnings: wanted.warnings,
  };
}

function withoutRender(input: PlanInput): PlanInput {
  const { createNamespace: _namespace, ...rest } = input;
  return { ...rest, manifests: [], rejections: [] };
}

/** The namespace of `createNamespace`, unless Git declares it or it is there already and not ours. */
function namespaceManifest(input: PlanInput): Manifest | undefined {
  const name = input.createNamespace;
  if (name === undefined) {
    return undefined;
  }
  const id: ResourceId = { group: '', kind: 'Namespace', name };
  const declared = [...input.manifests, ...(input.rejections ?? []).map(({ manifest }) => manifest)];
  if (
    declared.some(({ object }) => object.kind === 'Namespace' && object.metadata.name === name) ||
    (!input.inventory.has(resourceKey(id)) && isAlive(input, id))
  ) {
    return undefined;
  }
  return namespaceToCreate(name);
}

/** What `createNamespace` applies where nobody else has made the namespace. It outlives the application. */
export function namespaceToCreate(name: string): Manifest {
  return {
    object: {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, annotations: { [PRUNE_ANNOTATION]: 'disabled' } },
    },
    origin: { file: '(createNamespace)' },
  };
}

function isAlive(input: PlanInput, id: ResourceId): boolean {
  const observed = input.observation.get(resourceKey(id));
  return observed?.kind === 'live' && observed.metadata.metadata.deletionTimestamp === undefined;
}
