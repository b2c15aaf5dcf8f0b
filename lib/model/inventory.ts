import type { Digest } from './ids.ts';
import type { ResourceId } from './resource.ts';

/**
 * What an object looked like when we last knew it to be right. Judged without fetching it (docs/architecture.md, "clean").
 * Every hash is over canonical JSON.
 */
export interface Baseline {
  readonly uid: string;
  readonly resourceVersion: string;
  /** Absent on kinds whose generation means nothing (ConfigMap has none, PriorityClass is always 1). */
  readonly generation?: number;
  /** Our own managedFields entry including its time; absent when the server kept none. */
  readonly ownEntry?: Digest;
  /** labels, annotations, finalizers and ownerReferences. */
  readonly metadata: Digest;
  /** For custom resources: a changed CRD can change what the object means. */
  readonly crd?: { readonly uid: string; readonly generation: number };
}

/**
 * pending: written ahead of its creation; may or may not exist.
 * applied: exists, `baseline` says how.
 * deleting: a delete was accepted or is about to be sent; stays until the object is gone.
 */
export type InventoryStatus = 'pending' | 'applied' | 'deleting';

export interface InventoryEntry {
  readonly id: ResourceId;
  /** API version under which it was last applied (only the version, without the group). */
  readonly version: string;
  readonly namespaced: boolean;
  readonly status: InventoryStatus;
  /** Keyed hash of the manifest as it was sent, with the key's id in front: `k1:<hex>`. A change here is a changed render. */
  readonly desired: string;
  readonly baseline?: Baseline;
  /** Content address of the projection; absent until applied. */
  readonly projection?: Digest;
  readonly origin?: string;
}

/** Keyed by resourceKey. */
export type Inventory = ReadonlyMap<string, InventoryEntry>;

/** Where an immutable, compressed value of a target is stored: in chunks under its digest. */
export interface BlobPointer {
  readonly digest: Digest;
  /** The lease epoch (of a target) or sequence (of a registry) of the writer: what a later writer may clear away. */
  readonly generation: number;
  readonly chunks: number;
  readonly bytes: number;
}

/**
 * The fields we own, with the values that the API server returned when we applied them; Secret values are keyed hashes.
 * Leaves live at the same place as in the object.
 */
export type Projection = { readonly [key: string]: unknown };
