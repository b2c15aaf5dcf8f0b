import type { ChartRequest, FetchedChart } from '../../lib/charts/chart-host.ts';
import { recentCharts } from '../../lib/charts/recent-charts.ts';
import { fileTreeOf } from '../../lib/source/file-tree.ts';

const REQUEST: ChartRequest = { repository: 'https://charts.test', name: 'web' };

/** A host that counts what it is asked, and a clock that stands still until it is moved. */
function aWorld(answer: (request: ChartRequest, count: number) => Promise<FetchedChart>, maxBytes?: number) {
  const asked: ChartRequest[] = [];
  const clock = { ms: 0 };
  const host = recentCharts(
    {
      fetch: (request) => {
        asked.push(request);
        return answer(request, asked.length);
      },
      close: async () => undefined,
    },
    { freshMs: 1000, now: () => clock.ms, ...(maxBytes === undefined ? {} : { maxBytes }) },
  );
  return { asked, clock, host };
}

const aChart = async ({ name }: ChartRequest, count: number): Promise<FetchedChart> => ({
  name,
  version: `1.0.${count}`,
  digest: `sha256:${count}`,
  files: fileTreeOf({ 'Chart.yaml': 'x'.repeat(100) }),
});

describe('charts that were asked for recently', () => {
  it('are asked for once while the answer is fresh, also side by side', async () => {
    const { asked, clock, host } = aWorld(aChart);

    const both = await Promise.all([host.fetch(REQUEST), host.fetch({ ...REQUEST })]);
    clock.ms = 999;
    const later = await host.fetch(REQUEST);

    expect(asked).toHaveLength(1);
    expect([...both, later].map(({ version }) => version)).toEqual(['1.0.1', '1.0.1', '1.0.1']);
  });

  it('are asked for again when it is not', async () => {
    const { clock, host } = aWorld(aChart);
    await host.fetch(REQUEST);
    clock.ms = 1000;

    expect((await host.fetch(REQUEST)).version).toBe('1.0.2');
  });

  it.each([
    ['repository', { repository: 'https://other.test' }],
    ['name', { name: 'db' }],
    ['version', { version: '^1' }],
    ['digest', { digest: 'sha256:a' }],
    ['credentials', { credentials: 'team' }],
  ])('are not the ones of another %s', async (_what, other) => {
    const { asked, host } = aWorld(aChart);

    await host.fetch(REQUEST);
    await host.fetch({ ...REQUEST, ...other });

    expect(asked).toHaveLength(2);
  });

  it('are tried again at once after a failure', async () => {
    const { host } = aWorld((request, count) =>
      count === 1 ? Promise.reject(new Error('away')) : aChart(request, count),
    );

    await expect(host.fetch(REQUEST)).rejects.toThrow('away');

    expect((await host.fetch(REQUEST)).version).toBe('1.0.2');
  });

  it('are kept within a limit, the longest kept ones given up first', async () => {
    const { asked, host } = aWorld(aChart, 250);
    for (const name of ['a', 'b', 'c']) await host.fetch({ ...REQUEST, name });

    await host.fetch({ ...REQUEST, name: 'c' });
    await host.fetch({ ...REQUEST, name: 'b' });
    await host.fetch({ ...REQUEST, name: 'a' });

    expect(asked.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'a']);
  });
});
