import { DEFAULT_RENDER_LIMITS } from '../../lib/render/limits.ts';
import { parseManifests } from '../../lib/render/parse-manifests.ts';
import { configMap, namesOf } from './rendering.ts';

const parse = (text: string) =>
  parseManifests(text, ({ line }) => ({ file: 'a.yaml', line }), DEFAULT_RENDER_LIMITS);
const dataOf = (yaml: string) => parse(configMap('a', yaml)).manifests[0]?.object.data;
const faultsOf = (text: string) =>
  parse(text).faults.map(({ origin, message }) => `${origin.line}: ${message}`);

describe('documents', () => {
  it('keeps order and lines, and leaves out what is empty or only a comment', () => {
    const text = `# nothing here\n---\n${configMap('a')}---\n# only a comment\n---\n---\n\n${configMap('b')}...\n---\n`;

    const { manifests, faults } = parse(text);

    expect(faults).toEqual([]);
    expect(manifests.map(({ object, origin }) => [object.metadata.name, origin.line])).toEqual([
      ['a', 3],
      ['b', 13],
    ]);
  });

  it('reads nothing from nothing', () => {
    const results = ['', '\n', '---', '# x', 'null\n', '\ufeff'].map(parse);

    expect(results.every(({ manifests, faults }) => manifests.length + faults.length === 0)).toBe(true);
  });

  it('reads CRLF, tabs in JSON, a byte order mark and content on the separator line', () => {
    const texts = [
      configMap('a').replaceAll('\n', '\r\n'),
      '{\n\t"apiVersion": "v1",\n\t"kind": "ConfigMap",\n\t"metadata": {"name": "a"}\n}\n',
      `\ufeff${configMap('a')}`,
      '--- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n',
      `%YAML 1.1\n---\n${configMap('a')}`,
    ];

    const names = texts.map((text) => namesOf(parse(text).manifests));

    expect(names).toEqual(texts.map(() => ['ConfigMap a']));
  });

  it('reads YAML 1.1 even where a directive says 1.2', () => {
    const { manifests } = parse(`%YAML 1.2\n---\n${configMap('a', '{x: yes}')}`);

    expect(manifests[0]?.object.data).toEqual({ x: true });
  });

  it('keeps the separator in a block scalar, and ends a document at one in column 0', () => {
    const { manifests } = parse(`${configMap('a')}  x: |\n    ---\n    y\n`.replace('data: {}', 'data:'));

    expect(manifests[0]?.object.data).toEqual({ x: '---\ny\n' });
  });

  it('does not take what only looks like a line break for one', () => {
    const { manifests, faults } = parse(configMap('a', '{x: "a\u2028--- b"}'));

    expect(faults).toEqual([]);
    expect(manifests[0]?.object.data).toEqual({ x: 'a\u2028--- b' });
  });

  it('reports every faulty document, and none of them hides the others', () => {
    const text = ['a: "not closed', configMap('fine'), 'b: [1, 2', 'kind: X\nkind: Y', 'c: d: e'].join(
      '\n---\n',
    );

    const { manifests, faults } = parse(text);

    expect(namesOf(manifests)).toEqual(['ConfigMap fine']);
    expect(faults).toHaveLength(4);
    expect(faults.map(({ origin }) => origin.line)).toEqual([1, 10, 13, 15]);
  });

  it('never quotes what stands in a faulty document', () => {
    const faults = faultsOf(
      'password: "hunter2\n---\n{"a": hunter2} hunter2\n---\na: b: hunter2\n---\n- hunter2\n---\n*hunter2x\n',
    );

    expect(faults.length).toBeGreaterThan(3);
    expect(faults.filter((fault) => /hunter2(?!x)/.test(fault))).toEqual([]);
  });
});

