import type { Root } from '../model/application.ts';
import type { Cluster } from '../model/cluster.ts';
import type { ClusterName, RootId, SourceId, TargetId } from '../model/ids.ts';
import { initialRegistry, type RegistryState } from '../model/registry.ts';
import type { BlobPointer } from '../model/inventory.ts';
import type { Run } from '../model/run.ts';
import type { Source } from '../model/source.ts';
import {
  initialSourceState,
  sourceTransition,
  type SourceState,
  type SourceTransition,
} from '../model/source-state.ts';
import { dueAt, type TargetState } from '../model/target-state.ts';
import { transition, type Transition } from '../model/target-transitions.ts';
import { dropBlobs, getBlob, putBlob } from './blobs.ts';
import { compareAndSwap, decode, encode, read } from './record-codec.ts';
import type { RecordKey, RecordTable, TableRecord } from './record-table.ts';
import type { BlobOwner, Claim, ClusterScan, DriftReport, StateStore, SweepRecord } from './state-store.ts';

interface Heartbeat {
  readonly schema: 1;
  readonly epoch: number;
  readonly expiresAt: number;
}

/** 1: with stored credentials; 2: EKS, without. */
const CLUSTER_SCHEMA = 2;
/** Days that the record of a run is kept. */
const RUN_RETENTION_DAYS = 90;

const sourceKey = (id: SourceId, sk: string): RecordKey => ({ pk: `SOURCE#${id}`, sk });
const rootKey = (id: RootId, sk: string): RecordKey => ({ pk: `ROOT#${id}`, sk });
const clusterKey = (name: ClusterName, sk: string): RecordKey => ({ pk: `CLUSTER#${name}`, sk });
const targetKey = (id: TargetId, sk: string): RecordKey => ({ pk: `TARGET#${id}`, sk });
const SWEEP_KEY: RecordKey = { pk: 'SWEEP', sk: 'META' };
const idIn = <T extends string>(pk: string): T => pk.slice(pk.indexOf('#') + 1) as T;
const ownerKey = (owner: BlobOwner): string =>
  'target' in owner ? `TARGET#${owner.target}` : `ROOT#${owner.root}`;

/** Spread over 16 partitions, because every due target is written under one of these keys. */
const DUE_SHARDS = [...'0123456789abcdef'].map((digit) => `DUE#${digit}`);
const dueShard = (id: TargetId): string => `DUE#${id[0] ?? '0'}`;

