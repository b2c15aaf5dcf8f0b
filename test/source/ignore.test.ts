import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { decidingPattern, parseIgnoreFile } from '../../lib/source/ignore-patterns.ts';

function isIgnored(text: string, file: string, isDirectory = false): boolean {
  const deciding = decidingPattern(parseIgnoreFile('.sourceignore', text), file, isDirectory, {
    steps: 0,
    mostSteps: 10_000_000,
  });
  return deciding !== undefined && !deciding.isNegated;
}

describe('an ignore file', () => {
  it.each([
    ['a.yaml', 'a.yaml', true],
    ['a.yaml', 'b/a.yaml', true],
    ['a.yaml', 'a.yaml/b', true],
    ['/a.yaml', 'a.yaml', true],
    ['/a.yaml', 'b/a.yaml', false],
    ['b/a.yaml', 'b/a.yaml', true],
    ['b/a.yaml', 'c/b/a.yaml', false],
    ['b/', 'b', false],
    ['b/', 'b/a.yaml', true],
    ['b/', 'c/b/a.yaml', true],
    ['/b/', 'c/b/a.yaml', false],
    ['*.md', 'c/README.md', true],
    ['docs/*.md', 'docs/a/b.md', false],
    ['docs/**/*.md', 'docs/a/b.md', true],
    ['**/docs', 'a/docs/x', true],
    ['docs/**', 'docs/x', true],
    ['# a comment', '# a comment', false],
    ['\\#a', '#a', true],
    ['\\!a', '!a', true],
    ['a  ', 'a', true],
    ['a\\ ', 'a ', true],
    ['a\r', 'a', true],
    ['\uFEFFa', 'a', true],
    ['', 'a', false],
    ['/', 'a', false],
    ['!', 'a', false],
    ['[a', '[a', false],
    ['a\\', 'a\\', false],
    ['*', 'anything', true],
    ['*.yaml\n!keep.yaml', 'keep.yaml', false],
    ['!keep.yaml\n*.yaml', 'keep.yaml', true],
  ])('%j leaves %s out: %s', (text, file, expected) => {
    expect(isIgnored(text, file)).toBe(expected);
  });

  it.each([
    ['/*\n!/deploy', 'deploy/a.yaml', false],
    ['/*\n!/deploy', 'other/a.yaml', true],
    ['/*\n!/deploy\n/deploy/**/*.md', 'deploy/x/a.md', true],
    // Git itself would not look into a directory that is left out.
    ['/deploy/\n!/deploy/a.yaml', 'deploy/a.yaml', false],
    ['*.yaml\n!keep/', 'keep/a.yaml', false],
  ])('%j leaves %s out as Flux reads it: %s', (text, file, expected) => {
    expect(isIgnored(text, file)).toBe(expected);
  });

  it('says what Git says where no pattern is negated', () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'holdfast-ignore-'));
    const git = (args: readonly string[], input?: string) =>
      execFileSync('git', [...args], {
        cwd: directory,
        input: input ?? '',
        env: { PATH: process.env['PATH'], HOME: directory, GIT_CONFIG_NOSYSTEM: '1' },
        encoding: 'utf8',
        stdio: ['pipe', 'pipe', 'ignore'],
      });
    const names = ['a', 'b', 'ab', '.a', 'a.b', '*', '\\'];
    const files = names.flatMap((one) => names.flatMap((two) => [`d1/${one}/${two}`, `${one}x/${two}`]));
    try {
      git(['init', '-q']);
      for (const file of files) {
        mkdirSync(path.join(directory, path.dirname(file)), { recursive: true });
        writeFileSync(path.join(directory, file), '');
      }
      const piece = fc.constantFrom(
        'a',
        'b',
        'd1',
        'x',
        '.',
        '*',
        '**',
        '?',
        '/',
        '**/',
        '/**',
        '[ab]',
        '[!a]',
        '\\*',
        '\\\\',
      );
      // Inside a name `**` is left out: versions of Git differ in what they make of it.
      const line = fc
        .array(piece, { minLength: 1, maxLength: 6 })
        .map((parts) => parts.join(''))
        .filter((text) => !/[^/]\*\*|\*\*[^/]/.test(text.replace(/^!/, '')));

      fc.assert(
        fc.property(fc.array(line, { minLength: 1, maxLength: 4 }), (lines) => {
          writeFileSync(path.join(directory, '.gitignore'), lines.join('\n'));
          let found: string;
          try {
            found = git(['check-ignore', '--no-index', '-z', '--stdin'], files.join('\0'));
          } catch (error) {
            found = (error as { stdout?: string }).stdout ?? '';
          }
          const expected = new Set(found.split('\0').filter((file) => file !== ''));

          const ours = files.filter((file) => isIgnored(lines.join('\n'), file));

          expect([...ours].sort()).toEqual([...expected].sort());
        }),
        { numRuns: 150 },
      );
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
