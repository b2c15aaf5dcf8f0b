import fc from 'fast-check';

import { compilePattern } from '../../../lib/render/sops/key-pattern.ts';

describe('compilePattern', () => {
  it.each([
    ['^(data|stringData)$', ['data', 'stringData'], ['xdata', 'data2', '']],
    ['data', ['data', 'metadata', 'data2'], ['dat']],
    ['^(.*_secret|password)$', ['a_secret', '_secret', 'password'], ['secret', 'passwords']],
    ['(?i)^pass', ['PASSword', 'pass'], ['bypass']],
    ['^[a-z0-9-]+\\.[^.]{2,3}$', ['a-1.com', 'b.de'], ['a.', 'a.info', 'A.com']],
    ['^\\d+\\w?\\s$', ['12x ', '1 '], ['x ', '12']],
    ['^a{2}b{1,}c{0,1}$', ['aab', 'aabbbc'], ['ab', 'aabcc']],
    ['', ['', 'anything'], []],
    ['^$', [''], ['a']],
    ['a|^$|b', ['', 'xbx'], ['c']],
    ['^(?:a|b)*?c$', ['c', 'abac'], ['abd']],
    ['[]a]', [']', 'a'], ['b']],
    ['[a-]', ['a', '-'], ['b']],
    ['\\$\\{', ['x${'], ['$']],
    ['^é.$', ['é😀'], ['é']],
  ])('takes %s as Go does', (pattern, matching, others) => {
    const matches = compilePattern(pattern);

    expect(matching.filter((text) => !matches(text))).toEqual([]);
    expect(others.filter(matches)).toEqual([]);
  });

  it.each([
    '(',
    ')',
    '(a',
    '[a',
    'a**',
    '*',
    'a{3,2}',
    'a{',
    '(?=a)',
    '(?P<n>a)',
    '\\b',
    '\\1',
    '[[:alpha:]]',
    '[z-a]',
    'a\\',
    '(((a{900}){900}){900})',
    'x'.repeat(2_000),
    '('.repeat(100),
  ])('refuses %s', (pattern) => {
    expect(() => compilePattern(pattern)).toThrow('regular expression');
  });

  it('matches what a regular expression matches', () => {
    const atom = fc.constantFrom(
      'a',
      'b',
      '.',
      '[ab]',
      '[^a]',
      '^',
      '$',
      '(a|b)',
      '(?:ab)?',
      'a*',
      'b+',
      '(a*b)*',
      '|',
    );
    fc.assert(
      fc.property(fc.array(atom, { maxLength: 6 }), fc.stringMatching(/^[abc]{0,8}$/), (parts, text) => {
        const pattern = parts.join('');

        expect(compilePattern(pattern)(text)).toBe(new RegExp(pattern).test(text));
      }),
      { numRuns: 3000 },
    );
  });

  it('does not take long over an expression that would make another engine explode', () => {
    expect(compilePattern('^(a+)+$')(`${'a'.repeat(5_000)}b`)).toBe(false);
  });
});
