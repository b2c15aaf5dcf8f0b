import { createRequire } from 'node:module';
import fc from 'fast-check';
import { receiveWebhook } from '../../lib/webhook/receive-webhook.ts';
import { aGithubDelivery, aWebhookWorld } from './world.ts';

interface Example {
  readonly name: string;
  readonly examples: readonly { readonly ref?: string; readonly deleted?: boolean }[];
}

const examples: readonly Example[] = createRequire(import.meta.url)('@octokit/webhooks-examples');
const pushes = examples.find(({ name }) => name === 'push')?.examples ?? [];
const realPush = pushes.find((push) => push.deleted === false);

describe('real payloads of GitHub', () => {
  it.each(pushes.map((push) => [push.ref, push] as const))(
    'understands the push to %s',
    async (_ref, push) => {
      const world = aWebhookWorld({ followedRefs: 'unknown' });

      const result = await receiveWebhook(world.deps, aGithubDelivery(push));

      expect(result.kind).toBe(push.deleted === true ? 'ignored' : 'accepted');
    },
  );

  it.each(
    examples
      .filter(({ name }) => name !== 'push')
      .map(({ name, examples: [first] }) => [name, first] as const),
  )('ignores the event %s', async (name, payload) => {
    const world = aWebhookWorld();

    const result = await receiveWebhook(world.deps, aGithubDelivery(payload, { 'x-github-event': name }));

    expect(result.kind).toBe('ignored');
  });

  it('refuses a real push when any one bit of its body is flipped', async () => {
    const delivery = aGithubDelivery(realPush);
    const bits = delivery.body.byteLength * 8;

    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bits - 1 }), async (bit) => {
        const world = aWebhookWorld({ followedRefs: 'unknown' });
        const body = Uint8Array.from(delivery.body);
        body[bit >> 3] = (body[bit >> 3] ?? 0) ^ (1 << (bit & 7));

        const result = await receiveWebhook(world.deps, { ...delivery, body });

        expect(result).toEqual({ kind: 'unauthorized' });
        expect(world.sent).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it('refuses a real push when any one bit of its signature is flipped', async () => {
    const delivery = aGithubDelivery(realPush);
    const header = Buffer.from(delivery.headers['x-hub-signature-256'] ?? '', 'latin1');

    for (let bit = 0; bit < header.length * 8; bit++) {
      const world = aWebhookWorld({ followedRefs: 'unknown' });
      const flipped = Buffer.from(header);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const headers = { ...delivery.headers, 'x-hub-signature-256': flipped.toString('latin1') };

      const result = await receiveWebhook(world.deps, { ...delivery, headers });

      expect(result).toEqual({ kind: 'unauthorized' });
    }
  });

  it('refuses a real push that is cut off anywhere or has something added', async () => {
    const delivery = aGithubDelivery(realPush);

    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: delivery.body.byteLength - 1 }),
        fc.uint8Array({ minLength: 1, maxLength: 20 }),
        async (length, extra) => {
          const world = aWebhookWorld({ followedRefs: 'unknown' });
          const cut = delivery.body.subarray(0, length);
          const added = Buffer.concat([delivery.body, extra]);

          const results = [
            await receiveWebhook(world.deps, { ...delivery, body: cut }),
            await receiveWebhook(world.deps, { ...delivery, body: added }),
          ];

          expect(results).toEqual([{ kind: 'unauthorized' }, { kind: 'unauthorized' }]);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('gives a value for whatever comes, signed or not', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.json(), fc.string()),
        fc.dictionary(
          fc.constantFrom('content-type', 'x-github-event', 'x-hub-signature-256', 'x-github-delivery'),
          fc.oneof(fc.string(), fc.constantFrom('push', 'application/x-www-form-urlencoded')),
        ),
        fc.boolean(),
        async (body, headers, signed) => {
          const world = aWebhookWorld();
          const delivery = aGithubDelivery(body);
          const kept = signed ? { 'x-hub-signature-256': delivery.headers['x-hub-signature-256'] } : {};

          const result = await receiveWebhook(world.deps, { ...delivery, headers: { ...headers, ...kept } });

          expect(result.kind).toMatch(signed ? /ignored|malformed|accepted/ : /unauthorized/);
        },
      ),
    );
  });
});
