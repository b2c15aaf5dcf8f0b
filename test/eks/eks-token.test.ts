import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AwsCredentials, signEksToken, stsHost } from '../../lib/cluster/eks-token.ts';
import { identify } from './sts-stand-in.ts';

interface Recorded {
  readonly signedAt: string;
  readonly vectors: readonly {
    readonly clusterName: string;
    readonly region: string;
    readonly credentials: AwsCredentials;
    readonly token: string;
  }[];
}

const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, 'aws-cli-tokens.json'), 'utf8'),
) as Recorded;

const CREDENTIALS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: 'FwoGZXIvYXdzE+/==example',
};
const ROLE = 'arn:aws:sts::111122223333:assumed-role/holdfast-target/x';
const NOW = new Date('2026-11-22T12:00:00Z');
const SERVER = {
  clusterName: 'prod',
  region: 'eu-central-1',
  keys: [{ ...CREDENTIALS, arn: ROLE }],
  now: NOW,
};

function aToken(changes: Partial<Parameters<typeof signEksToken>[0]> = {}): Promise<string> {
  return signEksToken({
    clusterName: 'prod',
    region: 'eu-central-1',
    credentials: CREDENTIALS,
    now: NOW,
    ...changes,
  });
}

function changed(token: string, change: (url: string) => string): string {
  const url = Buffer.from(token.slice('k8s-aws-v1.'.length), 'base64url').toString('utf8');
  return `k8s-aws-v1.${Buffer.from(change(url)).toString('base64url')}`;
}

describe('the token of an EKS cluster', () => {
  it.each(recorded.vectors)('is byte for byte that of the AWS CLI in $region', async (vector) => {
    const { clusterName, region, credentials } = vector;

    const token = await signEksToken({ clusterName, region, credentials, now: new Date(recorded.signedAt) });

    expect(token).toBe(vector.token);
  });

  it('is accepted by what verifies the signature from first principles', async () => {
    const token = await aToken();

    expect(identify(token, SERVER)).toEqual({ kind: 'caller', arn: ROLE });
    expect(identify(token, { ...SERVER, now: new Date('2026-11-22T12:14:00Z') }).kind).toBe('caller');
  });

  it.each(recorded.vectors)('of the AWS CLI is accepted there too, in $region', (vector) => {
    const { clusterName, region, credentials, token } = vector;
    const keys = [{ ...credentials, arn: ROLE }];

    expect(identify(token, { clusterName, region, keys, now: NOW })).toEqual({ kind: 'caller', arn: ROLE });
  });

  it.each([
    ['another host', (url: string) => url.replace('sts.eu-central-1', 'sts.eu-west-1'), 'host'],
    ['a host of somebody else', (url: string) => url.replace('amazonaws.com', 'example.com'), 'host'],
    ['another expiry', (url: string) => url.replace('Expires=60', 'Expires=61'), 'signature'],
    ['a later date', (url: string) => url.replace('T120000Z', 'T121000Z'), 'signature'],
    ['another action', (url: string) => url.replace('GetCallerIdentity', 'GetSessionToken'), 'action'],
    ['another session', (url: string) => url.replace('example&', 'exampla&'), 'session token'],
    ['a further parameter', (url: string) => `${url}&x-id=GetCallerIdentity`, 'parameter x-id'],
    [
      'a changed signature',
      (url: string) =>
        url.replace(/(Signature=)(.)/, (_, name, digit) => `${name}${digit === '0' ? '1' : '0'}`),
      'signature',
    ],
  ])('is refused there with %s', async (_what, change, why) => {
    const token = changed(await aToken(), change);

    expect(identify(token, SERVER)).toEqual({ kind: 'refused', why });
  });

  it('is refused there for another cluster, and when it is too old', async () => {
    const token = await aToken();

    expect(identify(token, { ...SERVER, clusterName: 'staging' })).toEqual({
      kind: 'refused',
      why: 'signature',
    });
    expect(identify(token, { ...SERVER, now: new Date('2026-11-22T12:15:00Z') })).toEqual({
      kind: 'refused',
      why: 'expired',
    });
  });

  it.each([
    ['eu-central-1', 'sts.eu-central-1.amazonaws.com'],
    ['us-gov-west-1', 'sts.us-gov-west-1.amazonaws.com'],
    ['cn-northwest-1', 'sts.cn-northwest-1.amazonaws.com.cn'],
    ['eusc-de-east-1', 'sts.eusc-de-east-1.amazonaws.eu'],
    ['us-iso-east-1', 'sts.us-iso-east-1.c2s.ic.gov'],
    ['us-isob-east-1', 'sts.us-isob-east-1.sc2s.sgov.gov'],
  ])('goes to the regional endpoint of %s', (region, host) => {
    expect(stsHost(region)).toBe(host);
  });

  it.each(['', 'eu-central-1.evil.example/', 'EU-CENTRAL-1', 'x'.repeat(100), 'eu-central-1\n'])(
    'refuses the region %j, which would become part of a host name',
    async (region) => {
      await expect(aToken({ region })).rejects.toMatchObject({ code: 'invalid-input' });
    },
  );

  it.each(['', '-prod', 'prod\r\nx-evil: 1', 'a b', 'x'.repeat(101)])(
    'refuses the cluster name %j, which would become a header',
    async (clusterName) => {
      await expect(aToken({ clusterName })).rejects.toMatchObject({ code: 'invalid-input' });
    },
  );
});
