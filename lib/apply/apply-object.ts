import type { ResourceRef } from '../cluster/kube-api.ts';
import { KubeError } from '../cluster/kube-error.ts';
import { type ErrorRecord, errorRecord, HoldfastError } from '../model/errors.ts';
import { EPOCH_ANNOTATION, FIELD_MANAGER_PREFIX } from '../model/ids.ts';
import type { Action } from '../model/plan.ts';
import { describeResource, type KubeObject, type LiveMetadata, type LiveObject } from '../model/resource.ts';
import { type ApplyDeps, attempt, Interrupted, pause, callDeadline } from './apply-deps.ts';
import type { ActionResult } from './apply-report.ts';
import { keepLiveValues } from './keep-live-values.ts';
import { removeSurvivors } from './remove-survivors.ts';
import type { ServedTypes } from './served-types.ts';

export type ApplyAction = Action & { readonly kind: 'apply' };

/** Both are preconditions, or neither is sent: a resourceVersion alone would create an object that is absent. */
interface Known {
  readonly uid: string;
  readonly resourceVersion: string;
}

const VERSION_TRIES = 5;
const FIELDS_SHOWN = 5;
const NOT_SERVED_TRIES = 4;
const NOT_SERVED_PAUSE_MS = 150;

/**
 * Sends one object and answers what became of it; never throws for anything that is the object's own trouble.
 *
 * @throws Interrupted when the deadline or the loss of the lease came first
 */
export async function applyObject(
  deps: ApplyDeps,
  types: ServedTypes,
  action: ApplyAction,
): Promise<ActionResult> {
  try {
    const type = await types.typeOf(action.id, action.object);
    const { name, namespace } = action.id;
    const ref: ResourceRef = namespace === undefined ? { type, name } : { type, name, namespace };
    const sent = withEpoch(await keepLiveValues(deps, ref, action), deps.epochAnnotation);

    const applied = await applyUntilSettled(deps, ref, action, sent);
    if (applied.live.metadata.deletionTimestamp !== undefined) {
      throw terminating(action, applied.live);
    }
    const removed = await removeSurvivors(deps, ref, { id: action.id, sent, live: applied.live });
    return {
      kind: 'applied',
      action,
      live: removed.live,
      forced: applied.forced,
      warnings: removed.warnings,
    };
  } catch (error) {
    if (error instanceof Interrupted) {
      throw error;
    }
    return { kind: 'failed', action, error: recordOf(error) };
  }
}

async function applyUntilSettled(
  deps: ApplyDeps,
  ref: ResourceRef,
  action: ApplyAction,
  sent: KubeObject,
): Promise<{ readonly live: LiveObject; readonly forced: boolean }> {
  let known: Known | undefined = action.live;
  let force = false;
  for (let tries = 1; ; tries += 1) {
    try {
      const object = known === undefined ? sent : withPreconditions(sent, known);
      const live = await attempt(deps, () =>
        deps.kube.apply(ref, object, {
          fieldManager: deps.fieldManager,
          force,
          deadline: callDeadline(deps),
        }),
      );
      return { live, forced: force };
    } catch (error) {
      if (isNotServedYet(error) && tries <= NOT_SERVED_TRIES) {
        await pause(deps, NOT_SERVED_PAUSE_MS * tries);
        continue;
      }
      if (!(error instanceof KubeError) || error.code !== 'kube-conflict') {
        throw error;
      }
      if (tries > VERSION_TRIES) {
        throw new KubeError(
          'kube-conflict',
          `${describeResource(action.id)} changed ${VERSION_TRIES} times while it was being applied: something else keeps writing to it`,
          { status: 409, retryable: true, cause: error },
        );
      }
      if (error.conflicts.length > 0) {
        refuseForeignOwner(deps, action, error);
        // Forced only over the very version that was refused: without it, another Holdfast manager that arrives
        // between the two requests would be overwritten unseen.
        known = known ?? knownOf(await read(deps, ref));
        force = known !== undefined;
      } else {
        // Changed, deleted or recreated since it was read. Look again, and start over with an unforced apply.
        known = knownOf(await read(deps, ref));
        force = false;
      }
    }
  }
}

/** Discovery may name a new custom resource a moment before its requests are answered (several API servers, 1.20). */
function isNotServedYet(error: unknown): boolean {
  return (
    error instanceof KubeError &&
    error.status === 404 &&
    (error.reason === undefined || error.message.includes('could not find the requested resource'))
  );
}

function read(deps: ApplyDeps, ref: ResourceRef): Promise<LiveMetadata | undefined> {
  return attempt(deps, () => deps.kube.getMetadata(ref, { deadline: callDeadline(deps) }));
}

function knownOf(live: LiveMetadata | undefined): Known | undefined {
  return live === undefined
    ? undefined
    : { uid: live.metadata.uid, resourceVersion: live.metadata.resourceVersion };
}

function refuseForeignOwner(deps: ApplyDeps, action: ApplyAction, error: KubeError): void {
  const foreign = error.conflicts.filter(
    ({ manager }) => manager.startsWith(FIELD_MANAGER_PREFIX) && manager !== deps.fieldManager,
  );
  const first = foreign[0];
  if (first === undefined) {
    return;
  }
  const fields = foreign.filter(({ manager }) => manager === first.manager).map(({ field }) => field);
  const more = fields.length > FIELDS_SHOWN ? ` and ${fields.length - FIELDS_SHOWN} more` : '';
  throw new HoldfastError(
    'foreign-owner',
    `${describeResource(action.id)} belongs to another Holdfast target, "${first.manager}", which owns ` +
      `${fields.slice(0, FIELDS_SHOWN).join(', ')}${more}: remove the object from one of the two applications`,
    { details: { manager: first.manager, fields: fields.slice(0, FIELDS_SHOWN) } },
  );
}

function terminating(action: ApplyAction, live: LiveObject): HoldfastError {
  const finalizers = live.metadata.finalizers ?? [];
  const why = finalizers.length === 0 ? '' : ` and waits for its finalizers (${finalizers.join(', ')})`;
  return new HoldfastError(
    'kube-conflict',
    `${describeResource(action.id)} is being deleted${why}: it is applied again once it is gone`,
    { retryable: true },
  );
}

function withPreconditions(object: KubeObject, known: Known): KubeObject {
  const { uid, resourceVersion } = known;
  return { ...object, metadata: { ...object.metadata, uid, resourceVersion } };
}

function withEpoch(object: KubeObject, epoch: number | undefined): KubeObject {
  if (epoch === undefined) {
    return object;
  }
  const annotations = { ...object.metadata.annotations, [EPOCH_ANNOTATION]: String(epoch) };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** Phrases by which API servers say that a field of an existing object cannot change. */
const IMMUTABLE = /immutable|may not change once set|updates to .* are forbidden|cannot change roleRef/;

function recordOf(error: unknown): ErrorRecord {
  const record = errorRecord(error);
  if (error instanceof KubeError && error.code === 'kube-invalid' && IMMUTABLE.test(error.message)) {
    return {
      ...record,
      message:
        `${record.message}. Kubernetes does not let this change on an existing object, and Holdfast does not ` +
        'delete it for you: take the change back, give the object another name, or delete it (with what it holds) and reconcile',
    };
  }
  if (error instanceof KubeError && error.status === 404 && / namespaces? "/.test(error.message)) {
    return {
      ...record,
      message: `${record.message}. Add the Namespace to the application, or set spec.createNamespace`,
    };
  }
  return record;
}
