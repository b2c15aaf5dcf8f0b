import type { ExternalValue, RenderOptions } from '../../lib/model/application.ts';
import { createRenderer } from '../../lib/render/create-renderer.ts';
import { externalKey, externalValuesOf } from '../../lib/model/external-values.ts';
import type { ExternalContent } from '../../lib/render/renderer.ts';
import { anApplication, aTree, configMap, inTemporaryDirectory } from './rendering.ts';
import { tools, whySkipped, withTools } from './tools-for-tests.ts';

const CANARY = 'canary-51c0de77';
const VARS: ExternalValue = { kind: 'ConfigMap', name: 'vars' };
const SECRET: ExternalValue = { kind: 'Secret', name: 'db', namespace: 'shop' };
const STORED: ExternalValue = { kind: 'SecretsManager', name: 'web' };

const content = (entries: Readonly<Record<string, string>>, secret = false): ExternalContent => ({
  entries,
  secret,
});

async function render(
  files: Parameters<typeof aTree>[0],
  options: Omit<RenderOptions, 'tool'>,
  values: Readonly<Record<string, ExternalContent>>,
) {
  return await inTemporaryDirectory(async (temporaryDirectory) => {
    const renderer = createRenderer({ tools, temporaryDirectory });
    const { manifests } = await renderer.render({
      files: aTree(files),
      application: anApplication({ render: { tool: 'auto', ...options } }),
      values: new Map(Object.entries(values)),
    });
    return manifests.map(({ object }) => object);
  });
}

describe('external values', () => {
  it('are found under one key each, in the namespace of the application unless they name one', () => {
    const application = anApplication({ targetNamespace: 'web' });

    expect(externalKey(VARS, application)).toBe('ConfigMap/web/vars');
    expect(externalKey(VARS, anApplication())).toBe('ConfigMap/default/vars');
    expect(externalKey(SECRET, application)).toBe('Secret/shop/db');
    expect(externalKey(STORED, application)).toBe('SecretsManager/web');
  });

  it('are asked for once, and are optional only if they are everywhere', () => {
    const application = anApplication({
      render: {
        tool: 'helm',
        helm: { valuesFrom: [{ ...VARS, optional: true, key: 'a' }, { ...VARS, key: 'b' }, STORED] },
        substitute: { variables: {}, from: [STORED, { ...SECRET, optional: true }] },
      },
    });

    expect(externalValuesOf(application)).toEqual([VARS, STORED, { ...SECRET, optional: true }]);
  });
});

