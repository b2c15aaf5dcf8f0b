import { readFileSync } from 'node:fs';
import { ALARMS } from '../../lib/cdk/alarms.ts';
import { METRICS } from '../../lib/model/metrics.ts';
import { ASSUMED, costTable, FLEETS, monthlyCost, PRICES } from '../../scripts/cost.ts';

const page = readFileSync(new URL('../../docs/cost.md', import.meta.url), 'utf8');

describe('the cost page', () => {
  it('shows the table that the script computes', () => {
    const shown = /<!-- cost:begin -->\n([\s\S]*?)\n<!-- cost:end -->/.exec(page)?.[1];

    expect(shown).toBe(costTable());
  });

  it('states every price that the formula uses', () => {
    const stated = page.replaceAll(',', '');
    const perMillion = (price: number): string => `$${(price * 1e6).toFixed(2)}`;
    const told = [
      `$${PRICES.lambdaArmGbSecond}`,
      `$${PRICES.lambdaX86GbSecond}`,
      `${perMillion(PRICES.lambdaRequest)}/M`,
      `${perMillion(PRICES.httpApiRequest)}/M`,
      `${perMillion(PRICES.sqsRequest)}/M`,
      `$${(PRICES.tableRead * 1e6).toFixed(3)}/M`,
      `$${(PRICES.tableWrite * 1e6).toFixed(3)}/M`,
      `× $${PRICES.secretMonth.toFixed(2)}`,
      `secret requests × ${perMillion(PRICES.secretRequest)}/M`,
      `runs × (${perMillion(PRICES.artefactPut)}/M + 2 × ${perMillion(PRICES.artefactGet)}/M)`,
      `$${PRICES.artefactGigabyteMonth}/GB`,
      `dashboard × $${PRICES.dashboardMonth.toFixed(2)}`,
      `$${PRICES.logGigabyte.toFixed(2)}/GB`,
      `metrics × $${PRICES.metricMonth.toFixed(2)}`,
      `alarm metrics × $${PRICES.alarmMetricMonth.toFixed(2)}`,
      `$${(PRICES.trace * 1e6).toFixed(0)}/M`,
      `$${PRICES.argoHour} + $${PRICES.argoApplicationHour}`,
    ];

    for (const price of told) expect(stated).toContain(price);
  });

  it('counts the metrics that there are', () => {
    expect(ASSUMED.metrics).toBe(Object.keys(METRICS).length);
    expect(ASSUMED.alarmMetrics).toBeGreaterThan(Object.keys(ALARMS).length);
  });

  it('comes to the price of the EKS Capability for Argo CD as it is quoted', () => {
    const prices = FLEETS.map((fleet) => monthlyCost(fleet).managedArgo.toFixed(2));

    expect(prices).toEqual(['32.85', '76.65', '240.90', '569.40']);
  });

  it('comes to what is computed by hand for an installation without anything in it', () => {
    const cost = monthlyCost({ applications: 0, clusters: 0, sources: 0, pushesPerDay: 0 });

    // 1,314,000 empty polls; one secret, read by 2,920 scans.
    expect(cost.queues).toBeCloseTo(0.5256, 6);
    expect(cost.secrets).toBeCloseTo(0.4146, 6);
    // 11,680 calls: 0.01168 of logs, 3.3 of metrics, 2.6 of alarms, 3 of the dashboard, 0.0584 of traces.
    expect(cost.watching).toBeCloseTo(8.97008, 6);
    expect(cost.artefacts).toBe(0);
  });

  it('grows with everything that is deployed, and is not free where nothing is', () => {
    const none = { applications: 0, clusters: 0, sources: 0, pushesPerDay: 0 };
    const base = monthlyCost(none).total;

    expect(base).toBeGreaterThan(0);
    for (const key of ['applications', 'clusters', 'sources', 'pushesPerDay'] as const) {
      expect(monthlyCost({ ...none, [key]: 10 }).total).toBeGreaterThan(base);
    }
  });
});
