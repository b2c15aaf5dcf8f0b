import { request } from 'node:http';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { createHandler } from '../../../functions/webhook/handler.ts';
import { type HttpApi, startHttpApi } from '../../../lib/local/http-api.ts';
import { aGithubDelivery, aPush, aWebhookWorld, SOURCE_ID } from '../../webhook/world.ts';

describe('the local HTTP API', () => {
  let api: HttpApi;
  let events: APIGatewayProxyEventV2[];
  let respond: (event: APIGatewayProxyEventV2) => Promise<unknown>;

  beforeEach(async () => {
    events = [];
    respond = async () => ({ statusCode: 202, headers: { 'x-test': 'yes' }, body: 'taken' });
    api = await startHttpApi({
      maxBodyBytes: 1_000,
      webhook: {
        name: 'webhook',
        timeoutSeconds: 0.5,
        handler: async (event) => {
          events.push(event);
          return respond(event);
        },
      },
    });
  });

  afterEach(async () => {
    await api.close();
  });

  const post = (path: string, init: RequestInit = {}) =>
    fetch(`${api.url}${path}`, { method: 'POST', ...init });

  it('hands over the event of an HTTP API and gives the answer back', async () => {
    const answer = await post('/hooks/a%2Db?x=1&x=2', {
      body: '{"ü":1}',
      headers: { 'Content-Type': 'application/json', 'X-Custom': 'Value' },
    });

    expect([answer.status, answer.headers.get('x-test'), await answer.text()]).toEqual([202, 'yes', 'taken']);
    expect(events[0]).toMatchObject({
      version: '2.0',
      routeKey: 'POST /hooks/{sourceId}',
      pathParameters: { sourceId: 'a-b' },
      queryStringParameters: { x: '1,2' },
      body: '{"ü":1}',
      isBase64Encoded: false,
    });
    expect(events[0]?.headers).toMatchObject({ 'content-type': 'application/json', 'x-custom': 'Value' });
  });

  it.each([
    ['form data', 'application/x-www-form-urlencoded', Buffer.from('a=b')],
    ['a type that is not text', 'application/octet-stream', Buffer.from([0, 255])],
    ['no type', '', Buffer.from('x')],
    ['text that is not UTF-8', 'application/json', Buffer.from([0x22, 0xff, 0x22])],
    ['a byte order mark', 'application/octet-stream', Buffer.from('\uFEFF{}')],
  ])('hands over %s in base64', async (_case, contentType, body) => {
    await post('/hooks/a', { body, headers: contentType === '' ? {} : { 'content-type': contentType } });

    expect(events[0]?.isBase64Encoded).toBe(true);
    expect(Buffer.from(events[0]?.body ?? '', 'base64')).toEqual(body);
  });

  it('keeps a byte order mark of text, which the signature covers', async () => {
    await post('/hooks/a', { body: '\uFEFF{}', headers: { 'content-type': 'application/json' } });

    expect(events[0]?.body).toBe('\uFEFF{}');
  });

  it("joins a header that came twice by ','", async () => {
    await new Promise<void>((resolve, reject) => {
      const twice = request(`${api.url}/hooks/a`, {
        method: 'POST',
        headers: { 'X-Signature': ['one', 'two'] },
      });
      twice.on('response', (response) => response.resume().on('end', resolve));
      twice.on('error', reject);
      twice.end();
    });

    expect(events[0]?.headers['x-signature']).toBe('one,two');
    expect(events[0]).not.toHaveProperty('body');
  });

  it.each([
    ['GET', '/hooks/a'],
    ['POST', '/'],
    ['POST', '/hooks'],
    ['POST', '/hooks/'],
    ['POST', '/hooks/a/b'],
    ['POST', '/hooks/%E0%A4%A'],
    ['POST', '/HOOKS/a'],
  ])('refuses %s %s with 404', async (method, path) => {
    const answer = await fetch(`${api.url}${path}`, { method });

    expect(answer.status).toBe(404);
    expect(events).toEqual([]);
  });

  it('refuses a body over the cap with 413, with and without a length', async () => {
    const chunked = new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(600));
        controller.enqueue(new Uint8Array(600));
        controller.close();
      },
    });

    const answers = [
      await post('/hooks/a', { body: 'x'.repeat(1_001) }),
      await post('/hooks/a', { body: chunked, duplex: 'half' }),
      await post('/hooks/a', { body: 'x'.repeat(1_000) }),
    ];

    expect(answers.map((answer) => answer.status)).toEqual([413, 413, 202]);
  });

  it.each<[number, () => Promise<unknown>]>([
    [
      500,
      async () => {
        throw new Error('with a secret in it');
      },
    ],
    [503, () => new Promise(() => undefined)],
  ])('answers %d when the function does not', async (status, handler) => {
    respond = handler;

    const answer = await post('/hooks/a');

    expect(answer.status).toBe(status);
    expect(await answer.text()).not.toContain('secret');
  });

  it('carries a signed push, as JSON and as a form, to the webhook function', async () => {
    const world = aWebhookWorld();
    respond = createHandler(world.deps);
    const json = aGithubDelivery(aPush({ text: 'ünïcödé' }));
    const form = aGithubDelivery(new URLSearchParams({ payload: JSON.stringify(aPush()) }).toString(), {
      'content-type': 'application/x-www-form-urlencoded',
    });

    const statuses = [];
    for (const { headers, body } of [json, form]) {
      const answer = await post(`/hooks/${SOURCE_ID}`, {
        headers: headers as Record<string, string>,
        body: Buffer.from(body),
      });
      statuses.push(answer.status);
    }

    expect(statuses).toEqual([202, 202]);
    expect(world.sent).toHaveLength(2);
  });
});
