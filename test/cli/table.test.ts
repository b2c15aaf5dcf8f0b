import { table } from '../../lib/cli/output/table.ts';
import { ago, duration } from '../../lib/cli/output/words.ts';

describe('tables', () => {
  it('puts columns under their headers, without trailing blanks', () => {
    const lines = table(
      ['NAME', 'STATE', 'NOTE'],
      [
        ['a', 'Applied', ''],
        ['longer', 'Held', 'why'],
      ],
    );

    expect(lines).toEqual(['NAME    STATE    NOTE', 'a       Applied', 'longer  Held     why']);
  });

  it('are not there without rows', () => {
    expect(table(['NAME'], [])).toEqual([]);
  });

  it('show what would move the cursor as text', () => {
    expect(table(['N'], [['\u001b[2J\u202e']])[1]).toBe('\\u001b[2J\\u202e');
  });
});

describe('times for people', () => {
  it.each([
    [0, '0s ago'],
    [119_000, '119s ago'],
    [120_000, '2m ago'],
    [7_200_000, '2h ago'],
    [172_800_000, '2d ago'],
    [-5_000, '0s ago'],
  ])('%i ms: %s', (passed, words) => {
    expect(ago(1_800_000_000_000, 1_800_000_000_000 - passed)).toBe(words);
  });

  it('never and durations', () => {
    expect([ago(1, undefined), duration(999), duration(1_234)]).toEqual(['never', '999ms', '1.2s']);
  });
});
