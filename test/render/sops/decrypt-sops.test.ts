import fc from 'fast-check';

import { DEFAULT_RENDER_LIMITS } from '../../../lib/render/limits.ts';
import { parseYaml } from '../../../lib/render/parse-yaml.ts';
import type { KmsRequest, SopsKeys } from '../../../lib/render/sops/data-key.ts';
import { parseAgeIdentities } from '../../../lib/render/sops/data-key.ts';
import { decryptSops, isSopsFile, sopsFormatOf } from '../../../lib/render/sops/decrypt-sops.ts';
import type { SopsFormat } from '../../../lib/render/sops/decrypt-sops.ts';
import {
  DATA_KEY,
  DATA_KEY_FOR_OTHER,
  DATA_KEY_FOR_RECIPIENT,
  IDENTITY,
  OTHER_IDENTITY,
  OTHER_RECIPIENT,
  RECIPIENT,
  SHORT_KEY_FOR_RECIPIENT,
} from './age-vectors.ts';
import { dotenvFile, jsonFile, seal, yamlFile } from './build-sops.ts';

const KEYS: SopsKeys = { ageIdentities: [IDENTITY] };

async function decrypt(text: string, format: SopsFormat = 'yaml', keys = KEYS): Promise<string> {
  return Buffer.from(await decryptSops(Buffer.from(text), format, keys)).toString('utf8');
}

async function valuesOf(text: string, keys = KEYS): Promise<readonly unknown[]> {
  return parseYaml(await decrypt(text, 'yaml', keys), { limits: DEFAULT_RENDER_LIMITS }).map((document) => {
    if (!document.ok) throw new Error(document.message);
    return document.value;
  });
}

const aSecret = () =>
  yamlFile(
    (s) =>
      `apiVersion: ${s.plain('v1')}\nkind: ${s.plain('Secret')}\nmetadata:\n  name: ${s.plain('db')}\nstringData:\n  user: ${s.enc('stringData:user:', 'admin')}\n  password: ${s.enc('stringData:password:', 'canary: "x"\n#')}\n`,
    { metadata: { encrypted_regex: '^(data|stringData)$' } },
  );

