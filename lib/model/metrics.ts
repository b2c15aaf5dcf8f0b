/** Every metric that Holdfast emits; alarms and the dashboard are built on these names. One dimension: the installation. */
export const METRICS = {
  WebhookAccepted: 'Count',
  WebhookUnauthorized: 'Count',
  /** A look at a Git server that failed. */
  SourceFailed: 'Count',
  /** Runs of a target, by their outcome. */
  ReconcileSucceeded: 'Count',
  ReconcileFailed: 'Count',
  /** From the start of a run to its end. */
  ReconcileDuration: 'Milliseconds',
  /** A lease taken from a worker that did not give it back. */
  LeaseStolen: 'Count',
  /** Targets that have been due for more than ten minutes; by the sweep. */
  TargetsBehind: 'Count',
  /** By the drift scan, over all clusters. */
  DriftedTargets: 'Count',
  UnreachableClusters: 'Count',
  /** One for each scan that came to its end: its absence is the alarm. */
  ScanCompleted: 'Count',
} as const;

export type MetricName = keyof typeof METRICS;

export interface Metrics {
  emit(name: MetricName, value?: number): void;
}

/** For callers that were given none. */
export const noMetrics: Metrics = { emit: () => undefined };
