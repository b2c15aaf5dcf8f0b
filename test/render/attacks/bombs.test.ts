import { gzipSync } from 'node:zlib';

import type { Application } from '../../../lib/model/application.ts';
import { chartYaml, tarOf, tgzOf } from '../../charts/chart-world.ts';
import { anApplication, configMap } from '../rendering.ts';
import { externalKey } from '../../../lib/model/external-values.ts';
import { IDENTITY } from '../sops/age-vectors.ts';
import { yamlFile } from '../sops/build-sops.ts';
import { whySkipped, withTools } from '../tools-for-tests.ts';
import { aChart, CHART, expectEnd, failed, limited, refused, templateOf, withCanary } from './attack.ts';
import type { Attack, End, Files } from './attack.ts';

withCanary();

/** A billion laughs: ten levels of ten. */
const LAUGHS = `x: &a [${'lol, '.repeat(100)}]\n${Array.from(
  { length: 9 },
  (_, level) => `y${level}: &${'bcdefghij'.charAt(level)} [${`*${'abcdefghi'.charAt(level)}, `.repeat(10)}]`,
).join('\n')}\n`;

const DEEP = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
const DEEP_BLOCK = `${Array.from({ length: 2_000 }, (_, level) => `${' '.repeat(level)}a:\n`).join('')}${' '.repeat(2_000)}b: 1\n`;
/** Each level of it is an alias of the one before. */
const DEEP_ALIASES = `a0: &a0 []\n${Array.from({ length: 300 }, (_, level) => `a${level + 1}: &a${level + 1} [*a${level}]\n`).join('')}`;

const POISONS: Readonly<Record<string, string>> = {
  'a billion laughs': LAUGHS,
  '20,000 lists in each other': `x: ${DEEP}\n`,
  '2,000 mappings in each other': DEEP_BLOCK,
  'aliases that nest': DEEP_ALIASES,
};

