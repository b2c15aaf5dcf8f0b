import type { Digest } from './ids.ts';
import type { KubeObject, LiveMetadata, Origin, ResourceId } from './resource.ts';
import type { InventoryEntry } from './inventory.ts';

/** Why an object that is in the inventory is not taken to be as it was left. */
export type Suspicion =
  | 'edited' // resourceVersion moved and generation, own entry or metadata differ
  | 'missing'
  | 'recreated' // another uid
  | 'terminating'
  | 'crd-changed'
  | 'unverified'; // no baseline: a run ended between applying it and recording it

export type Verdict =
  | { readonly kind: 'clean' }
  | { readonly kind: 'suspect'; readonly suspicion: Suspicion }
  /** The list or GET failed: nothing is known. */
  | { readonly kind: 'unknown'; readonly error: string };

/** What is sent, and under which preconditions. */
export type Action =
  | {
      readonly kind: 'apply';
      readonly id: ResourceId;
      readonly reason: 'new' | 'changed' | 'drifted' | 'takeover' | 'requested';
      readonly suspicion?: Suspicion;
      /** Ready to send, with the mark, without uid and resourceVersion. */
      readonly object: KubeObject;
      readonly origin: Origin;
      readonly desired: string;
      /** Preconditions where the object is known to live. */
      readonly live?: { readonly uid: string; readonly resourceVersion: string };
      readonly previous?: InventoryEntry;
      /** JSON pointers whose live values stay: the render has not changed but in what it makes up anew each time. */
      readonly keep?: readonly string[];
      readonly stage: number;
    }
  | { readonly kind: 'unchanged'; readonly id: ResourceId; readonly entry: InventoryEntry }
  | {
      readonly kind: 'prune';
      readonly id: ResourceId;
      readonly entry: InventoryEntry;
      /** Absent: not seen alive; the entry is dropped when a GET confirms that. */
      readonly live?: { readonly uid: string; readonly resourceVersion: string };
      readonly stage: number;
    }
  /** Leaves the inventory and stays in the cluster, on purpose. */
  | {
      readonly kind: 'release';
      readonly id: ResourceId;
      readonly entry: InventoryEntry;
      readonly why: string;
    }
  /** Would be pruned, is not, and stays in the inventory. */
  | {
      readonly kind: 'withhold';
      readonly id: ResourceId;
      readonly entry: InventoryEntry;
      readonly why: string;
    }
  /** Cannot be applied as it stands; the others are. */
  | {
      readonly kind: 'reject';
      readonly id: ResourceId;
      readonly origin: Origin;
      readonly why: string;
      readonly previous?: InventoryEntry;
    };

export interface Plan {
  /** In the order in which they are carried out; see lib/plan/order.ts. */
  readonly actions: readonly Action[];
  /** Digest over the identities that would be pruned: what an allowance is bound to. */
  readonly deleteSet: Digest;
  /** Why nothing is pruned in this run although something left Git; empty when pruning is free. */
  readonly pruneHeld?: string;
}

/** What is known of one object's life, without having fetched it. */
export type Observed =
  | { readonly kind: 'live'; readonly metadata: LiveMetadata }
  /** Not in the list and a GET by name said 404. */
  | { readonly kind: 'absent' }
  /** The list or GET failed, or the kind's discovery did. */
  | { readonly kind: 'unknown'; readonly error: string };

/** Keyed by resourceKey. */
export type Observation = ReadonlyMap<string, Observed>;
