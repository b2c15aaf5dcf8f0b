import type { Manifest } from '../../lib/model/resource.ts';
import { rendersToCompare, withOtherDice } from '../../lib/render/helm-dice.ts';
import { messageOf, renderCommit, withHelm, type Files } from './charts.ts';
import { configMap, namesOf } from './rendering.ts';
import { whySkipped, withTools } from './tools-for-tests.ts';

const aChart = (files: Files): Files => ({
  'app/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
  'app/values.yaml': 'map: {a: 1, b: 2}\n',
  'app/templates/fixed.yaml': configMap('fixed'),
  ...files,
});
const withData = (expression: string): Files =>
  aChart({
    'app/templates/cm.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: drawn}\ndata:\n  fixed: x\n  x: ${expression}\n`,
  });

async function volatileOf(files: Files) {
  const { manifests, warnings } = await renderCommit({ files });
  const found = manifests.flatMap(({ object, volatile = [] }) =>
    volatile.map((pointer) => `${object.metadata.name} ${pointer}`),
  );
  return { found, warnings };
}

function stringDataOf(manifest: Manifest | undefined): { readonly password: string } {
  if (manifest === undefined) throw new Error('there is no object');
  return manifest.object['stringData'] as { readonly password: string };
}

const DRAWN = [
  '{{ randAlphaNum 8 }}',
  '{{ randAlpha 1 | quote }}',
  '{{ randNumeric 1 | quote }}',
  '{{ randAscii 20 | b64enc }}',
  '{{ randBytes 16 }}',
  '{{ randInt 0 2 | quote }}',
  '{{ 1 | randNumeric | quote }}',
  '{{ uuidv4 }}',
  '{{ shuffle "abcdefgh" }}',
  '{{ now | unixEpoch | quote }}',
  '{{ now | date "2006-01-02" | quote }}',
  '{{ date "2006" now | quote }}',
  '{{ now.Year | quote }}',
  '{{ ago now | quote }}',
  '{{ genPrivateKey "ecdsa" | b64enc }}',
  '{{ (genCA "ca" 10).Cert | b64enc }}',
  '{{ (genSelfSignedCert "cn" nil nil 10).Key | b64enc }}',
  '{{ $ca := genCA "ca" 10 }}{{ (genSignedCert "cn" nil nil 10 $ca).Cert | b64enc }}',
  '{{ htpasswd "user" "password" | quote }}',
  '{{ bcrypt "password" | quote }}',
  '{{ encryptAES "secretkey" "text" }}',
  '{{ keys (dict "a" 1 "b" 2 "c" 3 "d" 4 "e" 5 "f" 6) | join "," }}',
];

