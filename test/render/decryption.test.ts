import { readdirSync } from 'node:fs';

import { createRenderer } from '../../lib/render/create-renderer.ts';
import type { RenderInput } from '../../lib/render/renderer.ts';
import { anApplication, aTree, configMap, inTemporaryDirectory, namesOf } from './rendering.ts';
import { IDENTITY, OTHER_IDENTITY, RECIPIENT } from './sops/age-vectors.ts';
import { dotenvFile, jsonFile, yamlFile } from './sops/build-sops.ts';
import { tools, whySkipped, withTools } from './tools-for-tests.ts';

type Files = Parameters<typeof aTree>[0];

const CANARY = 'canary-8f41c6aa';

interface Asked extends Pick<RenderInput, 'purpose' | 'keys'> {
  readonly onSecret?: (text: string) => void;
}

async function render(files: Files, facts: Parameters<typeof anApplication>[0] = {}, asked: Asked = {}) {
  const { onSecret = () => undefined, ...input } = asked;
  return await inTemporaryDirectory(async (temporaryDirectory) => {
    try {
      const renderer = createRenderer({ tools, temporaryDirectory, onSecret });
      const { manifests } = await renderer.render({
        files: aTree(files),
        application: anApplication(facts),
        keys: { ageIdentities: [IDENTITY] },
        ...input,
      });
      return manifests;
    } finally {
      expect(readdirSync(temporaryDirectory)).toEqual([]);
    }
  });
}

async function errorOf(...args: Parameters<typeof render>): Promise<Error & { readonly code: string }> {
  return await render(...args).then(
    () => {
      throw new Error('it was rendered');
    },
    (error: Error & { readonly code: string }) => error,
  );
}

const encode = (text: string) => Buffer.from(text).toString('base64');
const DATA_ONLY = { metadata: { encrypted_regex: '^(data|stringData)$' } };

function encryptedObject(kind: string, value = CANARY, field = 'stringData', metadata = 'name: db'): string {
  return yamlFile(
    (s) =>
      `apiVersion: ${s.plain('v1')}\nkind: ${s.plain(kind)}\nmetadata:\n  ${metadata
        .split('\n')
        .map((line) => line.replace(/: (.*)$/, (_all, text: string) => `: ${s.plain(text)}`))
        .join('\n  ')}\n${field}:\n  password: ${s.enc(`${field}:password:`, value)}\n`,
    DATA_ONLY,
  );
}

const anEnv = () => dotenvFile((s) => `PASSWORD=${s.enc('PASSWORD:', CANARY)}\n`);
const dataOf = async (...args: Parameters<typeof render>) => (await render(...args))[0]?.object['data'];

describe('a plain directory with encrypted files', () => {
  it('gives the objects in plain text', async () => {
    const [secret] = await render({ 'app/a.yaml': encryptedObject('Secret') });

    expect(secret?.object['stringData']).toEqual({ password: CANARY });
    expect(secret?.object).not.toHaveProperty('sops');
  });

  it('decrypts files in the data of a Secret by the extension of their key', async () => {
    const data = await dataOf({
      'app/a.yaml': `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  plain: ${encode('x')}\n  a.yaml: ${encode(
        yamlFile((s) => `a: ${s.enc('a:', CANARY)}\n`),
      )}\n  b.json: ${encode(jsonFile((s) => `"b": "${s.enc('b:', CANARY)}"`))}\n  .env: ${encode(anEnv())}\n  token: ${encode(
        jsonFile((s) => `"data": "${s.enc('data:', CANARY)}"`),
      )}\n`,
    });

    const plain = Object.entries(data as Record<string, string>).map(([key, value]) => [
      key,
      Buffer.from(value, 'base64').toString(),
    ]);
    expect(Object.fromEntries(plain)).toEqual({
      plain: 'x',
      'a.yaml': `a: "${CANARY}"\n`,
      'b.json': expect.stringContaining(`"b": "${CANARY}"`) as unknown,
      '.env': `PASSWORD=${CANARY}\n`,
      token: CANARY,
    });
  });

  it('leaves what is annotated for somebody else to decrypt', async () => {
    const file = encode(anEnv());
    const kept = 'kustomize.toolkit.fluxcd.io/decrypt: disabled';

    const manifests = await render({
      'app/a.yaml': `apiVersion: v1\nkind: Secret\nmetadata: {name: s, annotations: {${kept}}}\ndata: {.env: ${file}}\n`,
      'app/b.yaml': encryptedObject('SopsSecret', CANARY, 'data', `name: db\nannotations:\n  ${kept}`),
    });

    expect(manifests[0]?.object['data']).toEqual({ '.env': file });
    expect(JSON.stringify(manifests[1]?.object)).toContain('ENC[AES256_GCM');
  });

  it('tells its caller every secret, and not what stands in Git anyway', async () => {
    const told: string[] = [];

    await render(
      {
        'app/a.yaml': encryptedObject('Secret'),
        'app/b.yaml': encryptedObject('Secret', 'postgresql'),
        'app/c.yaml': configMap('c', '{image: "postgresql:16"}'),
      },
      {},
      { onSecret: (text) => told.push(text) },
    );

    expect(told).toEqual([CANARY]);
  });

  it('reads definitions without keys, and decrypts nothing for them', async () => {
    const files = { 'app/a.yaml': encryptedObject('Secret'), 'app/b.yaml': configMap('b') };

    const manifests = await render(files, {}, { purpose: 'definitions' });

    expect(namesOf(manifests)).toEqual(['Secret db', 'ConfigMap b']);
    expect(JSON.stringify(manifests)).not.toContain(CANARY);
  });

  it('takes what only talks about SOPS as it is', async () => {
    const manifests = await render({
      'app/a.yaml': configMap('a', '{x: "write mac: ENC[AES256_GCM,…]"}').replace('mac', 'the mac'),
    });

    expect(namesOf(manifests)).toEqual(['ConfigMap a']);
  });
});