describe('an encrypted YAML file', () => {
  it('becomes what it was', async () => {
    expect(await valuesOf(aSecret())).toEqual([
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'db' },
        stringData: { user: 'admin', password: 'canary: "x"\n#' },
      },
    ]);
  });

  it('keeps every type', async () => {
    const text = yamlFile(
      (s) =>
        `int: ${s.enc('int:', '-42', 'int')}\nbig: ${s.enc('big:', '9007199254740991', 'int')}\nfloat: ${s.enc('float:', '1.5', 'float')}\ntiny: ${s.enc('tiny:', '0.0000001', 'float')}\nyes: ${s.enc('yes:', 'True', 'bool')}\nno: ${s.enc('no:', 'False', 'bool')}\ntime: ${s.enc('time:', '2001-01-02T00:00:00Z', 'time')}\nbytes: ${s.enc('bytes:', 'b', 'bytes')}\nempty: ""\nnothing: null\nbare:\nlooks: ${s.enc('looks:', 'yes')}\nnumber: ${s.enc('number:', '007')}\n`,
    );

    // `yes` and `no` are words to SOPS, and booleans to Kubernetes.
    expect(await valuesOf(text)).toEqual([
      {
        int: -42,
        big: 9007199254740991,
        float: 1.5,
        tiny: 1e-7,
        true: true,
        false: false,
        time: '2001-01-02T00:00:00Z',
        bytes: 'b',
        empty: '',
        nothing: null,
        bare: null,
        looks: 'yes',
        number: '007',
      },
    ]);
  });

  it('reads what is not encrypted as Go does, and leaves its spelling', async () => {
    const values: readonly (readonly [string, string])[] = [
      ['0x10', '16'],
      ['0o17', '15'],
      ['017', '15'],
      ['1_000', '1000'],
      ['-0', '0'],
      ['1e3', '1000'],
      ['1e21', '1000000000000000000000'],
      ['.5', '0.5'],
      ['1.50', '1.5'],
      ['true', 'True'],
      ['FALSE', 'False'],
      ['yes', 'yes'],
      ['on', 'on'],
      ['2001-01-02', '2001-01-02T00:00:00Z'],
      ['2001-1-2T3:04:05.60+02:00', '2001-01-02T03:04:05.6+02:00'],
      ['2001-01-02 03:04:05', '2001-01-02T03:04:05Z'],
      ['12:30:45', '12:30:45'],
      ['08', '8'],
      ['9007199254740993', '9007199254740993'],
      ['"1"', '1'],
      ["'it''s'", "it's"],
      ['!!str 12', '12'],
      ['1.2.3', '1.2.3'],
      ['- x'.slice(2), 'x'],
    ];
    const text = yamlFile((s) =>
      values.map(([spelt, mac], index) => `k${index}_unencrypted: ${s.plain(spelt, mac)}\n`).join(''),
    );

    const plain = await decrypt(text);

    for (const [index, [spelt]] of values.entries())
      expect(plain).toContain(`k${index}_unencrypted: ${spelt}\n`);
  });

  it('goes by the order of keys, also of those that look like numbers', async () => {
    const text = yamlFile(
      (s) =>
        `data:\n  "10": ${s.enc('data:10:', 'a')}\n  "9": ${s.enc('data:9:', 'b')}\n  x: ${s.enc('data:x:', 'c')}\n`,
    );

    expect(await valuesOf(text)).toEqual([{ data: { 9: 'b', 10: 'a', x: 'c' } }]);
  });

  it('does not count positions in lists as keys', async () => {
    const text = yamlFile(
      (s) =>
        `list:\n- ${s.enc('list:', 'a')}\n- ["${s.enc('list:', 'b')}"]\n- k: ${s.enc('list:k:', 'c')}\n- {}\n- []\n`,
    );

    expect(await valuesOf(text)).toEqual([{ list: ['a', ['b'], { k: 'c' }, {}, []] }]);
  });

  it('may have several documents under one MAC', async () => {
    const text = yamlFile(
      (s) => `a: ${s.enc('a:', '1')}\n---\na: ${s.enc('a:', '2')}\nb: ${s.enc('b:', '3')}\n`,
    );

    expect(await valuesOf(text)).toEqual([{ a: '1' }, { a: '2', b: '3' }]);
  });

  it('keeps comments, and drops encrypted ones', async () => {
    const comment = seal('hidden', 'a:', 'comment');
    const text = yamlFile(
      (s) => `# seen\n#${comment}\na: ${s.enc('a:', '1')} # beside\n#${comment}\nb: ${s.enc('b:', '2')}\n`,
    );

    const plain = await decrypt(text);

    expect(plain).toContain('# seen');
    expect(plain).toContain('# beside');
    expect(plain).not.toContain('ENC[');
  });

  it.each([
    ['the suffix that is the default', {}, 'a_unencrypted', 'b'],
    ['unencrypted_suffix', { unencrypted_suffix: '_plain' }, 'a_plain', 'b_unencrypted'],
    ['encrypted_suffix', { encrypted_suffix: '_secret' }, 'a', 'b_secret'],
    ['unencrypted_regex', { unencrypted_regex: '^(kind|meta.*)$' }, 'metadata', 'xkind'],
    ['encrypted_regex', { encrypted_regex: '(?i)pass(word|phrase)s?$' }, 'password_hint', 'dbPassword'],
  ])('follows %s, for all that lies below a key too', async (_what, metadata, open, hidden) => {
    const text = yamlFile(
      (s) => `${open}: {x: ${s.plain('seen')}}\n${hidden}: {x: ["${s.enc(`${hidden}:x:`, 'secret')}"]}\n`,
      { metadata },
    );

    expect(await valuesOf(text)).toEqual([{ [open]: { x: 'seen' }, [hidden]: { x: ['secret'] } }]);
  });

  it('has a MAC over encrypted values alone, if it says so', async () => {
    const text = yamlFile((s) => `a_unencrypted: ${s.plain('x')}\nb: ${s.enc('b:', 'secret')}\n`, {
      macOnlyEncrypted: true,
    });

    expect(await valuesOf(text.replace('a_unencrypted: x', 'a_unencrypted: z'))).toEqual([
      { a_unencrypted: 'z', b: 'secret' },
    ]);
  });

  it('takes a time of encryption in any zone', async () => {
    const body = (s: { enc(path: string, plain: string): string }) => `a: ${s.enc('a:', 'x')}\n`;

    expect(await valuesOf(yamlFile(body, { lastModified: '2026-11-01T12:00:00+02:00' }))).toEqual([
      { a: 'x' },
    ]);
  });
});

