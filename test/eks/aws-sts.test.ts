import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { awsSts } from '../../lib/cluster/eks-sts.ts';

const VARIABLES = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_ENDPOINT_URL_STS'];
const ROLE = 'arn:aws:iam::444455556666:role/holdfast';
const ANSWER = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>assumed-secret</SecretAccessKey>
<SessionToken>assumed-session</SessionToken><Expiration>2026-11-22T13:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>`;
const DENIED = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>`;

describe('STS through the SDK', () => {
  let server: Server;
  let asked: string[];
  let answer: { readonly status: number; readonly body: string };
  const before = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));

  beforeEach(async () => {
    asked = [];
    answer = { status: 200, body: ANSWER };
    server = createServer((request, response) => {
      void text(request).then((body) => {
        asked.push(body);
        response.writeHead(answer.status, { 'content-type': 'text/xml' });
        response.end(answer.body);
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    process.env['AWS_ACCESS_KEY_ID'] = 'AKIAOWN';
    process.env['AWS_SECRET_ACCESS_KEY'] = 'own-secret';
    process.env['AWS_SESSION_TOKEN'] = 'own-session';
    process.env['AWS_ENDPOINT_URL_STS'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });

  it('has the credentials of the process, without a request', async () => {
    expect(await awsSts().own()).toMatchObject({
      accessKeyId: 'AKIAOWN',
      secretAccessKey: 'own-secret',
      sessionToken: 'own-session',
    });
    expect(asked).toEqual([]);
  });

  it('assumes a role with its external id and session name', async () => {
    const assumed = await awsSts().assumeRole({
      region: 'eu-central-1',
      roleArn: ROLE,
      externalId: 'tenant-7',
      sessionName: 'holdfast-apply-prod',
    });

    expect(assumed).toEqual({
      accessKeyId: 'ASIAEXAMPLE',
      secretAccessKey: 'assumed-secret',
      sessionToken: 'assumed-session',
      expiration: new Date('2026-11-22T13:00:00Z'),
    });
    expect(Object.fromEntries(new URLSearchParams(asked[0]))).toMatchObject({
      Action: 'AssumeRole',
      RoleArn: ROLE,
      ExternalId: 'tenant-7',
      RoleSessionName: 'holdfast-apply-prod',
      DurationSeconds: '3600',
    });
  });

  it('rejects with the name that tells a denial from an outage', async () => {
    answer = { status: 403, body: DENIED };

    await expect(
      awsSts().assumeRole({ region: 'eu-central-1', roleArn: ROLE, sessionName: 'x1' }),
    ).rejects.toMatchObject({ name: expect.stringMatching(/AccessDenied/) });
  });
});
