import fc from 'fast-check';

import { matchPrefixes } from '../../lib/render/substitute/match-glob.ts';

/** The same by a regular expression, which is fine for globs as short as these. */
function expected(glob: string, text: string) {
  const source = [...glob].map((c) => (c === '*' ? '.*' : c === '?' ? '.' : c)).join('');
  const lengths = Array.from(text, (_, index) => index + 1).filter((length) =>
    new RegExp(`^${source}$`, 's').test(text.slice(0, length)),
  );
  const [shortest] = lengths;
  return shortest === undefined ? undefined : { shortest, longest: lengths.at(-1) };
}

describe('matchPrefixes', () => {
  it('finds the shortest and the longest beginning that a glob matches', () => {
    const characters = (from: string) =>
      fc.array(fc.constantFrom(...from), { maxLength: 8 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(characters('ab*?/'), characters('ab/'), (glob, text) => {
        expect(matchPrefixes([...glob], [...text])).toEqual(expected(glob, text));
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['[]', 'a'],
    ['[a', 'a'],
    ['[a-', 'a'],
    ['[-a]', '-'],
    ['a\\', 'a'],
    ['[^]', 'a'],
  ])('matches nothing with the malformed %s', (glob, text) => {
    expect(matchPrefixes([...glob], [...text])).toBeUndefined();
  });

  it.each([
    ['[a\\]]', ']'],
    ['[[*]', '*'],
    ['[^a-c]', 'd'],
    ['[a-]', undefined],
    ['[a-c]', 'd', undefined],
  ])('reads the class %s', (glob, text, ...rest) => {
    const matches = text !== undefined && rest.length === 0;

    expect(matchPrefixes([...glob], [...(text ?? 'a')]) !== undefined).toBe(matches);
  });
});
