import { errorRecord } from '../model/errors.ts';
import type { ScanDeps } from './deps.ts';
import { scanCluster, type ScanOutcome } from './scan-cluster.ts';

export interface ScanSummary {
  readonly scanned: readonly ScanOutcome[];
  readonly failed: readonly { readonly cluster: string; readonly error: string }[];
  /** Clusters for which there was no time; the next scan begins with them. */
  readonly left: number;
}

/** Kept back from the function's deadline for writing the last verdicts. */
const RESERVE_MS = 5_000;

/** Scans every registered cluster, the longest unscanned first. A cluster that is away does not keep the others waiting. */
export async function scanClusters(
  deps: ScanDeps,
  options: { readonly deadline: number; readonly only?: string },
): Promise<ScanSummary> {
  const deadline = options.deadline - RESERVE_MS;
  const clusters = (await deps.state.listClusters()).filter(
    ({ name }) => options.only === undefined || name === options.only,
  );
  const due = await Promise.all(
    clusters.map(async ({ name }) => ({ name, at: (await deps.state.getClusterScan(name))?.scannedAt ?? 0 })),
  );
  due.sort((a, b) => a.at - b.at);
  const scanned: ScanOutcome[] = [];
  const failed: { readonly cluster: string; readonly error: string }[] = [];
  for (const { name } of due) {
    if (deps.clock.monotonic() >= deadline) break;
    try {
      const outcome = await scanCluster(deps, name, deadline);
      if (outcome.error === undefined) scanned.push(outcome);
      else failed.push({ cluster: name, error: outcome.error });
    } catch (error) {
      const { message } = errorRecord(error);
      deps.log.warn('cluster not scanned', { cluster: name, error: message, cause: error });
      failed.push({ cluster: name, error: message });
    }
  }
  const left = due.length - scanned.length - failed.length;
  if (options.only === undefined) emitTotals(deps, scanned, failed.length, left);
  return { scanned, failed, left };
}

/** Of whole scans only: what one cluster shows, asked for by hand, is no total. */
function emitTotals(deps: ScanDeps, scanned: readonly ScanOutcome[], failed: number, left: number): void {
  const drifted = scanned.reduce((sum, { driftedTargets }) => sum + driftedTargets, 0);
  deps.metrics?.emit('DriftedTargets', drifted);
  deps.metrics?.emit('UnreachableClusters', failed);
  if (left === 0) deps.metrics?.emit('ScanCompleted');
}
