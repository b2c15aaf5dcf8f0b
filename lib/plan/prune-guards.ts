import { type Digest, sha256 } from '../model/ids.ts';
import type { InventoryEntry } from '../model/inventory.ts';
import type { Observation } from '../model/plan.ts';
import { type ResourceId, resourceKey } from '../model/resource.ts';
import { canonicalJson } from './canonical-json.ts';
import { isContainer } from './order.ts';

/** Somebody's consent to one exact deletion; worth nothing for another revision or another set. */
export interface PruneAllowance {
  readonly deleteSet: Digest;
  readonly revision: string;
}

/** Over the identities, in any order. */
export function deleteSetDigest(ids: readonly ResourceId[]): Digest {
  return sha256(canonicalJson(ids.map(resourceKey).sort()));
}

/**
 * Why this run deletes nothing, or undefined when the deletions look meant.
 *
 * A wrong path, a broken generator or a bad merge takes most of a target out of Git at once. Such a deletion waits for
 * an allowance that is bound to this revision and this very set. Namespaces and CRDs do not count (the executor guards
 * them by what they hold), nor does what is gone already, what a run before this one decided to delete, or a generated
 * ConfigMap or Secret whose successor is in the render.
 */
export function massDeletion(input: {
  readonly inventory: readonly InventoryEntry[];
  /** Entries that left Git and are not decided yet. */
  readonly leaving: readonly InventoryEntry[];
  readonly wanted: readonly ResourceId[];
  readonly observation: Observation;
  readonly revision: string;
  readonly allowance: PruneAllowance | undefined;
  readonly maxPruneShare: number;
  readonly minPruneCount: number;
  /** For the command in the message. */
  readonly application: string;
}): string | undefined {
  const generated = generatedNames(input.wanted);
  const counts = ({ id, status }: InventoryEntry): boolean =>
    status !== 'deleting' &&
    !isContainer(id) &&
    input.observation.get(resourceKey(id))?.kind !== 'absent' &&
    !hasSuccessor(id, generated);
  const leaving = input.leaving.filter(counts).length;
  const all = input.inventory.filter(counts).length;
  if (leaving < input.minPruneCount || leaving <= input.maxPruneShare * all) {
    return undefined;
  }

  const digest = deleteSetDigest(input.leaving.map(({ id }) => id));
  if (input.allowance?.deleteSet === digest && input.allowance.revision === input.revision) {
    return undefined;
  }
  return (
    `${leaving} of ${all} objects left Git at once, more than ${Math.round(input.maxPruneShare * 100)} %: ` +
    `nothing is pruned. If that is meant, allow exactly this with ` +
    `"holdfast reconcile ${input.application} --allow-prune ${digest}"; if not, put them back into Git`
  );
}

/** Kustomize's suffix: ten hex digits in which 0, 1, 3, a and e are g, h, k, m and t, so that no words come about. */
const GENERATED_NAME = /^(.+)-[2456789bcdfghkmt]{10}$/;

function generatedNames(wanted: readonly ResourceId[]): ReadonlySet<string> {
  return new Set(
    wanted.flatMap((id) => {
      const base = generatorOf(id);
      return base === undefined ? [] : [base];
    }),
  );
}

function hasSuccessor(id: ResourceId, generated: ReadonlySet<string>): boolean {
  const base = generatorOf(id);
  return base !== undefined && generated.has(base);
}

function generatorOf(id: ResourceId): string | undefined {
  if (id.group !== '' || (id.kind !== 'ConfigMap' && id.kind !== 'Secret')) {
    return undefined;
  }
  const base = GENERATED_NAME.exec(id.name)?.[1];
  return base === undefined ? undefined : resourceKey({ ...id, name: base });
}
