import { createEmfMetrics } from '../../lib/compose/emf-metrics.ts';
import { createLambdaLog } from '../../lib/compose/lambda-log.ts';
import { METRICS, type MetricName } from '../../lib/model/metrics.ts';

describe('metrics in embedded format', () => {
  it('writes one line that CloudWatch reads as one metric of the installation', () => {
    const lines: string[] = [];
    const metrics = createEmfMetrics({
      installation: 'prod',
      write: (line) => lines.push(line),
      now: () => 1_795_000_000_000,
    });

    metrics.emit('ReconcileDuration', 1234);

    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      _aws: {
        Timestamp: 1_795_000_000_000,
        CloudWatchMetrics: [
          {
            Namespace: 'Holdfast',
            Dimensions: [['Installation']],
            Metrics: [{ Name: 'ReconcileDuration', Unit: 'Milliseconds' }],
          },
        ],
      },
      Installation: 'prod',
      ReconcileDuration: 1234,
    });
  });

  it('counts one without a value, and writes every metric with a unit that CloudWatch knows', () => {
    const lines: string[] = [];
    const metrics = createEmfMetrics({ installation: 'prod', write: (line) => lines.push(line) });

    for (const name of Object.keys(METRICS) as MetricName[]) metrics.emit(name);

    const documents = lines.map((line) => JSON.parse(line));
    expect(documents.map((document) => document._aws.CloudWatchMetrics[0].Metrics[0])).toEqual(
      Object.entries(METRICS).map(([Name, Unit]) => ({ Name, Unit })),
    );
    expect(
      documents.every((document) => document[document._aws.CloudWatchMetrics[0].Metrics[0].Name] === 1),
    ).toBe(true);
  });

  it('writes nothing for what is no number: CloudWatch would drop the line', () => {
    const lines: string[] = [];

    createEmfMetrics({ installation: 'prod', write: (line) => lines.push(line) }).emit(
      'TargetsBehind',
      Number.NaN,
    );

    expect(lines).toEqual([]);
  });
});

describe('the log of a Lambda function', () => {
  const before = process.env['_X_AMZN_TRACE_ID'];
  afterEach(() => {
    if (before === undefined) delete process.env['_X_AMZN_TRACE_ID'];
    else process.env['_X_AMZN_TRACE_ID'] = before;
  });

  it('carries the trace of the invocation that it is in', () => {
    const lines: string[] = [];
    const log = createLambdaLog('reconcile', (line) => lines.push(line)).child({ source: 'shop' });

    for (const root of ['1-5759e988-bd862e3fe1be46a994272793', '1-5759e988-000000000000000000000002']) {
      process.env['_X_AMZN_TRACE_ID'] = `Root=${root};Parent=53995c3f42cd8ad8;Sampled=1`;
      log.info('looked');
    }
    delete process.env['_X_AMZN_TRACE_ID'];
    log.info('looked');

    expect(lines.map((line) => JSON.parse(line) as Record<string, unknown>)).toMatchObject([
      { function: 'reconcile', source: 'shop', trace: '1-5759e988-bd862e3fe1be46a994272793' },
      { function: 'reconcile', trace: '1-5759e988-000000000000000000000002' },
      { function: 'reconcile' },
    ]);
    expect(lines[2]).not.toContain('trace');
  });
});
