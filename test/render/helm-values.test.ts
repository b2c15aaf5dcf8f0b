import type { HelmOptions } from '../../lib/model/application.ts';
import type { ExternalContent } from '../../lib/render/renderer.ts';
import { dataOf, helmTemplate, messageOf, objectsOf, renderCommit, withHelm, type Files } from './charts.ts';
import { whySkipped, withTools } from './tools-for-tests.ts';

const CHART: Files = {
  'app/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
  'app/values.yaml': 'who: chart\nnested: {a: 1, b: 2}\nlist: [x, y]\n',
  'app/templates/cm.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values}\ndata:\n  all: {{ omit .Values "global" | toJson | quote }}\n',
};

function content(entries: Readonly<Record<string, string>>, more: Partial<ExternalContent> = {}) {
  return { entries, secret: false, ...more };
}

async function valuesOf(
  helm: HelmOptions,
  values: Readonly<Record<string, ExternalContent>> = {},
  files: Files = {},
): Promise<unknown> {
  const { manifests } = await renderCommit({
    files: { ...CHART, ...files },
    facts: withHelm(helm),
    values: new Map(Object.entries(values)),
  });
  return JSON.parse(dataOf(manifests)['all'] ?? '');
}

withTools(`the order of values${whySkipped}`, () => {
  const files = { 'app/one.yaml': 'who: one\nonly: one', 'env/two.yaml': 'who: two' };
  const external = {
    'ConfigMap/default/settings': content({ 'values.yaml': 'who: settings', name: 'placed' }),
    'SecretsManager/shop': content({ a: '1' }, { text: '{"who": "manager"}', secret: true }),
  };
  const layers: readonly (readonly [string, HelmOptions])[] = [
    ['chart', {}],
    ['one', { valuesFiles: ['one.yaml'] }],
    ['two', { valuesFiles: ['one.yaml', '../env/two.yaml'] }],
    ['settings', { valuesFrom: [{ kind: 'ConfigMap', name: 'settings' }] }],
    [
      'manager',
      {
        valuesFrom: [
          { kind: 'ConfigMap', name: 'settings' },
          { kind: 'SecretsManager', name: 'shop' },
        ],
      },
    ],
    ['values', { values: { who: 'values' } }],
    [
      'placed',
      {
        valuesFrom: [
          { kind: 'ConfigMap', name: 'settings', key: 'name', targetPath: 'who' },
          { kind: 'ConfigMap', name: 'settings' },
        ],
      },
    ],
    ['parameter', { parameters: [{ name: 'who', value: 'parameter' }] }],
  ];

  it.each(layers.map(([who], index) => [who, index] as const))(
    '%s wins over everything before it',
    async (who, index) => {
      const merged = layers.slice(0, index + 1).reduce<HelmOptions>((all, [, options]) => {
        const valuesFrom = [...(all.valuesFrom ?? []), ...(options.valuesFrom ?? [])];
        return { ...all, ...options, valuesFrom };
      }, {});

      const values = await valuesOf(merged, external, files);

      expect(values).toMatchObject({ who, nested: { a: 1, b: 2 } });
    },
  );

  it('merges mappings, replaces lists, and takes away what is null', async () => {
    const values = await valuesOf(
      { valuesFiles: ['one.yaml'], values: { nested: { a: null, c: [1] }, list: ['z'] } },
      {},
      { 'app/one.yaml': 'nested: {b: 3}\nlist: []' },
    );

    expect(values).toEqual({ who: 'chart', nested: { b: 3, c: [1] }, list: ['z'] });
  });

  it('reads values files as YAML 1.1', async () => {
    const values = await valuesOf(
      { valuesFiles: ['one.yaml'] },
      {},
      { 'app/one.yaml': 'who: yes\nonly: 0o17\n' },
    );

    expect(values).toMatchObject({ who: true });
  });
});

