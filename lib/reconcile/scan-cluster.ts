import type { KubeApi } from '../cluster/kube-api.ts';
import { observe } from '../cluster/observe.ts';
import { forEachPooled } from '../cluster/pooled.ts';
import { classify } from '../drift/classify.ts';
import type { DriftFinding } from '../model/drift.ts';
import { errorRecord } from '../model/errors.ts';
import { fieldManagerOf, MARK_LABEL, type ClusterName, type TargetId } from '../model/ids.ts';
import type { Baseline, InventoryEntry } from '../model/inventory.ts';
import type { Observation } from '../model/plan.ts';
import { describeResource, resourceKey } from '../model/resource.ts';
import type { TargetState } from '../model/target-state.ts';
import { baselineOf, type CrdState } from '../plan/baseline.ts';
import { judgeAll } from '../plan/judge.ts';
import type { HashKey } from '../plan/keyed-hash.ts';
import type { DriftReport } from '../state/state-store.ts';
import { crdStates } from './crd-states.ts';
import type { ScanDeps } from './deps.ts';
import { loadInventory, loadProjections, type LoadedInventory } from './inventory-document.ts';
import { scanInputs } from './scan-inputs.ts';

export interface ScanOutcome {
  readonly cluster: ClusterName;
  readonly targets: number;
  readonly clean: number;
  readonly drifted: number;
  /** Targets with at least one such object. */
  readonly driftedTargets: number;
  readonly unknown: number;
  /** Targets woken to be healed. */
  readonly woken: number;
  /** Targets woken because a value, a key or the cluster changed, on which their render depends. */
  readonly inputsChanged: number;
  /** Verdicts dropped because a run came between. */
  readonly discarded: number;
  readonly requests: Readonly<Record<string, number>>;
  /** Why not one object could be looked at; the cluster is then as good as away. */
  readonly error?: string;
}

interface Scanned {
  readonly state: TargetState;
  readonly inventory: LoadedInventory;
  readonly known: DriftReport | undefined;
}

/**
 * Compares one cluster with what was last applied to it. Lists and gets only; what it finds goes into the table, and
 * targets whose policy says so are woken.
 * @param deadline monotonic milliseconds
 */
export async function scanCluster(
  deps: ScanDeps,
  cluster: ClusterName,
  deadline: number,
): Promise<ScanOutcome> {
  try {
    const outcome = await scan(deps, cluster, deadline);
    const { error } = outcome;
    await deps.state.putClusterScan({
      schema: 1,
      cluster,
      scannedAt: deps.clock.now(),
      ...(error === undefined ? {} : { error }),
    });
    if (error === undefined) deps.log.info('cluster scanned', { ...outcome });
    else deps.log.warn('cluster not scanned', { ...outcome });
    return outcome;
  } catch (error) {
    await deps.state.putClusterScan({
      schema: 1,
      cluster,
      scannedAt: deps.clock.now(),
      error: errorRecord(error).message,
    });
    throw error;
  }
}

async function scan(deps: ScanDeps, cluster: ClusterName, deadline: number): Promise<ScanOutcome> {
  const kube = await deps.connector.connect(cluster, 'read');
  const before = { ...kube.requestCounts };
  const states = await deps.state.getTargets(await deps.state.listTargets(cluster));
  const targets = await loadTargets(deps, states.values());
  const entries = targets.flatMap(({ inventory }) => [...inventory.entries.values()]);
  const observation = await observe({
    kube,
    selector: MARK_LABEL,
    wanted: entries.map(({ id, version, namespaced }) => ({ id, version, namespaced })),
    deadline,
  });
  const away = await whyAway(kube, observation, deadline);
  const crdOf =
    away === undefined
      ? await crdStates(
          kube,
          entries.map(({ id }) => id),
          deadline,
        )
      : () => undefined;
  const key = await deps.hashKey();
  const totals = { clean: 0, drifted: 0, driftedTargets: 0, unknown: 0, woken: 0, discarded: 0 };
  for (const target of targets) {
    const report = await judgeTarget({ deps, kube, observation, crdOf, key, deadline }, target);
    if (!(await stillTrue(deps, report))) {
      totals.discarded += 1;
      continue;
    }
    await deps.state.putDrift(report);
    totals.clean += report.clean;
    totals.drifted += report.findings.length;
    if (report.findings.length > 0) totals.driftedTargets += 1;
    totals.unknown += report.unknown.length;
    if (report.findings.length > 0 && (await wakeToHeal(deps, target.state, report))) totals.woken += 1;
  }
  const inputsChanged = away === undefined ? await scanInputs(deps, kube, states.values(), deadline) : 0;
  const requests = Object.fromEntries(
    Object.entries(kube.requestCounts).map(([verb, count]) => [verb, count - (before[verb] ?? 0)]),
  );
  const error = away === undefined ? {} : { error: away };
  return { cluster, targets: targets.length, ...totals, inputsChanged, requests, ...error };
}

/** Observing never throws: a cluster that does not answer shows in that nothing of it is known. */
async function whyAway(
  kube: KubeApi,
  observation: Observation,
  deadline: number,
): Promise<string | undefined> {
  // Nothing was asked yet, and a cluster to which nothing is deployed should be known to be away too.
  if (observation.size === 0) await kube.serverVersion({ deadline });
  let why: string | undefined;
  for (const seen of observation.values()) {
    if (seen.kind !== 'unknown') return undefined;
    why ??= seen.error;
  }
  return why;
}

