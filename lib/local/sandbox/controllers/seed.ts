import { createObject } from '../api/create.ts';
import { NAMESPACE_COLLECTION, type SandboxWorld } from '../api/world.ts';

/** The namespaces that every cluster has. */
const NAMESPACES: readonly string[] = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

/** Makes them in a new sandbox; in one that was kept, only those that are missing. */
export function seedNamespaces(world: SandboxWorld): void {
  const type = world.types.ofCollection(NAMESPACE_COLLECTION);
  if (type === undefined) return;
  for (const name of NAMESPACES) {
    if (world.store.get(NAMESPACE_COLLECTION, '', name) !== undefined) continue;
    createObject(world, type, '', { metadata: { name } }, { manager: 'kube-apiserver', dryRun: false });
  }
}
