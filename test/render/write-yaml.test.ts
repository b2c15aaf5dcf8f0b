import fc from 'fast-check';

import type { JsonObject } from '../../lib/model/resource.ts';
import { DEFAULT_RENDER_LIMITS } from '../../lib/render/limits.ts';
import { parseYaml } from '../../lib/render/parse-yaml.ts';
import { writeYaml } from '../../lib/render/substitute/write-yaml.ts';

function readBack(text: string): unknown {
  const [document] = parseYaml(text, { limits: DEFAULT_RENDER_LIMITS });
  if (document?.ok !== true) throw new Error(document?.message ?? 'nothing');
  return document.value;
}

describe('writeYaml', () => {
  // What `kubectl kustomize` (1.35.2) writes for these values of a ConfigMap.
  it.each([
    ['${A}', '${A}'],
    ['${A}: x', "'${A}: x'"],
    ['${A}:', "'${A}:'"],
    ['${A:-x}', '${A:-x}'],
    ['t\t${A}', '"t\\t${A}"'],
    ['x\n${A}\n', '|\n  x\n  ${A}'],
    ['x \n${A}', '"x \\n${A}"'],
    ['x\n${A} ', '"x\\n${A} "'],
    [' ${A}', "' ${A}'"],
    ['${A} ', "'${A} '"],
    ['😀${A}', '"\\U0001F600${A}"'],
    ['é${A}', 'é${A}'],
    ['a # ${A}', "'a # ${A}'"],
    ["'${A}'", "'''${A}'''"],
    ['"${A}"', '\'"${A}"\''],
    ['[${A}]', "'[${A}]'"],
    ['? ${A}', "'? ${A}'"],
    ['-${A}', '-${A}'],
    ['-- ${A}', '-- ${A}'],
    ['@${A}', "'@${A}'"],
    ['%${A}', "'%${A}'"],
    ['a\\b ${A}', 'a\\b ${A}'],
    ['x\u00a0${A}', 'x\u00a0${A}'],
    ['x\r\n${A}', '"x\\r\\n${A}"'],
    ['\n${A}', '|2-\n\n  ${A}'],
    ['  x\ny', '|2-\n    x\n  y'],
    ['x\n\n', '|+\n  x\n'],
    ['true', '"true"'],
    ['y', '"y"'],
    ['', '""'],
    ['12e3', '"12e3"'],
    ['-', "'-'"],
  ])('writes %j as Flux would see it', (value, written) => {
    expect(writeYaml({ a: value })).toBe(`a: ${written}\n`);
  });

  it('writes what reads back as the same', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc
        .array(
          fc.constantFrom(
            ' ',
            '\n',
            '\t',
            '\r',
            '#',
            ':',
            '-',
            '"',
            "'",
            '\\',
            '${A}',
            'a',
            '|',
            '0',
            '\u0085',
            '?',
            '&',
            '!',
            '<<',
            '~',
            '.',
          ),
        )
        .map((parts) => parts.join('')),
    );
    const { tree } = fc.letrec((tie) => ({
      leaf: fc.oneof(
        text,
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.boolean(),
        fc.constant(null),
      ),
      tree: fc.oneof(
        { maxDepth: 4 },
        tie('leaf'),
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(
          text.filter((key) => key !== '__proto__'),
          tie('tree'),
          { maxKeys: 4 },
        ),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        const object = { value } as unknown as JsonObject;

        expect(readBack(writeYaml(object))).toEqual(JSON.parse(JSON.stringify(object)));
      }),
      { numRuns: 2000 },
    );
  });
});
