import { createEksTokenSource, type EksAccess } from '../../lib/cluster/eks-token-source.ts';
import type { AssumeRoleInput, Sts } from '../../lib/cluster/eks-sts.ts';
import type { AwsCredentials } from '../../lib/cluster/eks-token.ts';
import { identify } from './sts-stand-in.ts';

const START = Date.parse('2026-11-22T12:00:00Z');
const MINUTE = 60_000;
const OWN = { accessKeyId: 'AKIAOWN', secretAccessKey: 'own-secret-key', arn: 'own' };
const ACCESS: EksAccess = { cluster: 'prod', role: 'apply', clusterName: 'prod-eks', region: 'eu-central-1' };
const ASSUMED: EksAccess = {
  ...ACCESS,
  roleArn: 'arn:aws:iam::444455556666:role/holdfast',
  externalId: 'tenant-7',
};

/** STS that hands out a new key with each assumed role, good for an hour. */
function aWorld() {
  const world = {
    now: START,
    assumed: [] as AssumeRoleInput[],
    owned: 0,
    revealed: [] as string[],
    fail: undefined as Error | undefined,
    own: OWN as AwsCredentials,
  };
  const sts: Sts = {
    async own() {
      world.owned += 1;
      if (world.fail !== undefined) throw world.fail;
      return world.own;
    },
    async assumeRole(input) {
      if (world.fail !== undefined) throw world.fail;
      world.assumed.push(input);
      return {
        accessKeyId: `ASIA${world.assumed.length}`,
        secretAccessKey: `assumed-secret-${world.assumed.length}`,
        sessionToken: `session-${world.assumed.length}`,
        expiration: new Date(world.now + 60 * MINUTE),
      };
    },
  };
  const tokens = createEksTokenSource({
    sts,
    now: () => world.now,
    onSecret: (value) => world.revealed.push(value),
  });
  const callerOf = (token: string, at = world.now) => {
    const assumed = world.assumed.map((_, index) => ({
      accessKeyId: `ASIA${index + 1}`,
      secretAccessKey: `assumed-secret-${index + 1}`,
      sessionToken: `session-${index + 1}`,
      arn: `assumed ${index + 1}`,
    }));
    return identify(token, {
      clusterName: 'prod-eks',
      region: 'eu-central-1',
      keys: [OWN, ...assumed],
      now: new Date(at),
    });
  };
  return { world, tokens, callerOf };
}

describe('the tokens of a process', () => {
  it('are kept while they last, and signed anew before they end', async () => {
    const { world, tokens, callerOf } = aWorld();

    const first = await tokens.get(ACCESS);
    world.now += 11 * MINUTE;
    const kept = await tokens.get(ACCESS);
    world.now += 2 * MINUTE;
    const renewed = await tokens.get(ACCESS);

    expect(kept).toBe(first);
    expect(callerOf(kept)).toEqual({ kind: 'caller', arn: 'own' });
    expect(renewed).not.toBe(first);
    expect(world.owned).toBe(2);
  });

  it('are always good when they are handed out, however long the function was frozen', async () => {
    const { world, tokens, callerOf } = aWorld();

    for (let i = 0; i < 200; i += 1) {
      world.now += (i % 37) * MINUTE;
      expect(callerOf(await tokens.get(i % 2 === 0 ? ACCESS : ASSUMED)).kind).toBe('caller');
    }
  });

  it('come from the role, assumed with its external id and under a telling session name', async () => {
    const { world, tokens, callerOf } = aWorld();

    const token = await tokens.get(ASSUMED);

    expect(callerOf(token)).toEqual({ kind: 'caller', arn: 'assumed 1' });
    expect(world.assumed).toEqual([
      {
        region: 'eu-central-1',
        roleArn: 'arn:aws:iam::444455556666:role/holdfast',
        externalId: 'tenant-7',
        sessionName: 'holdfast-apply-prod',
      },
    ]);
    expect(world.owned).toBe(0);
  });

  it('keep an assumed role until shortly before it ends', async () => {
    const { world, tokens } = aWorld();

    for (let minute = 0; minute < 54; minute += 1) {
      await tokens.get(ASSUMED);
      world.now += MINUTE;
    }
    expect(world.assumed).toHaveLength(1);
    world.now += 5 * MINUTE;
    await tokens.get(ASSUMED);

    expect(world.assumed).toHaveLength(2);
  });

  it('never outlive the credentials that signed them', async () => {
    const { world, tokens, callerOf } = aWorld();
    world.own = { ...OWN, expiration: new Date(START + 3 * MINUTE) };

    const first = await tokens.get(ACCESS);
    world.now += 4 * MINUTE;
    const second = await tokens.get(ACCESS);

    expect(second).not.toBe(first);
    expect(callerOf(second).kind).toBe('caller');
  });

  it('share one signature among concurrent callers', async () => {
    const { world, tokens } = aWorld();

    const all = await Promise.all(Array.from({ length: 20 }, () => tokens.get(ASSUMED)));

    expect(new Set(all).size).toBe(1);
    expect(world.assumed).toHaveLength(1);
  });

  it('are signed anew once after a refusal, with the role assumed anew, and then not for half a minute', async () => {
    const { world, tokens } = aWorld();
    const first = await tokens.get(ASSUMED);
    world.now += MINUTE;

    const second = await tokens.get(ASSUMED, { fresh: true });
    world.now += 10_000;
    const third = await tokens.get(ASSUMED, { fresh: true });

    expect(second).not.toBe(first);
    expect(third).toBe(second);
    expect(world.assumed).toHaveLength(2);
  });

  it('differ between clusters, roles and external ids', async () => {
    const { tokens } = aWorld();

    const all = await Promise.all(
      [ACCESS, { ...ACCESS, clusterName: 'other' }, ASSUMED, { ...ASSUMED, externalId: 'tenant-8' }].map(
        (access) => tokens.get(access),
      ),
    );

    expect(new Set(all).size).toBe(4);
  });

  it('tell of every secret before it is used', async () => {
    const { world, tokens } = aWorld();

    const own = await tokens.get(ACCESS);
    const assumed = await tokens.get(ASSUMED);

    expect(world.revealed).toEqual(
      expect.arrayContaining(['own-secret-key', own, 'assumed-secret-1', 'session-1', assumed]),
    );
  });

  it('rejects with what to do when the role may not be assumed, and tries again the next time', async () => {
    const { world, tokens } = aWorld();
    world.fail = Object.assign(new Error('User: x is not authorized'), { name: 'AccessDenied' });

    await expect(tokens.get(ASSUMED)).rejects.toMatchObject({
      code: 'kube-unauthorized',
      retryable: true,
      message: expect.stringMatching(
        /role arn:aws:iam::444455556666:role\/holdfast could not be assumed .*trust policy/,
      ),
    });
    world.fail = undefined;

    await expect(tokens.get(ASSUMED)).resolves.toMatch(/^k8s-aws-v1\./);
  });

  it('rejects as unreachable when STS does not answer', async () => {
    const { world, tokens } = aWorld();
    world.fail = Object.assign(new Error('timed out'), { name: 'TimeoutError' });

    await expect(tokens.get(ASSUMED)).rejects.toMatchObject({ code: 'kube-unreachable', retryable: true });
  });

  it('rejects without credentials of its own', async () => {
    const { world, tokens } = aWorld();
    world.fail = Object.assign(new Error('none'), { name: 'CredentialsProviderError' });

    await expect(tokens.get(ACCESS)).rejects.toMatchObject({
      code: 'kube-unauthorized',
      message: expect.stringContaining('no AWS credentials'),
    });
  });
});
