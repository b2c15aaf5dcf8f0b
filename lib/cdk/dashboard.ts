import { Duration } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IAlarm,
  type IMetric,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { NamedFunction } from './alarms.ts';
import type { HoldfastMetric } from './holdfast-metric.ts';

export interface HoldfastDashboardProps {
  readonly metric: HoldfastMetric;
  readonly alarms: readonly IAlarm[];
  readonly functions: readonly NamedFunction[];
  readonly queues: readonly { readonly name: string; readonly queue: IQueue }[];
  readonly webhookRequests: IMetric;
  readonly webhookErrors: IMetric;
}

const HALF = 12;

/** One page: what is wrong now, then the way of a push from left to right. */
export class HoldfastDashboard extends Construct {
  readonly dashboard: Dashboard;

  constructor(scope: Construct, id: string, props: HoldfastDashboardProps) {
    super(scope, id);
    this.dashboard = new Dashboard(this, 'Dashboard', { defaultInterval: Duration.hours(12) });
    const graph = (title: string, left: readonly IMetric[], right: readonly IMetric[] = []) =>
      new GraphWidget({ title, width: HALF, left: [...left], right: [...right] });
    const max = { statistic: Stats.MAXIMUM };
    const { metric, functions, queues } = props;

    this.dashboard.addWidgets(
      new AlarmStatusWidget({ title: 'Alarms', width: 2 * HALF, height: 4, alarms: [...props.alarms] }),
    );
    this.dashboard.addWidgets(
      graph(
        'Webhook: requests and deliveries',
        [props.webhookRequests, metric('WebhookAccepted'), metric('WebhookUnauthorized')],
        [props.webhookErrors],
      ),
      graph(
        'Wake-ups waiting, and the age of the oldest in seconds',
        queues.map(({ name, queue }) =>
          queue.metricApproximateNumberOfMessagesVisible({ label: `${name} waiting`, ...max }),
        ),
        queues.map(({ name, queue }) =>
          queue.metricApproximateAgeOfOldestMessage({ label: `${name} age`, ...max }),
        ),
      ),
    );
    this.dashboard.addWidgets(
      graph(
        'Runs',
        [
          metric('ReconcileSucceeded'),
          metric('ReconcileFailed'),
          metric('SourceFailed'),
          metric('LeaseStolen'),
        ],
        [metric('ReconcileDuration', { statistic: Stats.percentile(99), label: 'run p99 (ms)' })],
      ),
      graph(
        'Clusters',
        [metric('TargetsBehind', max), metric('DriftedTargets', max), metric('UnreachableClusters', max)],
        [metric('ScanCompleted')],
      ),
    );
    this.dashboard.addWidgets(
      graph(
        'Functions: errors and throttles',
        functions.map(({ name, function: fn }) => fn.metricErrors({ label: `${name} errors` })),
        functions.map(({ name, function: fn }) => fn.metricThrottles({ label: `${name} throttles` })),
      ),
      graph(
        'Functions: p99 duration in milliseconds, and runs at once',
        functions.map(({ name, function: fn }) =>
          fn.metricDuration({ label: name, statistic: Stats.percentile(99) }),
        ),
        functions.map(({ name, function: fn }) =>
          fn.metric('ConcurrentExecutions', { label: `${name} at once`, ...max }),
        ),
      ),
    );
  }
}
