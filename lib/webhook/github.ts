import type { EmitterWebhookEvent, EmitterWebhookEventName } from '@octokit/webhooks/types';
import * as z from 'zod/mini';
import { readHmacProof } from './hmac-proof.ts';
import type { Delivery, WebhookHeaders, WebhookHost } from './webhook-host.ts';

const PUSH = 'push' satisfies EmitterWebhookEventName;
const PING = 'ping' satisfies EmitterWebhookEventName;

/** The fields that are read; the type of @octokit/webhooks says that GitHub sends them. */
type Push = Pick<EmitterWebhookEvent<'push'>['payload'], 'ref' | 'after' | 'deleted'>;

// Longer than any ref that Git hosts take, short enough to be stored and logged.
const MAX_REF_LENGTH = 1024;

const pushSchema: z.ZodMiniType<Push> = z.object({
  ref: z.string().check(z.startsWith('refs/'), z.maxLength(MAX_REF_LENGTH)),
  after: z.string().check(z.regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/)),
  deleted: z.boolean(),
});

/**
 * GitHub and GitHub Enterprise Server: X-Hub-Signature-256 over the raw body, also where the content type is
 * `application/x-www-form-urlencoded` and the JSON is its field `payload`.
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
export const github: WebhookHost = {
  deliveryIdHeader: 'x-github-delivery',
  readProof: (headers) => readHmacProof(headers['x-hub-signature-256'], ['sha256']),
  readDelivery(headers, body) {
    const event = headers['x-github-event'];
    switch (event) {
      case undefined:
        return { kind: 'malformed', reason: 'header X-GitHub-Event is missing' };
      case PING:
        return { kind: 'other', reason: 'ping' };
      case PUSH:
        return readPush(headers, body);
      default:
        return { kind: 'other', reason: 'not a push' };
    }
  },
};

function readPush(headers: WebhookHeaders, body: Uint8Array): Delivery {
  const json = readJson(headers, body);
  if (json.kind === 'malformed') {
    return json;
  }
  const push = pushSchema.safeParse(json.value);
  if (!push.success) {
    const issues = push.error.issues.map((issue) => `${issue.path.join('.') || 'payload'}: ${issue.message}`);
    return { kind: 'malformed', reason: issues.join('; ') };
  }
  if (push.data.deleted) {
    return { kind: 'other', reason: 'ref deleted' };
  }
  return { kind: 'push', ref: push.data.ref, after: push.data.after };
}

type JsonReading =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'malformed'; readonly reason: string };

function readJson(headers: WebhookHeaders, body: Uint8Array): JsonReading {
  const contentType = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  const isForm = contentType === 'application/x-www-form-urlencoded';
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    const payloads = isForm ? new URLSearchParams(text).getAll('payload') : [text];
    if (payloads.length !== 1 || payloads[0] === undefined) {
      return { kind: 'malformed', reason: `form: expected one field "payload", got ${payloads.length}` };
    }
    return { kind: 'json', value: JSON.parse(payloads[0]) };
  } catch {
    return { kind: 'malformed', reason: 'payload: not JSON in UTF-8' };
  }
}
