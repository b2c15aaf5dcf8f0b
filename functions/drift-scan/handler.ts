import type { Context } from 'aws-lambda';
import { composeDriftScanFromEnvironment } from '../../lib/compose/drift-scan.ts';
import type { ScanDeps } from '../../lib/reconcile/deps.ts';
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
export function createHandler(deps: ScanDeps): DriftScanHandler {
  return (event, context) =>
    scanClusters(deps, {
      deadline: deps.clock.monotonic() + context.getRemainingTimeInMillis(),
      ...(event.cluster === undefined ? {} : { only: event.cluster }),
    });
}

let composed: DriftScanHandler | undefined;

/** The Lambda function. Composed at the first event, so that importing it needs no environment. */
export const handler: DriftScanHandler = async (event, context) => {
  composed ??= createHandler(composeDriftScanFromEnvironment(process.env));
  return composed(event, context);
};
