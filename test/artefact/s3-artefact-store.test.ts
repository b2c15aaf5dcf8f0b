import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { startFauxqs, type FauxqsServer } from 'fauxqs';
import { s3ArtefactStore } from '../../lib/artefact/s3-artefact-store.ts';
import { sha256 } from '../../lib/model/ids.ts';

let server: FauxqsServer;
let s3: S3Client;
const bucket = 'artefacts';

beforeAll(async () => {
  server = await startFauxqs({ port: 0, logger: false });
  s3 = new S3Client({
    endpoint: `http://127.0.0.1:${server.port}`,
    region: 'eu-central-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
});

afterAll(async () => {
  s3.destroy();
  await server.stop();
});

const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
const digest = sha256(bytes);

describe('s3ArtefactStore', () => {
  it('gives back what was put, also when it was put twice', async () => {
    const store = s3ArtefactStore({ s3, bucket });

    await store.put(digest, bytes);
    await store.put(digest, bytes);

    expect(await store.has(digest)).toBe(true);
    expect(Buffer.from((await store.get(digest)) ?? []).equals(Buffer.from(bytes))).toBe(true);
  });

  it('knows nothing of what is gone', async () => {
    const store = s3ArtefactStore({ s3, bucket, prefix: 'empty/' });

    expect(await store.has(digest)).toBe(false);
    expect(await store.get(digest)).toBeUndefined();
  });

  it('rejects bytes under a digest that is not theirs, before and after they are stored', async () => {
    const store = s3ArtefactStore({ s3, bucket, prefix: 'damaged/' });
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: `damaged/${digest}`, Body: 'something else' }));

    await expect(store.put(digest, Buffer.from('x'))).rejects.toMatchObject({ code: 'git-corrupt' });
    await expect(store.get(digest)).rejects.toMatchObject({ code: 'git-corrupt' });
  });

  it('rejects as worth another try when the bucket cannot be reached', async () => {
    const store = s3ArtefactStore({ s3, bucket: 'no-such-bucket' });

    await expect(store.put(digest, bytes)).rejects.toMatchObject({ code: 'internal', retryable: true });
  });
});
