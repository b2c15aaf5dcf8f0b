import { request as httpRequest } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { aConfigMap, DEFAULT_MAPS, startClient, type TestClient } from './support/client.ts';

describe('the sandbox server', () => {
  let client: TestClient;

  beforeEach(async () => {
    client = await startClient();
  });
  afterEach(() => client.cluster.close());

  it('listens on the loopback address and says what it is', async () => {
    const answer = await client.request('GET', '/version');

    expect(client.cluster.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(answer.body['gitVersion']).toMatch(/^v1\.\d+/);
  });

  it('refuses requests without a token, and with a wrong one', async () => {
    const without = await fetch(`${client.cluster.url}/version`);
    const wrong = await client.request('GET', '/api', undefined, { token: 'guess' });

    expect(without.status).toBe(401);
    expect(wrong).toMatchObject({ status: 401, body: { kind: 'Status', reason: 'Unauthorized' } });
  });

  it('lets the read token get and list, and refuses every write of it', async () => {
    const token = client.cluster.readToken;
    await client.apply(`${DEFAULT_MAPS}/a`, aConfigMap('a'));

    const reads = await Promise.all(
      ['/apis', DEFAULT_MAPS, `${DEFAULT_MAPS}/a`].map((path) =>
        client.request('GET', path, undefined, { token }),
      ),
    );
    const writes = await Promise.all([
      client.request('POST', DEFAULT_MAPS, aConfigMap('b'), { token }),
      client.request('PUT', `${DEFAULT_MAPS}/a`, aConfigMap('a'), { token }),
      client.request('PATCH', `${DEFAULT_MAPS}/a`, {}, { token, type: 'application/merge-patch+json' }),
      client.request('DELETE', `${DEFAULT_MAPS}/a`, undefined, { token }),
    ]);

    expect(reads.map((answer) => answer.status)).toEqual([200, 200, 200]);
    expect(writes.map((answer) => answer.status)).toEqual([403, 403, 403, 403]);
    expect(writes[0]?.body).toMatchObject({ kind: 'Status', reason: 'Forbidden' });
  });

  it('refuses a body over 3 MiB and goes on', async () => {
    const body = JSON.stringify(aConfigMap('a', { data: { a: 'x'.repeat(3 * 1024 * 1024) } }));

    const refused = await client.request('POST', DEFAULT_MAPS, body).catch(() => undefined);
    const after = await client.request('GET', DEFAULT_MAPS);

    // The connection may be cut before the answer is read.
    if (refused !== undefined) expect(refused.status).toBe(413);
    expect(after).toMatchObject({ status: 200, body: { items: [] } });
  });

  it('refuses a body that is not JSON without quoting it', async () => {
    const answer = await client.request('POST', DEFAULT_MAPS, '{"data": "hunter2');

    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.body)).not.toContain('hunter2');
  });

  it.each([
    ['GET', `${DEFAULT_MAPS}?watch=true`],
    ['DELETE', DEFAULT_MAPS],
    ['GET', '/api/v1/namespaces/default/pods/x/log'],
  ])('answers %s %s with 501', async (method, path) => {
    const answer = await client.request(method, path);

    expect(answer).toMatchObject({ status: 501, body: { kind: 'Status', status: 'Failure', code: 501 } });
  });

  it('compresses what is large when it is asked to', async () => {
    const data = { a: 'x'.repeat(20_000) };
    await client.request('POST', DEFAULT_MAPS, aConfigMap('a', { data }));

    const { encoding, body } = await new Promise<{ encoding: unknown; body: Buffer }>((resolve, reject) => {
      const headers = { authorization: `Bearer ${client.cluster.token}`, 'accept-encoding': 'gzip' };
      httpRequest(`${client.cluster.url}${DEFAULT_MAPS}/a`, { headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ encoding: response.headers['content-encoding'], body: Buffer.concat(chunks) }),
        );
      })
        .on('error', reject)
        .end();
    });

    expect(encoding).toBe('gzip');
    expect(body.length).toBeLessThan(2000);
    expect(JSON.parse(gunzipSync(body).toString())).toMatchObject({ data });
  });

  it('counts requests by verb', async () => {
    client.cluster.requests.reset();
    await client.apply(`${DEFAULT_MAPS}/a`, aConfigMap('a'));
    await client.request('GET', DEFAULT_MAPS);
    await client.request('GET', `${DEFAULT_MAPS}/a`);
    await client.request('GET', '/apis');

    expect(client.cluster.requests.counts()).toEqual({ apply: 1, list: 1, get: 1, discovery: 1 });
    expect(client.cluster.requests.all()[0]).toMatchObject({
      verb: 'apply',
      path: `${DEFAULT_MAPS}/a`,
      query: 'fieldManager=m1',
    });
  });

  it('fails a request that a test tells it to fail, and carries nothing out', async () => {
    client.cluster.setFault(({ verb }) => (verb === 'create' ? { status: 503 } : undefined));

    const answer = await client.request('POST', DEFAULT_MAPS, aConfigMap('a'));

    expect(answer).toMatchObject({ status: 503, body: { reason: 'ServiceUnavailable' } });
    expect((await client.request('GET', `${DEFAULT_MAPS}/a`)).status).toBe(404);
  });

  it('cuts the connection before or after a request is carried out', async () => {
    client.cluster.setFault(({ path }) => {
      if (path.endsWith('/before')) return { drop: 'before' };
      return path.endsWith('/after') ? { drop: 'after' } : undefined;
    });

    const outcomes = await Promise.allSettled(
      ['before', 'after'].map((name) => client.apply(`${DEFAULT_MAPS}/${name}`, aConfigMap(name))),
    );
    client.cluster.setFault(undefined);
    const left = await client.request('GET', DEFAULT_MAPS);

    expect(outcomes.map((outcome) => outcome.status)).toEqual(['rejected', 'rejected']);
    expect(left.body.items.map((item) => item.metadata.name)).toEqual(['after']);
  });

  it('holds a request back as long as a test wants', async () => {
    let release = (): void => undefined;
    const held = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined);
    });
    client.cluster.setFault(({ verb }) => (verb === 'apply' ? held : undefined));

    const first = client.apply(`${DEFAULT_MAPS}/a`, aConfigMap('a'));
    const meanwhile = await client.request('GET', `${DEFAULT_MAPS}/a`);
    release();

    expect(meanwhile.status).toBe(404);
    expect((await first).status).toBe(201);
  });
});
