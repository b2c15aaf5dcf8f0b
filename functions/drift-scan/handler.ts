import type { Context } from 'aws-lambda';
import { composeReconcileFromEnvironment, type ReconcileDeps } from '../../lib/compose/reconcile.ts';
import { scanClusters, type ScanSummary } from '../../lib/reconcile/scan-clusters.ts';

/** Sent by the schedule, or by the command line for one cluster. */
export interface ScanEvent {
  readonly task: 'drift-scan';
  readonly cluster?: string;
}

export type DriftScanHandler = (
  event: ScanEvent,
  context: Pick<Context, 'getRemainingTimeInMillis'>,
) => Promise<ScanSummary>;

/** The function over given dependencies: local mode and the tests enter here. */
export function createHandler(deps: ReconcileDeps): DriftScanHandler {
  return (event, context) =>
    scanClusters(deps, {
      deadline: deps.clock.monotonic() + context.getRemainingTimeInMillis(),
      ...(event.cluster === undefined ? {} : { only: event.cluster }),
    });
}

let composed: Promise<DriftScanHandler> | undefined;

/** The Lambda function. Composed at the first event, so that importing it needs no environment. */
export const handler: DriftScanHandler = async (event, context) => {
  composed ??= composeReconcileFromEnvironment(process.env, 'drift-scan').then(createHandler);
  return (await composed)(event, context);
};
