import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Duration } from 'aws-cdk-lib';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { ALARMS, RUNBOOK } from '../../lib/cdk/alarms.ts';
import { METRICS } from '../../lib/model/metrics.ts';
import { ofType, pathOf, resourceAt, synthesize, textOf } from './synthesized.ts';

const REPOSITORY = path.join(import.meta.dirname, '../..');

describe('the alarms', () => {
  const synthesized = synthesize((stack) => ({
    alarmTopic: Topic.fromTopicArn(stack, 'Topic', 'arn:aws:sns:eu-west-1:123456789012:on-call'),
  }));
  const alarms = ofType(synthesized, 'AWS::CloudWatch::Alarm');

  it('are those of the table, one for each function where a function is meant', () => {
    const ids = alarms.map((alarm) => pathOf(alarm).replace('Alarms/', '')).toSorted();

    const perFunction = ['function-errors', 'function-throttles', 'slow-function'];
    const expected = Object.keys(ALARMS).flatMap((id) =>
      perFunction.includes(id)
        ? ['DriftScan', 'SourceStage', 'TargetStage', 'Webhook'].map((name) => `${id}-${name}`)
        : [id],
    );
    expect(ids).toEqual(expected.toSorted());
  });

  it('say what to do and where to read on, and tell the topic of their beginning and end', () => {
    for (const alarm of alarms) {
      const id = Object.keys(ALARMS).find((candidate) => pathOf(alarm).startsWith(`Alarms/${candidate}`));
      const { AlarmDescription, AlarmActions, OKActions } = alarm.Properties;

      expect(AlarmDescription).toMatch(new RegExp(`^.{40,}\\. See docs/runbook\\.md#${id}$`));
      expect(AlarmActions).toEqual(['arn:aws:sns:eu-west-1:123456789012:on-call']);
      expect(OKActions).toEqual(AlarmActions);
    }
  });

  it('have a section of the runbook each', () => {
    const file = path.join(REPOSITORY, RUNBOOK);
    expect(existsSync(file)).toBe(true);

    const sections = [...readFileSync(file, 'utf8').matchAll(/^## (.+)$/gm)].map(([, title]) => title);

    expect(sections).toEqual(expect.arrayContaining(Object.keys(ALARMS)));
  });

  it('take silence for well-being, except of the scan', () => {
    const breaching = alarms.filter(({ Properties }) => Properties['TreatMissingData'] === 'breaching');

    expect(breaching.map(pathOf)).toEqual(['Alarms/scan-missing']);
    expect(alarms.every(({ Properties }) => Properties['TreatMissingData'] !== undefined)).toBe(true);
  });

  it('miss a scan after two intervals, however long these are', () => {
    const missing = (minutes: number) =>
      resourceAt(synthesize({ scanInterval: Duration.minutes(minutes) }), 'Alarms/scan-missing').Properties;

    expect(missing(30)).toMatchObject({ Period: 1800, EvaluationPeriods: 2, DatapointsToAlarm: 2 });
    // CloudWatch looks back a day at most.
    expect(missing(1440)).toMatchObject({ Period: 43_200, EvaluationPeriods: 2 });
  });

  it('watch every dead-letter queue and both queues', () => {
    const queuesOf = (name: string) =>
      (
        resourceAt(synthesized, `Alarms/${name}`).Properties['Metrics'] as readonly {
          MetricStat?: { Metric: { Dimensions: readonly { Value: unknown }[] } };
        }[]
      )
        .flatMap(({ MetricStat }) => MetricStat?.Metric.Dimensions ?? [])
        .map(({ Value }) => textOf(synthesized, Value));

    expect(queuesOf('dead-letters')).toEqual([
      '<Sources/DeadLetters>.QueueName',
      '<Targets/DeadLetters>.QueueName',
      '<MissedSchedules>.QueueName',
    ]);
    expect(queuesOf('oldest-message')).toEqual(['<Sources/Queue>.QueueName', '<Targets/Queue>.QueueName']);
  });

  it('and the dashboard name only metrics that are emitted, of this installation', () => {
    const text = JSON.stringify([...alarms, ...ofType(synthesized, 'AWS::CloudWatch::Dashboard')]);

    const inAlarms = alarms.flatMap(({ Properties }) => [
      Properties,
      ...(
        (Properties['Metrics'] ?? []) as readonly { MetricStat?: { Metric: Record<string, unknown> } }[]
      ).flatMap(({ MetricStat }) => MetricStat?.Metric ?? []),
    ]) as readonly Readonly<Record<string, unknown>>[];
    const ours = inAlarms.filter(({ Namespace }) => Namespace === 'Holdfast');
    expect(ours.map(({ MetricName }) => MetricName)).toEqual(
      expect.arrayContaining([
        'WebhookUnauthorized',
        'ReconcileFailed',
        'SourceFailed',
        'TargetsBehind',
        'DriftedTargets',
        'ScanCompleted',
        'UnreachableClusters',
        'LeaseStolen',
      ]),
    );
    for (const { MetricName, Dimensions } of ours) {
      expect(Object.keys(METRICS)).toContain(MetricName);
      expect(Dimensions).toEqual([{ Name: 'Installation', Value: 'prod' }]);
    }
    for (const name of Object.keys(METRICS)) expect(text).toContain(name);
  });
});