/** Wherever YAML is read. CVE-2022-31016, CVE-2022-36049 and what a tool does with an alias bomb: 28 s and 6.7 GB. */
const READ: Readonly<Record<string, (poison: string) => Attack>> = {
  'a manifest': (poison) => ({ files: { 'app/a.yaml': poison } }),
  'a manifest beside a good one': (poison) => ({
    files: { 'app/a.yaml': `${configMap('a')}---\n${poison}` },
  }),
  'a resource': kustomized('resources: [poison.yaml]'),
  'a resource of a base': kustomized('resources: [../base]'),
  'a patch': kustomized('patches: [{path: poison.yaml}]'),
  'a strategic merge patch': kustomized('patchesStrategicMerge: [poison.yaml]'),
  'a JSON patch': kustomized(
    'patchesJson6902: [{path: poison.yaml, target: {kind: X, name: y, version: v1}}]',
  ),
  'a CRD of a kustomization': kustomized('crds: [poison.yaml]'),
  'a configuration': kustomized('configurations: [poison.yaml]'),
  'a replacement': kustomized('replacements: [{path: poison.yaml}]'),
  'an OpenAPI document': kustomized('openapi: {path: poison.yaml}'),
  'a generator': kustomized('generators: [poison.yaml]'),
  'a transformer': kustomized('transformers: [poison.yaml]'),
  'a kustomization': (poison) => ({ files: { 'app/kustomization.yaml': poison } }),
  'an inline patch': (poison) => ({
    files: { 'app/kustomization.yaml': JSON.stringify({ patches: [{ patch: poison }] }) },
  }),
  'an inline strategic merge patch': (poison) => ({
    files: { 'app/kustomization.yaml': JSON.stringify({ patchesStrategicMerge: [poison] }) },
  }),
  'an inline transformer': (poison) => ({
    files: { 'app/kustomization.yaml': JSON.stringify({ transformers: [poison] }) },
  }),
  'a patch of the definition': (patch) => ({
    files: { 'app/kustomization.yaml': 'resources: []' },
    facts: { render: { tool: 'kustomize', kustomize: { patches: [{ patch }] } } },
  }),
  'a generated kustomization': (poison) => ({
    files: { 'app/a.yaml': poison },
    facts: { render: { tool: 'kustomize' } },
  }),
  'Chart.yaml': (poison) => ({ files: aChart({ 'app/Chart.yaml': poison }) }),
  'values.yaml': (poison) => ({ files: aChart({ 'app/values.yaml': poison }) }),
  'values.yaml of a dependency': (poison) => ({
    files: aChart({ 'app/charts/x/Chart.yaml': CHART, 'app/charts/x/values.yaml': poison }),
  }),
  'a values file': (poison) => ({
    files: aChart({ 'app/more.yaml': poison }),
    facts: { render: { tool: 'helm', helm: { valuesFiles: ['more.yaml'] } } },
  }),
  'a values schema': (poison) => ({ files: aChart({ 'app/values.schema.json': poison }) }),
  'requirements.yaml': (poison) => ({ files: aChart({ 'app/requirements.yaml': poison }) }),
  'Chart.lock': (poison) => ({
    files: aChart({
      'app/Chart.yaml': `${CHART}dependencies: [{name: x, version: "1", repository: "https://x.test"}]\n`,
      'app/Chart.lock': poison,
    }),
  }),
  'what a template writes': (poison) => ({ files: aChart({}, poison) }),
  'a CRD of a chart': (poison) => ({ files: aChart({ 'app/crds/c.yaml': poison }) }),
  'a patch after helm': (patch) => ({
    files: aChart(),
    facts: { render: { tool: 'helm', helm: { postRender: { patches: [{ patch }] } } } },
  }),
  'values from a ConfigMap': (text) => {
    const value = { kind: 'ConfigMap', name: 'v' } as const;
    const facts: Partial<Application> = { render: { tool: 'helm', helm: { valuesFrom: [value] } } };
    const content = { entries: { 'values.yaml': text }, secret: false };
    const values = new Map([[externalKey(value, anApplication(facts)), content]]);
    return { files: aChart(), facts, input: { values } };
  },
};

function kustomized(kustomization: string): (poison: string) => Attack {
  return (poison) => ({
    files: {
      'app/kustomization.yaml': kustomization,
      'app/poison.yaml': poison,
      'base/kustomization.yaml': 'resources: [poison.yaml]',
      'base/poison.yaml': poison,
    },
  });
}

const ROWS = Object.keys(POISONS).flatMap((poison) =>
  Object.keys(READ).map((place) => [poison, place] as const),
);

withTools(`YAML that explodes is refused${whySkipped}`, () => {
  it.each(ROWS)('%s in %s', async (poison, place) => {
    const given = READ[place]?.(POISONS[poison] ?? '');

    await expectEnd(given ?? { files: {} }, {
      code: expect.stringMatching(/^render-(?:refused|failed)$/),
      says: /aliases expand|nested|unmarshal|parse/,
    });
  });
});

