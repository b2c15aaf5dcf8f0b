import { NAMESPACE_COLLECTION, type SandboxWorld } from '../api/world.ts';
import type { SandboxObject } from '../objects/sandbox-object.ts';
import { CRD_COLLECTION } from '../objects/type-registry.ts';
import type { StoreChange } from '../storage/object-store.ts';
import { cleanDefinitions, cleanNamespaces, collectGarbage, releaseProtected } from './cleanup.ts';
import { establishCrd, needsEstablishing } from './establish-crd.ts';
import type { Scheduler } from './scheduler.ts';
import { isObserved, isUnsettled, WORKLOADS, writeWorkloadStatus } from './workload-status.ts';

/** A moment: what a controller needs to see a change. */
const SOON_MS = 5;
/** How long a new CustomResourceDefinition takes to be served. */
const ESTABLISH_MS = 20;

export interface Controllers {
  readonly observe: (change: StoreChange) => void;
  /** Looks at everything once: what was left half-done when the process ended. */
  readonly resume: () => void;
}

export function createControllers(
  world: SandboxWorld,
  scheduler: Scheduler,
  availableAfterMs: number,
): Controllers {
  function sweep(): void {
    scheduler.after(SOON_MS, 'cleanup', () => {
      cleanDefinitions(world);
      releaseProtected(world);
      cleanNamespaces(world);
      collectGarbage(world);
    });
  }

  function workload(collection: string, object: SandboxObject): void {
    if (!isUnsettled(object)) return;
    const { namespace = '', name, uid } = object.metadata;
    const ready = isObserved(object);
    const delay = ready ? availableAfterMs : SOON_MS;
    scheduler.after(delay, `${collection}/${uid}/${String(ready)}`, () =>
      writeWorkloadStatus(world, collection, { namespace, name }, ready),
    );
  }

  function definition(object: SandboxObject): void {
    if (!needsEstablishing(object)) return;
    scheduler.after(ESTABLISH_MS, `crd/${object.metadata.uid}`, () =>
      establishCrd(world, object.metadata.name),
    );
  }

  function look(collection: string, object: SandboxObject): void {
    if (WORKLOADS.has(collection)) workload(collection, object);
    if (collection === CRD_COLLECTION) definition(object);
    const { deletionTimestamp, ownerReferences } = object.metadata;
    if (deletionTimestamp !== undefined || ownerReferences !== undefined) sweep();
  }

  return {
    observe: ({ kind, collection, object }) => {
      // Whatever goes may be an owner, or the last content of a namespace or a definition.
      if (kind === 'deleted') sweep();
      else look(collection, object);
      if (collection === CRD_COLLECTION) world.types.refresh();
    },
    resume: () => {
      for (const collection of world.store.collections()) {
        for (const object of world.store.list(collection)) look(collection, object);
      }
      if (world.store.list(NAMESPACE_COLLECTION).length > 0) sweep();
    },
  };
}
