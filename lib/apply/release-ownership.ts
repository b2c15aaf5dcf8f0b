import type { CallOptions, KubeApi, ResourceRef } from '../cluster/kube-api.ts';
import { KubeError } from '../cluster/kube-error.ts';
import type { ManagedFieldsEntry } from '../model/resource.ts';

const TRIES = 5;

/**
 * Takes a field manager's own entries out of an object, so that another target can apply it without a conflict. The
 * fields keep their values. Bound to the version that was read; does nothing where there is no such entry.
 *
 * @returns whether there was anything to drop
 * @throws KubeError
 */
export async function releaseOwnership(
  kube: KubeApi,
  ref: ResourceRef,
  fieldManager: string,
  call: CallOptions = {},
): Promise<boolean> {
  for (let tries = 1; ; tries += 1) {
    const live = await kube.getMetadata(ref, call);
    const entries = live?.metadata.managedFields ?? [];
    if (live === undefined || !entries.some((entry) => entry.manager === fieldManager)) {
      return false;
    }
    try {
      await kube.jsonPatch(
        ref,
        [
          { op: 'test', path: '/metadata/uid', value: live.metadata.uid },
          { op: 'test', path: '/metadata/resourceVersion', value: live.metadata.resourceVersion },
          { op: 'replace', path: '/metadata/managedFields', value: without(entries, fieldManager) },
        ],
        { ...call, fieldManager },
      );
      return true;
    } catch (error) {
      // A failed `test` is a 422; a version that moved after it, a 409.
      const isStale = error instanceof KubeError && (error.status === 409 || error.status === 422);
      if (!isStale || tries >= TRIES) {
        throw error;
      }
    }
  }
}

/** The API server ignores an empty list; a list of one empty entry is how managedFields are cleared. */
function without(entries: readonly ManagedFieldsEntry[], fieldManager: string): readonly unknown[] {
  const kept = entries.filter((entry) => entry.manager !== fieldManager);
  return kept.length === 0 ? [{}] : kept;
}