withTools(`tools and encrypted files${whySkipped}`, () => {
  it('lets kustomize generate a Secret from encrypted variables and files, under any name', async () => {
    const data = await dataOf({
      'app/kustomization.yaml': [
        'secretGenerator:',
        '- {name: s, envs: [db.env, more.encrypted], files: [a.json, key=token.bin]}',
        'generatorOptions: {disableNameSuffixHash: true}',
      ].join('\n'),
      'app/db.env': anEnv(),
      'app/more.encrypted': dotenvFile((s) => `MORE=${s.enc('MORE:', 'more-of-it')}\n`),
      'app/a.json': jsonFile((s) => `"a": "${s.enc('a:', CANARY)}"`),
      'app/token.bin': jsonFile((s) => `"data": "${s.enc('data:', 'bin\0ary-and-long')}"`),
    });

    expect(data).toEqual({
      PASSWORD: encode(CANARY),
      MORE: encode('more-of-it'),
      'a.json': encode(`{\n\t"a": "${CANARY}"\n}\n`),
      key: encode('bin\0ary-and-long'),
    });
  });

  it('lets kustomize use encrypted resources and patches', async () => {
    const [secret] = await render({
      'app/kustomization.yaml': 'resources: [a.yaml]\npatches: [{path: patch.yaml}]\nnamePrefix: x-\n',
      'app/a.yaml': encryptedObject('Secret', CANARY, 'stringData'),
      'app/patch.yaml': yamlFile(
        (s) =>
          `apiVersion: ${s.plain('v1')}\nkind: ${s.plain('Secret')}\nmetadata:\n  name: ${s.plain('db')}\nstringData:\n  more: ${s.enc('stringData:more:', 'patched-in')}\n`,
        DATA_ONLY,
      ),
    });

    expect(secret?.object['metadata']).toMatchObject({ name: 'x-db' });
    expect(secret?.object['stringData']).toEqual({ password: CANARY, more: 'patched-in' });
  });

  it('lets helm read an encrypted template and values', async () => {
    const data = await dataOf({
      'app/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
      'app/values.yaml': yamlFile((s) => `password: ${s.enc('password:', CANARY)}\n`),
      'app/templates/s.yaml':
        'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {p: {{ .Values.password | b64enc }}}\n',
    });

    expect(data).toEqual({ p: encode(CANARY) });
  });

  it.each([
    ['as it is', '{{ .Values.password | quote }}'],
    ['within other text', '"postgres://app:{{ .Values.password }}@db/app"'],
    ['in base64', '{{ .Values.password | b64enc }}'],
  ])('refuses a chart that puts a decrypted value into a ConfigMap %s', async (_how, expression) => {
    const error = await errorOf({
      'app/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
      'app/values.yaml': yamlFile((s) => `password: ${s.enc('password:', CANARY)}\n`),
      'app/templates/c.yaml': configMap('web', `{p: ${expression}}`),
    });

    expect(error.code).toBe('render-refused');
    expect(error.message).toMatch(
      /templates\/c\.yaml: ConfigMap web: contains a value that comes from app\/values\.yaml/,
    );
    expect(error.message).not.toContain(CANARY);
  });

  it('keeps decrypted values out of what a failing tool says', async () => {
    const error = await errorOf({
      'app/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
      'app/values.yaml': yamlFile(
        (s) =>
          `password: ${s.enc('password:', CANARY)}\nkey: ${s.enc('key:', `first line\nsecond-line-${CANARY}`)}\n`,
      ),
      'app/templates/c.yaml': '{{ fail (printf "it is %s and %s" .Values.password .Values.key) }}\n',
    });

    expect(error.code).toBe('render-failed');
    expect(error.message).toContain('it is ***');
    expect(error.message).not.toContain(CANARY);
  });
});

