import { Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { MetricName } from '../model/metrics.ts';

/** As the functions emit them. */
export const METRIC_NAMESPACE = 'Holdfast';
export const INSTALLATION_DIMENSION = 'Installation';

export type HoldfastMetric = (name: MetricName, options?: MetricOptions) => Metric;

/** The metrics of one installation; by default their sum, in periods of five minutes. */
export function metricsOf(installation: string): HoldfastMetric {
  return (metricName, options = {}) =>
    new Metric({
      statistic: Stats.SUM,
      ...options,
      namespace: METRIC_NAMESPACE,
      metricName,
      dimensionsMap: { [INSTALLATION_DIMENSION]: installation },
    });
}