const expanding = (name: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata:\n  a: &a "${'x'.repeat(1_000)}"\n  b: [${'*a,'.repeat(8)}]\n`;
const names = (count: number) => Array.from({ length: count }, (_, index) => `c${index}`);
const manyOf = (count: number, write = (name: string) => configMap(name)): Files =>
  Object.fromEntries(names(count).map((name) => [`app/${name}.yaml`, write(name)]));

withTools(`what is too much is refused${whySkipped}`, () => {
  it.each<readonly [string, () => Attack, End]>([
    [
      'aliases that expand 300 times in all, in one file',
      () => ({
        files: { 'app/a.yaml': names(20).map(expanding).join('---\n') },
        limits: { maxAliasWeight: 50_000 },
      }),
      failed('aliases expand'),
    ],
    [
      'aliases that expand in many files',
      () => ({ files: manyOf(20, expanding), limits: { maxAliasWeight: 9_000 } }),
      failed('aliases expand'),
    ],
    [
      'aliases that expand in the values of many dependencies',
      () => ({
        files: aChart(
          Object.fromEntries(
            names(20).flatMap((name) => [
              [`app/charts/${name}/Chart.yaml`, CHART.replace('shop', name)],
              [`app/charts/${name}/values.yaml`, expanding(name)],
            ]),
          ),
        ),
        limits: { maxAliasWeight: 9_000 },
      }),
      refused('aliases expand'),
    ],
    [
      'documents without content',
      () => ({ files: { 'app/a.yaml': '---\n'.repeat(1_200_000) } }),
      failed('documents'),
    ],
    ['objects', () => ({ files: manyOf(20), limits: { maxManifests: 10 } }), limited('more than 10 objects')],
    [
      'faulty documents',
      () => ({ files: manyOf(20, () => 'a: b\n'), limits: { maxManifests: 10 } }),
      limited('more than 10 objects'),
    ],
    [
      'objects of a chart',
      () => ({
        files: aChart(
          {},
          '{{ range until 20 }}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: "c{{ . }}"}}\n{{ end }}',
        ),
        limits: { maxManifests: 10 },
      }),
      limited('20 objects'),
    ],
    [
      'items in a list, all in one line',
      () => ({ files: { 'app/a.yaml': `apiVersion: v1\nkind: List\nitems: [${'{},'.repeat(300_000)}]\n` } }),
      failed('items in one list'),
    ],
    ['files', () => ({ files: manyOf(20), limits: { maxFiles: 10 } }), limited('20 files')],
    [
      'files in the commit',
      () => ({ files: manyOf(20), closureLimits: { maxFiles: 10 } }),
      { code: 'git-too-large', says: 'more than 10 files' },
    ],
    [
      'directories in each other',
      () => ({ files: { [`app/${'d/'.repeat(150)}a.yaml`]: configMap('a') } }),
      { code: 'git-too-large', says: 'nested more than 100 deep' },
    ],
    [
      'text in one file',
      () => ({ files: { 'app/a.yaml': configMap('a', `{x: ${'y'.repeat(5_300_000)}}`) } }),
      { code: 'git-too-large', says: 'app/a.yaml' },
    ],
    [
      'text in all files',
      () => ({
        files: manyOf(20, (name) => configMap(name, `{x: ${'y'.repeat(1_000)}}`)),
        limits: { maxTotalBytes: 10_000 },
      }),
      limited('in all'),
    ],
    [
      'text in a kustomization',
      () => ({ files: { 'app/kustomization.yaml': `# ${'x'.repeat(1_100_000)}\nresources: []` } }),
      refused('are parsed'),
    ],
  ])('%s', async (_name, given, end) => {
    await expectEnd(given(), end);
  });
});

const LONG = 900_000;

/** Each took hours: an expression with two open ends, over an entry of a megabyte. */
describe('an entry that is very long is refused soon', () => {
  it.each([
    ['of @', '@'.repeat(LONG)],
    ['of @ behind a name', `a${'@'.repeat(LONG)}`],
    ['of names before an @ that does not come', `https:${'a'.repeat(LONG)}`],
    ['of users', 'a@'.repeat(LONG / 2)],
    ['of slashes in a repository', `https://x.test/${'/'.repeat(LONG)}x_git/y`],
    ['of directories', '../'.repeat(LONG / 3)],
    ['of dots', './'.repeat(LONG / 2)],
    ['of questions', '?ref='.repeat(LONG / 5)],
  ])('%s', async (_name, entry) => {
    const files = { 'app/kustomization.yaml': JSON.stringify({ resources: [entry] }) };

    await expectEnd({ files }, refused(/^app\/kustomization.yaml: resources\[0\]: /));
  });

  it.each([
    ['of slashes', `https://x.test/${'/'.repeat(LONG)}x`],
    ['of slashes in a registry', `oci://x.test/${'/'.repeat(LONG)}x`],
    ['of @', `https://${'@'.repeat(LONG)}`],
  ])('%s, as the repository of a dependency', async (_name, repository) => {
    const dependencies = [{ name: 'x', version: '1', repository }];
    const files = aChart({ 'app/Chart.yaml': JSON.stringify({ ...chartOf('shop'), dependencies }) });

    await expectEnd({ files }, { code: 'chart-unreachable', says: 'app/Chart.yaml: dependencies[0]' });
  });

  it('in an ignore file', async () => {
    const files = { '.sourceignore': '[[:'.repeat(20_000), 'app/a.yaml': configMap('a') };

    await expectEnd({ files }, { code: 'rendered' });
  });
});

