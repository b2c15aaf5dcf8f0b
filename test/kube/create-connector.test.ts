import type { ConnectOptions } from '../../lib/cluster/connect-kube.ts';
import { createConnector } from '../../lib/cluster/create-connector.ts';
import type { Cluster, SecretCluster } from '../../lib/model/cluster.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import type { SecretStore } from '../../lib/secrets/secret-store.ts';
import { fakeKube } from './fake-kube.ts';

const PROD = 'prod' as ClusterName;

function aCluster(changes: Partial<SecretCluster> = {}): Cluster {
  return {
    schema: 1,
    name: PROD,
    labels: {},
    endpoint: 'https://k8s.example.com',
    applySecret: 'prod-apply',
    readSecret: 'prod-read',
    ...changes,
  };
}

function aWorld(values: Readonly<Record<string, string>>) {
  const asked: string[] = [];
  const opened: ConnectOptions[] = [];
  const world = {
    asked,
    opened,
    cluster: aCluster() as Cluster | undefined,
    values: { ...values } as Record<string, string>,
  };
  const secrets: SecretStore = {
    get: (role, name, options) => {
      asked.push(`${role}/${name}${options?.fresh === true ? ' fresh' : ''}`);
      const value = world.values[`${role}/${name}`];
      return value === undefined
        ? Promise.reject(new HoldfastError('secret-missing', 'missing'))
        : Promise.resolve(value);
    },
    put: () => Promise.resolve(),
    delete: () => Promise.resolve(),
  };
  const connector = createConnector({
    clusters: () => Promise.resolve(world.cluster),
    secrets,
    connect: (options) => {
      opened.push(options);
      return fakeKube();
    },
  });
  return { ...world, world, connector };
}

const SECRETS = {
  'cluster-apply/prod-apply': '{"token":"apply-token"}',
  'cluster-read/prod-read': '{"token":"read-token"}',
};

describe('opening clusters', () => {
  it('keeps one connection per cluster and role, each with its own credential', async () => {
    const { connector, opened } = aWorld(SECRETS);

    const [first, again, read] = await Promise.all([
      connector.connect(PROD, 'apply'),
      connector.connect(PROD, 'apply'),
      connector.connect(PROD, 'read'),
    ]);

    expect(first).toBe(again);
    expect(read).not.toBe(first);
    expect(opened.map((options) => options.credential)).toEqual([
      { token: 'apply-token' },
      { token: 'read-token' },
    ]);
  });

  it('opens anew when the registration changed', async () => {
    const { connector, opened, world } = aWorld(SECRETS);
    const before = await connector.connect(PROD, 'apply');
    world.cluster = aCluster({ endpoint: 'https://moved.example.com' });

    const after = await connector.connect(PROD, 'apply');

    expect(after).not.toBe(before);
    expect(opened[1]?.endpoint).toBe('https://moved.example.com');
  });

  it('fetches the credential afresh when the cluster refuses it', async () => {
    const { connector, opened, asked, world } = aWorld(SECRETS);
    await connector.connect(PROD, 'read');
    world.values['cluster-read/prod-read'] = '{"token":"rotated"}';

    const renewed = await opened[0]?.renewCredential?.();

    expect(renewed).toEqual({ token: 'rotated' });
    expect(asked).toEqual(['cluster-read/prod-read', 'cluster-read/prod-read fresh']);
  });

  it('rejects an unknown cluster and says how to register it', async () => {
    const { connector, world } = aWorld(SECRETS);
    world.cluster = undefined;

    await expect(connector.connect('prod-eu' as ClusterName, 'apply')).rejects.toMatchObject({
      code: 'unknown-cluster',
      message: expect.stringContaining('unknown cluster "prod-eu": register it with "holdfast cluster add"'),
    });
  });

  it.each([
    'secret-value',
    '{"token":""}',
    '{"token":"a","extra":"secret-value"}',
    '[]',
    '{"clientKey":"k"}',
  ])('rejects %s as a credential, without quoting it', async (value) => {
    const { connector } = aWorld({ 'cluster-apply/prod-apply': value });

    const connecting = connector.connect(PROD, 'apply');

    await expect(connecting).rejects.toMatchObject({ code: 'invalid-input' });
    await expect(connecting).rejects.not.toThrow(/secret-value/);
  });

  it('tries again after a failure', async () => {
    const { connector, world } = aWorld({});

    await expect(connector.connect(PROD, 'apply')).rejects.toMatchObject({ code: 'secret-missing' });
    world.values['cluster-apply/prod-apply'] = '{"token":"apply-token"}';

    await expect(connector.connect(PROD, 'apply')).resolves.toBeDefined();
  });
});
