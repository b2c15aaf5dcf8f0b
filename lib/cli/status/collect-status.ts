import { forEachPooled } from '../../cluster/pooled.ts';
import type { RootId } from '../../model/ids.ts';
import { isGone } from '../../model/target-state.ts';
import type { StateStore } from '../../state/state-store.ts';
import { refKey } from '../../model/source.ts';
import { allTargets, selectTargets } from '../select-targets.ts';
import { isoTime } from '../output/words.ts';
import { stateMessage, stateWord, type StateWord } from './state-word.ts';

/** What `holdfast status --output json` prints; its keys are documented and stay. */
export interface StatusDocument {
  readonly applications: readonly ApplicationStatus[];
  readonly roots: readonly RootStatus[];
  readonly sources: readonly SourceStatus[];
  readonly clusters: readonly ClusterStatus[];
}

export interface ApplicationStatus {
  /** `namespace/name`, or `root/name` for what a root itself applies. */
  readonly application: string;
  readonly target: string;
  readonly root: string;
  readonly cluster: string;
  readonly state: StateWord;
  readonly wantedRevision?: string;
  readonly appliedRevision?: string;
  readonly message: string;
  /** Objects that differed at the last scan since the last run; absent: not scanned since. */
  readonly drift?: number;
  /** ISO 8601; when it is tried again. */
  readonly nextAttemptAt?: string;
}

export interface RootStatus {
  readonly root: string;
  readonly source: string;
  readonly ref: string;
  readonly path: string;
  readonly cluster: string;
  readonly applications: number;
  /** Of definitions, each with file:line where known. */
  readonly errors: readonly { readonly origin?: string; readonly message: string }[];
  /** Why applications that left Git are kept. */
  readonly held?: string;
}

export interface SourceStatus {
  readonly source: string;
  readonly url: string;
  /** ISO 8601; when something was last seen or went wrong. */
  readonly checkedAt?: string;
  readonly error?: string;
}

export interface ClusterStatus {
  readonly cluster: string;
  readonly endpoint: string;
  readonly scannedAt?: string;
  readonly error?: string;
}

const CONCURRENCY = 16;

/** @param application only its targets; sources, roots and clusters are always all there */
export async function collectStatus(state: StateStore, application?: string): Promise<StatusDocument> {
  return {
    applications: await collectApplications(state, application),
    roots: await collectRoots(state),
    sources: await collectSources(state),
    clusters: await collectClusters(state),
  };
}

async function collectApplications(
  state: StateStore,
  application: string | undefined,
): Promise<readonly ApplicationStatus[]> {
  const targets =
    application === undefined
      ? (await allTargets(state)).filter((target) => !isGone(target))
      : await selectTargets(state, application);
  const statuses = new Map<string, ApplicationStatus>();
  await forEachPooled(targets, CONCURRENCY, async (target) => {
    const [lastRun] = await state.listRuns(target.target, 1);
    const drift = await state.getDrift(target.target);
    // A report from before the last run says nothing about now.
    const isCurrent = drift?.seen.runId === target.lastRun?.id && drift?.seen.epoch === target.epoch;
    const { wanted, applied } = target;
    const nextAttemptAt = isoTime(target.nextAttemptAt);
    statuses.set(target.target, {
      application: target.title,
      target: target.target,
      root: target.root,
      cluster: target.cluster,
      state: stateWord(target, lastRun),
      ...(wanted.kind === 'removed' || wanted.revision === undefined
        ? {}
        : { wantedRevision: wanted.revision }),
      ...(applied?.revision === undefined ? {} : { appliedRevision: applied.revision }),
      message: stateMessage(target, lastRun),
      ...(isCurrent ? { drift: drift?.findings.length ?? 0 } : {}),
      ...(nextAttemptAt === undefined ? {} : { nextAttemptAt }),
    });
  });
  return targets.flatMap(({ target }) => statuses.get(target) ?? []);
}

async function collectRoots(state: StateStore): Promise<readonly RootStatus[]> {
  const roots: RootStatus[] = [];
  for (const root of await state.listRoots()) {
    const registry = await state.getRegistry(root.id);
    roots.push({
      root: root.id,
      source: root.source,
      ref: refKey(root.ref),
      path: root.path,
      cluster: root.cluster,
      applications: registry.childCount,
      errors: registry.errors.map(({ origin, error }) => ({
        ...(origin === undefined ? {} : { origin }),
        message: error.message,
      })),
      ...(registry.held === undefined ? {} : { held: withRootName(registry.held.message, root.id) }),
    });
  }
  return roots;
}

/** Who plans a registration does not know the root's name, which the command needs. */
function withRootName(message: string, root: RootId): string {
  return message.replace('holdfast bootstrap --allow-removal', `holdfast bootstrap ${root} --allow-removal`);
}

async function collectSources(state: StateStore): Promise<readonly SourceStatus[]> {
  const sources: SourceStatus[] = [];
  for (const { id, url } of await state.listSources()) {
    const { error, checkedAt } = await state.getSourceState(id);
    const at = isoTime(checkedAt);
    sources.push({
      source: id,
      url,
      ...(at === undefined ? {} : { checkedAt: at }),
      ...(error === undefined ? {} : { error: error.message }),
    });
  }
  return sources;
}

async function collectClusters(state: StateStore): Promise<readonly ClusterStatus[]> {
  const clusters: ClusterStatus[] = [];
  for (const { name, endpoint } of await state.listClusters()) {
    const scan = await state.getClusterScan(name);
    const scannedAt = isoTime(scan?.scannedAt);
    clusters.push({
      cluster: name,
      endpoint,
      ...(scannedAt === undefined ? {} : { scannedAt }),
      ...(scan?.error === undefined ? {} : { error: scan.error }),
    });
  }
  return clusters;
}