function chartOf(name: string) {
  return { apiVersion: 'v2', name, version: '1.0.0' };
}

withTools(`going in circles is refused${whySkipped}`, () => {
  const base = (...resources: readonly string[]) => JSON.stringify({ resources });

  // CVE-2022-24878: a crafted kustomization.yaml that never ends.
  it.each<readonly [string, Files, string]>([
    ['of a kustomization to itself', { 'app/kustomization.yaml': base('.') }, 'in a circle'],
    ['of a kustomization to itself by a detour', { 'app/kustomization.yaml': base('../app') }, 'in a circle'],
    [
      'of two kustomizations',
      { 'app/kustomization.yaml': base('../b'), 'b/kustomization.yaml': base('../app') },
      'in a circle',
    ],
    [
      'of two kustomizations beside the application',
      {
        'app/kustomization.yaml': base('../a'),
        'a/kustomization.yaml': base('../b'),
        'b/kustomization.yaml': base('../a'),
      },
      'in a circle',
    ],
    [
      'of components',
      {
        'app/kustomization.yaml': 'components: [../a]',
        'a/kustomization.yaml': 'kind: Component\ncomponents: [../app]',
      },
      'in a circle',
    ],
    [
      'of the directories above',
      { 'app/kustomization.yaml': base('..'), 'kustomization.yaml': base('app') },
      'in a circle',
    ],
    [
      'of a chain without an end',
      Object.fromEntries(
        Array.from({ length: 120 }, (_, index) => [
          `${index === 0 ? 'app' : `b${index}`}/kustomization.yaml`,
          base(`../b${index + 1}`),
        ]),
      ),
      'more than 100 deep',
    ],
    [
      'of charts',
      {
        ...aChart({
          'app/Chart.yaml': `${CHART}dependencies: [{name: b, version: "1", repository: "file://../b"}]\n`,
        }),
        'b/Chart.yaml': `${chartYaml('b', '1.0.0')}dependencies: [{name: shop, version: "1", repository: "file://../app"}]\n`,
      },
      'in a circle',
    ],
    [
      'of charts in charts',
      aChart(
        Object.fromEntries(
          Array.from({ length: 20 }, (_, depth) => [
            `app/${Array.from({ length: depth + 1 }, (_unused, level) => `charts/c${level}/`).join('')}Chart.yaml`,
            chartYaml(`c${depth}`, '1.0.0'),
          ]),
        ),
      ),
      'too deeply',
    ],
  ])('%s', async (_name, files, says) => {
    await expectEnd({ files }, refused(says));
  });

  it('of components that double at every level', async () => {
    const level = (index: number) => `kind: Component\ncomponents: [../c${index + 1}, ../c${index + 1}]\n`;
    const files = {
      'app/kustomization.yaml': 'components: [../c0]',
      ...Object.fromEntries(
        Array.from({ length: 40 }, (_, index) => [`c${index}/kustomization.yaml`, level(index)]),
      ),
      'c40/kustomization.yaml': 'kind: Component\n',
    };

    await expectEnd({ files, limits: { toolTimeoutMs: 1_000 } }, limited('kubectl kustomize took longer'));
  });
});

