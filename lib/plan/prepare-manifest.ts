import { HoldfastError } from '../model/errors.ts';
import { EPOCH_ANNOTATION, MARK_LABEL, type TargetId } from '../model/ids.ts';
import type { KubeObject, ObjectMeta } from '../model/resource.ts';
import { isMap } from './owned-fields.ts';

/**
 * What only the server sets. Files written by `kubectl get -o yaml` carry it; a uid or resourceVersion would be taken
 * for a precondition, and managedFields are refused.
 */
const SERVER_SET: ReadonlySet<string> = new Set([
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
  'managedFields',
]);

/**
 * The object as it is sent: with the target's mark (none: the mark of whoever reads it is left out), without what only
 * the server sets, and without an epoch, which only a takeover writes.
 * @throws HoldfastError `invalid-input` when labels or annotations are no maps
 */
export function prepareManifest(object: KubeObject, mark: TargetId | undefined): KubeObject {
  const metadata = Object.fromEntries(
    Object.entries(object.metadata).filter(([name]) => !SERVER_SET.has(name)),
  ) as ObjectMeta;
  const { labels: givenLabels, annotations: givenAnnotations, ...rest } = metadata;
  const { [MARK_LABEL]: _mark, ...labels } = mapOf('metadata.labels', givenLabels);
  const { [EPOCH_ANNOTATION]: _epoch, ...annotations } = mapOf('metadata.annotations', givenAnnotations);

  const marked = mark === undefined ? labels : { ...labels, [MARK_LABEL]: mark };
  return {
    ...object,
    metadata: {
      ...rest,
      ...(Object.keys(marked).length > 0 ? { labels: marked } : {}),
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    },
  };
}

function mapOf(path: string, value: unknown): Readonly<Record<string, string>> {
  if (value === undefined || value === null) {
    return {};
  }
  if (!isMap(value)) {
    const given = Array.isArray(value) ? 'a list' : `a ${typeof value}`;
    throw new HoldfastError('invalid-input', `${path}: expected a map of strings, got ${given}`);
  }
  // The API server says which value is no string.
  return value as Readonly<Record<string, string>>;
}
