import { HoldfastError } from '../../lib/model/errors.ts';
import type { SourceId } from '../../lib/model/ids.ts';
import { receiveWebhook } from '../../lib/webhook/receive-webhook.ts';
import { createRefetchGate } from '../../lib/webhook/refetch-gate.ts';
import { rememberUnknownSources } from '../../lib/webhook/source-lookup.ts';
import { aGithubDelivery, aPush, aWebhookWorld, hmac, SECRET, SOURCE_ID } from './world.ts';

describe('a delivery from GitHub', () => {
  it('wakes the source on a push to a followed ref', async () => {
    const world = aWebhookWorld();

    const result = await receiveWebhook(world.deps, aGithubDelivery(aPush()));

    expect(result).toEqual({ kind: 'accepted' });
    expect(world.sent).toEqual([
      {
        v: 1,
        kind: 'source',
        source: SOURCE_ID,
        reason: 'push',
        deliveryId: '72d3162e-cc78-11e3-81ab-4c9367dc0958',
      },
    ]);
  });

  it('wakes the source again on a replay, also when nothing can be new', async () => {
    const world = aWebhookWorld();
    const delivery = aGithubDelivery(aPush({ before: 'a'.repeat(40) }));

    await receiveWebhook(world.deps, delivery);
    await receiveWebhook(world.deps, delivery);

    expect(world.sent).toHaveLength(2);
  });

  it.each([
    ['the followed refs are unknown', 'unknown' as const],
    ['the followed refs cannot be read', 'unreadable' as const],
    ['the push brings a commit that is followed by its id', new Set(['a'.repeat(40)])],
  ])('wakes the source when %s', async (_case, followedRefs) => {
    const world = aWebhookWorld({ followedRefs });

    const result = await receiveWebhook(world.deps, aGithubDelivery(aPush({ ref: 'refs/heads/other' })));

    expect(result.kind).toBe('accepted');
    expect(world.sent).toHaveLength(1);
  });

  it.each([
    ['a ping', aGithubDelivery({ zen: 'x' }, { 'x-github-event': 'ping' }), 'ping'],
    ['another event', aGithubDelivery({}, { 'x-github-event': 'issues' }), 'not a push'],
    ['a deleted ref', aGithubDelivery(aPush({ deleted: true, after: '0'.repeat(40) })), 'ref deleted'],
    [
      'a ref that nobody follows',
      aGithubDelivery(aPush({ ref: 'refs/heads/feature' })),
      'no application follows this ref',
    ],
  ])('ignores %s and says why', async (_case, delivery, reason) => {
    const world = aWebhookWorld();

    const result = await receiveWebhook(world.deps, delivery);

    expect(result).toEqual({ kind: 'ignored', reason });
    expect(world.sent).toEqual([]);
  });

  it('reads the payload of a form, whose signature is over the raw form', async () => {
    const world = aWebhookWorld();
    const form = new URLSearchParams({ payload: JSON.stringify(aPush()) }).toString();

    const result = await receiveWebhook(
      world.deps,
      aGithubDelivery(form, { 'content-type': 'application/x-www-form-urlencoded' }),
    );

    expect(result.kind).toBe('accepted');
  });

  it.each([
    ['is not JSON', '{"ref":', {}],
    ['is not UTF-8', Buffer.from('{"ref":"refs/heads/\xff"}', 'latin1'), {}],
    ['is empty', '', {}],
    ['has no ref', { deleted: false, after: 'a'.repeat(40) }, {}],
    ['has a ref that is not one', aPush({ ref: 'master' }), {}],
    ['has a ref of another type', aPush({ ref: ['refs/heads/master'] }), {}],
    ['is null', 'null', {}],
    ['is nested without end', '['.repeat(200_000), {}],
    ['is a form without a payload', 'x=1', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['is a form with two', 'payload={}&payload={}', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['names no event', aPush(), { 'x-github-event': undefined }],
  ])('rejects a signed payload that %s as malformed', async (_case, payload, headers) => {
    const world = aWebhookWorld();

    const result = await receiveWebhook(world.deps, aGithubDelivery(payload, headers));

    expect(result.kind).toBe('malformed');
    expect(world.sent).toEqual([]);
  });

  it('leaves a delivery id that is not one out of message and log', async () => {
    const world = aWebhookWorld();

    await receiveWebhook(world.deps, aGithubDelivery(aPush(), { 'x-github-delivery': 'a\nb{}' }));

    expect(world.sent[0]).not.toHaveProperty('deliveryId');
    expect(JSON.stringify(world.logged)).not.toContain('a\\nb');
  });
});

describe('a delivery from a generic host', () => {
  const generic = { source: { provider: 'generic' as const } };
  const deliver = (signature: string | undefined, body: Uint8Array = new Uint8Array()) => ({
    sourceId: SOURCE_ID as string,
    headers: { 'x-signature': signature },
    body,
  });

  it.each(['sha256' as const, 'sha512' as const])(
    'wakes the source on any body signed with %s',
    async (algorithm) => {
      const world = aWebhookWorld(generic);
      const body = Buffer.from([0, 255, 1, 254]);

      const results = [
        await receiveWebhook(world.deps, deliver(hmac(algorithm, SECRET, body), body)),
        await receiveWebhook(world.deps, deliver(hmac(algorithm, SECRET, ''))),
      ];

      expect(results).toEqual([{ kind: 'accepted' }, { kind: 'accepted' }]);
      expect(world.sent).toHaveLength(2);
    },
  );

  it('refuses sha1', async () => {
    const world = aWebhookWorld(generic);

    const result = await receiveWebhook(world.deps, deliver(hmac('sha1', SECRET, '')));

    expect(result).toEqual({ kind: 'unauthorized' });
  });

  it("refuses a signature in another host's header", async () => {
    const world = aWebhookWorld(generic);

    const result = await receiveWebhook(world.deps, aGithubDelivery(aPush()));

    expect(result).toEqual({ kind: 'unauthorized' });
  });
});

describe('the signature', () => {
  it("accepts GitHub's published example", async () => {
    const world = aWebhookWorld();
    const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';

    const result = await receiveWebhook(world.deps, {
      sourceId: SOURCE_ID,
      headers: { 'x-hub-signature-256': signature, 'x-github-event': 'ping' },
      body: Buffer.from('Hello, World!'),
    });

    expect(result).toEqual({ kind: 'ignored', reason: 'ping' });
  });

  it('is accepted under either of two secrets, and not under a third', async () => {
    const secrets = { old: 'old', new: 'new', third: 'third' };
    const world = aWebhookWorld({ source: { webhookSecrets: ['old', 'new', 'third'] }, secrets });

    const results = await Promise.all(
      Object.values(secrets).map((secret) =>
        receiveWebhook(world.deps, aGithubDelivery(aPush(), {}, secret)),
      ),
    );

    expect(results.map((result) => result.kind)).toEqual(['accepted', 'accepted', 'unauthorized']);
  });

  it.each([
    ['is missing', undefined],
    ['is empty', ''],
    ['has no algorithm', hmac('sha256', SECRET, JSON.stringify(aPush())).slice(7)],
    ['has another algorithm', hmac('sha512', SECRET, JSON.stringify(aPush()))],
    ['is cut off', hmac('sha256', SECRET, JSON.stringify(aPush())).slice(0, -2)],
    ['is too long', `${hmac('sha256', SECRET, JSON.stringify(aPush()))}00`],
    [
      'is in upper case',
      hmac('sha256', SECRET, JSON.stringify(aPush())).replace(/=.*/, (hex) => hex.toUpperCase()),
    ],
    [
      'came twice',
      Array(2)
        .fill(hmac('sha256', SECRET, JSON.stringify(aPush())))
        .join(','),
    ],
    ['is of another secret', hmac('sha256', 'other', JSON.stringify(aPush()))],
    ['is of another body', hmac('sha256', SECRET, '{}')],
  ])('is refused when it %s', async (_case, signature) => {
    const world = aWebhookWorld();

    const result = await receiveWebhook(
      world.deps,
      aGithubDelivery(aPush(), { 'x-hub-signature-256': signature }),
    );

    expect(result).toEqual({ kind: 'unauthorized' });
    expect(world.sent).toEqual([]);
  });

  it('refuses two spellings of the signature header', async () => {
    const world = aWebhookWorld();
    const delivery = aGithubDelivery(aPush());

    const result = await receiveWebhook(world.deps, {
      ...delivery,
      headers: { ...delivery.headers, 'X-Hub-Signature-256': 'sha256=00' },
    });

    expect(result).toEqual({ kind: 'unauthorized' });
  });

  it('is tried once more with fresh secrets, so that a rotation counts at once', async () => {
    const world = aWebhookWorld({ secrets: { demo: 'before' }, freshSecrets: { demo: 'after' } });

    const result = await receiveWebhook(world.deps, aGithubDelivery(aPush(), {}, 'after'));

    expect(result).toEqual({ kind: 'accepted' });
    expect(world.secretReads).toEqual(['demo', 'demo fresh']);
  });

  it('does not refetch secrets for each of many wrong ones', async () => {
    let now = 0;
    const world = aWebhookWorld({ deps: { mayRefetchSecrets: createRefetchGate(() => now) } });
    const wrong = aGithubDelivery(aPush(), {}, 'wrong');

    for (let i = 0; i < 50; i++) {
      await receiveWebhook(world.deps, wrong);
    }
    now = 30_000;
    await receiveWebhook(world.deps, wrong);

    expect(world.secretReads.filter((read) => read.endsWith('fresh'))).toHaveLength(2);
  });

  it('is verified before anything of the body is parsed', async () => {
    const world = aWebhookWorld();

    const result = await receiveWebhook(world.deps, aGithubDelivery('{"broken', {}, 'wrong'));

    expect(result).toEqual({ kind: 'unauthorized' });
  });

  it.each([
    ['a source without secrets', { source: { webhookSecrets: [] } }],
    ['a secret that does not exist', { secrets: {} }],
    ['an empty secret', { secrets: { demo: '' } }],
  ])('is refused for %s, and the log says it', async (_case, facts) => {
    const world = aWebhookWorld(facts);

    const result = await receiveWebhook(world.deps, aGithubDelivery(aPush(), {}, ''));

    expect(result).toEqual({ kind: 'unauthorized' });
    expect(world.logged.length).toBeGreaterThan(0);
  });

  it('is accepted under the secret that exists when the other does not', async () => {
    const world = aWebhookWorld({ source: { webhookSecrets: ['gone', 'demo'] } });

    const result = await receiveWebhook(world.deps, aGithubDelivery(aPush()));

    expect(result).toEqual({ kind: 'accepted' });
  });

  it('never reaches the log, and neither do body and secret', async () => {
    const world = aWebhookWorld();
    const good = aGithubDelivery(aPush({ marker: 'marker-of-the-body' }));

    await receiveWebhook(world.deps, good);
    await receiveWebhook(world.deps, aGithubDelivery(aPush({ marker: 'marker-of-the-body' }), {}, 'wrong'));

    const log = JSON.stringify(world.logged);
    expect(log).not.toContain('marker-of-the-body');
    expect(log).not.toContain(SECRET);
    expect(log).not.toContain(good.headers['x-hub-signature-256']);
  });
});

describe('an unknown source', () => {
  it.each(['unknown', '', '../demo', 'UPPER', 'a'.repeat(64), 'a/b', SOURCE_ID.toUpperCase()])(
    'refuses "%s" without a look at any secret',
    async (sourceId) => {
      const world = aWebhookWorld();

      const result = await receiveWebhook(world.deps, { ...aGithubDelivery(aPush()), sourceId });

      expect(result).toEqual({ kind: 'unauthorized' });
      expect(world.secretReads).toEqual([]);
    },
  );

  it('is looked up once for many deliveries, and found once it is registered and the memory has faded', async () => {
    let now = 0;
    let registered = false;
    const asked: SourceId[] = [];
    const known = aWebhookWorld();
    const sources = rememberUnknownSources(
      {
        async get(id) {
          asked.push(id);
          return registered ? known.deps.sources.get(id) : undefined;
        },
      },
      () => now,
    );
    const world = aWebhookWorld({ deps: { sources } });

    await receiveWebhook(world.deps, aGithubDelivery(aPush()));
    registered = true;
    const remembered = await receiveWebhook(world.deps, aGithubDelivery(aPush()));
    now = 30_000;
    const found = await receiveWebhook(world.deps, aGithubDelivery(aPush()));

    expect([remembered.kind, found.kind]).toEqual(['unauthorized', 'accepted']);
    expect(asked).toHaveLength(2);
  });

  it('is forgotten when a thousand others came after it', async () => {
    let reads = 0;
    const sources = rememberUnknownSources(
      {
        async get() {
          reads++;
          return undefined;
        },
      },
      () => 0,
    );

    for (let i = 0; i <= 1_000; i++) {
      await sources.get(`made-up-${i}` as SourceId);
    }
    await sources.get('made-up-0' as SourceId);
    await sources.get('made-up-1000' as SourceId);

    expect(reads).toBe(1_002);
  });
});

describe('limits and failures', () => {
  it('refuses a body over the cap before it looks at a secret', async () => {
    const world = aWebhookWorld({ deps: { maxBodyBytes: 10 } });

    const result = await receiveWebhook(world.deps, aGithubDelivery(aPush()));

    expect(result).toEqual({ kind: 'too-large', maxBodyBytes: 10 });
    expect(world.secretReads).toEqual([]);
  });

  it('accepts a body of exactly the cap', async () => {
    const delivery = aGithubDelivery(aPush());
    const world = aWebhookWorld({ deps: { maxBodyBytes: delivery.body.byteLength } });

    const result = await receiveWebhook(world.deps, delivery);

    expect(result).toEqual({ kind: 'accepted' });
  });

  it.each([
    [
      'the queue',
      {
        queue: {
          send: async () => {
            throw new HoldfastError('internal', 'the queue did not take it', { retryable: true });
          },
        },
      },
    ],
    [
      'the table',
      {
        sources: {
          get: async () => {
            throw new Error('throttled');
          },
        },
      },
    ],
    [
      'the secret store',
      {
        secrets: {
          get: async () => {
            throw new Error('throttled');
          },
        },
      },
    ],
  ])('says unavailable, never accepted, when %s fails', async (_case, deps) => {
    const world = aWebhookWorld({ deps });

    const result = await receiveWebhook(world.deps, aGithubDelivery(aPush()));

    expect(result).toEqual({ kind: 'unavailable' });
    expect(world.logged.some((line) => line.message === 'delivery could not be handled')).toBe(true);
  });
});