describe('the other formats', () => {
  it('decrypts JSON, whose numbers are all floats', async () => {
    const text = jsonFile(
      (s) =>
        `"z": "${s.enc('z:', 'é\n')}", "9": "${s.enc('9:', '3', 'float')}", "n_unencrypted": ${s.plain('1e21', '1000000000000000000000')}, "l": ["${s.enc('l:', 'True', 'bool')}", null, "", {"k\\"": "${s.enc('l:k":', 'x')}"}]`,
    );

    expect(JSON.parse(await decrypt(text, 'json'))).toEqual({
      z: 'é\n',
      9: 3,
      n_unencrypted: 1e21,
      l: [true, null, '', { 'k"': 'x' }],
    });
  });

  it('decrypts dotenv files, line by line', async () => {
    const text = dotenvFile((s) => `# seen\nA=${s.enc('A:', 'a=b\nc')}\n\nB_unencrypted=${s.plain('x')}\n`);

    expect(await decrypt(text, 'dotenv')).toBe('# seen\nA=a=b\\nc\nB_unencrypted=x\n');
  });

  it('decrypts binary files to the byte', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const text = jsonFile((s) => `"data": "${s.enc('data:', bytes)}"`);

    expect(await decryptSops(Buffer.from(text), 'binary', KEYS)).toEqual(Buffer.from(bytes));
  });

  it.each([
    ['a.yaml', 'yaml'],
    ['a.yml', 'yaml'],
    ['a.json', 'json'],
    ['a.env', 'dotenv'],
    ['.env', 'dotenv'],
    ['a.txt', 'binary'],
  ])('takes %s for %s', (path, format) => {
    expect(sopsFormatOf(path)).toBe(format);
  });
});

describe('isSopsFile', () => {
  const body = (s: { enc(path: string, plain: string): string }) => s.enc('a:', 'x');

  it.each([
    ['YAML', yamlFile((s) => `a: ${body(s)}\n`)],
    ['JSON', jsonFile((s) => `"a": "${body(s)}"`)],
    ['dotenv', dotenvFile((s) => `a=${body(s)}\n`)],
    ['YAML as SOPS writes it', 'sops:\n    mac: ENC[AES256_GCM,data:x]\n'],
  ])('knows encrypted %s', (_what, text) => {
    expect(isSopsFile(Buffer.from(text))).toBe(true);
  });

  it.each(['', 'mac: x', 'a: ENC[AES256_GCM,data:x]', 'smac: ENC[AES256_GCM,data:x]'])(
    'knows that %j is none',
    (text) => {
      expect(isSopsFile(Buffer.from(text))).toBe(false);
    },
  );
});

