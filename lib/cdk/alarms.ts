import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  type IAlarm,
  type IMetric,
  MathExpression,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { HoldfastMetric } from './holdfast-metric.ts';

/** Every alarm, and what to do first. The runbook has a section of the same name for each. */
export const ALARMS = {
  'dead-letters':
    'Messages that crashed their function five times, or a schedule that could not call its function. Nothing is lost: find the error in the logs, mend it, redrive the queue.',
  'oldest-message':
    'Wake-ups wait for more than 15 minutes. Look whether the functions are throttled, fail, or need a higher maximum concurrency.',
  'function-errors': 'A function crashed. Read its log around this time; the work is tried again by itself.',
  'function-throttles':
    'A function was refused for want of concurrency. Raise its reserved concurrency, or find what floods it.',
  'slow-function':
    'Runs take more than 80 % of the timeout. Find the slow step in the traces before it is cut off.',
  'webhook-errors':
    'Git hosts get server errors and may switch their webhooks off. Read the log of the webhook function; pushes are found by the next sweep.',
  'webhook-unauthorized':
    'Many deliveries with wrong signatures: a secret was rotated on one side only, or somebody is guessing. Compare the secrets, or restrict the addresses.',
  'reconcile-failures':
    'Sources or targets fail again and again. "holdfast status" names them, "holdfast history" has every error of a run.',
  'targets-behind':
    'Targets are due for more than ten minutes without having been brought up to date. Look at their last runs and at the target stage.',
  'drifted-targets':
    'Live objects differ from what was applied and are not put back. "holdfast drift" says what, who and when.',
  'scan-missing':
    'No drift scan has come to its end for two intervals: drift goes unseen. Look at the schedule and at the log of the drift scan.',
  'unreachable-cluster':
    'A cluster cannot be reached or refuses its credential. "holdfast doctor" says which one and why; its targets are retried by themselves.',
  'lease-steals':
    'Workers die while they hold targets. Look for crashes, timeouts and memory limits of the target stage.',
} as const;

export type AlarmId = keyof typeof ALARMS;

export const RUNBOOK = 'docs/runbook.md';

const PERIOD = Duration.minutes(5);
/** How old the oldest wake-up may become. */
const MAX_AGE = Duration.minutes(15);
/** Deliveries with a wrong signature in five minutes. */
const UNAUTHORIZED_BURST = 50;
/** A crashed worker or a deployment costs one; several in a quarter of an hour are a pattern. */
const LEASE_STEALS = 3;

interface Rule {
  readonly metric: IMetric;
  readonly threshold: number;
  /** Periods of the last ones that must be over the threshold. @default 1 of 1 */
  readonly of?: number;
  /** @default > threshold */
  readonly comparison?: ComparisonOperator;
  /** @default what is missing is well: these metrics are only there when something happens */
  readonly missing?: TreatMissingData;
}

export interface NamedFunction {
  readonly name: string;
  readonly function: IFunction;
  readonly timeout: Duration;
}

export interface HoldfastAlarmsProps {
  readonly metric: HoldfastMetric;
  readonly webhookErrors: IMetric;
  readonly functions: readonly NamedFunction[];
  readonly queues: readonly IQueue[];
  readonly deadLetterQueues: readonly IQueue[];
  readonly scanInterval: Duration;
  readonly topic?: ITopic | undefined;
}

/** What an on-call engineer wants to be woken by, and nothing that mends itself within minutes. */
export class HoldfastAlarms extends Construct {
  /** Several of one id: one for each function. */
  readonly alarms: readonly { readonly id: AlarmId; readonly alarm: IAlarm }[];