withTools(`a values file${whySkipped}`, () => {
  it('may be missing if the definition says so', async () => {
    const values = await valuesOf({ valuesFiles: ['none.yaml'], ignoreMissingValuesFiles: true });

    expect(values).toMatchObject({ who: 'chart' });
  });

  it('may have a name that helm would take for two', async () => {
    const values = await valuesOf({ valuesFiles: ['a,"b.yaml'] }, {}, { 'app/a,"b.yaml': 'who: odd' });

    expect(values).toMatchObject({ who: 'odd' });
  });

  const refusing: readonly (readonly [string, HelmOptions, RegExp])[] = [
    [
      'is missing',
      { valuesFiles: ['a.yaml', 'none.yaml'] },
      /valuesFiles\[1\]: app\/none.yaml does not exist/,
    ],
    ['is a directory', { valuesFiles: ['templates'] }, /valuesFiles\[0\]: app\/templates is a directory/],
    ['lies outside', { valuesFiles: ['../../x.yaml'] }, /valuesFiles\[0\]: .*leads out of the repository/],
    ['is absolute', { valuesFiles: ['/etc/passwd'] }, /valuesFiles\[0\]: .*not a relative path/],
    ['is remote', { valuesFiles: ['https://x.example/v.yaml'] }, /valuesFiles\[0\]: .*is remote/],
    ['is one of ours', { valuesFiles: ['../.holdfast-external/x'] }, /valuesFiles\[0\]: .*is reserved/],
  ];
  it.each(refusing)('is refused when it %s', async (_what, helm, message) => {
    const said = await messageOf(valuesOf(helm, {}, { 'app/a.yaml': '' }));

    expect(said).toMatch(/^render-refused: app/);
    expect(said).toMatch(message);
  });

  it('is refused when its aliases explode', async () => {
    const bomb = `a: &a [${'lol, '.repeat(100)}]\n${Array.from({ length: 8 }, (_, i) => `${'bcdefghi'[i]}: &${'bcdefghi'[i]} [${`*${'abcdefgh'[i]}, `.repeat(10)}]`).join('\n')}\n`;

    expect(await messageOf(valuesOf({ valuesFiles: ['a.yaml'] }, {}, { 'app/a.yaml': bomb }))).toMatch(
      /^render-refused: app\/a.yaml: .*aliases expand/,
    );
  });
});

