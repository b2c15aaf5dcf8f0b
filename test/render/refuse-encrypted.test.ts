import { DEFAULT_RENDER_LIMITS } from '../../lib/render/limits.ts';
import { parseManifests } from '../../lib/render/parse-manifests.ts';
import { refuseEncrypted } from '../../lib/render/refuse-encrypted.ts';

const VALUE = 'ENC[AES256_GCM,data:tT==,iv:aa==,tag:bb==,type:str]';

function check(text: string): void {
  const { manifests } = parseManifests(text, ({ line }) => ({ file: 'a.yaml', line }), DEFAULT_RENDER_LIMITS);
  refuseEncrypted(manifests);
}

const aSecret = (body: string, metadata = '{name: s}') =>
  `apiVersion: v1\nkind: Secret\nmetadata: ${metadata}\n${body}\n`;
const encode = (text: string) => Buffer.from(text).toString('base64');
const SOPS = `sops:\n  lastmodified: "2026-01-01T00:00:00Z"\n  mac: ${VALUE}\n`;

describe('refuseEncrypted', () => {
  it.each([
    ['a Secret that SOPS encrypted', aSecret(`stringData: {a: "${VALUE}"}\n${SOPS}`)],
    ['one whose values were left plain', aSecret(`stringData: {a: b}\n${SOPS}`)],
    ['any other object that SOPS encrypted', `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\n${SOPS}`],
    ['an encrypted value whose metadata got lost', aSecret(`stringData: {a: "${VALUE}"}`)],
    ['an encrypted value that was encoded', aSecret(`data: {a: ${encode(VALUE)}}`)],
    ['an encrypted value in place of base64', aSecret(`data: {a: "${VALUE}"}`)],
    ['a YAML file', aSecret(`data: {f: ${encode(`a: ${VALUE}\nsops:\n    mac: ${VALUE}\n`)}}`)],
    ['a JSON file', aSecret(`data: {f: ${encode(`{"sops": {"mac": "${VALUE}"}}`)}}`)],
    ['a dotenv file', aSecret(`data: {f: ${encode(`A=${VALUE}\nsops_mac=${VALUE}\n`)}}`)],
  ])('refuses %s', (_what, text) => {
    expect(() => check(text)).toThrow(/a\.yaml:1: (Secret|ConfigMap) s: .* is encrypted with SOPS/);
  });

  it('names all of them, and quotes nothing', () => {
    const text = `${aSecret(`data: {a: "${VALUE}"}`)}---\n${aSecret(SOPS)}`;

    expect(() => check(text)).toThrow('2 faulty documents');
    expect(() => check(text)).not.toThrow('ENC[');
  });

  it.each([
    ['a Secret', aSecret(`data: {a: ${encode('b')}}\nstringData: {c: "talks about ENC[AES256_GCM in text"}`)],
    [
      'an object with a field sops of its own',
      'apiVersion: x.io/v1\nkind: T\nmetadata: {name: s}\nsops: on\n',
    ],
    ['data that is no mapping', aSecret('data: [1]\nstringData: x')],
    [
      'a file that somebody else decrypts',
      aSecret(
        `data: {f: ${encode(`mac: ${VALUE}`)}}`,
        '{name: s, annotations: {kustomize.toolkit.fluxcd.io/decrypt: Disabled}}',
      ),
    ],
  ])('lets %s pass', (_what, text) => {
    expect(() => check(text)).not.toThrow();
  });
});
