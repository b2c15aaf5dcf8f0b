import { createJsonLog } from '../../lib/compose/json-log.ts';
import { redactingLog } from '../../lib/compose/redacting-log.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { createRedactor } from '../../lib/secrets/redactor.ts';

const CANARY = 'canary-0123456789';

function aLog() {
  const lines: string[] = [];
  const redactor = createRedactor();
  redactor.register(CANARY);
  const log = redactingLog(
    createJsonLog((line) => lines.push(line)),
    (text) => redactor.mask(text),
  );
  return { log, lines, read: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('the log over a redactor', () => {
  it('hides a secret in messages, fields, nested values and names of fields', () => {
    const { log, lines, read } = aLog();

    log
      .child({ url: `https://${CANARY}@host` })
      .info(`sent ${CANARY}`, { list: [{ deep: CANARY }], [CANARY]: 1, at: new Date(0), count: 3 });

    expect(lines.join('')).not.toContain(CANARY);
    expect(read()[0]).toMatchObject({
      message: 'sent [secret]',
      url: 'https://[secret]@host',
      list: [{ deep: '[secret]' }],
      '[secret]': 1,
      at: '1970-01-01T00:00:00.000Z',
      count: 3,
    });
  });

  it('hides a secret in an error, its details, its stack and its causes, and keeps what else they say', () => {
    const { log, lines, read } = aLog();
    const cause = new TypeError(`socket said ${CANARY}`);
    const error = new HoldfastError('git-unreachable', `no answer to ${CANARY}`, {
      retryable: true,
      details: { host: 'git.example', seen: CANARY },
      cause,
    });

    log.warn('source stage failed', { error, inner: { error: cause } });

    expect(lines.join('')).not.toContain(CANARY);
    expect(read()[0]).toMatchObject({
      error: {
        name: 'HoldfastError',
        code: 'git-unreachable',
        message: 'no answer to [secret]',
        retryable: true,
        details: { host: 'git.example', seen: '[secret]' },
        causes: [{ name: 'TypeError', message: 'socket said [secret]', stack: expect.any(String) }],
      },
    });
  });

  it('survives fields that hold themselves, and drops what is too deep', () => {
    const { log, lines } = aLog();
    const loop: Record<string, unknown> = { secret: CANARY };
    loop['self'] = loop;
    let deep: unknown = CANARY;
    for (let i = 0; i < 100; i += 1) deep = { deep };
    const looped = new Error(CANARY);
    looped.cause = looped;

    log.info('loop', { loop });
    log.info('deep', { deep });
    log.info('error', { error: looped });

    expect(lines).toHaveLength(3);
    expect(lines.join('')).not.toContain(CANARY);
  });

  it('hides what was registered after the log was made', () => {
    const lines: string[] = [];
    const redactor = createRedactor();
    const log = redactingLog(
      createJsonLog((line) => lines.push(line)),
      (text) => redactor.mask(text),
    ).child({ function: 'webhook' });
    redactor.register('late-canary');

    log.info('late-canary');

    expect(lines[0]).not.toContain('late-canary');
  });
});
