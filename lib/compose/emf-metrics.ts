import { METRICS, type Metrics } from '../model/metrics.ts';

export interface EmfOptions {
  /** The one dimension: few dimensions, few metrics to pay for. */
  readonly installation: string;
  readonly write?: (line: string) => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

const NAMESPACE = 'Holdfast';

/**
 * Metrics in CloudWatch's embedded format: one log line each, which CloudWatch Logs turns into a metric by itself, so
 * that no request is made and no permission is needed.
 * The format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function createEmfMetrics(options: EmfOptions): Metrics {
  const { installation, now = Date.now } = options;
  const write = options.write ?? ((line: string) => void process.stdout.write(line));
  return {
    emit(name, value = 1) {
      // One value that is no number makes CloudWatch drop the whole line without a word.
      if (!Number.isFinite(value)) return;
      const document = {
        _aws: {
          Timestamp: now(),
          CloudWatchMetrics: [
            {
              Namespace: NAMESPACE,
              Dimensions: [['Installation']],
              Metrics: [{ Name: name, Unit: METRICS[name] }],
            },
          ],
        },
        Installation: installation,
        [name]: value,
      };
      write(`${JSON.stringify(document)}\n`);
    },
  };
}
