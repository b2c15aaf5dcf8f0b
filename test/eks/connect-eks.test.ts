import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createConnector } from '../../lib/cluster/create-connector.ts';
import { createEksTokenSource } from '../../lib/cluster/eks-token-source.ts';
import type { EksCluster } from '../../lib/model/cluster.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import { identify, type Identity } from './sts-stand-in.ts';

const PROD = 'prod' as ClusterName;
const MINUTE = 60_000;
const OWN = { accessKeyId: 'AKIAOWN', secretAccessKey: 'own-secret-key', arn: 'own' };

/** An API server that takes what `identify` takes, and a connector that signs for it; both on one clock. */
async function aWorld(changes: Partial<EksCluster['authentication']> = {}) {
  const world = {
    now: Date.parse('2026-11-22T12:00:00Z'),
    seen: [] as Identity[],
    refuse: false,
    cluster: undefined as EksCluster | undefined,
    owned: 0,
  };
  const server = createServer((request: IncomingMessage, response) => {
    const token = (request.headers.authorization ?? '').replace('Bearer ', '');
    const identity = identify(token, {
      clusterName: 'prod-eks',
      region: 'eu-central-1',
      keys: [OWN],
      now: new Date(world.now),
    });
    world.seen.push(identity);
    const accepted = identity.kind === 'caller' && !world.refuse;
    response.writeHead(accepted ? 200 : 401, { 'content-type': 'application/json' });
    response.end(JSON.stringify(accepted ? { gitVersion: 'v1.35.0' } : { kind: 'Status', code: 401 }));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  world.cluster = {
    schema: 2,
    name: PROD,
    labels: {},
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    authentication: {
      kind: 'eks',
      clusterName: 'prod-eks',
      region: 'eu-central-1',
      apply: {},
      read: {},
      ...changes,
    },
  };
  const connector = createConnector({
    clusters: () => Promise.resolve(world.cluster),
    secrets: { get: () => Promise.reject(new Error('an EKS cluster has no secret')) },
    eksTokens: createEksTokenSource({
      sts: {
        own: async () => {
          world.owned += 1;
          return OWN;
        },
        assumeRole: () => Promise.reject(Object.assign(new Error('denied'), { name: 'AccessDenied' })),
      },
      now: () => world.now,
    }),
  });
  const close = async (): Promise<void> => {
    await connector.close();
    await new Promise((done) => server.close(done));
  };
  return { world, connector, close };
}

describe('a connection to an EKS cluster', () => {
  it('lives longer than a token: every request carries one that is good', async () => {
    const { world, connector, close } = await aWorld();
    const kube = await connector.connect(PROD, 'apply');

    for (let i = 0; i < 10; i += 1) {
      expect(await kube.serverVersion()).toBe('v1.35.0');
      world.now += 7 * MINUTE;
    }

    expect(world.seen.map(({ kind }) => kind)).toEqual(Array.from({ length: 10 }, () => 'caller'));
    expect(await connector.connect(PROD, 'apply')).toBe(kube);
    await close();
  });

  it('signs anew once when a token is refused', async () => {
    const { world, connector, close } = await aWorld();
    const kube = await connector.connect(PROD, 'apply');
    await kube.serverVersion();
    world.now += MINUTE;
    world.refuse = true;

    await expect(kube.serverVersion()).rejects.toMatchObject({ code: 'kube-unauthorized' });
    // The refused one, and one more.
    expect(world.seen).toHaveLength(3);
    await expect(kube.serverVersion()).rejects.toMatchObject({ code: 'kube-unauthorized' });

    expect(world.seen).toHaveLength(4);
    expect(world.owned).toBe(2);
    await close();
  });

  it('opens anew when the registration names another role', async () => {
    const { world, connector, close } = await aWorld();
    const before = await connector.connect(PROD, 'read');
    const cluster = world.cluster as EksCluster;
    world.cluster = {
      ...cluster,
      authentication: {
        ...cluster.authentication,
        read: { roleArn: 'arn:aws:iam::444455556666:role/holdfast' },
      },
    };

    await expect(connector.connect(PROD, 'read')).rejects.toMatchObject({
      code: 'kube-unauthorized',
      message: expect.stringContaining('could not be assumed'),
    });
    world.cluster = cluster;

    expect(await connector.connect(PROD, 'read')).not.toBe(before);
    await close();
  });

  it('refuses where nothing signs', async () => {
    const { world, close } = await aWorld();
    const connector = createConnector({
      clusters: () => Promise.resolve(world.cluster),
      secrets: { get: () => Promise.resolve('{"token":"x"}') },
    });

    await expect(connector.connect(PROD, 'apply')).rejects.toMatchObject({ code: 'invalid-input' });
    await close();
  });
});
