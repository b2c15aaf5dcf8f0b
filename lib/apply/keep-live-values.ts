import type { ResourceRef } from '../cluster/kube-api.ts';
import { valueAt, withValueAt } from '../model/json-pointer.ts';
import type { Action } from '../model/plan.ts';
import type { KubeObject } from '../model/resource.ts';
import { type ApplyDeps, attempt, callDeadline } from './apply-deps.ts';

/**
 * What is sent to put an object right whose render has not changed: with the values that live in it where the chart
 * would give new ones each time. Without this, a label that somebody set would change a database's password.
 */
export async function keepLiveValues(
  deps: ApplyDeps,
  ref: ResourceRef,
  action: Extract<Action, { kind: 'apply' }>,
): Promise<KubeObject> {
  const { keep = [], live: known, object, previous } = action;
  // Nothing lives there, or something that somebody else has put there.
  if (keep.length === 0 || known === undefined || previous?.baseline?.uid !== known.uid) return object;
  const live = await attempt(deps, () => deps.kube.get(ref, { deadline: callDeadline(deps) }));
  if (live === undefined || live.metadata.uid !== known.uid) return object;
  return keep.reduce((kept, pointer) => {
    const value = valueAt(live, pointer);
    return value === undefined ? kept : withValueAt(kept, pointer, value);
  }, object);
}
