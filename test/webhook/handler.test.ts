import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { createHandler } from '../../functions/webhook/handler.ts';
import { aGithubDelivery, aPush, aWebhookWorld, SOURCE_ID } from './world.ts';

/** Only what an HTTP API's event has that the function reads. */
function anEvent(delivery: ReturnType<typeof aGithubDelivery>, change: Partial<APIGatewayProxyEventV2> = {}) {
  return {
    version: '2.0',
    routeKey: 'POST /hooks/{sourceId}',
    pathParameters: { sourceId: delivery.sourceId },
    headers: delivery.headers,
    body: Buffer.from(delivery.body).toString('utf8'),
    isBase64Encoded: false,
    ...change,
  } as APIGatewayProxyEventV2;
}

describe('the webhook function', () => {
  it('refuses an address that is not allowed with 403, before anything is looked up', async () => {
    const world = aWebhookWorld({ deps: { isAllowedAddress: (address) => address === '192.0.2.1' } });
    const handler = createHandler(world.deps);
    const from = (sourceIp: string) =>
      anEvent(aGithubDelivery(aPush()), {
        requestContext: { http: { sourceIp } } as APIGatewayProxyEventV2['requestContext'],
      });

    const answers = [await handler(from('192.0.2.2')), await handler(from('192.0.2.1'))];

    expect(answers.map((answer) => answer.statusCode)).toEqual([403, 202]);
    expect(world.secretReads).toHaveLength(1);
    expect(world.sent).toHaveLength(1);
  });

  it('answers 202 to a push, as text and in base64', async () => {
    const world = aWebhookWorld();
    const handler = createHandler(world.deps);
    const delivery = aGithubDelivery(aPush({ name: 'ünïcödé' }));
    const base64 = { body: Buffer.from(delivery.body).toString('base64'), isBase64Encoded: true };

    const answers = [await handler(anEvent(delivery)), await handler(anEvent(delivery, base64))];

    expect(answers.map((answer) => answer.statusCode)).toEqual([202, 202]);
    expect(JSON.parse(answers[0]?.body ?? '')).toEqual({ status: 'accepted' });
    expect(world.sent).toHaveLength(2);
  });

  it('answers 202 with the reason to what it ignores', async () => {
    const handler = createHandler(aWebhookWorld().deps);

    const answer = await handler(anEvent(aGithubDelivery({}, { 'x-github-event': 'ping' })));

    expect(answer.statusCode).toBe(202);
    expect(JSON.parse(answer.body ?? '')).toEqual({ status: 'ignored', reason: 'ping' });
  });

  it('refuses every defect of the signature and every unknown source with one and the same 401', async () => {
    const handler = createHandler(aWebhookWorld().deps);
    const good = aGithubDelivery(aPush());
    const signature = good.headers['x-hub-signature-256'];
    const bad = [
      anEvent(aGithubDelivery(aPush(), {}, 'wrong')),
      anEvent(aGithubDelivery(aPush(), { 'x-hub-signature-256': undefined })),
      anEvent(aGithubDelivery(aPush(), { 'x-hub-signature-256': 'sha256=zz' })),
      anEvent(aGithubDelivery(aPush(), { 'x-hub-signature-256': `${signature},${signature}` })),
      anEvent({ ...good, sourceId: 'unknown' }),
      anEvent({ ...good, sourceId: '../../x' }),
      anEvent(good, { pathParameters: {} }),
      anEvent(good, { body: '' }),
    ];

    const answers = await Promise.all(bad.map(handler));

    expect(answers[0]?.statusCode).toBe(401);
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });

  it.each([
    [413, { deps: { maxBodyBytes: 1 } }, aGithubDelivery(aPush())],
    [400, {}, aGithubDelivery('{')],
    [
      503,
      {
        deps: {
          queue: {
            send: async () => {
              throw new Error('down');
            },
          },
        },
      },
      aGithubDelivery(aPush()),
    ],
  ])('answers %d where it cannot accept', async (statusCode, facts, delivery) => {
    const handler = createHandler(aWebhookWorld(facts).deps);

    const answer = await handler(anEvent(delivery));

    expect(answer.statusCode).toBe(statusCode);
    expect(answer.headers).toMatchObject({ 'content-type': 'application/json' });
  });

  it('reads the source from the route alone', async () => {
    const world = aWebhookWorld();
    const delivery = aGithubDelivery(aPush({ repository: { clone_url: 'https://evil.example.com/x.git' } }));

    await createHandler(world.deps)(anEvent(delivery));

    expect(world.sent.map((wakeUp) => wakeUp.kind === 'source' && wakeUp.source)).toEqual([SOURCE_ID]);
    expect(JSON.stringify([world.sent, world.logged])).not.toContain('evil.example.com');
  });
});
