import type { Application } from '../../../lib/model/application.ts';
import { externalKey } from '../../../lib/model/external-values.ts';
import type { RenderInput } from '../../../lib/render/renderer.ts';
import { anApplication, configMap, namesOf } from '../rendering.ts';
import { IDENTITY, OTHER_IDENTITY } from '../sops/age-vectors.ts';
import { jsonFile, yamlFile } from '../sops/build-sops.ts';
import { whySkipped, withTools } from '../tools-for-tests.ts';
import { aChart, attack, expectEnd, failed, refused, templateOf, textOf, withCanary } from './attack.ts';
import type { Attack, Files } from './attack.ts';

const canary = withCanary();
const inBase64 = (text: string) => Buffer.from(text).toString('base64');

/** A release with the canary as `.Values.db`, and a second one of several lines. */
function released(expression: string): Attack {
  const value = { kind: 'Secret', name: 'db' } as const;
  const facts: Partial<Application> = { render: { tool: 'helm', helm: { valuesFrom: [value] } } };
  const text = `db: ${canary().elsewhere}\nkey: |\n  -----BEGIN-----\n  ${canary().inFile}\n  -----END-----\n`;
  const values: RenderInput['values'] = new Map([
    [externalKey(value, anApplication(facts)), { entries: { 'values.yaml': text }, secret: true }],
  ]);
  return { files: aChart({}, templateOf(expression)), facts, input: { values } };
}

// CVE-2025-23216, CVE-2023-25163, CVE-2024-31216: secrets in the words of an error.
withTools(`a template does not tell a secret by failing${whySkipped}`, () => {
  it.each([
    ['with it', '{{ fail .Values.db }}'],
    ['with it in a sentence', '{{ fail (printf "cannot connect as %s" .Values.db) }}'],
    ['with it in quotes', '{{ fail (quote .Values.db) }}'],
    ['with it in base64', '{{ fail (b64enc .Values.db) }}'],
    ['with it in base64 behind something', '{{ fail (b64enc (print "user:" .Values.db)) }}'],
    ['with it in JSON', '{{ fail (toJson .Values) }}'],
    ['with it in YAML', '{{ fail (toYaml .Values) }}'],
    ['with all values', '{{ fail (printf "%v" .Values) }}'],
    ['with all values in Go', '{{ fail (printf "%#v" .Values) }}'],
    ['with several lines', '{{ fail .Values.key }}'],
    ['with several lines, indented', '{{ fail (indent 8 .Values.key) }}'],
    ['with several lines in JSON', '{{ fail (toJson .Values.key) }}'],
    ['with it as required', '{{ required .Values.db .Values.missing }}'],
    ['with it as a template', '{{ include .Values.db . }}'],
    ['with it as text of a template', '{{ tpl (print "{{ nothing \\"" .Values.db "\\" }}") . }}'],
    ['with it as a pattern', '{{ mustRegexMatch (print "(" .Values.db) "x" }}'],
    ['with it as a date', '{{ mustToDate "2006-01-02" .Values.db }}'],
    ['with it as JSON', '{{ mustFromJson (print "{" .Values.db) }}'],
    ['with it as a version', '{{ semver .Values.db }}'],
    ['with it as a field', '{{ (index .Values .Values.db).x }}'],
    ['with it as a number', '{{ mustToRawJson .Values.db | int | add (.Values.db) | div 0 }}'],
    ['with it many times', '{{ fail (repeat 1000 .Values.db) }}'],
    ['with it behind many words', '{{ fail (print (repeat 1950 "x") .Values.db) }}'],
  ])('%s', async (_name, expression) => {
    const { code } = await attack(released(expression));

    // Some of these give no error; then the value is in no object either.
    expect(code).toMatch(/^render-failed$|^rendered$/);
  });

  it.each([
    ['that is no object', '{{ .Values.db }}'],
    ['that is not YAML', '"{{ .Values.db }}'],
    ['with a key that is written twice', '{a: {"{{ .Values.db }}": 1, "{{ .Values.db }}": 2}}'],
    ['with an alias that does not exist', '*{{ .Values.db }}'],
    ['with a kind that cannot be', '1\nkind: "{{ .Values.db }}/x"'],
    ['with a number that cannot be', '{a: !!int "{{ .Values.db }}"}'],
  ])('with an object %s', async (_name, expression) => {
    const given = released('x');

    await expectEnd({ ...given, files: aChart({}, `apiVersion: ${expression}\n`) }, failed());
  });
});

