import type { Discovery, ResourceRef, ResourceType } from '../cluster/kube-api.ts';
import { KubeError } from '../cluster/kube-error.ts';
import { forEachPooled } from '../cluster/pooled.ts';
import { errorRecord } from '../model/errors.ts';
import type { Action } from '../model/plan.ts';
import { describeResource, type LiveMetadata, type ResourceId } from '../model/resource.ts';
import {
  type ApplyDeps,
  attempt,
  CONCURRENCY,
  Interrupted,
  type Stop,
  stopReason,
  callDeadline,
} from './apply-deps.ts';
import type { ActionResult, ApplyReport } from './apply-report.ts';
import { isCrd, isNamespace } from './await-served.ts';
import { whyKeepCrd, whyKeepNamespace } from './guard-container.ts';
import { isPruneDisabled, whyNotOurs } from './mark.ts';
import { type ServedTypes, servedTypes } from './served-types.ts';

export type PruneAction = Action & { readonly kind: 'prune' };

export interface PruneDeps extends ApplyDeps {
  /**
   * uids of everything that stays: what this run's applies returned, and what the inventory keeps. An object that moved
   * to another API group is listed under both identities with one uid.
   */
  readonly keptUids: ReadonlySet<string>;
  /**
   * What this run meant to apply and did not (failed, not attempted). Its uid is not known, so an object of the same
   * kind, namespace and name under another API group may be the very same one, and is withheld.
   */
  readonly unsettled?: readonly ResourceId[];
}

interface PruneRun {
  readonly types: ServedTypes;
  /** Deletes that the server has accepted in this run; grows, and is what the container guards judge by. */
  readonly deleted: Map<string, ResourceId>;
  /** Read once, when the first container is judged: a CRD of a minute ago may fill a namespace too. */
  freshDiscovery(): Promise<Discovery>;
}

const JUDGE_TRIES = 5;

/**
 * Deletes what left Git, as far as every guard lets it; each action gets exactly one result, in the given order.
 *
 * Each object is read afresh and deleted with its uid and resourceVersion as preconditions; whatever changes in between
 * is judged again. Stages go backwards; Namespaces and CRDs come last, when it is known what else is really going.
 * Nothing is waited for: what has finalizers is `terminating` and is looked at again by the next run.
 */
export async function executePrune(deps: PruneDeps, prunes: readonly PruneAction[]): Promise<ApplyReport> {
  const types = servedTypes(deps);
  let fresh: Promise<Discovery> | undefined;
  const run: PruneRun = {
    types,
    deleted: new Map(),
    freshDiscovery: () => {
      fresh ??= types.refresh();
      return fresh;
    },
  };
  const results = new Map<Action, ActionResult>();
  let interrupted: Stop | undefined;

  for (const phase of phasesOf(prunes)) {
    await forEachPooled(phase, deps.concurrency ?? CONCURRENCY, async (action) => {
      let result: ActionResult;
      const reason = stopReason(deps);
      if (reason !== undefined) {
        interrupted = reason;
        result = { kind: 'not-attempted', action };
      } else {
        try {
          result = await pruneObject(deps, run, action);
        } catch (error) {
          if (error instanceof Interrupted) {
            interrupted = error.reason;
            result = { kind: 'not-attempted', action };
          } else {
            result = { kind: 'failed', action, error: errorRecord(error) };
          }
        }
      }
      results.set(action, result);
      deps.onResult?.(result);
    });
  }

  return {
    results: prunes.flatMap((action) => results.get(action) ?? []),
    ...(interrupted === undefined ? {} : { interrupted }),
  };
}

/** Stages backwards, then the Namespaces, then the CRDs: a namespace's guard lists custom resources too. */
function phasesOf(prunes: readonly PruneAction[]): readonly (readonly PruneAction[])[] {
  const leaves = prunes.filter(({ id }) => !isNamespace(id) && !isCrd(id));
  const stages = [...new Set(leaves.map((action) => action.stage))].sort((a, b) => b - a);
  return [
    ...stages.map((stage) => leaves.filter((action) => action.stage === stage)),
    prunes.filter(({ id }) => isNamespace(id)),
    prunes.filter(({ id }) => isCrd(id)),
  ];
}

async function pruneObject(deps: PruneDeps, run: PruneRun, action: PruneAction): Promise<ActionResult> {
  try {
    return await judgeAndDelete(deps, run, action);
  } catch (error) {
    // The object's 404 is an answer; this one is the type's: its CRD went between discovery and the request.
    if (error instanceof KubeError && error.status === 404) {
      const discovery = await run.types.refresh();
      const type = await run.types.anyTypeOf(action.id, action.entry.version);
      if (type === undefined || (await isCrdGone(deps, discovery, type))) {
        return { kind: 'pruned', action };
      }
    }
    throw error;
  }
}

