import fc from 'fast-check';

import { HoldfastError } from '../../lib/model/errors.ts';
import { DEFAULT_RENDER_LIMITS } from '../../lib/render/limits.ts';
import { parseManifests } from '../../lib/render/parse-manifests.ts';
import { rendersToCompare, withOtherDice } from '../../lib/render/helm-dice.ts';
import { parseSetPath } from '../../lib/render/helm-set-path.ts';
import { decryptSops, type SopsFormat } from '../../lib/render/sops/decrypt-sops.ts';
import { ExpansionLimit, expandTemplate } from '../../lib/render/substitute/expand-template.ts';
import { parseTemplate, TemplateFault } from '../../lib/render/substitute/parse-template.ts';
import { sha256 } from '../../lib/model/ids.ts';
import { packArtefact, unpackArtefact } from '../../lib/source/artefact.ts';
import { compileGlob } from '../../lib/source/glob.ts';
import { decidingPattern, parseIgnoreFile } from '../../lib/source/ignore-patterns.ts';
import { parseRemoteBase } from '../../lib/source/remote-base-url.ts';
import { isRemote, resolveInRepository } from '../../lib/source/repository-path.ts';
import { IDENTITY } from './sops/age-vectors.ts';
import { dotenvFile, jsonFile, yamlFile } from './sops/build-sops.ts';
import { configMap } from './rendering.ts';

/** In CI there is no time for more; a failure prints its seed. */
const BUDGET = { numRuns: 500, interruptAfterTimeLimit: 1_000, markInterruptAsFailure: false } as const;

const made = (tokens: readonly string[], maxLength = 40) =>
  fc
    .array(
      fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...tokens) }, { weight: 1, arbitrary: fc.string() }),
      {
        maxLength,
      },
    )
    .map((parts) => parts.join(''));

/** The same bytes with some of them changed, and cut or not. */
const mutated = (bytes: Uint8Array) =>
  fc
    .record({
      changes: fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 8 }),
      length: fc.option(fc.nat(bytes.length), { nil: bytes.length, freq: 3 }),
    })
    .map(({ changes, length }) => {
      const copy = Buffer.from(bytes);
      for (const [at, value] of changes) copy[at] = value;
      return copy.subarray(0, length);
    });

function ours<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}

const SECRET = 'secret-text-of-a-field';