withTools(`kustomize does not tell a secret by failing${whySkipped}`, () => {
  const secret = (members: string) => `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n${members}\n`;
  const kustomized = (kustomization: string, files: Files): Files => ({
    'app/kustomization.yaml': kustomization,
    ...files,
  });

  it.each<readonly [string, () => Files]>([
    [
      'by a patch without a target',
      () =>
        kustomized('resources: []\npatches: [{path: p.yaml}]', {
          'app/p.yaml': secret(`stringData: {p: ${canary().elsewhere}}`),
        }),
    ],
    [
      'by a patch that does not fit',
      () =>
        kustomized(
          'resources: [s.yaml]\npatches: [{target: {kind: Secret}, patch: "[{op: test, path: /stringData/p, value: x}]"}]',
          { 'app/s.yaml': secret(`stringData: {p: ${canary().elsewhere}}`) },
        ),
    ],
    [
      'by two Secrets of one name',
      () =>
        kustomized('resources: [s.yaml, t.yaml]', {
          'app/s.yaml': secret(`data: {p: ${inBase64(canary().elsewhere)}}`),
          'app/t.yaml': secret(`stringData: {p: ${canary().elsewhere}}`),
        }),
    ],
    [
      'by data of the wrong type',
      () =>
        kustomized('resources: [s.yaml]\nnamePrefix: a-', {
          'app/s.yaml': secret(`data: [${canary().elsewhere}]\nstringData: {a: {b: ${canary().elsewhere}}}`),
        }),
    ],
    [
      'by variables that are none',
      () =>
        kustomized('secretGenerator: [{name: s, envs: [e.env]}]', {
          'app/e.env': `A=${canary().elsewhere}\n1 ${canary().elsewhere}\n`,
        }),
    ],
    [
      'by a literal that is none',
      () =>
        kustomized(JSON.stringify({ secretGenerator: [{ name: 's', literals: [canary().elsewhere] }] }), {}),
    ],
    [
      'by a replacement that does not fit',
      () =>
        kustomized(
          'resources: [s.yaml]\nreplacements: [{source: {kind: Secret, fieldPath: stringData.p}, targets: [{select: {kind: Secret}, fieldPaths: [a.b.c.0.d]}]}]',
          { 'app/s.yaml': secret(`stringData: {p: ${canary().elsewhere}}`) },
        ),
    ],
  ])('%s', async (_name, files) => {
    const { code } = await attack({ files: files() });

    expect(code).toMatch(/^render-failed$|^rendered$/);
  });
});

describe('a faulty Secret does not tell its values', () => {
  it.each([
    ['an alias', (secret: string) => `*${secret}`],
    ['an alias inside of its anchor', (secret: string) => `&${secret} [*${secret}]`],
    ['an open quote', (secret: string) => `"${secret}`],
    ['a number', (secret: string) => `!!int ${secret}`],
    ['a directive', (secret: string) => `x\n%${secret}`],
    ['a mapping in its place', (secret: string) => `a\n    b: ${secret}\n c: ${secret}`],
    ['a tab', (secret: string) => `x\n\t${secret}: y`],
    ['a tag', (secret: string) => `!${secret}! x`],
    ['bytes that are none', (secret: string) => `!!binary ${secret}`],
  ])('that could be %s', async (_name, value) => {
    const text = `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  p: ${value(canary().elsewhere)}\n`;

    const plain = await attack({ files: { 'app/a.yaml': text } });
    const resource = await attack({
      files: { 'app/kustomization.yaml': 'resources: [a.yaml]', 'app/a.yaml': text },
    });

    expect([plain.code, resource.code]).toEqual([
      expect.stringMatching(/^render-failed$|^rendered$/),
      expect.stringMatching(/^render-(?:failed|refused)$|^rendered$/),
    ]);
  });
});

const KEYS = { ageIdentities: [IDENTITY] };
const KEPT = { metadata: { encrypted_regex: '^(data|stringData)$' } };
const encrypted = (kind: string) =>
  yamlFile(
    (s) =>
      `apiVersion: ${s.plain('v1')}\nkind: ${s.plain(kind)}\nmetadata:\n  name: ${s.plain('db')}\nstringData:\n  password: ${s.enc('stringData:password:', canary().elsewhere)}\n`,
    KEPT,
  );