withTools(`values from elsewhere${whySkipped}`, () => {
  it('take the namespace of the application, their key, and may be missing', async () => {
    const { manifests } = await renderCommit({
      files: CHART,
      facts: withHelm(
        {
          valuesFrom: [
            { kind: 'Secret', name: 'a', key: 'prod' },
            { kind: 'ConfigMap', name: 'none', optional: true },
            { kind: 'ConfigMap', name: 'some', key: 'none', optional: true },
            { kind: 'ConfigMap', name: 'empty' },
          ],
        },
        { targetNamespace: 'shop' },
      ),
      values: new Map([
        ['Secret/shop/a', content({ prod: 'nested: {a: 5}' }, { secret: true })],
        ['ConfigMap/shop/some', content({})],
        ['ConfigMap/shop/empty', content({ 'values.yaml': '# nothing' })],
      ]),
    });

    expect(JSON.stringify(manifests[0]?.object['data'])).toContain('5');
  });

  it.each([
    ['does not exist', { kind: 'ConfigMap', name: 'none' }, 'ConfigMap none does not exist'],
    ['lacks the key', { kind: 'Secret', name: 'db', key: 'x' }, 'Secret db has no key "x"'],
    ['has no values.yaml', { kind: 'Secret', name: 'db' }, 'Secret db has no key "values.yaml"'],
    [
      'is not in Secrets Manager',
      { kind: 'SecretsManager', name: 'x' },
      'the secret x in Secrets Manager does not',
    ],
  ] as const)('are missed loudly when one %s', async (_what, value, message) => {
    const external = { 'Secret/default/db': content({ password: 'hunter-two' }, { secret: true }) };

    const said = await messageOf(valuesOf({ valuesFrom: [value] }, external));

    expect(said).toMatch(/^value-missing: spec.render.helm.valuesFrom\[0\]: /);
    expect(said).toContain(message);
  });

  it('are left out where only definitions are looked for', async () => {
    const { manifests } = await renderCommit({
      files: CHART,
      facts: withHelm({ valuesFrom: [{ kind: 'Secret', name: 'none' }] }),
      purpose: 'definitions',
    });

    expect(manifests).toHaveLength(1);
  });

  it.each(['hunter-two', '- hunter-two', 'a: "hunter-two', '"hunter-two": 1\n"hunter-two": {'])(
    'are refused without being quoted when they are no mapping: %j',
    async (text) => {
      const said = await messageOf(
        valuesOf(
          { valuesFrom: [{ kind: 'Secret', name: 'db' }] },
          { 'Secret/default/db': content({ 'values.yaml': text }, { secret: true }) },
        ),
      );

      expect(said).toMatch(/^render-refused: app: spec.render.helm.valuesFrom\[0\]: Secret db, line \d+/);
      expect(said).not.toContain('hunter');
    },
  );

  it('are kept out of what helm says', async () => {
    const said = await messageOf(
      renderCommit({
        files: { ...CHART, 'app/templates/cm.yaml': '{{ fail (printf "%v" .Values) }}' },
        facts: withHelm({
          valuesFrom: [
            { kind: 'Secret', name: 'db' },
            { kind: 'Secret', name: 'db', key: 'token', targetPath: 'x.y' },
          ],
          values: { apiKey: 'inline-key' },
          parameters: [{ name: 'db.password', value: 'parameter-word' }],
        }),
        values: new Map([
          [
            'Secret/default/db',
            content({ 'values.yaml': 'p: hunter-two', token: 'tok-tok' }, { secret: true }),
          ],
        ]),
      }),
    );

    expect(said).toMatch(/^render-failed: app: helm template failed/);
    expect(said).not.toMatch(/hunter-two|tok-tok|inline-key|parameter-word/);
  });
});

const PATHS: readonly (readonly [string, string])[] = [
  ['a', 'x'],
  ['nested.a', 'x'],
  ['nested.c.d', 'x'],
  ['with\\.dot', 'x'],
  ['a.b\\.c/d', 'x'],
  ['list[0]', 'x'],
  ['list[1]', 'x'],
  ['list[3]', 'x'],
  ['deep[0].b', 'x'],
  ['deep[1][0]', 'x'],
  ['deep[0].b[1].c', 'x'],
  ['objects[0].b', 'x'],
  ['n', '5'],
  ['n', '-5'],
  ['n', '0'],
  ['n', '007'],
  ['n', '1.5'],
  ['n', '1e3'],
  ['n', '999999'],
  ['b', 'true'],
  ['b', 'FALSE'],
  ['b', 'yes'],
  ['nested.a', 'null'],
  ['empty', ''],
  ['text', 'with spaces & "quotes"'],
  ['back\\\\slash', 'x'],
  ['equals\\=sign', 'x'],
];

