import { HoldfastError } from '../model/errors.ts';
import type { InventoryEntry } from '../model/inventory.ts';
import { withValueAt } from '../model/json-pointer.ts';
import type { Action, Observed, Suspicion, Verdict } from '../model/plan.ts';
import {
  describeOrigin,
  describeResource,
  groupOf,
  type KubeObject,
  type Manifest,
  type ResourceId,
  resourceKey,
} from '../model/resource.ts';
import type { PlanInput } from './build-plan.ts';
import { canonicalJson } from './canonical-json.ts';
import { keyedHash } from './keyed-hash.ts';
import { stageOf } from './order.ts';
import { prepareManifest } from './prepare-manifest.ts';

export type WantedAction = Extract<Action, { kind: 'apply' | 'unchanged' | 'reject' }>;
type ApplyReason = Extract<Action, { kind: 'apply' }>['reason'];

const NOT_JUDGED: Verdict = { kind: 'unknown', error: 'was not judged' };

/** One action for each manifest and each rejection, in no order. */
export function planManifests(
  input: PlanInput,
  namespace: Manifest | undefined,
): { readonly actions: readonly WantedAction[]; readonly warnings: readonly string[] } {
  const actions: WantedAction[] = [];
  const warnings: string[] = [];

  for (const { manifest, why } of input.rejections ?? []) {
    actions.push(reject(input, manifest, why));
  }
  for (const same of byIdentity(input.manifests)) {
    actions.push(...planSame(input, same, warnings));
  }
  if (namespace !== undefined) {
    actions.push(planManifest(input, namespace, warnings));
  }
  return { actions, warnings };
}

function planSame(
  input: PlanInput,
  [manifest, ...others]: readonly Manifest[],
  warnings: string[],
): readonly WantedAction[] {
  if (manifest === undefined) {
    return [];
  }
  if (others.length === 0) {
    return [planManifest(input, manifest, warnings)];
  }
  // Which of them is meant is for the author to say; what lives stays as it is.
  const places = [manifest, ...others].map(({ origin }) => describeOrigin(origin)).join(' and ');
  const why = `declared more than once, in ${places}: keep one of them`;
  return [manifest, ...others].map((each) => reject(input, each, why));
}

function planManifest(input: PlanInput, manifest: Manifest, warnings: string[]): WantedAction {
  const id = identityOf(manifest.object);
  const key = resourceKey(id);
  if (id.name === '') {
    return reject(input, manifest, 'has no metadata.name: give it a name (generateName cannot be applied)');
  }
  const prepared = prepare(input, manifest);
  if ('why' in prepared) {
    return reject(input, manifest, prepared.why);
  }

  const entry = input.inventory.get(key);
  const observed = input.observation.get(key);
  const verdict = input.verdicts.get(key) ?? NOT_JUDGED;
  if (isTerminating(observed) || (verdict.kind === 'suspect' && verdict.suspicion === 'terminating')) {
    return reject(input, manifest, 'is being deleted in the cluster; retried until it is gone');
  }
  const reason = reasonOf(input, entry, prepared.desired, observed, verdict);
  if (reason === undefined && entry !== undefined) {
    if (verdict.kind === 'unknown') {
      warnings.push(`${describeResource(id)}: its state is unknown (${verdict.error}); left as it is`);
    }
    return { kind: 'unchanged', id, entry };
  }
  const suspicion = entry === undefined ? undefined : suspicionOf(verdict);
  const isAsRendered = entry !== undefined && entry.desired === prepared.desired;
  const { volatile = [] } = manifest;
  return {
    kind: 'apply',
    id,
    reason: reason ?? 'new',
    ...(suspicion === undefined ? {} : { suspicion }),
    object: prepared.object,
    origin: manifest.origin,
    desired: prepared.desired,
    ...(observed?.kind === 'live' ? { live: preconditionsOf(observed) } : {}),
    ...(entry === undefined ? {} : { previous: entry }),
    ...(isAsRendered && volatile.length > 0 ? { keep: volatile } : {}),
    stage: stageOf(id),
  };
}

/** Why an object is applied; undefined: it is not. */
function reasonOf(
  input: PlanInput,
  entry: InventoryEntry | undefined,
  desired: string,
  observed: Observed | undefined,
  verdict: Verdict,
): ApplyReason | undefined {
  if (entry === undefined) {
    return 'new';
  }
  if (entry.status === 'pending' && input.takeover) {
    return 'takeover';
  }
  // Never seen alive, or left Git and came back after it was deleted.
  if (entry.status !== 'applied' && (entry.baseline === undefined || observed?.kind === 'absent')) {
    return 'new';
  }
  if (entry.status !== 'applied' || entry.desired !== desired) {
    return 'changed';
  }
  if (verdict.kind === 'suspect') {
    return 'drifted';
  }
  return verdict.kind === 'unknown' && input.requested ? 'requested' : undefined;
}

function prepare(
  input: PlanInput,
  manifest: Manifest,
): { readonly object: KubeObject; readonly desired: string } | { readonly why: string } {
  try {
    // The namespace of createNamespace may be shared: two targets' marks on one object would be a conflict.
    const mark = manifest.origin.file === '(createNamespace)' ? undefined : input.target;
    const object = prepareManifest(manifest.object, mark);
    // What comes out differently each time is no change; whether the field is there still counts.
    const compared = (manifest.volatile ?? []).reduce(
      (rest, pointer) => withValueAt(rest, pointer, '(volatile)'),
      object,
    );
    return { object, desired: keyedHash(input.key, canonicalJson(compared)) };
  } catch (error) {
    if (error instanceof HoldfastError) {
      return { why: error.message };
    }
    throw error;
  }
}

function reject(input: PlanInput, manifest: Manifest, why: string): WantedAction {
  const id = identityOf(manifest.object);
  const previous = input.inventory.get(resourceKey(id));
  return {
    kind: 'reject',
    id,
    origin: manifest.origin,
    why,
    ...(previous === undefined ? {} : { previous }),
  };
}

/** The identity as far as it is known; a manifest without a name has an empty one. */
export function identityOf(object: KubeObject): ResourceId {
  const { name, namespace } = object.metadata;
  const id = { group: groupOf(object.apiVersion), kind: object.kind, name: name ?? '' };
  return namespace === undefined ? id : { ...id, namespace };
}

function byIdentity(manifests: readonly Manifest[]): Iterable<readonly Manifest[]> {
  return Map.groupBy(manifests, ({ object }) => resourceKey(identityOf(object))).values();
}

function isTerminating(observed: Observed | undefined): boolean {
  return observed?.kind === 'live' && observed.metadata.metadata.deletionTimestamp !== undefined;
}

function suspicionOf(verdict: Verdict): Suspicion | undefined {
  return verdict.kind === 'suspect' ? verdict.suspicion : undefined;
}

/** The uid and version of an object that was seen alive. */
export function preconditionsOf(observed: Extract<Observed, { kind: 'live' }>): {
  readonly uid: string;
  readonly resourceVersion: string;
} {
  const { uid, resourceVersion } = observed.metadata.metadata;
  return { uid, resourceVersion };
}