describe('a file of SOPS is refused', () => {
  const rows: readonly (readonly [string, () => string, Attack['input'], string])[] = [
    ['without a key', () => encrypted('Secret'), {}, 'encrypted with SOPS'],
    [
      'with the key of somebody else',
      () => encrypted('Secret'),
      { keys: { ageIdentities: [OTHER_IDENTITY] } },
      'app/a.yaml',
    ],
    ['with no key at all', () => encrypted('Secret'), { keys: { ageIdentities: [] } }, 'app/a.yaml'],
    [
      'with a value that was changed',
      () => tampered(encrypted('Secret'), /data:(.)/, 'data:A'),
      { keys: KEYS },
      'app/a.yaml',
    ],
    [
      'with a value under another key',
      () => encrypted('Secret').replace('password:', 'username:'),
      { keys: KEYS },
      'stringData.username',
    ],
    [
      'with a plain value in its place',
      () => encrypted('Secret').replace(/password: \S+/, 'password: planted'),
      { keys: KEYS },
      'stringData.password',
    ],
    [
      'with a field more',
      () => encrypted('Secret').replace('kind:', 'immutable: true\nkind:'),
      { keys: KEYS },
      'MAC',
    ],
    [
      'with a name changed',
      () => encrypted('Secret').replace('name: db', 'name: other'),
      { keys: KEYS },
      'MAC',
    ],
    [
      'with an object more',
      () => `${encrypted('Secret')}---\n${configMap('planted')}`,
      { keys: KEYS },
      'MAC',
    ],
    [
      'with another rule',
      () => encrypted('Secret').replace('^(data|stringData)$', '^nothing$'),
      { keys: KEYS },
      'app/a.yaml',
    ],
    [
      'with another time',
      () => encrypted('Secret').replace(/"lastmodified":"\d{4}/, '"lastmodified":"1999'),
      { keys: KEYS },
      'sops.mac',
    ],
    [
      'without a MAC that fits',
      () => tampered(encrypted('Secret'), /"mac":"ENC\[AES256_GCM,data:(.)/, '"mac":"ENC[AES256_GCM,data:A'),
      { keys: KEYS },
      'sops.mac',
    ],
    [
      'with an alias for its value',
      () => encrypted('Secret').replace(/password: (\S+)/, 'password: &a $1\n  copy: *a'),
      { keys: KEYS },
      'not supported',
    ],
    ['that is no Secret', () => encrypted('ConfigMap'), { keys: KEYS }, 'comes from app/a.yaml'],
  ];

  it.each(rows)('%s', async (_name, text, input = {}, says) => {
    const outcome = await attack({ files: { 'app/a.yaml': text() }, input });

    expect(outcome.code).toMatch(/^render-(?:failed|refused)$/);
    expect(outcome.message).toContain(says);
  });

  function tampered(text: string, pattern: RegExp, replacement: string): string {
    const changed = text.replace(pattern, replacement);
    return changed === text ? text.replace(pattern, replacement.replace(/A$/, 'B')) : changed;
  }
});

describe('what no MAC covers', () => {
  it.each([
    ['next line', '\u0085'],
    ['line separator', '\u2028'],
    ['paragraph separator', '\u2029'],
    ['carriage return', '\r'],
  ])('is no field behind a %s in a comment', async (_name, lineBreak) => {
    const text = encrypted('Secret').replace('kind:', `# comment${lineBreak}immutable: true\nkind:`);

    await expectEnd({ files: { 'app/a.yaml': text }, input: { keys: KEYS } }, failed('line feed'));
  });

  it('is a comment, and changes nothing', async () => {
    const text = encrypted('Secret').replace('kind:', '# immutable: true\nkind:');

    const { manifests } = await attack({ files: { 'app/a.yaml': text }, input: { keys: KEYS } });

    expect(Object.keys(manifests[0]?.object ?? {}).sort()).toEqual([
      'apiVersion',
      'kind',
      'metadata',
      'stringData',
    ]);
  });
});

withTools(`a decrypted value is one to helm, too${whySkipped}`, () => {
  it.each(['\u0085', '\u2028', '\u2029', '\r', '\n', '\t', '\u0000', '\u001b', '\ufeff'])(
    'with %j in it',
    async (odd) => {
      const value = `a${odd}planted: x`;
      const values = yamlFile((s) => `password: ${s.enc('password:', value)}\n`);
      const template =
        'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {x: "{{ .Values | toJson | b64enc }}"}\n';

      const { manifests } = await attack({
        files: aChart({ 'app/values.yaml': values }, template),
        input: { keys: KEYS },
      });

      const data = manifests[0]?.object['data'] as { readonly x: string } | undefined;
      expect(JSON.parse(Buffer.from(data?.x ?? '', 'base64').toString())).toEqual({ password: value });
    },
  );
});

withTools(`a value from elsewhere is one to helm, too${whySkipped}`, () => {
  it.each(['\u0085', '\u2028', '\u2029', '\r', '\n', '\u007f', '\ufeff'])('with %j in it', async (odd) => {
    const value = `a${odd}planted: x`;
    const source = { kind: 'ConfigMap', name: 'v', key: 'k', targetPath: 'b' } as const;
    const helm = {
      values: { a: value },
      valuesFrom: [source],
    };
    const facts: Partial<Application> = { render: { tool: 'helm', helm } };
    const values: RenderInput['values'] = new Map([
      [externalKey(source, anApplication(facts)), { entries: { k: value }, secret: false }],
    ]);

    const { manifests } = await attack({
      files: aChart({}, templateOf('{{ .Values | toJson | b64enc | quote }}')),
      facts,
      input: { values },
    });

    const read = JSON.parse(Buffer.from(textOf(manifests), 'base64').toString()) as unknown;
    expect(read).toEqual({ a: value, b: value });
  });
});

withTools(`what SOPS encrypted is refused outside of a Secret${whySkipped}`, () => {
  const variable = () => yamlFile((s) => `password: ${s.enc('password:', canary().elsewhere)}\n`);
  const binary = () => jsonFile((s) => `"data": "${s.enc('data:', canary().elsewhere)}"`);
  const expressions = {
    'as it is': '{{ .Values.password }}',
    'in base64': '{{ .Values.password | b64enc }}',
    'within a text': '"postgres://u:{{ .Values.password }}@db"',
    'within a text in base64': '{{ print "user:" .Values.password | b64enc }}',
    'as a key': '{ {{ .Values.password }}: x }',
  };

  it.each(Object.entries(expressions))('by a chart %s', async (_name, expression) => {
    const files = aChart({ 'app/values.yaml': variable() }, templateOf(expression));

    await expectEnd({ files, input: { keys: KEYS } }, refused('comes from app/values.yaml'));
  });

  it('by a kustomization', async () => {
    const files = {
      'app/kustomization.yaml': 'configMapGenerator: [{name: a, files: [f.bin]}]',
      'app/f.bin': binary(),
    };

    await expectEnd({ files, input: { keys: KEYS } }, refused('comes from app/f.bin'));
  });

  it('in a name', async () => {
    const files = aChart({ 'app/values.yaml': variable() }, configMap('{{ .Values.password }}'));

    await expectEnd({ files, input: { keys: KEYS } }, refused('comes from app/values.yaml'));
  });
});

/** CVE-2021-41254 came in by what stood in a secret. */
describe('a variable changes its own place only', () => {
  const substituted = async (template: string, value: string) => {
    const source = { kind: 'ConfigMap', name: 'vars' } as const;
    const facts: Partial<Application> = {
      render: { tool: 'plain', substitute: { variables: {}, from: [source] } },
    };
    const values: RenderInput['values'] = new Map([
      [externalKey(source, anApplication(facts)), { entries: { V: value }, secret: false }],
    ]);
    return await attack({ files: { 'app/a.yaml': template }, facts, input: { values } });
  };

  it.each([
    ['a document', 'x\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: planted}\n'],
    ['a field', 'x\n  planted: y'],
    ['a field with a carriage return', 'x\r  planted: y'],
    ['a field with a line separator', 'x\u2028  planted: y'],
    ['a field in a flow mapping', 'x, planted: y'],
    ['the end of a flow mapping', 'x}\nplanted: {a: b'],
    ['a variable', '${W:-planted}'],
    ['an escape', '$${W}'],
    ['a comment', 'x # planted'],
    ['a quote', '" planted: "'],
    ['a tag', '!!binary cGxhbnRlZA=='],
    ['an anchor', '&a planted'],
    ['an alias', '*planted'],
    ['a merge', '{<<: {planted: y}}'],
  ])('and plants no %s', async (_name, value) => {
    const outcome = await substituted(configMap('a', '{x: "${V}", b: "z"}'), value);

    if (outcome.code === 'rendered') {
      expect(namesOf(outcome.manifests)).toEqual(['ConfigMap a']);
      expect(Object.keys(outcome.manifests[0]?.object ?? {}).sort()).toEqual([
        'apiVersion',
        'data',
        'kind',
        'metadata',
      ]);
      expect(Object.keys(outcome.manifests[0]?.object['data'] as object).sort()).toEqual(['b', 'x']);
    } else expect(outcome.code).toBe('render-failed');
  });
});
