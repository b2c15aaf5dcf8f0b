import { canonicalJson } from '../plan/canonical-json.ts';
import { sha256, type Digest, type TargetId } from '../model/ids.ts';
import type { BlobPointer, Inventory, InventoryEntry, Projection } from '../model/inventory.ts';
import { resourceKey } from '../model/resource.ts';
import type { TargetState } from '../model/target-state.ts';
import type { StateStore } from '../state/state-store.ts';

/** What an inventory pointer points at. Projections are kept apart, in packs: one run writes one pack. */
interface InventoryDocument {
  readonly schema: 1;
  readonly entries: readonly InventoryEntry[];
  readonly packs: readonly BlobPointer[];
}

type Pack = Readonly<Record<Digest, Projection>>;

/** From this many on they are rewritten into one, without the projections that no entry refers to. */
const MAX_PACKS = 8;

export interface LoadedInventory {
  readonly entries: Inventory;
  readonly packs: readonly BlobPointer[];
}

export const EMPTY_INVENTORY: LoadedInventory = { entries: new Map(), packs: [] };

export function projectionDigest(projection: Projection): Digest {
  return sha256(canonicalJson(projection));
}

/** The widest inventory that is stored: the one written ahead, if a run did not end. undefined: it moved on meanwhile. */
export async function loadInventory(
  state: Pick<StateStore, 'getBlob'>,
  target: Pick<TargetState, 'target' | 'pending' | 'inventory'>,
): Promise<LoadedInventory | undefined> {
  const pointer = target.pending?.inventory ?? target.inventory;
  if (pointer === undefined) return EMPTY_INVENTORY;
  const document = await state.getBlob<InventoryDocument>({ target: target.target }, pointer);
  if (document === undefined) return undefined;
  return {
    entries: new Map(document.entries.map((entry) => [resourceKey(entry.id), entry])),
    packs: document.packs,
  };
}

export async function loadProjections(
  state: Pick<StateStore, 'getBlob'>,
  target: TargetId,
  inventory: LoadedInventory,
): Promise<ReadonlyMap<Digest, Projection>> {
  const projections = new Map<Digest, Projection>();
  for (const pointer of inventory.packs) {
    const pack = await state.getBlob<Pack>({ target }, pointer);
    for (const [digest, projection] of Object.entries(pack ?? {}))
      projections.set(digest as Digest, projection);
  }
  return projections;
}

/** Stores the entries, and the projections that are new; returns the pointer and every blob that it needs. */
export async function storeInventory(
  state: Pick<StateStore, 'putBlob' | 'getBlob'>,
  target: TargetId,
  epoch: number,
  next: {
    readonly entries: Inventory;
    readonly packs: readonly BlobPointer[];
    readonly projections: ReadonlyMap<Digest, Projection>;
  },
): Promise<{ readonly pointer: BlobPointer; readonly packs: readonly BlobPointer[] }> {
  const owner = { target };
  const packs = await packed(state, target, epoch, next);
  const document: InventoryDocument = { schema: 1, entries: [...next.entries.values()], packs };
  return { pointer: await state.putBlob(owner, epoch, document), packs };
}

async function packed(
  state: Pick<StateStore, 'putBlob' | 'getBlob'>,
  target: TargetId,
  epoch: number,
  next: Parameters<typeof storeInventory>[3],
): Promise<readonly BlobPointer[]> {
  if (next.projections.size === 0) return next.packs;
  if (next.packs.length < MAX_PACKS) {
    return [...next.packs, await state.putBlob({ target }, epoch, Object.fromEntries(next.projections))];
  }
  const known = await loadProjections(state, target, { entries: next.entries, packs: next.packs });
  const kept: Record<string, Projection> = {};
  for (const { projection } of next.entries.values()) {
    const value = projection && (next.projections.get(projection) ?? known.get(projection));
    if (projection !== undefined && value !== undefined) kept[projection] = value;
  }
  return [await state.putBlob({ target }, epoch, kept)];
}
