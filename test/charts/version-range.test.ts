import { chooseVersion, isSameVersion, newestFirst, whatExists } from '../../lib/charts/choose-version.ts';
import { parseRange, parseVersion } from '../../lib/charts/version-range.ts';

const PUBLISHED = [
  ...['0.0.0', '0.0.1', '0.0.3', '0.0.4', '0.1.0', '0.2.0', '0.2.3', '0.2.9', '0.3.0'],
  ...['1.0.0-alpha', '1.0.0-beta.2', '1.0.0-beta.11', '1.0.0-rc.1', '1.0.0', '1.0.1', '1.2.0', '1.2.3'],
  ...['1.2.3-rc.1', '1.2.9', '1.3.0-0', '1.3.0', '1.9.9', 'v2.0.0', '2.0.1', '2.1.0', '2.1.5+build.7'],
  ...['2.2.0-beta.1', '3.0.0-rc.1', '11.0.0', '11.1.0', '11.1.4', '11.2.0', '12.0.0-beta'],
  ...['not-a-version', '1.2.x', '20.01.02'],
];

// What helm 4.1.4 pulls from an index with these versions, asked for each range; undefined where it finds none.
const TABLE: readonly (readonly [range: string, chosen: string | undefined])[] = [
  ['*', '20.01.02'],
  ['x', '20.01.02'],
  ['x.1', '20.01.02'],
  ['1', '1.9.9'],
  ['1.x', '1.9.9'],
  ['1.X', '1.9.9'],
  ['1.*', '1.9.9'],
  ['1.x.3', '1.9.9'],
  ['1.2', '1.2.9'],
  ['1.2.x', '1.2.9'],
  ['1.2.*', '1.2.9'],
  [' 1.2 ', '1.2.9'],
  ['^1', '1.9.9'],
  ['^1.2', '1.9.9'],
  ['^v1.2', '1.9.9'],
  ['^1.2.3', '1.9.9'],
  ['^0', '0.3.0'],
  ['^0.0', '0.0.4'],
  ['^0.2', '0.2.9'],
  ['^0.2.3', '0.2.9'],
  ['^0.0.3', '0.0.3'],
  ['^0.0.0', '0.0.0'],
  ['^*', '0.0.0'],
  ['~1', '1.9.9'],
  ['~1.2', '1.2.9'],
  ['~1.2.3', '1.2.9'],
  ['~>1.2', '1.2.9'],
  ['~0', '0.3.0'],
  ['~0.2', '0.2.9'],
  ['~0.0.0', '20.01.02'],
  ['~*', '20.01.02'],
  ['~20', '20.01.02'],
  ['>1', '20.01.02'],
  ['> 1.2', '20.01.02'],
  ['>1.2.3', '20.01.02'],
  ['>=1.2.3', '20.01.02'],
  ['>= 1.2, < 1.3', '1.2.9'],
  [' >= 1.2 , < 1.3 ', '1.2.9'],
  ['>=1.2 <1.3', '1.2.9'],
  ['>=1.2,<1.3', '1.2.9'],
  ['<2 >=1.2', '1.9.9'],
  ['<1', '0.3.0'],
  ['<1.0.0', '0.3.0'],
  ['<=1', '1.9.9'],
  ['<=1.2', '1.2.9'],
  ['<=11.1', '11.1.4'],
  ['<=1.2.0', '1.2.0'],
  ['=<1.2.0', '1.2.0'],
  ['=>11', '20.01.02'],
  ['!=11.2.0', '20.01.02'],
  ['>=2, !=2.x, <12', '11.2.0'],
  ['<12, !=11.2', '11.1.4'],
  ['<12, !=11.x', '2.1.5+build.7'],
  ['1.0 - 1.2', '1.2.9'],
  ['1.0.0 - 1.2.3', '1.2.3'],
  ['1.2.3 - 2', '2.1.5+build.7'],
  ['1.0 - 1.2 || 2.x', '2.1.5+build.7'],
  ['1 || 2', '2.1.5+build.7'],
  ['^1.2 || ^3', '1.9.9'],
  ['^9 || ~0.2', '0.2.9'],
  ['*-0', '20.01.02'],
  ['>0.0.0-0', '20.01.02'],
  ['^1.0.0-0', '1.9.9'],
  ['~1.0.0-0', '1.0.1'],
  ['1.x-0', '1.9.9'],
  ['^2.2.0-0', '2.2.0-beta.1'],
  ['~1.2.3-rc.1', '1.2.9'],
  ['1.0.0-alpha', '1.0.0-alpha'],
  ['<=1.0.0-beta.11', '1.0.0-beta.11'],
  ['>=1.0.0-beta, <1.0.0', '1.0.0-rc.1'],
  ['>=1.2.3-rc.1 <1.2.3', '1.2.3-rc.1'],
  ['^3', undefined],
  ['>1.0.0 <1.0.1', undefined],
  ['1.2.3', '1.2.3'],
  ['v1.2.3', '1.2.3'],
  ['=1.2.3', '1.2.3'],
  ['2.0.0', 'v2.0.0'],
  ['=v2.0.0', 'v2.0.0'],
  ['2.1.5', '2.1.5+build.7'],
  ['2.1.5+build.7', '2.1.5+build.7'],
  ['2.1.5+other', '2.1.5+build.7'],
  ['01.02.03', '1.2.3'],
  ['20.1.2', '20.01.02'],
  ['1.0-2.0', '1.0.1'],
  ['<=*', '0.0.4'],
  ['>*', '20.01.02'],
  ['!=*', '20.01.02'],
  ['<*', undefined],
];

