import fc from 'fast-check';

import { DEFAULT_RENDER_LIMITS } from '../../lib/render/limits.ts';
import { parseYaml } from '../../lib/render/parse-yaml.ts';

const limits = DEFAULT_RENDER_LIMITS;

/** JSON is YAML: what JSON says must come out, whatever its texts look like. */
const json = fc
  .jsonValue({ maxDepth: 5, stringUnit: 'binary' })
  .map((value) => JSON.stringify(value))
  .filter((text) => !text.includes('__proto__') && text !== 'null');

describe('parsing', () => {
  it('returns from JSON what JSON says', () => {
    fc.assert(
      fc.property(json, (text) => {
        const [document] = parseYaml(text, { limits });

        expect(document).toMatchObject({ ok: true, line: 1 });
        expect(JSON.stringify(document?.ok && document.value)).toBe(JSON.stringify(JSON.parse(text)));
      }),
      { numRuns: 300 },
    );
  });

  it('never throws, whatever the text', () => {
    const tokens = [
      ...'a1: \n-{}[]"\'|>#%\t!?,&*',
      '&x',
      '*x',
      '<<',
      '---',
      '...',
      '\n  ',
      '\u0000',
      '\ufeff',
    ];
    const noise = fc.array(fc.constantFrom(...tokens), { maxLength: 40 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(noise, (text) => {
        const documents = parseYaml(text, { limits });

        for (const document of documents) expect(typeof document.ok).toBe('boolean');
      }),
      { numRuns: 1000 },
    );
  });
});
