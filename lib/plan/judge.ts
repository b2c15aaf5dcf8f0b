import type { Baseline, Inventory, InventoryEntry } from '../model/inventory.ts';
import type { Observation, Observed, Verdict } from '../model/plan.ts';
import type { LiveMetadata, ResourceId } from '../model/resource.ts';
import { type CrdState, generationOf, metadataDigest, ownEntryDigest } from './baseline.ts';

const NOT_OBSERVED: Observed = { kind: 'unknown', error: 'was not looked at' };

/**
 * Whether an object is as it was left, from its metadata alone.
 *
 * Clean is: same uid, not being deleted, same CRD, and either the same resourceVersion, or an equal meaningful
 * generation with an equal managedFields entry of our own and equal labels, annotations, finalizers and
 * ownerReferences. Everything else is a suspect, which is fetched or applied again. Weaker rules miss additions and
 * writes under our own name (docs/architecture.md).
 *
 * @param crd the state of the object's CRD now; given for every custom resource, and for nothing else
 * @param verified a later baseline, taken when the fetched object was found equal to its projection
 */
export function judge(
  entry: InventoryEntry,
  observed: Observed,
  fieldManager: string,
  crd?: CrdState,
  verified?: Baseline,
): Verdict {
  switch (observed.kind) {
    case 'unknown':
      return { kind: 'unknown', error: observed.error };
    case 'absent':
      return { kind: 'suspect', suspicion: 'missing' };
    case 'live':
      return judgeLive(entry.baseline, observed.metadata, fieldManager, crd, verified);
  }
}

/**
 * One verdict for each entry of the inventory, under the same key.
 * What is not in the observation is unknown, never missing.
 */
export function judgeAll(input: {
  readonly inventory: Inventory;
  readonly observation: Observation;
  readonly fieldManager: string;
  /** The CRD of a custom resource; undefined for built-in kinds. */
  readonly crdOf?: (id: ResourceId) => CrdState | undefined;
  /** Keyed by resourceKey. */
  readonly verified?: ReadonlyMap<string, Baseline>;
}): ReadonlyMap<string, Verdict> {
  const verdicts = new Map<string, Verdict>();
  for (const [key, entry] of input.inventory) {
    const observed = input.observation.get(key) ?? NOT_OBSERVED;
    const crd = input.crdOf?.(entry.id);
    verdicts.set(key, judge(entry, observed, input.fieldManager, crd, input.verified?.get(key)));
  }
  return verdicts;
}

function judgeLive(
  baseline: Baseline | undefined,
  live: LiveMetadata,
  fieldManager: string,
  crd: CrdState | undefined,
  verified: Baseline | undefined,
): Verdict {
  if (live.metadata.deletionTimestamp !== undefined) {
    return { kind: 'suspect', suspicion: 'terminating' };
  }
  if (baseline === undefined) {
    return { kind: 'suspect', suspicion: 'unverified' };
  }
  if (baseline.uid !== live.metadata.uid) {
    return { kind: 'suspect', suspicion: 'recreated' };
  }

  // A verified baseline of another object (left over from before it was recreated) says nothing.
  const baselines = verified?.uid === baseline.uid ? [baseline, verified] : [baseline];
  const comparable = baselines.filter((known) => sameCrd(known.crd, crd));
  if (comparable.length === 0) {
    return { kind: 'suspect', suspicion: 'crd-changed' };
  }
  return comparable.some((known) => matches(known, live, fieldManager))
    ? { kind: 'clean' }
    : { kind: 'suspect', suspicion: 'edited' };
}

function matches(known: Baseline, live: LiveMetadata, fieldManager: string): boolean {
  if (known.resourceVersion === live.metadata.resourceVersion) {
    return true;
  }
  return (
    known.generation !== undefined &&
    known.generation === generationOf(live, known.crd !== undefined) &&
    known.ownEntry !== undefined &&
    known.ownEntry === ownEntryDigest(live, fieldManager) &&
    known.metadata === metadataDigest(live)
  );
}

function sameCrd(a: CrdState | undefined, b: CrdState | undefined): boolean {
  return a?.uid === b?.uid && a?.generation === b?.generation;
}