/** Discovery goes on naming a custom resource for a moment after its CRD has gone: the CRD itself tells. */
async function isCrdGone(deps: PruneDeps, discovery: Discovery, type: ResourceType): Promise<boolean> {
  const crdType = discovery.preferred('apiextensions.k8s.io', 'CustomResourceDefinition');
  if (crdType === undefined || !type.group.includes('.') || type.group.endsWith('.k8s.io')) return false;
  const ref: ResourceRef = { type: crdType, name: `${type.resource}.${type.group}` };
  return (
    (await attempt(deps, () => deps.kube.getMetadata(ref, { deadline: callDeadline(deps) }))) === undefined
  );
}

async function judgeAndDelete(deps: PruneDeps, run: PruneRun, action: PruneAction): Promise<ActionResult> {
  const type = await run.types.anyTypeOf(action.id, action.entry.version);
  if (type === undefined) {
    // Its CRD is gone, and took it along.
    return { kind: 'pruned', action };
  }
  const { name, namespace } = action.id;
  const ref: ResourceRef = namespace === undefined ? { type, name } : { type, name, namespace };
  for (let tries = 1; ; tries += 1) {
    const live = await attempt(deps, () => deps.kube.getMetadata(ref, { deadline: callDeadline(deps) }));
    if (live === undefined) {
      return { kind: 'pruned', action };
    }
    const verdict = judge(deps, action, live);
    if (verdict !== undefined) {
      if (verdict.kind === 'terminating') {
        run.deleted.set(live.metadata.uid, action.id);
      }
      return verdict;
    }
    const why = whyUnsettled(deps, action) ?? (await whyKeepContainer(deps, run, ref, action));
    if (why !== undefined) {
      return { kind: 'withheld', action, why };
    }
    try {
      const { uid, resourceVersion } = live.metadata;
      const outcome = await attempt(deps, () =>
        deps.kube.delete(ref, { uid, resourceVersion, deadline: callDeadline(deps) }),
      );
      run.deleted.set(uid, action.id);
      return { kind: outcome === 'terminating' ? 'terminating' : 'pruned', action };
    } catch (error) {
      if (!(error instanceof KubeError) || error.code !== 'kube-conflict') {
        throw error;
      }
      if (tries >= JUDGE_TRIES) {
        throw new KubeError(
          'kube-conflict',
          `${describeResource(action.id)} changed ${JUDGE_TRIES} times while it was being judged for deletion: something keeps writing to it`,
          { status: 409, retryable: true, cause: error },
        );
      }
    }
  }
}

/** What the object itself says against its deletion; undefined when nothing does. */
function judge(deps: PruneDeps, action: PruneAction, live: LiveMetadata): ActionResult | undefined {
  const { metadata } = live;
  const released = (why: string): ActionResult => ({ kind: 'released', action, why });
  if (deps.keptUids.has(metadata.uid)) {
    return released('it lives on under another API group');
  }
  const recorded = action.entry.baseline?.uid ?? action.live?.uid;
  if (recorded !== undefined && recorded !== metadata.uid) {
    return released('it was deleted and created anew by someone else since it was applied');
  }
  const notOurs = whyNotOurs(metadata, deps.target, deps.fieldManager);
  if (notOurs !== undefined) {
    return released(notOurs);
  }
  if (isPruneDisabled(metadata)) {
    return released('its annotation holdfast.dev/prune is "disabled"');
  }
  return metadata.deletionTimestamp === undefined ? undefined : { kind: 'terminating', action };
}

function whyUnsettled(deps: PruneDeps, { id }: PruneAction): string | undefined {
  const twin = deps.unsettled?.find(
    (other) => other.kind === id.kind && other.namespace === id.namespace && other.name === id.name,
  );
  return twin === undefined
    ? undefined
    : `it may be the same object as ${describeResource(twin)}, which was not applied in this run`;
}

async function whyKeepContainer(
  deps: PruneDeps,
  run: PruneRun,
  ref: ResourceRef,
  action: PruneAction,
): Promise<string | undefined> {
  if (isNamespace(action.id)) {
    return whyKeepNamespace(deps, await run.freshDiscovery(), action.id.name, run.deleted);
  }
  return isCrd(action.id) ? whyKeepCrd(deps, ref, run.deleted) : undefined;
}
