import type { Root } from '../model/application.ts';
import type { RootId, SourceId } from '../model/ids.ts';
import type { RegisteredApplication } from '../model/registry.ts';
import { titleOf } from '../model/registry.ts';
import type { StateStore } from '../state/state-store.ts';

/** What a root has registered; empty when nothing is. A registry that moves on while it is read is read again. */
export async function registeredApplications(
  state: Pick<StateStore, 'getRegistry' | 'getBlob'>,
  root: RootId,
): Promise<readonly RegisteredApplication[]> {
  for (let attempt = 1; ; attempt++) {
    const registry = await state.getRegistry(root);
    if (registry.children === undefined) return [];
    const children = await state.getBlob<readonly RegisteredApplication[]>({ root }, registry.children);
    if (children !== undefined) return children;
    if (attempt === 3) {
      throw new Error(`the registered applications of root ${root} are missing from the table`);
    }
  }
}

/** Titles of the roots and applications that are built from a source now. */
export async function usersOfSource(state: StateStore, source: SourceId): Promise<readonly string[]> {
  const users: string[] = [];
  for (const id of await state.rootsOfSource(source)) {
    const root: Root | undefined = await state.getRoot(id);
    if (root === undefined) continue;
    if (root.source === source) users.push(`root/${root.id}`);
    for (const { application } of await registeredApplications(state, id)) {
      if (application.source === source) users.push(titleOf(application));
    }
  }
  return users;
}