describe('whatever the text', () => {
  it('manifests are objects or faults, and no fault quotes a value', () => {
    const tokens = [
      'apiVersion: v1\n',
      'kind: Secret\n',
      'kind: List\n',
      'items:\n',
      '- ',
      'metadata: {name: a}\n',
      'metadata:\n',
      `  password: ${SECRET}\n`,
      `"${SECRET}`,
      `'${SECRET}'`,
      '---\n',
      '...\n',
      '&a ',
      '*a ',
      '<<: ',
      '!!binary ',
      '!x ',
      '{',
      '}',
      '[',
      ']',
      ': ',
      '\n',
      '  ',
      '? ',
      '|\n',
      '\t',
    ];
    fc.assert(
      fc.property(made(tokens), (text) => {
        const { manifests, faults } = parseManifests(
          text,
          ({ line }) => ({ file: 'f', line }),
          DEFAULT_RENDER_LIMITS,
        );

        for (const { object } of manifests) expect(typeof object.kind).toBe('string');
        // A key may be quoted: it says where to look. So no key is made of the secret here.
        const isKey = new RegExp(`${SECRET}['"]?\\s*:|\\?`).test(text);
        if (!isKey) expect(JSON.stringify(faults)).not.toContain(SECRET);
      }),
      BUDGET,
    );
  });

  it('a template ends with a text, or with a fault', () => {
    const tokens = [
      '${',
      '}',
      '$',
      '$$',
      'A',
      'B',
      ':-',
      ':=',
      '#',
      '##',
      '%',
      '%%',
      '/',
      '//',
      ':',
      ',',
      '^^',
      '*',
      '?',
      '[a',
      '\\',
      '0',
      '1',
    ];
    const variables = new Map([
      ['A', 'aaa'],
      ['B', 'b${A}*'],
    ]);
    fc.assert(
      fc.property(made(tokens), (text) => {
        try {
          expect(typeof expandTemplate(parseTemplate(text), variables, 10_000).text).toBe('string');
        } catch (error) {
          if (!(error instanceof TemplateFault) && !(error instanceof ExpansionLimit)) throw error;
        }
      }),
      BUDGET,
    );
  });

  it('a glob or an ignore file matches or does not', () => {
    const tokens = [
      '*',
      '**',
      '/',
      '?',
      '[',
      ']',
      '[!',
      '[^',
      '-',
      '[:alpha:]',
      '[:',
      'a',
      'b',
      '\\',
      '!',
      '#',
      ' ',
      '\n',
      '\r\n',
      '.',
      '{',
      ',',
      '}',
    ];
    const path = fc
      .array(fc.constantFrom('a', 'b', 'ab', '.a'), { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join('/'));
    fc.assert(
      fc.property(made(tokens), path, (text, file) => {
        const effort = { steps: 0, mostSteps: 1_000_000 };

        for (const doubleStar of ['star', 'all'] as const) {
          const matched = compileGlob(text, doubleStar)?.match(file, effort).itself;
          expect(['boolean', 'undefined']).toContain(typeof matched);
        }
        decidingPattern(parseIgnoreFile('.sourceignore', text), file, false, effort);

        expect(effort.steps).toBeLessThan(1_000_000);
      }),
      BUDGET,
    );
  });

  it('a path stays in the repository', () => {
    const tokens = [
      '..',
      '.',
      '/',
      '//',
      'a',
      '\\',
      '\0',
      ':',
      '@',
      'github.com/',
      'https://',
      'file:',
      'git::',
      '?ref=',
      '%2e%2e',
      ' ',
      '~',
    ];
    fc.assert(
      fc.property(made(tokens, 12), (text) => {
        const path = ours(() => resolveInRepository('app/kustomization.yaml', 'resources[0]', text));

        if (path === undefined) return;
        expect(isRemote(text)).toBe(false);
        expect(path).not.toMatch(/^\/|^\.\.(?:\/|$)|\/\.\.(?:\/|$)|\0|\\/);
      }),
      BUDGET,
    );
  });

  it('an address of a base is one over http, or none', () => {
    const tokens = [
      'https://',
      'http://',
      'git::',
      'github.com',
      'h.test',
      '/',
      '//',
      'org',
      'repo',
      '.git',
      '_git/',
      '..',
      '?',
      'ref=',
      'v1',
      '&',
      '@',
      ':',
      '#',
      '%00',
      '--upload-pack=x',
      '[::1]',
      ' ',
    ];
    fc.assert(
      fc.property(made(tokens, 14), (text) => {
        const parsed = parseRemoteBase(text);

        if (!parsed.ok) return expect(parsed.why).not.toBe('');
        const url = new URL(parsed.base.url);
        expect(url.protocol).toMatch(/^https?:$/);
        expect([url.username, url.password, url.search, url.hash]).toEqual(['', '', '', '']);
        expect(parsed.base.path).not.toMatch(/^\/|^\.\.(?:\/|$)/);
        expect(parsed.base.ref ?? 'v1').not.toMatch(/^-|\.\./);
      }),
      BUDGET,
    );
  });

  it('paths of values and dice are read or not', () => {
    const tokens = [
      '1',
      '.',
      '2',
      'x',
      '*',
      '^',
      '~',
      '>=',
      '<',
      '||',
      ',',
      ' - ',
      ' ',
      '-rc.1',
      '+b',
      'v',
      '[',
      ']',
      '0',
      '\\.',
      '{{',
      '}}',
      'randAlphaNum',
      'now',
      '"',
      '`',
      '/*',
      '*/',
    ];
    fc.assert(
      fc.property(made(tokens), (text) => {
        parseSetPath(text);
        rendersToCompare(text);

        expect(withOtherDice(withOtherDice(text))).toBe(withOtherDice(text));
      }),
      BUDGET,
    );
  });
});

describe('whatever was changed', () => {
  it('in an artefact, it is refused', async () => {
    const closure = {
      entries: [
        { path: 'app/a.yaml', type: 'blob' as const, oid: 'a' },
        { path: 'app/b.yaml', type: 'blob' as const, oid: 'b' },
      ],
      readBlob: async (oid: string) => Buffer.from(configMap(oid)),
    };
    const { digest, bytes } = await packArtefact(closure);
    fc.assert(
      fc.property(mutated(bytes), (changed) => {
        const same = Buffer.compare(changed, bytes) === 0;
        expect(ours(() => unpackArtefact(digest, changed)) === undefined).toBe(!same);
        // Even if somebody made the digest fit.
        const taken = ours(() => unpackArtefact(sha256(changed), changed));
        for (const path of taken?.paths ?? [])
          expect(path).not.toMatch(/^\/|(?:^|\/)\.\.?(?:\/|$)|\/\/|\\|\0/);
      }),
      BUDGET,
    );
  });

  it.each<readonly [SopsFormat, string]>([
    [
      'yaml',
      yamlFile(
        (s) => `a: ${s.enc('a:', SECRET)}\nb:\n- ${s.enc('b:', 'more')}\nc_unencrypted: ${s.plain('open')}\n`,
      ),
    ],
    ['json', jsonFile((s) => `"a": "${s.enc('a:', SECRET)}"`)],
    ['dotenv', dotenvFile((s) => `A=${s.enc('A:', SECRET)}\n`)],
    ['binary', jsonFile((s) => `"data": "${s.enc('data:', SECRET)}"`)],
  ])('in an encrypted file (%s), it gives the same secrets, or nothing', async (format, text) => {
    const original = (await decryptSops(Buffer.from(text), format, { ageIdentities: [IDENTITY] })).toString();
    const cheap = { ...BUDGET, numRuns: 150 };
    await fc.assert(
      fc.asyncProperty(mutated(Buffer.from(text)), async (changed) => {
        const told: string[] = [];
        const plain = await decryptSops(changed, format, { ageIdentities: [IDENTITY] }, (secret) =>
          told.push(secret),
        ).catch((error: unknown) => {
          if (error instanceof HoldfastError) return error;
          throw error;
        });

        if (plain instanceof HoldfastError) return expect(plain.message).not.toContain(SECRET);
        expect(original).not.toBe('');
        expect(told).toContain(SECRET);
      }),
      cheap,
    );
  });
});