/** The state room over any RecordTable: DynamoDB in production and locally, memory in the model tests. */
export function tableStateStore(table: RecordTable): StateStore {
  const put = (key: RecordKey, value: unknown, extra: Partial<TableRecord> = {}) =>
    table.put({ ...key, version: 1, ...encode(value), ...extra }, 'always');
  const get = async <T extends { readonly schema: number }>(key: RecordKey, newest = 1) =>
    (await read<T>(table, key, newest))?.value;
  const listAll = async <T extends { readonly schema: number }>(listKey: string, newest = 1) => {
    const records = await table.getMany(await table.list(listKey));
    return records
      .map((record) => ({ pk: record.pk, value: decode<T>(record, newest).value }))
      .sort((a, b) => (a.pk < b.pk ? -1 : 1))
      .map(({ value }) => value);
  };

  return {
    async putSource(source) {
      await put(sourceKey(source.id, 'META'), source, { list: { key: 'SOURCE', sort: source.id } });
    },
    getSource: (id) => get<Source>(sourceKey(id, 'META')),
    deleteSource: (id) => table.remove([sourceKey(id, 'META'), sourceKey(id, 'STATE')]),
    listSources: () => listAll<Source>('SOURCE'),
    getSourceState: async (id) => (await get<SourceState>(sourceKey(id, 'STATE'))) ?? initialSourceState(id),
    changeSource: (id, event) =>
      compareAndSwap<SourceState, { readonly state: SourceState; readonly transition: SourceTransition }>(
        table,
        sourceKey(id, 'STATE'),
        (current: SourceState | undefined) => {
          const state = current ?? initialSourceState(id);
          const outcome = sourceTransition(state, event);
          if (outcome.kind === 'none') return { result: { state, transition: outcome } };
          return { next: outcome.next, result: { state: outcome.next, transition: outcome } };
        },
      ),
    async rootsOfSource(id) {
      const links = await table.query(`SOURCE#${id}`, 'ROOT#');
      return links.map(({ sk }) => idIn<RootId>(sk));
    },

    async putRoot(root) {
      await put(rootKey(root.id, 'META'), root, { list: { key: 'ROOT', sort: root.id } });
    },
    getRoot: (id) => get<Root>(rootKey(id, 'META')),
    deleteRoot: (id) => table.remove([rootKey(id, 'META')]),
    listRoots: () => listAll<Root>('ROOT'),
    async linkRoot(root, sources) {
      await table.putMany(
        sources.map((source) => ({ ...sourceKey(source, `ROOT#${root}`), version: 1, body: '{"schema":1}' })),
      );
    },

    getRegistry: async (root) =>
      (await get<RegistryState>(rootKey(root, 'REGISTRY'))) ?? initialRegistry(root),
    changeRegistry: (root, decide) =>
      compareAndSwap(table, rootKey(root, 'REGISTRY'), (current: RegistryState | undefined) =>
        decide(current ?? initialRegistry(root)),
      ),

    async putCluster(cluster) {
      await put(clusterKey(cluster.name, 'META'), cluster, { list: { key: 'CLUSTER', sort: cluster.name } });
    },
    getCluster: (name) => get<Cluster>(clusterKey(name, 'META'), CLUSTER_SCHEMA),
    deleteCluster: (name) => table.remove([clusterKey(name, 'META'), clusterKey(name, 'SCAN')]),
    listClusters: () => listAll<Cluster>('CLUSTER', CLUSTER_SCHEMA),

    getTarget: (id) => get<TargetState>(targetKey(id, 'STATE')),
    async getTargets(ids) {
      const records = await table.getMany([...new Set(ids)].map((id) => targetKey(id, 'STATE')));
      return new Map(
        records.map((record) => [idIn<TargetId>(record.pk), decode<TargetState>(record).value] as const),
      );
    },
    changeTarget: (id, event) =>
      compareAndSwap<TargetState, Transition>(
        table,
        targetKey(id, 'STATE'),
        (current) => {
          const outcome = transition(current, event);
          return outcome.kind === 'write' ? { next: outcome.next, result: outcome } : { result: outcome };
        },
        indexesOf,
      ),
    async heartbeat(id, epoch, expiresAt) {
      return compareAndSwap<Heartbeat, boolean>(table, targetKey(id, 'HEARTBEAT'), (current) =>
        current !== undefined && current.epoch > epoch
          ? { result: false }
          : { next: { schema: 1, epoch, expiresAt }, result: true },
      );
    },
    getHeartbeat: (id) => get<Heartbeat>(targetKey(id, 'HEARTBEAT')),
    async listTargets(cluster) {
      const keys = await table.list('TARGET', cluster === undefined ? '' : `${cluster}/`);
      return keys.map(({ pk }) => idIn<TargetId>(pk));
    },
    async dueTargets(now, limit) {
      const shards = await Promise.all(DUE_SHARDS.map((shard) => table.due(shard, now, limit)));
      return shards
        .flat()
        .slice(0, limit)
        .map(({ pk }) => idIn<TargetId>(pk));
    },

    putBlob: (owner, generation, value) => putBlob(table, ownerKey(owner), generation, value),
    getBlob: (owner, pointer) => getBlob(table, ownerKey(owner), pointer),
    dropBlobs: (owner, generation, keep) => dropBlobs(table, ownerKey(owner), generation, keep),

    async putClaim(claim) {
      await put(targetKey(claim.owner, `CLAIM#${claim.claimant}`), claim);
    },
    async listClaims(owner) {
      const records = await table.query(`TARGET#${owner}`, 'CLAIM#');
      return records.map((record) => decode<Claim>(record).value);
    },
    dropClaim: (claim) => table.remove([targetKey(claim.owner, `CLAIM#${claim.claimant}`)]),

    async putRun(run) {
      const expiresAt = Math.floor(run.endedAt / 1000) + RUN_RETENTION_DAYS * 86_400;
      await put(targetKey(run.target, `RUN#${run.id}`), run, { expiresAt });
    },
    async listRuns(target, limit) {
      const records = await table.query(`TARGET#${target}`, 'RUN#', { descending: true, limit });
      return records.map((record) => decode<Run>(record).value);
    },

    async putDrift(report) {
      const pointer = await putBlob(table, `DRIFT#${report.target}`, report.scannedAt, report);
      await put(targetKey(report.target, 'DRIFT'), { schema: 1, pointer });
      await dropBlobs(table, `DRIFT#${report.target}`, report.scannedAt, [pointer]);
    },
    async getDrift(target) {
      const item = await get<{ readonly schema: 1; readonly pointer: BlobPointer }>(
        targetKey(target, 'DRIFT'),
      );
      return item && getBlob<DriftReport>(table, `DRIFT#${target}`, item.pointer);
    },
    async putClusterScan(scan) {
      await put(clusterKey(scan.cluster, 'SCAN'), scan);
    },
    getClusterScan: (cluster) => get<ClusterScan>(clusterKey(cluster, 'SCAN')),
    async putSweep(sweep) {
      await put(SWEEP_KEY, sweep);
    },
    getSweep: () => get<SweepRecord>(SWEEP_KEY),
  };
}

function indexesOf(state: TargetState): Pick<TableRecord, 'list' | 'due'> {
  const at = dueAt(state);
  return {
    list: { key: 'TARGET', sort: `${state.cluster}/${state.title}/${state.target}` },
    ...(at === undefined ? {} : { due: { key: dueShard(state.target), at } }),
  };
}
