import { CRD_FINALIZER, FOREGROUND_FINALIZER, ORPHAN_FINALIZER, withDeletion } from '../api/delete.ts';
import { NAMESPACE_COLLECTION, now, type SandboxWorld } from '../api/world.ts';
import { at, type SandboxObject } from '../objects/sandbox-object.ts';
import { CRD_COLLECTION } from '../objects/type-registry.ts';

/** Deletes as a controller does: at once, or marked until the finalizers are gone. */
function collect(world: SandboxWorld, collection: string, object: SandboxObject): void {
  const finalizers = object.metadata.finalizers ?? [];
  if (finalizers.length === 0) world.store.remove(collection, object);
  else if (object.metadata.deletionTimestamp === undefined) {
    world.store.put(collection, withDeletion(object, now(world), finalizers));
  }
}

function withFinalizers(object: SandboxObject, keep: (name: string) => boolean): SandboxObject {
  const { finalizers = [], ...metadata } = object.metadata;
  const left = finalizers.filter(keep);
  return { ...object, metadata: left.length === 0 ? metadata : { ...metadata, finalizers: left } };
}

function release(world: SandboxWorld, collection: string, object: SandboxObject, finalizer: string): void {
  const next = withFinalizers(object, (name) => name !== finalizer);
  if ((next.metadata.finalizers ?? []).length === 0) world.store.remove(collection, next);
  else world.store.put(collection, next);
}

/** Empties namespaces that are being deleted, and removes those that are empty. */
export function cleanNamespaces(world: SandboxWorld): void {
  for (const namespace of world.store.list(NAMESPACE_COLLECTION)) {
    if (namespace.metadata.deletionTimestamp === undefined) continue;
    const { name } = namespace.metadata;
    let left = 0;
    for (const collection of world.store.collections()) {
      for (const object of world.store.list(collection, name)) {
        collect(world, collection, object);
        if (world.store.get(collection, name, object.metadata.name) !== undefined) left += 1;
      }
    }
    // A namespace waits for the finalizers of its metadata as well as for its content.
    if (left === 0 && (namespace.metadata.finalizers ?? []).length === 0) {
      world.store.remove(NAMESPACE_COLLECTION, namespace);
    }
  }
}

const PROTECTION: readonly (readonly [collection: string, finalizer: string])[] = [
  ['/persistentvolumeclaims', 'kubernetes.io/pvc-protection'],
  ['/persistentvolumes', 'kubernetes.io/pv-protection'],
];

/** Lets claims and volumes go: nothing uses them here. */
export function releaseProtected(world: SandboxWorld): void {
  for (const [collection, finalizer] of PROTECTION) {
    for (const object of world.store.list(collection)) {
      const { deletionTimestamp, finalizers = [] } = object.metadata;
      if (deletionTimestamp === undefined || !finalizers.includes(finalizer)) continue;
      release(world, collection, object, finalizer);
    }
  }
}

/** Deletes the custom resources of definitions that are being deleted, then the definitions. */
export function cleanDefinitions(world: SandboxWorld): void {
  for (const crd of world.store.list(CRD_COLLECTION)) {
    const { deletionTimestamp, finalizers = [] } = crd.metadata;
    if (deletionTimestamp === undefined || !finalizers.includes(CRD_FINALIZER)) continue;
    const collection = `${String(at(crd, 'spec', 'group'))}/${String(at(crd, 'spec', 'names', 'plural'))}`;
    for (const object of world.store.list(collection)) collect(world, collection, object);
    if (world.store.list(collection).length === 0) release(world, CRD_COLLECTION, crd, CRD_FINALIZER);
  }
}

interface Placed {
  readonly collection: string;
  readonly object: SandboxObject;
}

/**
 * Garbage collection by ownerReferences: what has lost all its owners goes, references to lost owners beside living
 * ones are dropped, foreground and orphan deletions are carried out.
 */
export function collectGarbage(world: SandboxWorld): void {
  const living = new Set<string>();
  const dependants: Placed[] = [];
  const waiting: Placed[] = [];
  for (const collection of world.store.collections()) {
    for (const object of world.store.list(collection)) {
      const { uid, ownerReferences, finalizers, deletionTimestamp } = object.metadata;
      living.add(uid);
      if (ownerReferences !== undefined) dependants.push({ collection, object });
      const marked = finalizers?.some((name) => name === FOREGROUND_FINALIZER || name === ORPHAN_FINALIZER);
      if (deletionTimestamp !== undefined && marked === true) waiting.push({ collection, object });
    }
  }
  for (const { collection, object } of dependants) settleOwners(world, collection, object, living);
  for (const { collection, object } of waiting) finishDeletion(world, collection, object, dependants);
}

function settleOwners(
  world: SandboxWorld,
  collection: string,
  object: SandboxObject,
  living: ReadonlySet<string>,
): void {
  const owners = object.metadata.ownerReferences ?? [];
  const left = owners.filter((owner) => living.has(owner.uid));
  if (owners.length === 0 || left.length === owners.length) return;
  if (left.length === 0) collect(world, collection, object);
  else world.store.put(collection, { ...object, metadata: { ...object.metadata, ownerReferences: left } });
}

function finishDeletion(
  world: SandboxWorld,
  collection: string,
  owner: SandboxObject,
  dependants: readonly Placed[],
): void {
  const { uid, finalizers = [] } = owner.metadata;
  const orphan = finalizers.includes(ORPHAN_FINALIZER);
  let left = 0;
  for (const placed of dependants) {
    const { namespace = '', name } = placed.object.metadata;
    const object = world.store.get(placed.collection, namespace, name);
    const references = object?.metadata.ownerReferences ?? [];
    if (object === undefined || !references.some((reference) => reference.uid === uid)) continue;
    if (orphan) {
      const { ownerReferences: _, ...metadata } = object.metadata;
      const others = references.filter((reference) => reference.uid !== uid);
      const kept = others.length === 0 ? {} : { ownerReferences: others };
      world.store.put(placed.collection, { ...object, metadata: { ...metadata, ...kept } });
    } else {
      collect(world, placed.collection, object);
      if (world.store.get(placed.collection, namespace, name) !== undefined) left += 1;
    }
  }
  if (left === 0) release(world, collection, owner, orphan ? ORPHAN_FINALIZER : FOREGROUND_FINALIZER);
}