  constructor(scope: Construct, id: string, props: HoldfastAlarmsProps) {
    super(scope, id);
    const alarms: { readonly id: AlarmId; readonly alarm: IAlarm }[] = [];
    const add = (alarmId: AlarmId, rule: Rule, suffix = '') =>
      alarms.push({ id: alarmId, alarm: this.createAlarm(alarmId, suffix, rule, props.topic) });
    const sum = { statistic: Stats.SUM, period: PERIOD };
    const max = { statistic: Stats.MAXIMUM, period: PERIOD };

    add('dead-letters', {
      metric: over(props.deadLetterQueues, '+', (queue) =>
        queue.metricApproximateNumberOfMessagesVisible(max),
      ),
      threshold: 0,
    });
    add('oldest-message', {
      metric: over(props.queues, 'max', (queue) => queue.metricApproximateAgeOfOldestMessage(max)),
      threshold: MAX_AGE.toSeconds(),
    });
    for (const { name, function: fn, timeout } of props.functions) {
      add('function-errors', { metric: fn.metricErrors(sum), threshold: 0 }, name);
      add('function-throttles', { metric: fn.metricThrottles(sum), threshold: 0, of: 2 }, name);
      add(
        'slow-function',
        {
          metric: fn.metricDuration({ statistic: Stats.percentile(99), period: PERIOD }),
          threshold: timeout.toMilliseconds() * 0.8,
        },
        name,
      );
    }
    add('webhook-errors', { metric: props.webhookErrors, threshold: 0 });
    add('webhook-unauthorized', {
      metric: props.metric('WebhookUnauthorized', sum),
      threshold: UNAUTHORIZED_BURST,
    });
    add('reconcile-failures', {
      metric: new MathExpression({
        expression: 'FILL(targets, 0) + FILL(sources, 0)',
        usingMetrics: {
          targets: props.metric('ReconcileFailed', sum),
          sources: props.metric('SourceFailed', sum),
        },
        label: 'failed reconciles',
        period: PERIOD,
      }),
      threshold: 0,
      of: 3,
    });
    add('targets-behind', { metric: props.metric('TargetsBehind', max), threshold: 0, of: 3 });
    const scan = scanPeriod(props.scanInterval);
    add('drifted-targets', {
      metric: props.metric('DriftedTargets', { ...max, period: scan }),
      threshold: 0,
      of: 2,
    });
    add('scan-missing', {
      metric: props.metric('ScanCompleted', { ...sum, period: scan }),
      threshold: 1,
      comparison: ComparisonOperator.LESS_THAN_THRESHOLD,
      missing: TreatMissingData.BREACHING,
      of: 2,
    });
    add('unreachable-cluster', {
      metric: props.metric('UnreachableClusters', { ...max, period: scan }),
      threshold: 0,
      of: 2,
    });
    add('lease-steals', {
      metric: props.metric('LeaseStolen', { ...sum, period: Duration.minutes(15) }),
      threshold: LEASE_STEALS,
      comparison: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    });
    this.alarms = alarms;
  }

  private createAlarm(id: AlarmId, suffix: string, rule: Rule, topic: ITopic | undefined): Alarm {
    const periods = rule.of ?? 1;
    const alarm = new Alarm(this, suffix === '' ? id : `${id}-${suffix}`, {
      alarmDescription: `${ALARMS[id]} See ${RUNBOOK}#${id}`,
      metric: rule.metric,
      threshold: rule.threshold,
      comparisonOperator: rule.comparison ?? ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: periods,
      datapointsToAlarm: periods,
      treatMissingData: rule.missing ?? TreatMissingData.NOT_BREACHING,
    });
    if (topic !== undefined) {
      alarm.addAlarmAction(new SnsAction(topic));
      alarm.addOkAction(new SnsAction(topic));
    }
    return alarm;
  }
}

/** One number over several queues, so that one alarm watches all of them. */
function over(
  queues: readonly IQueue[],
  operation: '+' | 'max',
  metricOf: (queue: IQueue) => IMetric,
): IMetric {
  const usingMetrics = Object.fromEntries(queues.map((queue, index) => [`q${index}`, metricOf(queue)]));
  const names = Object.keys(usingMetrics).map((name) => `FILL(${name}, 0)`);
  const expression = operation === '+' ? names.join(' + ') : `MAX([${names.join(', ')}])`;
  return new MathExpression({ expression, usingMetrics, period: PERIOD });
}

/** An alarm's window of two periods must stay within a day. */
function scanPeriod(interval: Duration): Duration {
  return Duration.minutes(Math.min(12 * 60, Math.max(5, Math.ceil(interval.toMinutes({ integral: false })))));
}
