import { IDENTITY } from '../render/sops/age-vectors.ts';
import { yamlFile } from '../render/sops/build-sops.ts';
import { definition } from '../support/reconcile-world.ts';
import { CANARIES, secretWorld } from './secret-world.ts';

type World = Awaited<ReturnType<typeof secretWorld>>;

const rolesOf = (asked: readonly string[]) => [...new Set(asked.map((id) => id.split('/')[0]))].sort();

function files(greeting: string): Record<string, string> {
  return {
    'clusters/web.yaml': definition('web', {
      path: 'apps/web',
      clusters: ['sandbox', 'echo'],
      namespace: 'default',
      drift: 'report',
    }),
    'apps/web/secret.yaml': JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'web' },
      stringData: { greeting, password: CANARIES.manifest },
    }),
  };
}

describe('functions and their secrets', () => {
  let world: World;

  beforeEach(async () => {
    world = await secretWorld();
  }, 30_000);
  afterEach(() => world.close(), 30_000);

  it('each asks for secrets of its own roles only, and for unknown sources none asks at all', async () => {
    const { asked } = world;

    await world.deliver(CANARIES.webhook, 'unknown');
    expect(asked.webhook).toEqual([]);
    expect(await world.deliver(CANARIES.webhook)).toEqual({ kind: 'accepted' });
    expect(rolesOf(asked.webhook)).toEqual(['webhook']);

    await world.workTree.push('first', files('hello'));
    await world.lookAtSource();
    await world.sweep();
    expect(rolesOf(asked.reconcile)).toEqual(['git']);
    asked.reconcile.length = 0;

    await world.runTargets();
    expect(rolesOf(asked.reconcile)).toEqual(['cluster-apply', 'hash-key']);

    await world.scan();
    expect(rolesOf(asked['drift-scan'])).toEqual(['cluster-read', 'hash-key']);
    expect(rolesOf(asked.webhook)).toEqual(['webhook']);
  }, 60_000);

  it('ask for keys and values where they are rendered with, and for their versions where they are watched', async () => {
    const { asked, secrets } = world;
    await secrets.put('decryption', 'sops', IDENTITY);
    await secrets.put('values', 'web', JSON.stringify({ GREETING: 'hello' }));
    await world.workTree.push('first', {
      'clusters/web.yaml': definition('web', {
        path: 'apps/web',
        clusters: ['sandbox'],
        namespace: 'default',
        decryption: { age: 'sops' },
        substitute: { from: [{ kind: 'SecretsManager', name: 'web' }] },
      }),
      'apps/web/secret.yaml': yamlFile(
        (s) =>
          `apiVersion: ${s.plain('v1')}\nkind: ${s.plain('Secret')}\nmetadata:\n  name: ${s.plain('web')}\nstringData:\n  greeting: ${s.plain('${GREETING}')}\n  password: ${s.enc('stringData:password:', CANARIES.manifest)}\n`,
        { metadata: { encrypted_regex: '^password$' } },
      ),
    });

    await world.lookAtSource();
    expect(rolesOf(asked.reconcile)).toEqual(['git']);
    asked.reconcile.length = 0;
    await world.runTargets();
    expect(rolesOf(asked.reconcile)).toEqual(['cluster-apply', 'decryption', 'hash-key', 'values']);
    await world.scan();
    expect(rolesOf(asked['drift-scan'])).toEqual([
      'cluster-read',
      'describe:decryption',
      'describe:values',
      'hash-key',
    ]);

    const log = world.lines.join('');
    expect(log).toContain('run finished');
    for (const secret of [IDENTITY, CANARIES.manifest]) expect(log).not.toContain(secret);
  }, 60_000);

  it('ask once while a value is cached, and once more when it is refused', async () => {
    const { asked } = world;
    for (let i = 0; i < 3; i += 1) await world.deliver(CANARIES.webhook);
    expect(asked.webhook).toHaveLength(1);
    for (let i = 0; i < 3; i += 1) await world.deliver('not the secret');
    expect(asked.webhook).toHaveLength(2);

    await world.workTree.push('first', files('hello'));
    for (let i = 0; i < 3; i += 1) await world.lookAtSource();
    expect(asked.reconcile).toHaveLength(1);
    world.accounts['deployer'] = 'changed on the server';
    await world.lookAtSource();
    expect(asked.reconcile).toHaveLength(2);
  }, 60_000);

  it('never log a secret, through successes and failures of every kind', async () => {
    await world.workTree.push('first', files('hello'));
    await world.deliver(CANARIES.webhook);
    await world.deliver('not the secret');
    await world.lookAtSource();
    await world.runTargets();
    await world.scan();
    await world.workTree.push('second', {
      ...files('bye'),
      'apps/web/broken.yaml': `password: ${CANARIES.manifest}\n- [`,
    });
    await world.lookAtSource();
    await world.runTargets();
    world.accounts['deployer'] = 'changed on the server';
    await world.workTree.push('third', files('again'));
    await world.lookAtSource();
    await world.sweep();
    await world.scan();

    const text = world.lines.join('');
    const messages = world.lines.map((line) => (JSON.parse(line) as { readonly message: string }).message);
    // It has been through what it is about.
    for (const message of [
      'source woken',
      'delivery with a wrong signature refused',
      'source looked at',
      'source stage failed',
      'run failed',
      'run finished',
      'cluster scanned',
      'cluster not scanned',
      'swept',
    ]) {
      expect(messages).toContain(message);
    }
    for (const canary of Object.values(CANARIES)) {
      expect(text).not.toContain(canary);
      expect(text).not.toContain(encodeURIComponent(canary));
      for (const before of ['', 'deployer:', 'Bearer ', 'a', 'ab']) {
        const encoded = Buffer.from(before + canary)
          .toString('base64')
          .replace(/=+$/, '')
          .slice(0, -2);
        expect(text).not.toContain(encoded);
      }
    }
  }, 90_000);
});