withTools(`values with a place${whySkipped}`, () => {
  const below = { objects: [{ a: 1 }, { a: 2 }], list: ['p', 'q', 'r'] };

  it.each(PATHS)('--set %s=%s', async (path, text) => {
    const escaped = text.replace(/[\\,{]/g, '\\$&');
    const plain = Object.fromEntries(Object.entries(CHART).map(([name, file]) => [name, String(file)]));

    const values = await valuesOf(
      { values: below, valuesFrom: [{ kind: 'ConfigMap', name: 'c', key: 'k', targetPath: path }] },
      { 'ConfigMap/default/c': content({ k: text }) },
    );
    const asHelm = await helmTemplate({ ...plain, 'below.yaml': JSON.stringify(below) }, [
      'web',
      'app',
      '--values=below.yaml',
      `--set=${path}=${escaped}`,
    ]);

    expect(values).toEqual(JSON.parse(dataOf(asHelm)['all'] ?? ''));
  });

  it('are taken whole: commas and braces are text, long numbers too', async () => {
    const values = await valuesOf(
      {
        valuesFrom: ['a', 'b', 'c'].map((key) => ({
          kind: 'Secret',
          name: 's',
          key,
          targetPath: `got.${key}`,
        })),
      },
      {
        'Secret/default/s': content({ a: 'x,y=z', b: '{x,y}', c: '12345678' }, { secret: false }),
      },
    );

    expect(values).toMatchObject({ got: { a: 'x,y=z', b: '{x,y}', c: '12345678' } });
  });

  it('may be several, and a key may be called __proto__', async () => {
    const values = await valuesOf(
      {
        valuesFrom: [
          { kind: 'ConfigMap', name: 'c', key: 'k', targetPath: 'list[0]' },
          { kind: 'ConfigMap', name: 'c', key: 'k', targetPath: 'list[2]' },
          { kind: 'ConfigMap', name: 'c', key: 'k', targetPath: '__proto__.x' },
        ],
        values: below,
      },
      { 'ConfigMap/default/c': content({ k: 'v' }) },
    );

    expect(values).toMatchObject({ list: ['v', 'q', 'v'] });
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it.each([
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    'a[',
    'a[x]',
    'a[-1]',
    'a[65537]',
    'a[0]b',
    '[0]',
    'a=b',
    'a,b',
    'a.b.'.repeat(16),
  ])('refuse the path %j', async (targetPath) => {
    const said = await messageOf(
      valuesOf(
        { valuesFrom: [{ kind: 'ConfigMap', name: 'c', key: 'k', targetPath }] },
        { 'ConfigMap/default/c': content({ k: 'v' }) },
      ),
    );

    expect(said).toMatch(/^render-refused: app: spec.render.helm.valuesFrom\[0\].targetPath: /);
  });
});

withTools(`parameters${whySkipped}`, () => {
  it.each([
    [[{ name: 'a', value: '5' }], ['--set=a=5']],
    [[{ name: 'a', value: '12345678' }], ['--set=a=12345678']],
    [[{ name: 'a', value: '5', forceString: true }], ['--set-string=a=5']],
    [[{ name: 'a', value: 'x,y' }], ['--set=a=x\\,y']],
    [[{ name: 'a', value: 'x\\,y' }], ['--set=a=x\\,y']],
    [[{ name: 'a', value: '{x,y}' }], ['--set=a={x,y}']],
    [[{ name: 'a.b[1].c', value: '"x"' }], ['--set=a.b[1].c="x"']],
    [
      [
        { name: 'a', value: '1', forceString: true },
        { name: 'a', value: '2' },
      ],
      ['--set-string=a=1', '--set=a=2'],
    ],
  ])('%j are %j', async (parameters, argv) => {
    const plain = Object.fromEntries(Object.entries(CHART).map(([name, file]) => [name, String(file)]));

    const { manifests } = await renderCommit({ files: CHART, facts: withHelm({ parameters }) });

    expect(objectsOf(manifests)).toEqual(objectsOf(await helmTemplate(plain, ['web', 'app', ...argv])));
  });

  it.each([
    [{ name: '', value: 'x' }, 'expected a name'],
    [{ name: 'a', value: 'x\0y' }, 'no NUL'],
    [{ name: 'a', value: 'x'.repeat(200_000) }, 'longer than 100000 bytes'],
  ])('refuses %#', async (parameter, message) => {
    const said = await messageOf(valuesOf({ parameters: [parameter] }));

    expect(said).toMatch(/^render-refused: app: spec.render.helm.parameters\[0\]: /);
    expect(said).toContain(message);
  });

  it('refuses more of them than a process takes', async () => {
    const parameters = Array.from({ length: 30 }, (_, index) => ({
      name: `a${index}`,
      value: 'x'.repeat(90_000),
    }));

    expect(await messageOf(valuesOf({ parameters }))).toContain('longer than 1000000 bytes together');
  });
});