withTools(`a template that never ends is stopped${whySkipped}`, () => {
  it.each([
    ['that counts', '{{ range $i := until 100000000 }}{{ $i }}{{ end }}'],
    ['that counts in steps', '{{ range untilStep 0 2000000000 1 }}{{ end }}'],
    ['that counts in loops', '{{ range until 30000 }}{{ range until 30000 }}{{ end }}{{ end }}'],
    ['that repeats', '{{ repeat 2000000000 "x" | sha256sum }}'],
    ['that indents', '{{ indent 2000000000 "x" | sha256sum }}'],
    ['that throws dice', '{{ randAlphaNum 1000000000 | sha256sum }}'],
    ['that makes keys', '{{ range until 1000 }}{{ genPrivateKey "rsa" | sha256sum }}{{ end }}'],
    ['that hashes passwords', '{{ range until 10000 }}{{ htpasswd "a" "b" }}{{ end }}'],
    ['that doubles a text', '{{ $x := "xxxxxxxx" }}{{ range until 40 }}{{ $x = cat $x $x }}{{ end }}'],
    ['that doubles a list', '{{ $x := list 1 }}{{ range until 40 }}{{ $x = concat $x $x }}{{ end }}'],
  ])('%s', async (_name, expression) => {
    const limits = { toolTimeoutMs: 1_000, maxToolMemoryBytes: 200_000_000 };

    await expectEnd({ files: aChart({}, templateOf(expression)), limits }, limited('helm template'));
  });

  it.each([
    ['that includes itself', '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}'],
    [
      'that evaluates itself',
      '{{ define "a" }}{{ tpl "{{ include \\"a\\" . }}" . }}{{ end }}{{ include "a" . }}',
    ],
    ['that holds itself', '{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ printf "%v" $d }}'],
    ['that invokes itself', '{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}'],
    ['with a wide number', '{{ printf "%1000000000d" 1 }}'],
  ])('%s', async (_name, expression) => {
    const limits = { toolTimeoutMs: 5_000, maxToolMemoryBytes: 300_000_000 };

    await expectEnd(
      { files: aChart({}, templateOf(expression)), limits },
      {
        code: expect.stringMatching(/^render-(?:limit|failed)$/),
        says: 'helm template',
      },
    );
  });

  it.each([
    ['in one object', '{{ repeat 300000 "x" }}'],
    ['in many lines', '{{ range until 30000 }}\n  k{{ . }}: v{{ end }}'],
  ])('that writes too much, %s', async (_name, expression) => {
    await expectEnd(
      { files: aChart({}, templateOf(expression)), limits: { maxOutputBytes: 100_000 } },
      limited('wrote more than 100000 bytes'),
    );
  });

  it('that fails with too many words', async () => {
    const expression = '{{ fail (repeat 3000000 "x") }}';

    const { message } = await expectEnd({ files: aChart({}, templateOf(expression)) }, failed());

    expect(message.length).toBeLessThan(3_000);
  });
});

const zeros = (bytes: number) => Buffer.alloc(bytes);
const inChart = (archive: Buffer): Files => aChart({ 'app/charts/x-1.0.0.tgz': archive });
const x = { name: 'x/Chart.yaml', content: chartYaml('x', '1.0.0') };

