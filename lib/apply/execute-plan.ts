import { forEachPooled } from '../cluster/pooled.ts';
import { type ErrorRecord, errorRecord } from '../model/errors.ts';
import type { Action } from '../model/plan.ts';
import { describeOrigin, describeResource } from '../model/resource.ts';
import {
  type ApplyDeps,
  attempt,
  CONCURRENCY,
  Interrupted,
  type Stop,
  stopReason,
  callDeadline,
} from './apply-deps.ts';
import { type ApplyAction, applyObject } from './apply-object.ts';
import type { ActionResult, ApplyReport } from './apply-report.ts';
import { awaitServed, definedType, isCrd, isNamespace } from './await-served.ts';
import { type ServedTypes, servedTypes } from './served-types.ts';

/** Why objects that need a namespace or a CRD are not sent. */
interface Blocked {
  readonly namespaces: Map<string, ErrorRecord>;
  /** By `<group>/<kind>` of the custom resource. */
  readonly kinds: Map<string, ErrorRecord>;
}

/**
 * Carries out the `apply` and `reject` actions of a plan; each gets exactly one result, in the order of the plan.
 * `unchanged`, `release` and `withhold` ask for nothing and get none; `prune` is executePrune's.
 *
 * Stage by stage in ascending order, `concurrency` objects at once. What was applied as a Namespace or CRD is awaited
 * before the next stage. One object's failure is its own: only what cannot be without it fails with it.
 *
 * When the deadline passes or the lease is lost, no further request is sent, those under way are waited for, and the
 * rest is `not-attempted`. An object whose request was cut off is `not-attempted` too, and may have been written.
 */
export async function executePlan(deps: ApplyDeps, actions: readonly Action[]): Promise<ApplyReport> {
  const types = servedTypes(deps);
  const results = new Map<Action, ActionResult>();
  const blocked: Blocked = { namespaces: new Map(), kinds: new Map() };
  let interrupted: Stop | undefined;

  function report(result: ActionResult): void {
    results.set(result.action, result);
    deps.onResult?.(result);
  }

  for (const action of actions) {
    if (action.kind === 'reject') {
      report({ kind: 'failed', action, error: rejected(action) });
    }
  }

  const applies = actions.filter((action) => action.kind === 'apply');
  const stages = [...new Set(applies.map((action) => action.stage))].sort((a, b) => a - b);
  for (const stage of stages) {
    await forEachPooled(
      applies.filter((action) => action.stage === stage),
      deps.concurrency ?? CONCURRENCY,
      async (action) => {
        const result = await settle(deps, types, blocked, action);
        interrupted = result.interrupted ?? interrupted;
        report(result.result);
      },
    );
  }

  return {
    results: actions.flatMap((action) => results.get(action) ?? []),
    ...(interrupted === undefined ? {} : { interrupted }),
  };
}

async function settle(
  deps: ApplyDeps,
  types: ServedTypes,
  blocked: Blocked,
  action: ApplyAction,
): Promise<{ readonly result: ActionResult; readonly interrupted?: Stop }> {
  const reason = stopReason(deps);
  if (reason !== undefined) {
    return { result: { kind: 'not-attempted', action }, interrupted: reason };
  }
  const blocker = blockerOf(blocked, action);
  if (blocker !== undefined) {
    return { result: { kind: 'failed', action, error: blocker } };
  }
  let result: ActionResult;
  try {
    result = await applyObject(deps, types, action);
  } catch (error) {
    return error instanceof Interrupted
      ? { result: { kind: 'not-attempted', action }, interrupted: error.reason }
      : { result: { kind: 'failed', action, error: errorRecord(error) } };
  }
  if (!isNamespace(action.id) && !isCrd(action.id)) {
    return { result };
  }
  try {
    if (result.kind === 'applied') {
      await awaitServed(deps, types, action, result.live);
      return { result };
    }
  } catch (error) {
    if (error instanceof Interrupted) {
      // It was applied; only what comes after it must wait for another run.
      return { result, interrupted: error.reason };
    }
    result = { kind: 'failed', action, error: errorRecord(error) };
  }
  try {
    await block(deps, types, blocked, result);
    return { result };
  } catch (error) {
    if (error instanceof Interrupted) {
      return { result, interrupted: error.reason };
    }
    throw error;
  }
}

/** A container that failed holds back what needs it, unless an earlier one of its name is there and serves. */
async function block(
  deps: ApplyDeps,
  types: ServedTypes,
  blocked: Blocked,
  result: ActionResult,
): Promise<void> {
  const { action } = result;
  if (result.kind !== 'failed' || action.kind !== 'apply') {
    return;
  }
  const error: ErrorRecord = {
    code: isCrd(action.id) ? 'unknown-kind' : 'kube-not-found',
    message: `not sent, because ${describeResource(action.id)} could not be applied: ${result.error.message}`,
    retryable: result.error.retryable,
  };
  if (isNamespace(action.id)) {
    if (!(await isUsableNamespace(deps, types, action))) {
      blocked.namespaces.set(action.id.name, error);
    }
    return;
  }
  const defined = definedType(action.object);
  if (defined !== undefined) {
    const discovery = await types.refresh().catch((failure: unknown) => {
      if (failure instanceof Interrupted) {
        throw failure;
      }
      return undefined;
    });
    if (discovery?.preferred(defined.group, defined.kind) === undefined) {
      blocked.kinds.set(`${defined.group}/${defined.kind}`, error);
    }
  }
}

async function isUsableNamespace(deps: ApplyDeps, types: ServedTypes, action: ApplyAction): Promise<boolean> {
  try {
    const type = await types.typeOf(action.id, action.object);
    const live = await attempt(deps, () =>
      deps.kube.getMetadata({ type, name: action.id.name }, { deadline: callDeadline(deps) }),
    );
    return live !== undefined && live.metadata.deletionTimestamp === undefined;
  } catch (error) {
    if (error instanceof Interrupted) {
      throw error;
    }
    return false;
  }
}

function blockerOf(blocked: Blocked, action: ApplyAction): ErrorRecord | undefined {
  const { group, kind, namespace } = action.id;
  return (
    blocked.kinds.get(`${group}/${kind}`) ??
    (namespace === undefined ? undefined : blocked.namespaces.get(namespace))
  );
}

function rejected(action: Action & { kind: 'reject' }): ErrorRecord {
  return {
    code: 'invalid-input',
    message: `${describeResource(action.id)} (${describeOrigin(action.origin)}): ${action.why}`,
    retryable: false,
  };
}