describe('variables from elsewhere', () => {
  const from = [VARS, SECRET, STORED];

  it('come after each other, and before those of the definition', async () => {
    const [object] = await render(
      { 'app/a.yaml': configMap('a', '{all: "${A}-${B}-${C}"}') },
      { substitute: { variables: { C: 'own' }, from: [VARS, { ...VARS, name: 'more' }] } },
      {
        'ConfigMap/default/vars': content({ A: 'first', B: 'first', C: 'first' }),
        'ConfigMap/default/more': content({ B: 'later\n', C: 'later' }),
      },
    );

    expect(object?.['data']).toEqual({ all: 'first-later-own' });
  });

  it('go into Secrets, wherever they come from', async () => {
    const [object] = await render(
      {
        'app/a.yaml':
          'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {url: "${USER}:${PASSWORD}@${HOST}"}\n',
      },
      { substitute: { variables: {}, from } },
      {
        'ConfigMap/default/vars': content({ HOST: 'db' }),
        'Secret/shop/db': content({ PASSWORD: CANARY }, true),
        'SecretsManager/web': { text: '{"USER":"app"}', entries: { USER: 'app' }, secret: true },
      },
    );

    expect(object?.['stringData']).toEqual({ url: `app:${CANARY}@db` });
  });

  it.each([
    ['as it is', '${PASSWORD}'],
    ['by its length', '${#PASSWORD}'],
    ['in another place of a default', '${OTHER:-${PASSWORD}}'],
  ])('refuses to put one that is secret into anything else, %s', async (_how, text) => {
    const failing = render(
      { 'app/a.yaml': `${configMap('a', `{x: "${text}"}`)}---\n${configMap('b', '{x: "${PASSWORD}"}')}` },
      { substitute: { variables: { OTHER: 'x' }, from: [SECRET] } },
      { 'Secret/shop/db': content({ PASSWORD: 'short' }, true) },
    );

    await expect(failing).rejects.toMatchObject({ code: 'render-refused' });
    await expect(failing).rejects.toThrow(
      'ConfigMap a: variable "PASSWORD" comes from Secret shop/db and would be stored and shown as plain text',
    );
    await expect(failing).rejects.toThrow('ConfigMap b');
  });

  it('refuses without what is not optional, and goes on without what is', async () => {
    const files = { 'app/a.yaml': configMap('a', '{x: "${A:-none}"}') };

    await expect(render(files, { substitute: { variables: {}, from } }, {})).rejects.toMatchObject({
      code: 'value-missing',
      message: 'spec.substitute.from[0]: ConfigMap default/vars does not exist: create it',
    });
    const optional = from.map((value) => ({ ...value, optional: true }));
    const [object] = await render(
      files,
      { substitute: { variables: {}, from: optional, strategy: 'Always' } },
      {},
    );
    expect(object?.['data']).toEqual({ x: 'none' });
  });

  it('refuses names that are none and secrets without keys, without quoting a value', async () => {
    const files = { 'app/a.yaml': configMap('a') };

    await expect(
      render(
        files,
        { substitute: { variables: {}, from: [SECRET] } },
        {
          'Secret/shop/db': content({ 'tls.key': CANARY }, true),
        },
      ),
    ).rejects.toThrow('spec.substitute.from[0]: Secret shop/db: "tls.key" is no name');
    const plain = render(
      files,
      { substitute: { variables: {}, from: [STORED] } },
      {
        'SecretsManager/web': { text: CANARY, entries: {}, secret: true },
      },
    );
    await expect(plain).rejects.toThrow('secret "web" of Secrets Manager has no keys: store a JSON object');
    await expect(plain).rejects.not.toThrow(CANARY);
  });

  it('keeps secret values out of faults of the objects that they make', async () => {
    const failing = render(
      { 'app/a.yaml': 'apiVersion: v1\nkind: Secret\nmetadata: {name: "${NAME}"}\n' },
      { substitute: { variables: {}, from: [SECRET] } },
      { 'Secret/shop/db': content({ NAME: `${CANARY}/x` }, true) },
    );

    await expect(failing).rejects.toThrow('cannot be a name');
    await expect(failing).rejects.not.toThrow(CANARY);
  });
});

withTools(`values of a chart from elsewhere${whySkipped}`, () => {
  const chart = (expression: string, kind = 'ConfigMap', field = 'data') => ({
    'app/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
    'app/templates/a.yaml': `apiVersion: v1\nkind: ${kind}\nmetadata: {name: a}\n${field}:\n  x: ${expression}\n`,
  });
  const values = {
    'Secret/shop/db': content({ 'values.yaml': `db:\n  password: ${CANARY}\n  port: 5432\n` }, true),
  };

  it('may go into a Secret, and numbers anywhere', async () => {
    const helm = { valuesFrom: [SECRET] };

    expect(
      await render(chart('{{ .Values.db.password }}', 'Secret', 'stringData'), { helm }, values),
    ).toMatchObject([{ stringData: { x: CANARY } }]);
    expect(await render(chart('{{ .Values.db.port | quote }}'), { helm }, values)).toMatchObject([
      { data: { x: '5432' } },
    ]);
  });

  it('refuses secret ones in anything but a Secret', async () => {
    const failing = render(
      chart('"at {{ .Values.db.password }}"'),
      { helm: { valuesFrom: [SECRET] } },
      values,
    );

    await expect(failing).rejects.toMatchObject({ code: 'render-refused' });
    await expect(failing).rejects.toThrow('ConfigMap a: contains a value that comes from Secret shop/db');
    await expect(failing).rejects.not.toThrow(CANARY);
  });
});