// CVE-2023-40584.
describe('an archive that explodes is refused', () => {
  it.each<readonly [string, () => Promise<Buffer>, string]>([
    ['into a large file', async () => tgzOf([x, { name: 'x/z', content: zeros(6_000_000) }]), 'x-1.0.0.tgz'],
    [
      'into large files',
      async () => tgzOf([x, ...names(25).map((name) => ({ name: `x/${name}`, content: zeros(5_000_000) }))]),
      'maxUnpackedBytes',
    ],
    [
      'into many files',
      async () => tgzOf([x, ...names(10_500).map((name) => ({ name: `x/${name}`, content: '' }))]),
      'maxFiles',
    ],
    ['into what is no archive', async () => gzipSync(zeros(101_000_000)), 'x-1.0.0.tgz'],
    [
      'into a file whose size is a lie',
      async () => {
        const tar = await tarOf([x, { name: 'x/z', content: 'a' }]);
        tar.write('77777777777\0', 1_024 + 124, 'latin1');
        return gzipSync(tar);
      },
      'x-1.0.0.tgz',
    ],
    [
      'into headers without an end',
      async () => {
        const [header] = [await tarOf([{ name: 'x/z', content: 'a' }])];
        return gzipSync(
          Buffer.concat(Array.from({ length: 120_000 }, () => header?.subarray(0, 1_024) ?? zeros(0))),
        );
      },
      'x-1.0.0.tgz',
    ],
  ])('%s', async (_name, archive, says) => {
    await expectEnd(
      { files: inChart(await archive()) },
      {
        code: expect.stringMatching(/^chart-(?:too-large|corrupt|refused)$/),
        says,
      },
    );
  });

  it('into more than all of them may take', async () => {
    const archives = await Promise.all(
      names(5).map(async (name) => [
        `app/charts/${name}-1.0.0.tgz`,
        await tgzOf([
          { name: `${name}/Chart.yaml`, content: chartYaml(name, '1.0.0') },
          { name: `${name}/z`, content: zeros(30_000) },
        ]),
      ]),
    );

    await expectEnd(
      { files: aChart(Object.fromEntries(archives)), closureLimits: { maxUnpackedBytes: 100_000 } },
      { code: 'chart-too-large', says: /^app\/charts\/c\d-1.0.0.tgz: with it, the charts/ },
    );
  });

  it('into others that explode', async () => {
    const bomb = await tgzOf([x, { name: 'x/z', content: zeros(6_000_000) }]);
    const outer = await tgzOf([
      { name: 'outer/Chart.yaml', content: chartYaml('outer', '1.0.0') },
      { name: 'outer/charts/x-1.0.0.tgz', content: bomb },
    ]);

    await expectEnd({ files: aChart({ 'app/charts/outer-1.0.0.tgz': outer }) }, { code: 'chart-too-large' });
  });
});

describe('an encrypted file that explodes is refused', () => {
  const keys = { ageIdentities: [IDENTITY] };
  const encrypted = yamlFile((s) => `a: ${s.enc('a:', 'secret-text-of-sops')}\n`);

  it.each([
    ['a billion laughs', LAUGHS],
    ['20,000 lists in each other', `x: ${DEEP}\n`],
    ['2,000 mappings in each other', DEEP_BLOCK],
  ])('%s', async (_name, poison) => {
    await expectEnd(
      { files: { 'app/a.yaml': `${poison}${encrypted}` }, input: { keys } },
      failed('app/a.yaml'),
    );
  });
});

describe('a substitution that explodes is refused', () => {
  const substituted = (text: string, variables: Readonly<Record<string, string>>): Attack => ({
    files: { 'app/a.yaml': configMap('a', JSON.stringify({ x: text })) },
    facts: { render: { tool: 'plain', substitute: { variables } } },
  });
  const long = 'x'.repeat(100_000);

  it.each([
    ['by a long value, often', substituted('${A}'.repeat(1_000), { A: long }), 'grow beyond'],
    ['by replacing', substituted('${A//x/$B}'.replace('$B', '${B}'), { A: long, B: long }), 'grow beyond'],
    [
      'by defaults in each other',
      substituted(`${'${A:-'.repeat(200)}x${'}'.repeat(200)}`, { B: '' }),
      'nested more than',
    ],
    [
      'by patterns',
      substituted(`\${A##${'*a'.repeat(1_000)}b}`, { A: 'a'.repeat(100_000) }),
      'takes too long',
    ],
  ])('%s', async (_name, given, says) => {
    await expectEnd(given, failed(says));
  });
});
