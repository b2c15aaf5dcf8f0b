import { releaseOwnership } from '../apply/release-ownership.ts';
import type { ActionResult } from '../apply/apply-report.ts';
import type { KubeApi } from '../cluster/kube-api.ts';
import { errorRecord } from '../model/errors.ts';
import { FIELD_MANAGER_PREFIX, fieldManagerOf, type TargetId } from '../model/ids.ts';
import type { Plan } from '../model/plan.ts';
import { resourceKey } from '../model/resource.ts';
import { isRunnable, isWorkOutstanding, type TargetState } from '../model/target-state.ts';
import type { Claim } from '../state/state-store.ts';
import type { TargetStageDeps } from './deps.ts';

// An object that moves from one target to another must not be deleted on the way. The new owner is refused by the API
// server while the old one owns the fields, and leaves a claim; the old one, when the object leaves its render, lets go
// of its fields instead of deleting, and wakes the claimant.

type Deps = Pick<TargetStageDeps, 'state' | 'log'>;

/** Leaves a claim with every target that refused us an object. */
export async function leaveClaims(
  deps: Deps,
  state: TargetState,
  results: readonly ActionResult[],
): Promise<void> {
  const byOwner = new Map<TargetId, string[]>();
  for (const result of results) {
    if (result.kind !== 'failed' || result.error.owner === undefined) continue;
    const owner = result.error.owner.slice(FIELD_MANAGER_PREFIX.length) as TargetId;
    byOwner.set(owner, [...(byOwner.get(owner) ?? []), resourceKey(result.action.id)]);
  }
  for (const [owner, keys] of byOwner) {
    const { target: claimant, title, wantedSeq } = state;
    await deps.state.putClaim({ schema: 1, owner, claimant, title, wantedSeq, keys });
  }
}

export interface StandingClaims {
  /** resourceKey → the claimant's title. */
  readonly byKey: ReadonlyMap<string, string>;
  readonly claims: readonly Claim[];
}

export const NO_CLAIMS: StandingClaims = { byKey: new Map(), claims: [] };

/** Claims whose claimant still wants the commit that it made them for. */
export async function standingClaims(deps: Deps, owner: TargetId): Promise<StandingClaims> {
  const claims = await deps.state.listClaims(owner);
  if (claims.length === 0) return NO_CLAIMS;
  const claimants = await deps.state.getTargets(claims.map(({ claimant }) => claimant));
  const standing: Claim[] = [];
  for (const claim of claims) {
    const claimant = claimants.get(claim.claimant);
    if (claimant?.wanted.kind === 'revision' && claimant.wantedSeq === claim.wantedSeq) standing.push(claim);
    else await deps.state.dropClaim(claim);
  }
  return {
    byKey: new Map(standing.flatMap(({ keys, title }) => keys.map((key) => [key, title] as const))),
    claims: standing,
  };
}

/**
 * Lets go of the objects that the plan releases to a claimant.
 * @returns a failure for each that could not be let go, which therefore stays in the inventory; and who to wake
 */
export async function handOver(
  deps: Deps,
  kube: KubeApi,
  given: {
    readonly target: TargetId;
    readonly plan: Plan;
    readonly claims: StandingClaims;
    readonly deadline: number;
  },
): Promise<{ readonly failures: readonly ActionResult[]; readonly wake: readonly TargetId[] }> {
  const failures: ActionResult[] = [];
  const released = new Set<string>();
  for (const action of given.plan.actions) {
    const key = resourceKey(action.id);
    if (action.kind !== 'release' || !given.claims.byKey.has(key)) continue;
    try {
      const { group, kind, namespace, name } = action.id;
      const type = (await kube.discovery({ deadline: given.deadline })).preferred(group, kind);
      if (type !== undefined) {
        const ref = { type, name, ...(namespace === undefined ? {} : { namespace }) };
        await releaseOwnership(kube, ref, fieldManagerOf(given.target), { deadline: given.deadline });
      }
      released.add(key);
    } catch (error) {
      failures.push({ kind: 'failed', action, error: errorRecord(error) });
    }
  }
  const served = given.claims.claims.filter(({ keys }) => keys.some((key) => released.has(key)));
  for (const claim of served) await deps.state.dropClaim(claim);
  return { failures, wake: served.map(({ claimant }) => claimant) };
}

/** Runs in which pruning waits for others; after that it goes ahead. */
const MAX_WAITS = 4;

/**
 * Whether another target of this cluster, moved by the same push, has not tried its commit yet: what leaves this target
 * may be about to enter that one. Discovery only: a wrong answer costs a deletion and a creation instead of a hand-over.
 */
export async function othersInMotion(deps: Deps, state: TargetState): Promise<boolean> {
  if (state.attempt >= MAX_WAITS) return false;
  const { order } = state.wanted;
  const others = await deps.state.getTargets(await deps.state.listTargets(state.cluster));
  return [...others.values()].some(
    (other) =>
      other.target !== state.target &&
      other.wanted.kind === 'revision' &&
      isRunnable(other) &&
      isWorkOutstanding(other) &&
      other.lastRun?.wantedSeq !== other.wantedSeq &&
      (order.source === undefined || other.wanted.order.source === order.source),
  );
}
