import fc from 'fast-check';
import { HoldfastError } from '../../lib/model/errors.ts';
import { parseWakeUp } from '../../lib/queue/parse-wake-up.ts';

const source = { v: 1, kind: 'source', source: 'apps', reason: 'push' };
const target = { v: 1, kind: 'target', target: 'f'.repeat(32), reason: 'retry', deliveryId: 'd' };

describe('a queue message', () => {
  it.each([source, target])('is read as the wake-up it is: %j', (wakeUp) => {
    const read = parseWakeUp(JSON.stringify(wakeUp));

    expect(read).toEqual(wakeUp);
  });

  it.each([2, 0, '1', null])('refuses version %p, retryably', (v) => {
    expect(() => parseWakeUp(JSON.stringify({ ...source, v }))).toThrow(
      expect.objectContaining({ code: 'state-schema', retryable: true }),
    );
  });

  it.each([
    ['no version', { kind: 'source', source: 'apps', reason: 'push' }],
    ['an unknown kind', { ...source, kind: 'cluster' }],
    ['an unknown reason', { ...source, reason: 'because' }],
    ['an unknown field', { ...source, url: 'https://x' }],
    ['the id of the other kind', { v: 1, kind: 'source', target: 'f'.repeat(32), reason: 'push' }],
    ['a source id that is none', { ...source, source: '../x' }],
    ['a target id that is none', { ...target, target: 'F'.repeat(32) }],
    ['a list', [source]],
  ])('rejects %s', (_case, message) => {
    expect(() => parseWakeUp(JSON.stringify(message))).toThrow(
      expect.objectContaining({ code: 'invalid-input', retryable: false }),
    );
  });

  it('rejects whatever else comes with a HoldfastError that does not quote it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (body) => {
        try {
          parseWakeUp(`${body} MARKER`);
        } catch (error) {
          expect(error).toBeInstanceOf(HoldfastError);
          expect((error as Error).message).not.toContain('MARKER');
          return;
        }
        throw new Error('accepted');
      }),
    );
  });
});
