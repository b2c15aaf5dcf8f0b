import { createJsonLog } from '../../lib/compose/json-log.ts';
import { HoldfastError } from '../../lib/model/errors.ts';

function aLog() {
  const lines: string[] = [];
  const log = createJsonLog(
    (line) => lines.push(line),
    {},
    () => new Date('2026-11-30T12:00:00Z'),
  );
  return { log, lines, read: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('the JSON log', () => {
  it('writes one line per message with the fields of its ancestors', () => {
    const { log, lines, read } = aLog();

    log
      .child({ function: 'webhook' })
      .child({ sourceId: 'apps' })
      .warn('signature\nrejected', { attempt: 2 });

    expect(lines[0]).toMatch(/^[^\n]+\n$/);
    expect(read()).toEqual([
      {
        time: '2026-11-30T12:00:00.000Z',
        level: 'warn',
        message: 'signature\nrejected',
        function: 'webhook',
        sourceId: 'apps',
        attempt: 2,
      },
    ]);
  });

  it('lets no field pass for the message or the level', () => {
    const { log, read } = aLog();

    log.info('real', { message: 'false', level: 'error', time: 'never' });

    expect(read()[0]).toMatchObject({ message: 'real', level: 'info', time: '2026-11-30T12:00:00.000Z' });
  });

  it('writes errors with code, details and causes', () => {
    const { log, read } = aLog();
    const cause = new Error('connection reset');

    log.error('failed', {
      error: new HoldfastError('git-unreachable', 'no answer', {
        details: { host: 'h' },
        retryable: true,
        cause,
      }),
    });

    expect(read()[0]?.['error']).toMatchObject({
      code: 'git-unreachable',
      message: 'no answer',
      retryable: true,
      details: { host: 'h' },
      causes: [{ message: 'connection reset' }],
    });
  });

  it('writes the line also where a field cannot be written', () => {
    const { log, read } = aLog();
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;

    log.info('odd', { circle });
    log.info('big', { count: 10n });

    expect(read()).toMatchObject([{ message: 'odd', unwritableFields: ['circle'] }, { count: '10' }]);
  });
});
