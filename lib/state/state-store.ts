import type { Root } from '../model/application.ts';
import type { Cluster } from '../model/cluster.ts';
import type { DriftFinding } from '../model/drift.ts';
import type { ClusterName, RootId, SourceId, TargetId } from '../model/ids.ts';
import type { Baseline, BlobPointer } from '../model/inventory.ts';
import type { RegistryState } from '../model/registry.ts';
import type { Run } from '../model/run.ts';
import type { Source } from '../model/source.ts';
import type { SourceEvent, SourceState, SourceTransition } from '../model/source-state.ts';
import type { TargetState } from '../model/target-state.ts';
import type { TargetEvent, Transition } from '../model/target-transitions.ts';

/** The result of the last drift scan of a target; replaced whole by each scan. */
export interface DriftReport {
  readonly schema: 1;
  readonly target: TargetId;
  readonly scannedAt: number;
  /** What the scan looked at; the report says nothing about a later run. */
  readonly seen: { readonly epoch: number; readonly runId?: string };
  readonly clean: number;
  readonly findings: readonly DriftFinding[];
  /** Objects that could not be judged, and why. */
  readonly unknown: readonly { readonly object: string; readonly why: string }[];
  /** Suspects that were fetched and found equal: their baselines of today, by resourceKey, so that they are not fetched again. */
  readonly verified: Readonly<Record<string, Baseline>>;
}

export interface ClusterScan {
  readonly schema: 1;
  readonly cluster: ClusterName;
  readonly scannedAt: number;
  readonly error?: string;
}

/** The last sweep that came to its end; informs people only. */
export interface SweepRecord {
  readonly schema: 1;
  readonly sweptAt: number;
}

/** Objects that one target declares and another one still owns. */
export interface Claim {
  readonly schema: 1;
  readonly owner: TargetId;
  readonly claimant: TargetId;
  /** For people. */
  readonly title: string;
  /** Of the claimant; a claim of an earlier commit counts for nothing. */
  readonly wantedSeq: number;
  /** resourceKey of each object. */
  readonly keys: readonly string[];
}

/**
 * One table, seen as the nouns of the model. Reads are strongly consistent except `list…` and `due…`, which are for
 * discovery; every change of a state item is a pure transition under a condition on the item's version.
 */
export interface StateStore {
  putSource(source: Source): Promise<void>;
  getSource(id: SourceId): Promise<Source | undefined>;
  deleteSource(id: SourceId): Promise<void>;
  listSources(): Promise<readonly Source[]>;
  getSourceState(id: SourceId): Promise<SourceState>;
  changeSource(
    id: SourceId,
    event: SourceEvent,
  ): Promise<{ readonly state: SourceState; readonly transition: SourceTransition }>;
  /** Roots whose definitions, or whose own path, live in this source or that declare applications with it. */
  rootsOfSource(id: SourceId): Promise<readonly RootId[]>;

  putRoot(root: Root): Promise<void>;
  getRoot(id: RootId): Promise<Root | undefined>;
  deleteRoot(id: RootId): Promise<void>;
  listRoots(): Promise<readonly Root[]>;
  /** Written before the registry that needs it, never removed while it may be needed. */
  linkRoot(root: RootId, sources: readonly SourceId[]): Promise<void>;

  getRegistry(root: RootId): Promise<RegistryState>;
  changeRegistry<R>(
    root: RootId,
    decide: (registry: RegistryState) => { readonly next?: RegistryState | undefined; readonly result: R },
  ): Promise<R>;

  putCluster(cluster: Cluster): Promise<void>;
  getCluster(name: ClusterName): Promise<Cluster | undefined>;
  deleteCluster(name: ClusterName): Promise<void>;
  listClusters(): Promise<readonly Cluster[]>;

  getTarget(id: TargetId): Promise<TargetState | undefined>;
  getTargets(ids: readonly TargetId[]): Promise<ReadonlyMap<TargetId, TargetState>>;
  changeTarget(id: TargetId, event: TargetEvent): Promise<Transition>;
  /** false: the epoch is not the current one. The item is small and apart, because it is written often. */
  heartbeat(id: TargetId, epoch: number, expiresAt: number): Promise<boolean>;
  getHeartbeat(id: TargetId): Promise<{ readonly epoch: number; readonly expiresAt: number } | undefined>;
  /** All, or those of one cluster. */
  listTargets(cluster?: ClusterName): Promise<readonly TargetId[]>;
  dueTargets(now: number, limit: number): Promise<readonly TargetId[]>;

  /** Immutable, compressed, content-addressed values beside a target or a root. */
  putBlob(owner: BlobOwner, generation: number, value: unknown): Promise<BlobPointer>;
  /** undefined: it was dropped, because what pointed at it has moved on. */
  getBlob<T>(owner: BlobOwner, pointer: BlobPointer): Promise<T | undefined>;
  /** Removes what is not kept, up to this generation. */
  dropBlobs(owner: BlobOwner, generation: number, keep: readonly BlobPointer[]): Promise<void>;

  /** Replaces what the same claimant claimed of the same owner before. */
  putClaim(claim: Claim): Promise<void>;
  /** Claims against an owner, and whether each still stands is for the reader to check. */
  listClaims(owner: TargetId): Promise<readonly Claim[]>;
  dropClaim(claim: Claim): Promise<void>;

  putRun(run: Run): Promise<void>;
  /** Newest first. */
  listRuns(target: TargetId, limit: number): Promise<readonly Run[]>;

  putDrift(report: DriftReport): Promise<void>;
  getDrift(target: TargetId): Promise<DriftReport | undefined>;
  putClusterScan(scan: ClusterScan): Promise<void>;
  getClusterScan(cluster: ClusterName): Promise<ClusterScan | undefined>;
  putSweep(sweep: SweepRecord): Promise<void>;
  getSweep(): Promise<SweepRecord | undefined>;
}

export type BlobOwner = { readonly target: TargetId } | { readonly root: RootId };
