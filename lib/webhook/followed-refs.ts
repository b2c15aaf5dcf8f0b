import type { SourceId } from '../model/ids.ts';
import type { RegisteredApplication } from '../model/registry.ts';
import { refKey } from '../model/source.ts';
import type { StateStore } from '../state/state-store.ts';

/**
 * The refs of a source that roots and registered applications follow, as refKey. Read from the registries, the truth
 * about which applications exist, so that a push right after a registration counts; what was last seen at the Git
 * server would lag behind. undefined: a registry was replaced while it was read.
 */
export async function readFollowedRefs(
  state: Pick<StateStore, 'rootsOfSource' | 'getRoot' | 'getRegistry' | 'getBlob'>,
  source: SourceId,
): Promise<ReadonlySet<string> | undefined> {
  const followed = new Set<string>();
  for (const id of await state.rootsOfSource(source)) {
    const [root, registry] = await Promise.all([state.getRoot(id), state.getRegistry(id)]);
    if (root?.source === source) {
      followed.add(refKey(root.ref));
    }
    if (registry.children === undefined) {
      continue;
    }
    const children = await state.getBlob<readonly RegisteredApplication[]>({ root: id }, registry.children);
    if (children === undefined) {
      return undefined;
    }
    for (const { application } of children) {
      if (application.source === source) {
        followed.add(refKey(application.ref));
      }
    }
  }
  return followed;
}
