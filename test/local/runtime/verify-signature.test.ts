import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import fc from 'fast-check';
import { createAccessKey } from '../../../lib/local/access-key.ts';
import { type SignedRequest, verifySignature } from '../../../lib/local/verify-signature.ts';

const accessKey = createAccessKey();

/** What the SDK really sends, recorded on a socket. */
async function record(send: (endpoint: string) => Promise<unknown>): Promise<SignedRequest> {
  const requests: SignedRequest[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
    }
    const { method = '', url = '', headers } = request;
    requests.push({ method, url, headers, body: Buffer.concat(chunks) });
    response.writeHead(400).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await send(`http://127.0.0.1:${(server.address() as AddressInfo).port}`).catch(() => undefined);
  server.closeAllConnections();
  server.close();
  const [request] = requests;
  if (request === undefined) {
    throw new Error('nothing was sent');
  }
  return request;
}

const common = { region: 'us-east-1', credentials: accessKey, maxAttempts: 1 };
const sqsRequest = () =>
  record((endpoint) =>
    new SQSClient({ ...common, endpoint }).send(
      new SendMessageCommand({ QueueUrl: `${endpoint}/0/q`, MessageBody: 'body' }),
    ),
  );

describe('the check of a signature', () => {
  it('accepts what the SDK signs', async () => {
    expect(await verifySignature(accessKey, await sqsRequest())).toEqual({ kind: 'valid' });
  });

  it.each(['plain', 'a b+c', 'ä/ö=&?#%', "!'()*", 'a//b/../c'])('accepts the S3 key "%s"', async (Key) => {
    const request = await record((endpoint) =>
      new S3Client({ ...common, endpoint, forcePathStyle: true }).send(
        new GetObjectCommand({ Bucket: 'b', Key, VersionId: 'x y&z=1' }),
      ),
    );

    expect(await verifySignature(accessKey, request)).toEqual({ kind: 'valid' });
  });

  it.each<[string, (request: SignedRequest) => SignedRequest]>([
    ['another method', (request) => ({ ...request, method: 'PUT' })],
    ['another path', (request) => ({ ...request, url: '/other' })],
    ['a query', (request) => ({ ...request, url: '/?x=1' })],
    ['another body', (request) => ({ ...request, body: Buffer.from('{}') })],
    [
      'another body with its hash',
      (request) => ({
        ...request,
        body: Buffer.from('{}'),
        headers: {
          ...request.headers,
          'x-amz-content-sha256': createHash('sha256').update('{}').digest('hex'),
        },
      }),
    ],
    ['another host', (request) => ({ ...request, headers: { ...request.headers, host: 'other' } })],
    [
      'no hash of the body',
      ({ headers: { 'x-amz-content-sha256': _hash, ...headers }, ...request }) => ({ ...request, headers }),
    ],
    [
      'no signature',
      ({ headers: { authorization: _authorization, ...headers }, ...request }) => ({ ...request, headers }),
    ],
    [
      'another operation',
      (request) => ({ ...request, headers: { ...request.headers, 'x-amz-target': 'AmazonSQS.DeleteQueue' } }),
    ],
  ])('refuses %s', async (_case, change) => {
    const verdict = await verifySignature(accessKey, change(await sqsRequest()));

    expect(verdict.kind).toBe('refused');
  });

  it.each([-16, 16])('refuses a request that is %d minutes off', async (minutes) => {
    const request = await sqsRequest();

    const verdict = await verifySignature(accessKey, request, () => Date.now() + minutes * 60_000);

    expect(verdict).toEqual({ kind: 'refused', reason: 'X-Amz-Date is not within 15 minutes of now' });
  });

  it('refuses every other Authorization header', async () => {
    const request = await sqsRequest();
    const authorization = request.headers.authorization ?? '';

    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: authorization.length - 1 }),
        fc.constantFrom(...'0aA/=,;- '),
        async (at, character) => {
          const changed = authorization.slice(0, at) + character + authorization.slice(at + 1);
          fc.pre(changed !== authorization);

          const verdict = await verifySignature(accessKey, {
            ...request,
            headers: { ...request.headers, authorization: changed },
          });

          expect(verdict.kind).toBe('refused');
        },
      ),
      { numRuns: 300 },
    );
  });
});