describe('keys', () => {
  const body = (s: { enc(path: string, plain: string): string }) => `a: ${s.enc('a:', 'x')}\n`;
  const bothAge = [
    { recipient: OTHER_RECIPIENT, enc: DATA_KEY_FOR_OTHER },
    { recipient: RECIPIENT, enc: DATA_KEY_FOR_RECIPIENT },
  ];
  const kms = {
    arn: 'arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab',
    enc: Buffer.from('blob').toString('base64'),
    context: { app: 'shop' },
    role: 'arn:aws:iam::123456789012:role/sops',
    aws_profile: '',
  };

  it.each([
    ['the first recipient', [OTHER_IDENTITY]],
    ['the second recipient', [IDENTITY]],
    ['one key of several', [OTHER_IDENTITY, IDENTITY]],
  ])('opens a file with %s', async (_what, ageIdentities) => {
    expect(await valuesOf(yamlFile(body, { metadata: { age: bothAge } }), { ageIdentities })).toEqual([
      { a: 'x' },
    ]);
  });

  it('reads key files with comments', () => {
    expect(parseAgeIdentities(`# created\n\n${IDENTITY}\r\n ${OTHER_IDENTITY}`)).toEqual([
      IDENTITY,
      OTHER_IDENTITY,
    ]);
  });

  it('asks KMS in the region of the key, with context and role', async () => {
    const asked: KmsRequest[] = [];
    const keys: SopsKeys = {
      ageIdentities: [],
      decryptDataKey: (request) => {
        asked.push(request);
        return Promise.resolve(DATA_KEY);
      },
    };

    expect(await valuesOf(yamlFile(body, { metadata: { age: [], kms: [kms] } }), keys)).toEqual([{ a: 'x' }]);
    expect(asked).toEqual([
      {
        arn: kms.arn,
        region: 'eu-central-1',
        ciphertext: Buffer.from('blob'),
        context: { app: 'shop' },
        role: kms.role,
      },
    ]);
  });

  it('asks KMS only where age does not open', async () => {
    const keys: SopsKeys = { ...KEYS, decryptDataKey: () => Promise.reject(new Error('asked')) };

    expect(await valuesOf(yamlFile(body, { metadata: { kms: [kms] } }), keys)).toEqual([{ a: 'x' }]);
  });

  it('takes the keys of a single group', async () => {
    const groups = { age: [], key_groups: [{ age: bothAge }] };

    expect(await valuesOf(yamlFile(body, { metadata: groups }))).toEqual([{ a: 'x' }]);
  });

  it.each([
    ['no key', {}, { ageIdentities: [] }, 'there is no age key'],
    ['another key', {}, { ageIdentities: [OTHER_IDENTITY] }, `encrypted for age ${RECIPIENT}`],
    ['a key of another form', {}, { ageIdentities: ['AGE-PLUGIN-X'] }, 'only native age keys'],
    [
      'keys of kinds that are not supported',
      { age: [], pgp: [{ fp: 'x' }], gcp_kms: [{}] },
      KEYS,
      'not supported: pgp, gcp_kms',
    ],
    ['no recipient', { age: [] }, KEYS, 'encrypted for nobody'],
    ['several groups', { age: [], key_groups: [{ age: bothAge }, { age: bothAge }] }, KEYS, 'Shamir'],
    ['KMS that is not asked', { age: [], kms: [kms] }, KEYS, 'not asked'],
    [
      'an odd ARN',
      { age: [], kms: [{ ...kms, arn: 'arn:aws:kms:x@evil:1:key/x' }] },
      { ageIdentities: [], decryptDataKey: () => Promise.resolve(DATA_KEY) },
      'not the ARN',
    ],
    [
      'a refusal of KMS',
      { age: [], kms: [kms] },
      { ageIdentities: [], decryptDataKey: () => Promise.reject(new TypeError('canary')) },
      '(TypeError)',
    ],
    [
      'a data key that is too short',
      { age: [{ recipient: RECIPIENT, enc: SHORT_KEY_FOR_RECIPIENT }] },
      KEYS,
      '16 bytes',
    ],
    [
      'a broken age file',
      { age: [{ recipient: RECIPIENT, enc: DATA_KEY_FOR_RECIPIENT.replace('YWdl', 'YWdm') }] },
      KEYS,
      'no key opens it',
    ],
  ] as const)('rejects %s', async (_what, metadata, keys, expected) => {
    const failing = decrypt(yamlFile(body, { metadata }), 'yaml', keys);

    await expect(failing).rejects.toMatchObject({
      code: 'render-failed',
      message: expect.stringContaining(expected),
    });
    await expect(failing).rejects.not.toThrow('canary');
  });

  it('rejects values under another data key', async () => {
    const text = yamlFile(body, { key: new Uint8Array(32) });

    await expect(decrypt(text)).rejects.toThrow('a: does not decrypt');
  });
});