describe('values', () => {
  it('keeps quoted texts as texts', () => {
    expect(dataOf(`{a: "yes", b: '010', c: "", d: !!str 1, e: ! 2}`)).toEqual({
      a: 'yes',
      b: '010',
      c: '',
      d: '1',
      e: '2',
    });
  });

  it('decodes !!binary and follows explicit tags', () => {
    expect(
      dataOf('{a: !!binary aGVsbG8=, b: !!int "2", c: !!float 1, d: !!bool "yes", e: !foo bar}'),
    ).toEqual({
      a: 'hello',
      b: 2,
      c: 1,
      d: true,
      e: 'bar',
    });
  });

  it('turns keys into texts as Kubernetes does', () => {
    expect(dataOf('{1: a, yes: b, 0x10: c, 2020-01-01: d}')).toEqual({
      1: 'a',
      true: 'b',
      16: 'c',
      '2020-01-01': 'd',
    });
  });

  it('shares anchors, and lets a later one of the same name win', () => {
    expect(dataOf('{a: &x 1, b: *x, c: &x 2, d: *x}')).toEqual({ a: 1, b: 1, c: 2, d: 2 });
  });

  it('merges as Go does: the first source wins, and keys after the merge win over both', () => {
    expect(dataOf('{<<: [{a: "2", b: "3"}, {a: "9", c: "4"}], a: "1"}')).toEqual({ a: '1', b: '3', c: '4' });
    expect(dataOf('{"<<": {a: "1"}}')).toEqual({ '<<': { a: '1' } });
  });

  it.each([
    ['a duplicate key', '{a: 1, a: 2}', 'duplicate key "a"'],
    ['keys that become equal', '{yes: 1, "true": 2}', 'duplicate key "true"'],
    ['an explicit key before a merge that has it too', '{a: 1, <<: {a: 2}}', '"<<" after the key "a"'],
    ['a merge of something else', '{<<: 3}', 'takes a mapping'],
    ['a key that is a mapping', '{? {a: 1} : 2}', 'a key must be text'],
    ['a key that is a fraction', '{1.10: a}', 'a key must be text'],
    ['a null key', '{~: a}', 'a key must be text'],
    ['a prototype key', '{__proto__: {a: 1}}', '__proto__'],
    ['infinity', '{a: .inf}', 'no place in JSON'],
    ['an alias without an anchor', '{a: *x}', 'no anchor'],
    ['an alias inside its own anchor', '{a: &x [*x]}', 'inside its own anchor'],
    ['a value that does not fit its tag', '{a: !!int x}', 'does not fit'],
    ['binary that is no text', '{a: !!binary /w==}', 'not UTF-8'],
    ['a whole number that would change', '{a: 9007199254740993}', 'beyond 2^53'],
  ])('rejects %s, with its line', (_what, data, message) => {
    const { manifests, faults } = parse(`${configMap('first')}---\n${configMap('a', data)}`);

    expect(namesOf(manifests)).toEqual(['ConfigMap first']);
    expect(faults).toEqual([
      { origin: { file: 'a.yaml', line: 11 }, message: expect.stringContaining(message) },
    ]);
  });

  it('never changes the prototype of anything', () => {
    const { manifests } = parse(configMap('a', '{constructor: {prototype: {polluted: 1}}, toString: x}'));

    expect(Object.keys(manifests[0]?.object.data as object)).toEqual(['constructor', 'toString']);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it('keeps the ends of int64 in the schema of a CRD, where they are floating point', () => {
    const crd =
      'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b}\nspec: {maximum: 9223372036854775807}\n';

    const { manifests, faults } = parse(crd);

    expect(faults).toEqual([]);
    expect(manifests).toHaveLength(1);
  });
});

describe('explosions', () => {
  it('refuses an alias bomb', () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `  l${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(9)}*l${i}]`,
    );

    const faults = faultsOf(`x:\n  l0: &l0 [lol]\n${levels.join('\n')}\n`);

    expect(faults).toEqual([expect.stringContaining('aliases expand')]);
  });

  it('refuses many aliases of one large text', () => {
    const faults = faultsOf(`a: &a ${'x'.repeat(100_000)}\nb: [${'*a, '.repeat(1000)}]\n`);

    expect(faults).toEqual([expect.stringContaining('aliases expand')]);
  });

  it('refuses bottomless nesting, written out or through aliases', () => {
    const written = faultsOf(`a: ${'['.repeat(20_000)}`);
    const closed = faultsOf(`a: ${'['.repeat(300)}${']'.repeat(300)}`);
    const chain = Array.from({ length: 300 }, (_, i) => `k${i + 1}: &k${i + 1} [*k${i}]`).join('\n');
    const aliased = faultsOf(`k0: &k0 []\n${chain}\n`);

    expect([written, closed, aliased].map((faults) => faults.length)).toEqual([1, 1, 1]);
    for (const [fault] of [written, closed, aliased]) expect(fault).toMatch(/deep|not valid YAML/);
  });

  it('reads a thousand documents', () => {
    const text = Array.from({ length: 1000 }, (_, i) => configMap(`c${i}`)).join('---\n');

    expect(parse(text).manifests).toHaveLength(1000);
  });
});