describe('the choice of a version', () => {
  it.each(TABLE)('is the one of helm for %j: %s', (range, chosen) => {
    expect(chooseVersion(PUBLISHED, range)).toBe(chosen);
  });

  it('takes the first of versions that differ in their build alone', () => {
    expect(chooseVersion(['1.0.0+b', '1.0.0+a'], '*')).toBe('1.0.0+b');
  });

  it('passes over what is no version, and numbers that cannot be compared', () => {
    expect(newestFirst(['latest', '99999999999999999999.0.0', '1.2.3-01', '1', '', '1.0.0.0'])).toEqual([
      '1',
    ]);
  });

  it.each(['', '>>1', '1..2', '1.2.3.4', 'latest', '^', '~', '1 ||', '|| 1', '1,', '1, ,2', ',1', '1.2.3-'])(
    'refuses %j as a range',
    (text) => {
      expect(parseRange(text)).toBeUndefined();
    },
  );

  it.each(['>=1.2<1.3', '> 1 - 2', '^1.0 - 2.0', '1.2.3-01', '99999999999999999999', '1.0 - ', '1 - x.y'])(
    'refuses %j as a range, as helm does',
    (text) => {
      expect(parseRange(text)).toBeUndefined();
    },
  );

  it('refuses texts that are longer than any version, in no time', () => {
    const long = ['1'.repeat(1e5), '1 '.repeat(1e5), `1${' '.repeat(1e5)}x`, `1-${'a.'.repeat(1e5)}`];

    for (const text of long) {
      expect(parseRange(text)).toBeUndefined();
      expect(parseVersion(text)).toBeUndefined();
    }
  });
});

describe('the equality of versions', () => {
  it.each([
    ['1.2.3', '1.2.3', true],
    ['v1.2.3', '1.2.3', true],
    ['1.2', '1.2.0', true],
    ['1.2.3+a', '1.2.3+a', true],
    ['1.2.3+a', '1.2.3+b', false],
    ['1.2.3', '1.2.3-rc.1', false],
    ['latest', 'latest', true],
    ['latest', '1.2.3', false],
  ])('of %s and %s is %s', (one, other, same) => {
    expect(isSameVersion(one, other)).toBe(same);
  });
});

describe('what is said to exist', () => {
  it('names the newest five', () => {
    expect(whatExists(['1.0.0', '1.1.0', '2.0.0', '0.1.0', '0.2.0', '0.3.0', 'junk'], '^9')).toBe(
      'it has 2.0.0, 1.1.0, 1.0.0, 0.3.0, 0.2.0 and 1 older ones',
    );
  });

  it('points to prereleases that would match', () => {
    expect(whatExists(['2.0.0-rc.1'], '^2')).toContain('prereleases');
    expect(whatExists(['2.0.0-rc.1'], '^3')).not.toContain('prereleases');
  });
});