/** Those that rest with something applied; what is in motion is not judged. */
async function loadTargets(deps: ScanDeps, states: Iterable<TargetState>): Promise<readonly Scanned[]> {
  const scanned: Scanned[] = [];
  for (const state of states) {
    const rests = state.lease === undefined && state.pending === undefined && state.inventory !== undefined;
    if (!rests || state.wanted.kind === 'removed') continue;
    const inventory = await loadInventory(deps.state, state);
    if (inventory === undefined) continue;
    scanned.push({ state, inventory, known: await deps.state.getDrift(state.target) });
  }
  return scanned;
}

interface Scan {
  readonly deps: ScanDeps;
  readonly kube: KubeApi;
  readonly observation: Observation;
  readonly crdOf: (id: InventoryEntry['id']) => CrdState | undefined;
  readonly key: HashKey;
  readonly deadline: number;
}

async function judgeTarget(scan: Scan, target: Scanned): Promise<DriftReport> {
  const { state, inventory, known } = target;
  const fieldManager = fieldManagerOf(state.target);
  const sameRun = known?.seen.runId === state.lastRun?.id && known?.seen.epoch === state.epoch;
  const verified = new Map(Object.entries(sameRun ? (known?.verified ?? {}) : {}));
  const entries = new Map([...inventory.entries].filter(([, entry]) => entry.status === 'applied'));
  const verdicts = judgeAll({
    inventory: entries,
    observation: scan.observation,
    fieldManager,
    crdOf: scan.crdOf,
    verified,
  });
  const suspects: InventoryEntry[] = [];
  const unknown: { readonly object: string; readonly why: string }[] = [];
  const stillVerified: Record<string, Baseline> = {};
  for (const [key, verdict] of verdicts) {
    const entry = entries.get(key);
    if (entry === undefined) continue;
    if (verdict.kind === 'suspect') suspects.push(entry);
    if (verdict.kind === 'unknown') unknown.push({ object: describeResource(entry.id), why: verdict.error });
    const baseline = verified.get(key);
    if (verdict.kind === 'clean' && baseline !== undefined) stillVerified[key] = baseline;
  }
  const findings: DriftFinding[] = [];
  if (suspects.length > 0) {
    const projections = await loadProjections(scan.deps.state, state.target, inventory);
    await forEachPooled(suspects, 8, async (entry) => {
      const seen = await lookClosely(scan, entry, fieldManager, projections);
      if (seen.kind === 'drifted') findings.push(seen.finding);
      if (seen.kind === 'unknown') unknown.push({ object: describeResource(entry.id), why: seen.why });
      if (seen.kind === 'equal') stillVerified[resourceKey(entry.id)] = seen.baseline;
    });
  }
  findings.sort((a, b) => (resourceKey(a.id) < resourceKey(b.id) ? -1 : 1));
  return {
    schema: 1,
    target: state.target,
    scannedAt: scan.deps.clock.now(),
    seen: seenOf(state),
    clean: entries.size - findings.length - unknown.length,
    findings,
    unknown,
    verified: stillVerified,
  };
}

type Look =
  | { readonly kind: 'equal'; readonly baseline: Baseline }
  | { readonly kind: 'drifted'; readonly finding: DriftFinding }
  | { readonly kind: 'unknown'; readonly why: string };

async function lookClosely(
  scan: Scan,
  entry: InventoryEntry,
  fieldManager: string,
  projections: Awaited<ReturnType<typeof loadProjections>>,
): Promise<Look> {
  try {
    const discovery = await scan.kube.discovery({ deadline: scan.deadline });
    const apiVersion = entry.id.group === '' ? entry.version : `${entry.id.group}/${entry.version}`;
    const type =
      discovery.find(apiVersion, entry.id.kind) ?? discovery.preferred(entry.id.group, entry.id.kind);
    const { namespace, name } = entry.id;
    const live =
      type === undefined
        ? undefined
        : await scan.kube.get(
            { type, name, ...(namespace === undefined ? {} : { namespace }) },
            { deadline: scan.deadline },
          );
    const projection = entry.projection && projections.get(entry.projection);
    if (projection === undefined) return { kind: 'unknown', why: 'its projection is not stored' };
    const finding = classify(entry, projection, live, fieldManager, scan.key);
    if (finding !== undefined) return { kind: 'drifted', finding };
    if (live === undefined) return { kind: 'unknown', why: 'it vanished while it was looked at' };
    return { kind: 'equal', baseline: baselineOf(live, fieldManager, scan.crdOf(entry.id)) };
  } catch (error) {
    return { kind: 'unknown', why: errorRecord(error).message };
  }
}

function seenOf(state: TargetState): DriftReport['seen'] {
  return state.lastRun === undefined
    ? { epoch: state.epoch }
    : { epoch: state.epoch, runId: state.lastRun.id };
}

async function stillTrue(deps: ScanDeps, report: DriftReport): Promise<boolean> {
  const now = await deps.state.getTarget(report.target);
  return (
    now !== undefined &&
    now.lease === undefined &&
    now.pending === undefined &&
    now.epoch === report.seen.epoch &&
    now.lastRun?.id === report.seen.runId
  );
}

async function wakeToHeal(deps: ScanDeps, state: TargetState, report: DriftReport): Promise<boolean> {
  if (state.wanted.kind !== 'revision' || state.wanted.application.drift !== 'correct') return false;
  const target: TargetId = state.target;
  const outcome = await deps.state.changeTarget(target, {
    kind: 'request',
    now: deps.clock.now(),
    seen: report.seen,
  });
  if (outcome.kind === 'none') return false;
  await deps.queue.send([{ v: 1, kind: 'target', target, reason: 'drift' }]);
  return true;
}