describe('lists', () => {
  it('flattens List, nested and typed ones, and keeps the line of each item', () => {
    const text = [
      'apiVersion: v1',
      'kind: List',
      'items:',
      '- apiVersion: v1',
      '  kind: ConfigMap',
      '  metadata: {name: a}',
      '- apiVersion: v1',
      '  kind: SecretList',
      '  items:',
      '  - metadata: {name: b}',
      '- {apiVersion: v1, kind: List, items: []}',
    ].join('\n');

    const { manifests, faults } = parse(text);

    expect(faults).toEqual([]);
    expect(
      manifests.map(({ object, origin }) => [
        object.apiVersion,
        object.kind,
        object.metadata.name,
        origin.line,
      ]),
    ).toEqual([
      ['v1', 'ConfigMap', 'a', 4],
      ['v1', 'Secret', 'b', 7],
    ]);
  });

  it('takes a named custom resource called …List for what it is', () => {
    const { manifests } = parse(
      'apiVersion: x.io/v1\nkind: AccessList\nmetadata: {name: a}\nitems: [{a: 1}]\n',
    );

    expect(namesOf(manifests)).toEqual(['AccessList a']);
  });

  it('rejects a faulty item by its place and keeps the others', () => {
    const text =
      'apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- {kind: X}\n- 7\n';

    const { manifests, faults } = parse(text);

    expect(namesOf(manifests)).toEqual(['ConfigMap a']);
    expect(faults.map(({ origin, message }) => [origin.line, message])).toEqual([
      [5, expect.stringMatching(/^items\[1\]: .*apiVersion, metadata.name missing/)],
      [6, expect.stringMatching(/^items\[2\]: expected a Kubernetes object, got a number/)],
    ]);
  });
});

describe('what is not a Kubernetes object', () => {
  it.each([
    ['text', 'hello', 'expected a Kubernetes object, got a string'],
    ['a list', '- a', 'got a list'],
    ['values', 'replicas: 3', 'apiVersion, kind, metadata.name missing'],
    ['no name', 'apiVersion: v1\nkind: ConfigMap', 'metadata.name missing; add it'],
    ['a generateName that is none', 'apiVersion: v1\nkind: Job\nmetadata: {generateName: [a]}', 'got a list'],
    [
      'a name that is a number',
      'apiVersion: v1\nkind: Job\nmetadata: {name: 12}',
      'expected text, got a number',
    ],
    [
      'a name that leaves its path',
      'apiVersion: v1\nkind: Job\nmetadata: {name: ../../x}',
      'cannot be a name in a path',
    ],
    ['a name that is dots', 'apiVersion: v1\nkind: Job\nmetadata: {name: ..}', 'cannot be a name in a path'],
    ['an odd apiVersion', 'apiVersion: a/b/c\nkind: Job\nmetadata: {name: x}', 'apiVersion: expected'],
    ['an apiVersion that is a number', 'apiVersion: 1\nkind: Job\nmetadata: {name: x}', 'apiVersion missing'],
    ['an odd kind', 'apiVersion: v1\nkind: a/b\nmetadata: {name: x}', 'kind: expected'],
    [
      'an odd namespace',
      'apiVersion: v1\nkind: Job\nmetadata: {name: x, namespace: a/b}',
      'metadata.namespace: expected',
    ],
  ])('rejects %s and says what is missing', (_what, text, message) => {
    expect(faultsOf(text)).toEqual([expect.stringMatching(/^1: /)]);
    expect(faultsOf(text)[0]).toContain(message);
  });

  it('takes RBAC names with colons', () => {
    const { manifests } = parse(
      'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: "system:a:b"}\n',
    );

    expect(namesOf(manifests)).toEqual(['ClusterRole system:a:b']);
  });
});
