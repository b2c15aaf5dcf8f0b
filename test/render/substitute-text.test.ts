import fc from 'fast-check';

import { ExpansionLimit, expandTemplate } from '../../lib/render/substitute/expand-template.ts';
import { parseTemplate } from '../../lib/render/substitute/parse-template.ts';
import { SUBSTITUTION_CASES } from './substitution-cases.ts';

const MEGABYTE = 1024 * 1024;

function expand(text: string, variables: Readonly<Record<string, string>> = {}, maxLength = MEGABYTE) {
  return expandTemplate(parseTemplate(text), new Map(Object.entries(variables)), maxLength);
}

describe('the grammar of substitution', () => {
  it.each(SUBSTITUTION_CASES)('takes $what as Flux does: $text', (example) => {
    if ('refused' in example) {
      expect(() => expand(example.text, example.variables)).toThrow(example.refused);
      return;
    }
    const { text, missing, cut } = expand(example.text, example.variables);

    expect([...missing]).toEqual('misses' in example ? example.misses : []);
    expect(cut.size).toBe(0);
    if ('becomes' in example) expect(text).toBe(example.becomes);
  });

  it('has at least 80 cases, each of its own', () => {
    const names = SUBSTITUTION_CASES.map(({ what }) => what);

    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThanOrEqual(80);
  });

  it('tells which variable was cut through a character', () => {
    expect([...expand('${A:1}', { A: 'é' }).cut]).toEqual(['A']);
  });

  it('leaves any text alone once its dollars are doubled', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(expand(text.replaceAll('$', '$$$$')).text).toBe(text);
      }),
    );
  });

  it('puts any value in as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        expect(expand('<${A}>', { A: value }).text).toBe(`<${value}>`);
      }),
    );
  });

  it('ends with a result or a fault, whatever the text', () => {
    const pieces = fc.constantFrom(
      '$',
      '{',
      '}',
      '${',
      'A',
      ':',
      '-',
      '/',
      '#',
      '%',
      '\\',
      '[',
      ']',
      '*',
      '?',
      '^',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
        try {
          expand(parts.join(''), { A: 'a/b*[c]' });
        } catch (error) {
          expect((error as Error).constructor.name).toBe('TemplateFault');
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the limits of substitution', () => {
  it('refuses replacements that multiply', () => {
    const variables = { A: 'a'.repeat(10_000) };

    expect(() => expand('${A//a/${A}}', variables)).toThrow(ExpansionLimit);
  });

  it('refuses many long values', () => {
    expect(() => expand('${A}'.repeat(200), { A: 'a'.repeat(10_000) })).toThrow(ExpansionLimit);
  });

  it('refuses globs that take too long to compare', () => {
    const variables = { A: 'a'.repeat(10_000), G: `${'*a'.repeat(5_000)}b` };

    expect(() => expand('${A#${G}}', variables)).toThrow('too long');
  });

  it('compares a glob that would make a regular expression explode', () => {
    const { text } = expand('${A##*a*a*a*a*a*a*a*a*a*a*a*b}', { A: 'a'.repeat(20_000) });

    expect(text).toHaveLength(20_000);
  });
});
