import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import type { Sts } from '../../lib/cluster/eks-sts.ts';
import type { KmsRequest } from '../../lib/render/sops/data-key.ts';
import { createKmsDataKeys } from '../../lib/secrets/kms-data-keys.ts';

const VARIABLES = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_ENDPOINT_URL_KMS'];
const DATA_KEY = Buffer.alloc(32, 7);
const REQUEST: KmsRequest = {
  arn: 'arn:aws:kms:eu-west-1:111122223333:key/0000-1111',
  region: 'eu-west-1',
  ciphertext: Buffer.from('ciphertext'),
  context: { app: 'shop' },
};
const ROLE = 'arn:aws:iam::444455556666:role/team/sops';

interface Asked {
  readonly target: string;
  readonly accessKey: string;
  readonly region: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Speaks as KMS does (AWS JSON 1.1), over HTTP. */
describe('data keys from KMS', () => {
  let server: Server;
  let asked: Asked[];
  let answers: { readonly status: number; readonly body: Readonly<Record<string, unknown>> }[];
  const before = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));

  beforeEach(async () => {
    asked = [];
    answers = [];
    server = createServer((request, response) => {
      void text(request).then((body) => {
        asked.push(read(request, body));
        const answer = answers.shift() ?? {
          status: 200,
          body: { Plaintext: DATA_KEY.toString('base64'), KeyId: REQUEST.arn },
        };
        response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.1' });
        response.end(JSON.stringify(answer.body));
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    process.env['AWS_ACCESS_KEY_ID'] = 'AKIAOWN';
    process.env['AWS_SECRET_ACCESS_KEY'] = 'own-secret';
    delete process.env['AWS_SESSION_TOKEN'];
    process.env['AWS_ENDPOINT_URL_KMS'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });

  it('are asked for in the region of the key, with its context, and kept out of logs', async () => {
    const told: string[] = [];
    const decrypt = createKmsDataKeys({ sts: noSts, onSecret: (value) => told.push(value) });

    const key = await decrypt(REQUEST);

    expect(Buffer.from(key)).toEqual(DATA_KEY);
    expect(asked).toEqual([
      {
        target: 'TrentService.Decrypt',
        accessKey: 'AKIAOWN',
        region: 'eu-west-1',
        body: {
          CiphertextBlob: Buffer.from('ciphertext').toString('base64'),
          EncryptionContext: { app: 'shop' },
          KeyId: REQUEST.arn,
        },
      },
    ]);
    expect(told).toEqual([DATA_KEY.toString('hex'), DATA_KEY.toString('base64')]);
  });

  it('leaves it to KMS which key an alias stood for', async () => {
    await createKmsDataKeys({ sts: noSts })({
      ...REQUEST,
      arn: 'arn:aws:kms:eu-west-1:111122223333:alias/a',
    });

    expect(asked[0]?.body).not.toHaveProperty('KeyId');
  });

  it('come with the rights of the role that a file names, which is assumed once', async () => {
    const assumed: unknown[] = [];
    const sts: Pick<Sts, 'assumeRole'> = {
      assumeRole: async (input) => {
        assumed.push(input);
        return { accessKeyId: 'ASIAROLE', secretAccessKey: 'role-secret', sessionToken: 'role-session' };
      },
    };
    const decrypt = createKmsDataKeys({ sts });

    await decrypt({ ...REQUEST, role: ROLE });
    await decrypt({ ...REQUEST, role: ROLE });

    expect(assumed).toEqual([{ region: 'eu-west-1', roleArn: ROLE, sessionName: 'holdfast' }]);
    expect(asked.map(({ accessKey }) => accessKey)).toEqual(['ASIAROLE', 'ASIAROLE']);
  });

  it.each([
    ['AccessDeniedException', 'access denied: allow kms:Decrypt on it to the target stage'],
    ['InvalidCiphertextException', 'it did not encrypt this file, or the encryption context differs'],
    ['NotFoundException', 'there is no such key'],
    ['DisabledException', 'the key is disabled'],
  ])('refuses for good on %s, without the words of KMS', async (type, message) => {
    answers.push({ status: 400, body: { __type: type, message: 'quotes the request' } });

    const failing = createKmsDataKeys({ sts: noSts })(REQUEST);

    await expect(failing).rejects.toMatchObject({ code: 'render-failed', retryable: false });
    await expect(failing).rejects.toThrow(message);
    await expect(failing).rejects.not.toThrow('quotes the request');
  });

  it('is tried again when KMS gives no answer', async () => {
    answers.push(
      ...Array.from({ length: 3 }, () => ({ status: 500, body: { __type: 'KMSInternalException' } })),
    );

    const failing = createKmsDataKeys({ sts: noSts })(REQUEST);

    await expect(failing).rejects.toMatchObject({ code: 'internal', retryable: true });
    expect(asked).toHaveLength(3);
  });

  it('refuses a role that may not be assumed, and what is no role without asking', async () => {
    const denied = Object.assign(new Error('quotes the request'), { name: 'AccessDenied' });
    const decrypt = createKmsDataKeys({
      sts: {
        assumeRole: async () => {
          throw denied;
        },
      },
    });

    await expect(decrypt({ ...REQUEST, role: ROLE })).rejects.toThrow(
      `role ${ROLE} may not be assumed: allow sts:AssumeRole on it to the target stage`,
    );
    await expect(createKmsDataKeys({ sts: noSts })({ ...REQUEST, role: 'x/../y' })).rejects.toThrow(
      '"x/../y" is not the ARN of a role',
    );
    expect(asked).toEqual([]);
  });
});

const noSts: Pick<Sts, 'assumeRole'> = {
  assumeRole: async () => {
    throw new Error('STS was asked');
  },
};

function read(request: IncomingMessage, body: string): Asked {
  const [, accessKey = '', region = ''] =
    /Credential=([^/]+)\/\d+\/([^/]+)\/kms\//.exec(request.headers.authorization ?? '') ?? [];
  return {
    target: String(request.headers['x-amz-target']),
    accessKey,
    region,
    body: JSON.parse(body) as Asked['body'],
  };
}
