import { importKubeconfig } from '../../lib/cluster/import-kubeconfig.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
const ENCODED = Buffer.from(PEM).toString('base64');

function aConfig(parts: { readonly cluster?: unknown; readonly user?: unknown } = {}): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'prod', cluster: parts.cluster ?? { server: 'https://k8s.example.com:6443' } }],
    users: [{ name: 'deployer', user: parts.user ?? { token: 'secret-token' } }],
    contexts: [{ name: 'prod-ctx', context: { cluster: 'prod', user: 'deployer' } }],
    'current-context': 'prod-ctx',
  });
}

describe('importing a kubeconfig', () => {
  it('takes the server, the CA and the token of the current context', () => {
    const cluster = {
      server: 'https://k8s.example.com:6443/',
      'certificate-authority-data': ENCODED,
      'insecure-skip-tls-verify': false,
    };

    expect(importKubeconfig(aConfig({ cluster }))).toEqual({
      context: 'prod-ctx',
      endpoint: 'https://k8s.example.com:6443',
      caData: PEM,
      credential: { token: 'secret-token' },
    });
  });

  it('takes a client certificate', () => {
    const user = { 'client-certificate-data': ENCODED, 'client-key-data': ENCODED };

    expect(importKubeconfig(aConfig({ user })).credential).toEqual({
      clientCertificate: PEM,
      clientKey: PEM,
    });
  });

  it.each([
    ['exec', { exec: { command: 'touch' } }, /"exec" runs a program .* ServiceAccount/],
    ['auth-provider', { 'auth-provider': { name: 'gcp' } }, /"auth-provider" needs a plugin/],
    ['tokenFile', { tokenFile: '/var/run/token' }, /"tokenFile" points at a file/],
    ['token-file', { 'token-file': '/etc/passwd' }, /"token-file" points at a file/],
    ['client-certificate', { 'client-certificate': 'a.crt' }, /client-certificate-data.*--flatten/],
    ['client-key', { 'client-key': 'a.key' }, /client-key-data/],
    ['username', { username: 'admin', password: 'hunter2' }, /basic authentication/],
    ['as', { token: 'secret-token', as: 'root' }, /impersonates/],
    ['an unknown field', { token: 'secret-token', newThing: 1 }, /"newThing" is not known/],
    ['half a client certificate', { 'client-key-data': ENCODED }, /belong together/],
    ['a key that is no PEM', { 'client-key-data': 'bm8=', 'client-certificate-data': ENCODED }, /PEM/],
    ['a token in two lines', { token: 'secret-token\nX-Evil: 1' }, /"token" holds characters/],
    ['nothing', {}, /neither a token nor a client certificate/],
  ])('refuses a user with %s and names it', (_, user, message) => {
    const importing = () => importKubeconfig(aConfig({ user }));

    expect(importing).toThrow(message);
    expect(importing).toThrow(/user "deployer"/);
    expect(importing).not.toThrow(/secret-token|hunter2/);
  });

  it.each([
    ['insecure-skip-tls-verify', true, /turns off the check/],
    ['insecure-skip-tls-verify', 'true', /turns off the check/],
    ['certificate-authority', '/ca.crt', /points at a file/],
    ['proxy-url', 'http://proxy', /through a proxy/],
    ['tls-server-name', 'other', /is not supported/],
  ])('refuses a cluster with %s: %j', (field, value, message) => {
    const cluster = { server: 'https://k8s.example.com', [field]: value };

    expect(() => importKubeconfig(aConfig({ cluster }))).toThrow(message);
  });

  it('refuses plain http, and takes it on loopback only when asked to', () => {
    const at = (server: string, allowLoopbackHttp = false) =>
      importKubeconfig(aConfig({ cluster: { server } }), { allowLoopbackHttp });

    expect(() => at('http://k8s.example.com')).toThrow(/http/);
    expect(() => at('http://k8s.example.com', true)).toThrow(/http/);
    expect(() => at('http://127.0.0.1:8001')).toThrow(/plain http/);
    expect(at('http://127.0.0.1:8001', true).endpoint).toBe('http://127.0.0.1:8001');
    expect(() => at('https://user:hunter2@k8s.example.com')).toThrow(/user information/);
  });

  it('refuses an unknown context and names those that there are', () => {
    expect(() => importKubeconfig(aConfig(), { context: 'nope' })).toThrow(
      'kubeconfig: has no context "nope": its contexts are "prod-ctx"',
    );
  });

  it('refuses what is not a kubeconfig, without quoting it', () => {
    expect(() => importKubeconfig('token: hunter2\n  bad: [')).toThrow(/not valid YAML/);
    expect(() => importKubeconfig('token: hunter2\n  bad: [')).not.toThrow(/hunter2/);
    expect(() => importKubeconfig('just text')).toThrow(/not a mapping/);
    expect(() => importKubeconfig('')).toThrow(/not a mapping/);
    expect(() => importKubeconfig('a: 1')).toThrow(/current-context/);
    expect(() => importKubeconfig(`a: ${'x'.repeat(2_000_000)}`)).toThrow(/larger than/);
  });

  it('refuses two entries of one name', () => {
    const config = JSON.parse(aConfig());
    config.users.push({ name: 'deployer', user: { token: 'other' } });

    expect(() => importKubeconfig(JSON.stringify(config))).toThrow(/2 times/);
  });

  it('refuses a bomb of aliases', () => {
    const levels = Array.from({ length: 30 }, (_, i) =>
      i === 0 ? '- &a0 [x]' : `- &a${i} [*a${i - 1},*a${i - 1},*a${i - 1},*a${i - 1},*a${i - 1}]`,
    );

    expect(() => importKubeconfig(levels.join('\n'))).toThrow(/aliases/);
  });
});
