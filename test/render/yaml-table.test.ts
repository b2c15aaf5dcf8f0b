import { DEFAULT_RENDER_LIMITS } from '../../lib/render/limits.ts';
import { parseManifests } from '../../lib/render/parse-manifests.ts';
import { configMap, namesOf } from './rendering.ts';

const parse = (text: string) =>
  parseManifests(text, ({ line }) => ({ file: 'a.yaml', line }), DEFAULT_RENDER_LIMITS);
const object = (rest: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n${rest}`;

/** What `kubectl create --dry-run=client -o json` 1.35 made of each. */
describe('a value in a manifest', () => {
  const read: readonly (readonly [string, unknown])[] = [
    ['yes', true],
    ['No', false],
    ['on', true],
    ['off', false],
    ['y', true],
    ['0777', 511],
    ['0o777', 511],
    ['0x1F', 31],
    ['0b101', 5],
    ['1e3', 1000],
    ['1_000', 1000],
    ['-.5', -0.5],
    ['1:30', '1:30'],
    ['190:20:30', '190:20:30'],
    ['2001-12-14', '2001-12-14'],
    ['2001-12-14T21:59:43.10-05:00', '2001-12-14T21:59:43.10-05:00'],
    ['~', null],
    ['null', null],
    ['', null],
    ['"null"', 'null'],
    ["'0777'", '0777'],
    ['1.10', 1.1],
    ['v1.10', 'v1.10'],
    ['09', 9],
    ['+1', 1],
    ['#', null],
    ['a#b', 'a#b'],
    ['a #b', 'a'],
    ['"a\\tb\\u00e4"', 'a\tbä'],
    ["'it''s'", "it's"],
    ['[yes, 010, ~]', [true, 8, null]],
    ['{a: no}', { a: false }],
    ['|\n    a\n    b\n', 'a\nb\n'],
    ['|-\n    a\n\n    b\n', 'a\n\nb'],
    ['|+\n    a\n\n', 'a\n\n\n'],
    ['>\n    a\n    b\n\n    c\n', 'a b\nc\n'],
    ['|2\n     a\n', ' a\n'],
    ['a\n    b', 'a b'],
    ['!!str yes', 'yes'],
    ['x'.repeat(1_000_000), 'x'.repeat(1_000_000)],
  ];

  it.each(read.map(([text, expected]) => [text.slice(0, 40), text, expected]))(
    '%j is read as Kubernetes reads it',
    (_shown, text, expected) => {
      const { manifests, faults } = parse(object(`data:\n  v: ${text}\n`));

      expect(faults).toEqual([]);
      expect(manifests[0]?.object['data']).toEqual({ v: expected });
    },
  );

  it('is shared by anchors, over lists and merges of several', () => {
    const text = object(
      'x-common: &common {a: "1", b: "2"}\nx-more: &more\n  c: "3"\ndata:\n  <<: [*common, *more]\n  b: "4"\nlist: &l [1, 2]\nagain: *l\n',
    );

    const { manifests } = parse(text);

    expect(manifests[0]?.object['data']).toEqual({ a: '1', b: '4', c: '3' });
    expect(manifests[0]?.object['again']).toEqual([1, 2]);
  });
});

describe('a file', () => {
  const names = (text: string) => namesOf(parse(text).manifests);

  it.each([
    ['CRLF', configMap('a').replaceAll('\n', '\r\n')],
    ['a byte order mark', `\ufeff${configMap('a')}`],
    ['comments around', `# a\n\n---\n# b\n${configMap('a')}# c\n...\n# d\n---\n# e\n`],
    ['a document end', `${configMap('a')}...\n`],
    ['empty documents around', `---\n---\n\n---\n${configMap('a')}---\n\n---\n`],
    ['JSON', '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"u":"\\u00e4\\/"}}'],
    [
      'JSON over lines with tabs',
      '{\n\t"apiVersion": "v1",\n\t"kind": "ConfigMap",\n\t"metadata": {\n\t\t"name": "a"\n\t}\n}',
    ],
    [
      'a List in a List',
      'apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMapList\n  items: [{metadata: {name: a}}]\n',
    ],
    [
      'a List in JSON',
      '{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}]}',
    ],
    ['trailing blanks', configMap('a').replaceAll('\n', '   \n')],
    ['no line end at its end', configMap('a').trimEnd()],
  ])('with %s is read', (_what, text) => {
    expect(parse(text).faults).toEqual([]);
    expect(names(text)).toEqual(['ConfigMap a']);
  });

  it.each([
    ['comments only', '# nothing\n# here\n'],
    ['separators only', '---\n---\n---\n'],
    ['nothing', ''],
    ['null', '~\n'],
    ['an empty List', 'apiVersion: v1\nkind: List\nitems:\n'],
  ])('with %s holds nothing', (_what, text) => {
    expect(parse(text)).toEqual({ manifests: [], faults: [] });
  });

  it.each([
    ['a duplicate key', object('data:\n  a: "1"\n  b: "2"\n  a: "3"\n'), 8, 'duplicate key "a"'],
    [
      'a duplicate key far down',
      object(`data:\n${'  - x\n'.repeat(500)}data: {}\n`),
      506,
      'duplicate key "data"',
    ],
    [
      'a duplicate key in JSON',
      '{"apiVersion": "v1",\n"kind": "ConfigMap",\n"kind": "Secret"}',
      3,
      'duplicate key "kind"',
    ],
    ['a tab as indentation', object('data:\n\ta: b\n'), 6, 'not valid YAML'],
    ['a NUL byte', object('data:\n  a: "b\0c"\n'), 6, 'not valid YAML'],
    ['a bare NUL byte', '\0', 1, 'not valid YAML'],
    ['a control character', object('data:\n  a: b\u0007c\n'), 6, 'not valid YAML'],
    ['an escape that is none', object('data:\n  a: "\\q"\n'), 6, 'not valid YAML'],
    ['JSON that breaks off', '{"apiVersion": "v1",\n"kind": "ConfigMap"', 2, 'not valid YAML'],
    ['a template', 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Values.name }}\n', 4, ''],
    [
      'a merge conflict',
      `<<<<<<< HEAD\n${configMap('a')}=======\n${configMap('b')}>>>>>>> x\n`,
      2,
      'not valid YAML',
    ],
  ])('rejects %s with its line', (_what, text, line, message) => {
    const { manifests, faults } = parse(text);

    expect(manifests).toEqual([]);
    expect(faults.map(({ origin }) => origin.line)).toEqual([line]);
    expect(faults[0]?.message).toContain(message);
  });
});