describe('tampering is refused', () => {
  const a = aSecret();
  const [user = '', password = ''] = [...a.matchAll(/ENC\[[^\]]+\]/g)].map(([value]) => value);

  it.each([
    ['a changed value', a.replace(user.slice(24, 28), 'AAAA'), 'stringData.user: does not decrypt'],
    ['a value of another key', a.replace(password, user), 'stringData.password: does not decrypt'],
    [
      'two values exchanged',
      a.replace(user, 'X').replace(password, user).replace(': X', `: ${password}`),
      'does not decrypt',
    ],
    ['a renamed key', a.replace('password:', 'passwort:'), 'stringData.passwort: does not decrypt'],
    ['a key moved under another', a.replace('stringData:', 'data:'), 'data.user: does not decrypt'],
    ['a value that was put in plain', a.replace(user, 'eve'), 'stringData.user: should be encrypted'],
    [
      'a number in place of a value',
      a.replace(user, '7'),
      'stringData.user: should be encrypted, and is not',
    ],
    ['a value that was emptied', a.replace(user, '""'), 'MAC'],
    ['a value that became null', a.replace(user, 'null'), 'MAC'],
    ['a removed key', a.replace(/ {2}user: .*\n/, ''), 'MAC'],
    ['a plain value changed', a.replace('name: db', 'name: eve'), 'MAC'],
    ['a plain value added', a.replace('kind:', 'x: y\nkind:'), 'MAC'],
    ['keys in another order', a.replace(/(apiVersion: v1\n)(kind: Secret\n)/, '$2$1'), 'MAC'],
    ['encrypted keys in another order', a.replace(/( {2}user: .*\n)( {2}password: .*\n)/, '$2$1'), 'MAC'],
    ['documents added', `${a}---\nkind: Eve\n`, 'MAC'],
    [
      'the MAC of another file',
      a.replace(
        /"mac":"[^"]+"/,
        /"mac":"[^"]+"/.exec(yamlFile((s) => `a: ${s.enc('a:', 'x')}\n`))?.[0] ?? '',
      ),
      'MAC',
    ],
    [
      'a MAC of one byte less',
      a.replace(/"mac":"[^"]+"/, `"mac":"${seal('AB', '2026-11-01T12:00:00Z')}"`),
      'MAC',
    ],
    ['a value as the MAC', a.replace(/"mac":"[^"]+"/, `"mac":"${user}"`), 'sops.mac: does not decrypt'],
    ['a changed time', a.replace('2026-11-01', '2026-11-02'), 'sops.mac: does not decrypt'],
    ['no MAC', a.replace(/"mac":"[^"]+",/, ''), 'sops.mac'],
    ['a plain MAC', a.replace(/"mac":"[^"]+"/, '"mac":"00"'), 'sops.mac: should be encrypted'],
    ['no metadata', a.replace(/^sops: .*$/m, ''), 'no metadata'],
    ['a rule that lets more be plain', a.replace('^(data|stringData)$', '^data$'), 'MAC'],
    ['another kind of MAC', a.replace('"version"', '"mac_only_encrypted":true,"version"'), 'MAC'],
    ['another type', a.replace(/(stringData:\n.*),type:str/, '$1,type:int'), 'is none'],
    ['an unknown type', a.replace(/(stringData:\n.*),type:str/, '$1,type:xml'), 'not known'],
    ['a shorter tag', a.replace(/(stringData:\n.*tag:)[^,]+/, '$1AAAA'), 'a tag of 16'],
    ['broken base64', a.replace(/(stringData:\n.*data:)([^,]+)/, '$1$2='), 'broken base64'],
    ['something behind a value', a.replace(user, `${user}x`), 'should be encrypted'],
  ])('%s', async (_what, text, expected) => {
    expect(text).not.toBe(a);
    const failing = decrypt(text);

    await expect(failing).rejects.toMatchObject({ code: 'render-failed' });
    await expect(failing).rejects.toThrow(expected);
    await expect(failing).rejects.not.toThrow(/canary|admin/);
  });

  it('in any single character: nothing else than the original ever comes out', async () => {
    const original = await valuesOf(a);
    const names = ['user', 'password'];
    await fc.assert(
      fc.asyncProperty(fc.nat(a.length - 1), fc.constantFrom(...'Ab1/+=:,"\n x'), async (at, character) => {
        const changed = a.slice(0, at) + character + a.slice(at + 1);
        const outcome = await valuesOf(changed).catch(() => undefined);
        if (outcome === undefined) return;
        const [object] = outcome as readonly { stringData?: Record<string, unknown> }[];
        // A plain key may be renamed: SOPS authenticates keys of encrypted values only.
        for (const name of names) {
          expect(object?.stringData?.[name]).toBe(
            (original as readonly { stringData: Record<string, unknown> }[])[0]?.stringData[name],
          );
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('malformed files are refused', () => {
  const ok = yamlFile((s) => `a: ${s.enc('a:', 'x')}\n`);

  it.each([
    ['YAML that is none', 'yaml', 'a: [', 'not valid YAML'],
    ['deep nesting', 'yaml', '['.repeat(5_000), 'not valid YAML'],
    ['duplicate keys', 'yaml', `${ok}a: canary\n`, 'not valid YAML'],
    ['an alias', 'yaml', ok.replace('sops:', 'b: *x\nsops:'), 'aliases'],
    ['an anchor', 'yaml', ok.replace('a: ', 'a: &x '), 'anchors'],
    ['a tag', 'yaml', ok.replace('a: ', 'a: !!int '), 'tags'],
    ['a merge', 'yaml', ok.replace('sops:', '<<: {b: c}\nsops:'), 'merge'],
    ['a key that is a number', 'yaml', ok.replace('a: ', '1: '), 'a key that is no text'],
    ['a key that is a list', 'yaml', ok.replace('sops:', '? [a]\n: b\nsops:'), 'a key that is no text'],
    ['a list at the top', 'yaml', '- a\n', 'no mapping'],
    [
      'an integer beyond 64 bits',
      'yaml',
      ok.replace('a: ', 'b_unencrypted: 99999999999999999999\na: '),
      'put it in quotes',
    ],
    ['nothing', 'yaml', '', 'empty file'],
    ['JSON that is none', 'json', '{"a": canary}', 'not valid JSON'],
    ['a JSON list', 'json', '[]', 'expected an object'],
    ['a JSON key twice', 'json', '{"a": 1, "a": 2}', 'twice'],
    ['JSON without metadata', 'json', '{"a": 1}', 'no metadata'],
    ['deep JSON', 'json', `${'['.repeat(300)}${']'.repeat(300)}`, 'nested'],
    ['deeper JSON', 'json', `{"a":${'['.repeat(300)}${']'.repeat(300)}}`, 'nested'],
    ['a binary file with more', 'binary', '{"data": "x", "more": "y", "sops": {}}', 'nothing else'],
    ['a dotenv line without a name', 'dotenv', 'canary', 'line 1'],
    ['a dotenv name twice', 'dotenv', 'A=1\nA=2', 'line 2'],
    ['a dotenv list of any length', 'dotenv', 'sops_age__list_999999999__map_enc=x', 'broken metadata'],
    [
      'dotenv metadata that is a text and a mapping',
      'dotenv',
      'sops_age=x\nsops_age__map_b=y',
      'broken metadata',
    ],
    ['a prototype in dotenv metadata', 'dotenv', 'sops___proto____map_x=y', 'sops'],
    [
      'two rules',
      'yaml',
      ok.replace('"version"', '"encrypted_suffix":"a","encrypted_regex":"b","version"'),
      'at most one of',
    ],
    [
      'a rule by comment',
      'yaml',
      ok.replace('"version"', '"encrypted_comment_regex":"a","version"'),
      'by comment',
    ],
    [
      'a time that is none',
      'yaml',
      ok.replace(/"lastmodified":"[^"]+"/, '"lastmodified":"today"'),
      'expected a time',
    ],
  ] as const)('%s', async (_what, format, text, expected) => {
    const failing = decrypt(text, format);

    await expect(failing).rejects.toMatchObject({ code: 'render-failed' });
    await expect(failing).rejects.toThrow(expected);
    await expect(failing).rejects.not.toThrow('canary');
  });

  it('bytes that are no text', async () => {
    await expect(decryptSops(Uint8Array.of(0xff, 0xfe), 'yaml', KEYS)).rejects.toThrow('not UTF-8');
  });
});

describe('any file', () => {
  it('comes back as it was, value by value', async () => {
    const key = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
      .filter((k) => !/^(?:sops|__proto__)$|_unencrypted$/.test(k));
    const tree = fc.dictionary(
      key,
      fc.oneof(
        fc.string({ unit: 'grapheme' }),
        fc.dictionary(key, fc.string({ unit: 'grapheme' }), { maxKeys: 3 }),
      ),
      { minKeys: 1, maxKeys: 5 },
    );
    await fc.assert(
      fc.asyncProperty(tree, async (value) => {
        const text = jsonFile((s) => {
          const write = (node: unknown, path: string): string =>
            typeof node === 'string'
              ? JSON.stringify(node === '' ? '' : s.enc(path, node))
              : `{${Object.entries(node as object)
                  .map(([k, inner]) => `${JSON.stringify(k)}: ${write(inner, `${path}${k}:`)}`)
                  .join(',')}}`;
          return write(value, '').slice(1, -1);
        });

        expect(JSON.parse(await decrypt(text, 'json'))).toEqual(JSON.parse(JSON.stringify(value)));
        expect(await valuesOf(text)).toEqual([JSON.parse(JSON.stringify(value))]);
      }),
      { numRuns: 80 },
    );
  });
});