withTools(`a chart that throws dice${whySkipped}`, () => {
  it.each(DRAWN)('is told of, with %s', async (expression) => {
    const { found, warnings } = await volatileOf(withData(expression));

    expect(found).toEqual(['drawn /data/x']);
    expect(warnings).toEqual([
      'ConfigMap drawn: /data/x comes out differently each time: what was applied first is kept until something else in this object changes; give it in the values instead',
    ]);
  });

  it.each([
    '{{ .Values.map | toJson | quote }}',
    '{{ "randAlpha 5, now" | quote }}',
    '{{/* now */}}"{{ `now` }}"',
    '{{ keys .Values.map | sortAlpha | join "," }}',
    '{{ if false }}{{ now }}{{ end }}fixed',
    '{{ sha256sum "now" }}',
    '{{ derivePassword 1 "long" "password" "user" "example.com" | quote }}',
  ])('is not told of, with %s', async (expression) => {
    expect(await volatileOf(withData(expression))).toEqual({ found: [], warnings: [] });
  });

  it('is told of wherever the value goes, without showing it', async () => {
    const { manifests, warnings } = await renderCommit({
      files: aChart({
        'app/templates/secret.yaml':
          '{{ $p := randAlphaNum 20 }}apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData: {password: "{{ $p }}", user: x, "a/b~c": "{{ $p }}"}\n---\n' +
          'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: db, annotations: {checksum: "{{ sha256sum $p }}"}}\nspec: {list: [1, {x: "{{ $p }}"}]}\n',
      }),
    });

    expect(manifests.flatMap(({ volatile }) => (volatile === undefined ? [] : [volatile]))).toEqual([
      ['/stringData/password', '/stringData/a~1b~0c'],
      ['/metadata/annotations/checksum', '/spec/list/1/x'],
    ]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^Secret shop\/db: \/stringData\/password, \/stringData\/a~1b~0c come out differently/,
      ),
      expect.stringMatching(/^Deployment db: \/metadata\/annotations\/checksum, \/spec\/list\/1\/x come out/),
    ]);
    const { password: drawn } = stringDataOf(manifests[0]);
    expect(drawn).toHaveLength(20);
    expect(warnings.join()).not.toContain(drawn);
  });

  it('is told of in what kustomize makes of it, and in a template that stands in the values', async () => {
    const files = aChart({
      'app/templates/cm.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: drawn}\ndata: {x: "{{ tpl .Values.text . }}"}\n',
      'app/prod.yaml': 'text: "{{ randAlpha 9 }}"\n',
    });

    const { manifests } = await renderCommit({
      files,
      facts: withHelm({
        valuesFiles: ['prod.yaml'],
        postRender: { patches: [{ patch: '[]', target: { kind: 'ConfigMap' } }] },
      }),
    });

    expect(manifests.map(({ volatile }) => volatile)).toEqual(
      expect.arrayContaining([['/data/x'], undefined]),
    );
  });

  it('still renders where it does not take other dice', async () => {
    const strict =
      '{{ $n := randInt 5 10 }}{{ if ge (int $n) 10 }}{{ fail "too high" }}{{ end }}{{ randAlphaNum 30 }}';

    expect((await volatileOf(withData(strict))).found).toEqual(['drawn /data/x']);
  });

  it.each([
    ['{{ randAlphaNum 12 | lower }}', /^render-failed: ConfigMap x-[a-z0-9]{12}, ConfigMap x-.*fixed one/],
    [
      '{{ now | date "20060102" }}',
      /^render-failed: ConfigMap x-\d{8}, ConfigMap x-19990517: not in every render/,
    ],
  ])('is rejected when a name is %s', async (expression, message) => {
    const files = aChart({ 'app/templates/cm.yaml': configMap(`x-${expression}`) });

    expect(await messageOf(renderCommit({ files }))).toMatch(message);
  });

  it('may name its hooks as it likes', async () => {
    const files = aChart({
      'app/templates/cm.yaml': configMap('x-{{ now | unixEpoch }}').replace(
        'metadata:',
        'metadata:\n  annotations: {helm.sh/hook: pre-install}',
      ),
    });

    const { manifests, warnings } = await renderCommit({ files });

    expect(namesOf(manifests)).toHaveLength(2);
    expect(warnings).toEqual([]);
  });

  it('keeps the name that is derived from an object', async () => {
    const files = aChart({
      'app/templates/cm.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: job-}\ndata: {x: "{{ randAlpha 20 }}"}\n',
    });
    const nameIn = async () =>
      (await renderCommit({ files })).manifests.map(({ object }) => object.metadata.name).toSorted();

    expect(await nameIn()).toEqual(await nameIn());
  });
});

describe('the search for dice', () => {
  it.each([
    ['now', 0],
    ['{{ now }}', 1],
    ['{{- now -}}', 1],
    ['{{ .now }} {{ $now }} {{ .a.now }} {{ nowhere }}', 0],
    ['{{ "now" }} {{ `now` }}', 0],
    ["{{ 'n' }} {{ now }}", 1],
    ['{{/* now */}}', 0],
    ['{{- /* now */ -}}', 0],
    ['{{ "\\"" }}{{ now }}', 1],
    ['{{ if (eq (randInt 0 1) 1) }}', 1],
    ['{{ keys .a }}', 4],
    ['{{ keys .a | sortAlpha }}', 0],
    ['{{ "never closed }} {{ now }}', 0],
    ['{{ now', 1],
    ['{{/* never closed }} {{ now }}', 0],
    ['', 0],
  ])('%j needs %i more', (text, count) => {
    expect(rendersToCompare(text)).toBe(count);
  });

  it('changes the functions and nothing else', () => {
    const text =
      'now {{ now | date "now" }} {{- randInt 0 3 -}} {{ $now.now }} {{/* now */}} {{ (randAlpha 3) }} now';

    expect(withOtherDice(text)).toBe(
      'now {{ (toDate `2006-01-02` `1999-05-17`) | date "now" }} {{- max 0 3 -}} {{ $now.now }} {{/* now */}} {{ (randBytes 3) }} now',
    );
  });

  it.each([
    '{{ "' + '\\"'.repeat(500_000),
    '{{'.repeat(500_000),
    '{{ /*'.repeat(300_000),
    '{{ a }}`'.repeat(200_000),
  ])('comes to an end in hostile text %#', (text) => {
    expect(withOtherDice(text)).toBe(text);
  });
});
