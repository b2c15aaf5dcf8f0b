import { MARK_LABEL, PRUNE_ANNOTATION, type TargetId } from '../model/ids.ts';
import type { ObjectMeta } from '../model/resource.ts';
import { memberOf, ownEntryOf } from '../plan/owned-fields.ts';

/**
 * Why an object does not count as this target's; undefined when it does. The label alone proves nothing: controllers
 * copy labels to Endpoints, EndpointSlices and ReplicaSets. It counts where our own apply owns it.
 */
export function whyNotOurs(metadata: ObjectMeta, target: TargetId, fieldManager: string): string | undefined {
  const mark = memberOf(metadata.labels, MARK_LABEL);
  if (mark === undefined) {
    return `its label ${MARK_LABEL} is gone, so it is no longer this target's`;
  }
  if (mark !== target) {
    return `its label ${MARK_LABEL} names another target, ${JSON.stringify(mark)}`;
  }
  const fields = ownEntryOf(metadata, fieldManager)?.fieldsV1;
  const labels = memberOf(memberOf(fields, 'f:metadata'), 'f:labels');
  return memberOf(labels, `f:${MARK_LABEL}`) === undefined
    ? `its label ${MARK_LABEL} was not set by this target's field manager (copied from another object, or taken over)`
    : undefined;
}

export function isPruneDisabled(metadata: ObjectMeta): boolean {
  return memberOf(metadata.annotations, PRUNE_ANNOTATION) === 'disabled';
}
