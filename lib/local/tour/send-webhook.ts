import { createHmac, randomUUID } from 'node:crypto';
import type { RefUpdate } from '../git-server/git-server.ts';

export interface WebhookDelivery {
  readonly status: number;
  readonly tookMs: number;
}

const NO_OBJECT = /^0+$/;
const TIMEOUT_MS = 15_000;

/** Delivers a push the way GitHub does, signed with HMAC-SHA-256 over the body. */
export async function sendPushWebhook(
  hook: { readonly url: string; readonly secret: string },
  update: RefUpdate,
): Promise<WebhookDelivery> {
  const body = JSON.stringify({ ...update, deleted: NO_OBJECT.test(update.after) });
  const signature = createHmac('sha256', hook.secret).update(body).digest('hex');
  const startedAt = performance.now();
  const response = await fetch(hook.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'user-agent': 'holdfast-sample-repository',
      'x-github-event': 'push',
      'x-github-delivery': randomUUID(),
      'x-hub-signature-256': `sha256=${signature}`,
    },
    body,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await response.arrayBuffer();
  return { status: response.status, tookMs: performance.now() - startedAt };
}
