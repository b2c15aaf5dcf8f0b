import fc from 'fast-check';
import { compileGlob } from '../../lib/source/glob.ts';
import { plainChoice } from '../../lib/source/plain-globs.ts';

const matches = (glob: string, path: string) => plainChoice('app', { include: [glob] })(`app/${path}`);

describe('a glob', () => {
  it.each([
    ['a.yaml', 'a.yaml', true],
    ['a.yaml', 'b/a.yaml', false],
    ['*.yaml', 'a.yaml', true],
    ['*.yaml', '.yaml', true],
    ['*.yaml', 'b/a.yaml', false],
    ['**/*.yaml', 'a.yaml', true],
    ['**/*.yaml', 'b/c/a.yaml', true],
    ['b/**', 'b/a.yaml', true],
    ['b/**', 'b/c/a.yaml', true],
    ['b/**', 'b', false],
    ['b/**', 'bb/a.yaml', false],
    ['b/**/c.yaml', 'b/c.yaml', true],
    ['b/**/c.yaml', 'b/x/y/c.yaml', true],
    ['b/**/c.yaml', 'b/xc.yaml', false],
    ['**/b/**/c', 'x/b/y/b/z/c', true],
    ['**', 'anything/at/all', true],
    ['**.yaml', 'b/c/a.yaml', true],
    ['b**c', 'b/x/c', true],
    ['*', 'a.b', true],
    ['*', 'a/b', false],
    ['?.yaml', 'a.yaml', true],
    ['?.yaml', 'ä.yaml', true],
    ['?.yaml', '😀.yaml', true],
    ['a?b', 'a/b', false],
    ['[ab].yaml', 'b.yaml', true],
    ['[ab].yaml', 'c.yaml', false],
    ['[a-c]', 'b', true],
    ['[!a-c]', 'd', true],
    ['[^a-c]', 'b', false],
    ['x[!a]y', 'x/y', false],
    ['[]a]', ']', true],
    ['[a-]', '-', true],
    ['[\\]]', ']', true],
    ['[[:digit:]]', '7', true],
    ['[[:digit:]x]', 'x', true],
    ['[![:alpha:]]', '7', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['{a,b}.yaml', 'a.yaml', true],
    ['{a,b}.yaml', 'c.yaml', false],
    ['{a,b/*}.yaml', 'b/c.yaml', true],
    ['{a,{b,c}d}', 'cd', true],
    ['{a,{b,c}d}', 'ad', false],
    ['{a,}x', 'x', true],
    ['{a,b}{c,d}', 'bc', true],
    ['{a}', '{a}', true],
    ['{a', '{a', true],
    ['\\{a,b}', '{a,b}', true],
    ['[{,}]', ',', true],
    ['a.yaml.tmpl', 'a.yaml.tmpl', true],
    ['A.yaml', 'a.yaml', false],
    ['a+(b)|c$^', 'a+(b)|c$^', true],
  ])('%s on %s: %s', (glob, path, expected) => {
    expect(matches(glob, path)).toBe(expected);
  });

  it('matches what the same regular expression matches', () => {
    const text = (from: string) => fc.array(fc.constantFrom(...from), { maxLength: 9 });

    fc.assert(
      fc.property(text('ab*?/'), text('ab/'), (glob, path) => {
        const source = glob
          .join('')
          .replace(/(?<=^|\/)\*\*\/|(?<=^|\/)\*\*$|\*+|\?/g, (found) =>
            found === '**/'
              ? '(?:.*/)?'
              : found === '**'
                ? '.*'
                : found === '?'
                  ? '[^/]'
                  : found === '*'
                    ? '[^/]*'
                    : '.*',
          );
        const expected = new RegExp(`^${source}$`, 's').test(path.join(''));

        const found = compileGlob(glob.join(''), 'all')?.match(path.join(''), {
          steps: 0,
          mostSteps: 10_000_000,
        }).itself;

        expect(found).toBe(expected);
      }),
      { numRuns: 5000 },
    );
  });

  it('takes steps in proportion to its length and the path, whatever they are', () => {
    const effort = { steps: 0, mostSteps: 10_000_000 };
    const glob = `${'*a'.repeat(200)}**/${'**/a*'.repeat(50)}b`;
    const path = `${'a'.repeat(2000)}/${'a/'.repeat(500)}`;

    const found = compileGlob(glob, 'all')?.match(path, effort);

    expect(found?.itself).toBe(false);
    expect(effort.steps).toBeLessThan(glob.length * path.length);
  });

  it.each([
    ['an unclosed class', ['[a'], /include\[0\]: "\[a" is malformed/],
    ['a backslash at the end', ['a\\'], /malformed/],
    ['nothing', [''], /1 to 1024 characters, got 0/],
    ['one that is too long', ['a'.repeat(1025)], /got 1025/],
    ['an absolute one', ['/a'], /a part that no path has/],
    ['one that leads out', ['a/../b'], /a part that no path has/],
    ['braces that explode', ['{a,b}'.repeat(20)], /more than 256/],
    ['too many', Array.from({ length: 101 }, () => 'a'), /101 globs/],
  ])('refuses %s', (_, include, message) => {
    expect(() => plainChoice('app', { include })).toThrow(message);
  });

  it('refuses to go on for ever', () => {
    const exclude = Array.from({ length: 100 }, () => `${'**/{a,b}*'.repeat(6)}x`);
    const choose = plainChoice('app', { exclude }, 10_000_000);
    const path = `app/${'a/b/'.repeat(500)}c.yaml`;

    const matchMany = () => {
      for (let count = 0; count < 1000; count += 1) choose(path);
    };

    expect(matchMany).toThrow(/use fewer or simpler ones/);
  });
});

describe('the choice of a plain directory', () => {
  it('is YAML and JSON at every depth unless something is said', () => {
    const choose = plainChoice('.', undefined);

    expect(['a.yaml', 'b/c.yml', 'd.json', 'e.txt', 'yaml'].filter(choose)).toEqual([
      'a.yaml',
      'b/c.yml',
      'd.json',
    ]);
  });

  it('lets exclude win over include, and include name other endings', () => {
    const choose = plainChoice('app', { include: ['*.conf', 'b/*'], exclude: ['b/x*'] });

    expect(['app/a.conf', 'app/a.yaml', 'app/b/a', 'app/b/xa'].filter(choose)).toEqual([
      'app/a.conf',
      'app/b/a',
    ]);
  });

  it('stays at the path where recursion is off', () => {
    const choose = plainChoice('app', { recurse: false, include: ['**/*.yaml'] });

    expect(['app/a.yaml', 'app/b/a.yaml'].filter(choose)).toEqual(['app/a.yaml']);
  });
});
