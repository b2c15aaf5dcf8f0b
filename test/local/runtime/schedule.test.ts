import { startSchedule } from '../../../lib/local/schedule.ts';
import { until } from './fake-sqs.ts';

function aSchedule(handler: () => Promise<unknown>, options: { readonly immediately?: boolean } = {}) {
  return startSchedule({
    function: { name: 'drift-scan', timeoutSeconds: 60, handler },
    event: { kind: 'sweep' },
    everySeconds: 0.005,
    ...options,
  });
}

describe('a schedule', () => {
  it('calls the function again and again with its event', async () => {
    const events: unknown[] = [];
    const schedule = startSchedule({
      function: {
        name: 'drift-scan',
        timeoutSeconds: 60,
        handler: async (event: { readonly kind: string }) => {
          events.push(event);
        },
      },
      event: { kind: 'sweep' },
      everySeconds: 0.005,
    });

    await until(() => events.length >= 3);
    await schedule.stop();

    expect(events[0]).toEqual({ kind: 'sweep' });
  });

  it('never calls it while it still runs', async () => {
    let running = 0;
    let most = 0;
    let calls = 0;
    const schedule = aSchedule(async () => {
      calls++;
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 20));
      running--;
    });

    await until(() => calls >= 3);
    await schedule.stop();

    expect(most).toBe(1);
  });

  it('goes on after a failure', async () => {
    let calls = 0;
    const schedule = aSchedule(async () => {
      calls++;
      throw new Error('failed');
    });

    await until(() => calls >= 2);
    await schedule.stop();
  });

  it('waits on stop for the firing that runs, and fires no more', async () => {
    let finished = 0;
    let started = 0;
    const schedule = aSchedule(
      async () => {
        started++;
        await new Promise((resolve) => setTimeout(resolve, 20));
        finished++;
      },
      { immediately: true },
    );

    await until(() => started === 1);
    await schedule.stop();

    expect([started, finished]).toEqual([1, 1]);
  });
});