describe('decryption', () => {
  it.each([
    ['an encrypted ConfigMap', 'ConfigMap', 'data', 'name: web'],
    ['any other encrypted object', 'Widget', 'data', 'name: web'],
    ['one with a short value', 'Widget', 'data', 'name: web', 'zk9q'],
  ])('refuses %s: what is in it would be shown', async (_what, kind, field, metadata, value = CANARY) => {
    const error = await errorOf({ 'app/a.yaml': encryptedObject(kind, value, field, metadata) });

    expect(error).toMatchObject({ code: 'render-refused' });
    expect(error.message).toBe(
      `app/a.yaml:1: ${kind} web: contains a value that comes from app/a.yaml: it would be stored and shown as plain text; use it in the data of a Secret only, or do not keep it as a secret`,
    );
  });

  it('refuses a Secret that has a decrypted value outside of its data', async () => {
    const text = yamlFile(
      (s) =>
        `apiVersion: ${s.plain('v1')}\nkind: ${s.plain('Secret')}\nmetadata:\n  name: ${s.plain('db')}\n  annotations:\n    a: ${s.enc('metadata:annotations:a:', CANARY)}\n`,
      { metadata: { encrypted_regex: '^annotations$' } },
    );

    expect((await errorOf({ 'app/a.yaml': text })).message).toContain('outside of its data, a value');
  });

  it('lets values pass that stand openly in Git, or are too short to say anything', async () => {
    const manifests = await render({
      'app/a.yaml': encryptedObject('Secret', 'postgresql'),
      'app/b.yaml': encryptedObject('Secret', 'short'),
      'app/c.yaml': configMap('c', '{image: "postgresql:16", words: shorter}'),
    });

    expect(manifests).toHaveLength(3);
  });

  it('finds one value among thousands, wherever it stands', async () => {
    const many = Array.from({ length: 2000 }, (_, index) => `value-number-${index}-of-many`);
    const secret = yamlFile(
      (s) =>
        `apiVersion: ${s.plain('v1')}\nkind: ${s.plain('Secret')}\nmetadata:\n  name: ${s.plain('db')}\nstringData:\n${many
          .map((value, index) => `  k${index}: ${s.enc(`stringData:k${index}:`, value)}\n`)
          .join('')}`,
      DATA_ONLY,
    );
    const widget = yamlFile(
      (s) =>
        `apiVersion: ${s.plain('v1')}\nkind: ${s.plain('Widget')}\nmetadata:\n  name: ${s.plain('w')}\ndata:\n  deep: ${s.enc('data:deep:', 'no-number-1234')}\n`,
      DATA_ONLY,
    );

    const error = await errorOf({ 'app/a.yaml': secret, 'app/b.yaml': widget });

    expect(error.message).toContain('app/b.yaml:1: Widget w: contains a value that comes from app/b.yaml');
  });

  it('refuses without the right key, and says for whom each file is encrypted', async () => {
    const files = { 'app/a.yaml': encryptedObject('Secret'), 'app/b.yaml': encryptedObject('Secret') };

    const error = await errorOf(files, {}, { keys: { ageIdentities: [OTHER_IDENTITY] } });

    expect(error).toMatchObject({ code: 'render-failed' });
    expect(error.message).toContain('2 faulty documents');
    expect(error.message).toMatch(
      new RegExp(`app/a\\.yaml: no key opens it. It is encrypted for age ${RECIPIENT}; the age key given`),
    );
  });

  it('refuses an encrypted object where no decryption is asked for', async () => {
    const error = await errorOf({ 'app/a.yaml': encryptedObject('Secret') }, {}, {
      keys: undefined,
    } as unknown as Asked);

    expect(error.message).toContain('Secret db: it is encrypted with SOPS, and there is no key for it');
  });

  it('refuses a Secret whose content was tampered with, and names the key', async () => {
    const env = anEnv().replace('PASSWORD=', 'MOVED=');

    const error = await errorOf({
      'app/a.yaml': `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {.env: ${encode(env)}}\n`,
    });

    expect(error.message).toContain('Secret s: data..env: MOVED: does not decrypt');
  });

  it('refuses an encrypted file beyond 5 MiB', async () => {
    const env = `${anEnv()}#${'x'.repeat(5 * 1024 * 1024)}\n`;

    const error = await errorOf({
      'app/kustomization.yaml': 'secretGenerator: [{name: s, envs: [a.env]}]\n',
      'app/a.env': env,
    });

    expect(error.message).toMatch(/app\/a\.env: \d+ bytes encrypted with SOPS, at most 5242880/);
  });

  it('passes on that KMS gave no answer, to be tried again', async () => {
    const { HoldfastError } = await import('../../lib/model/errors.ts');
    const arn = 'arn:aws:kms:eu-west-1:111122223333:key/1';
    const text = yamlFile((s) => `a: ${s.enc('a:', 'x')}\n`, {
      metadata: { age: [], kms: [{ arn, enc: 'AA==' }] },
    });
    const keys = {
      ageIdentities: [],
      decryptDataKey: async () => {
        throw new HoldfastError('internal', 'KMS did not answer', { retryable: true });
      },
    };

    await expect(render({ 'app/a.yaml': text }, {}, { keys })).rejects.toMatchObject({
      retryable: true,
      message: 'KMS did not answer',
    });
  });
});
