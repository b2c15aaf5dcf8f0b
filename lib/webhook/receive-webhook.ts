import type { SourceId } from '../model/ids.ts';
import { type Log, silentLog } from '../model/log.ts';
import type { Metrics } from '../model/metrics.ts';
import type { Source } from '../model/source.ts';
import type { WakeUp } from '../model/wake-up.ts';
import type { WakeQueue } from '../queue/wake-queue.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import { webhookHosts } from './hosts.ts';
import type { RefetchGate } from './refetch-gate.ts';
import type { SourceLookup } from './source-lookup.ts';
import { verifyProof } from './verify-proof.ts';
import type { Delivery, WebhookHeaders } from './webhook-host.ts';

/** What a Lambda function can be handed at all. */
export const DEFAULT_MAX_BODY_BYTES = 6 * 1024 * 1024;

export interface ReceiveWebhookDeps {
  readonly sources: SourceLookup;
  readonly secrets: Pick<SecretStore, 'get'>;
  readonly queue: WakeQueue;
  /** The refs that applications of this source follow, as refKey; undefined when that is not known. */
  readonly followedRefs: (source: SourceId) => Promise<ReadonlySet<string> | undefined>;
  /** @default every wrong signature may */
  readonly mayRefetchSecrets?: RefetchGate;
  /** Whether this address may call at all. @default every address may */
  readonly isAllowedAddress?: (sourceIp: string) => boolean;
  readonly log?: Log;
  /** @default none */
  readonly metrics?: Metrics;
  /** @default DEFAULT_MAX_BODY_BYTES */
  readonly maxBodyBytes?: number;
}

export interface WebhookRequest {
  /** From the route, unverified. */
  readonly sourceId: string;
  readonly headers: WebhookHeaders;
  /** The peer's address as the endpoint saw it, never from a header. Needed where addresses are restricted. */
  readonly sourceIp?: string;
  /** As they came over the wire. */
  readonly body: Uint8Array;
}

export type WebhookResult =
  /** A wake-up of the source is on the queue. */
  | { readonly kind: 'accepted' }
  /** A valid delivery that changes nothing. */
  | { readonly kind: 'ignored'; readonly reason: string }
  /** One answer for an unknown source and for every defect of the signature. */
  | { readonly kind: 'unauthorized' }
  /** The caller's address is not among the allowed ones. */
  | { readonly kind: 'forbidden' }
  | { readonly kind: 'too-large'; readonly maxBodyBytes: number }
  | { readonly kind: 'malformed'; readonly reason: string }
  /** Nothing was decided; the host may deliver again. */
  | { readonly kind: 'unavailable' };

/**
 * Takes one delivery of a Git host: verifies it over the raw bytes, and wakes the source if it can have changed what is
 * wanted. Keeps no state: a replay costs one look at the ref.
 * Every outcome is a value; dependencies that fail make it `unavailable`.
 */
export async function receiveWebhook(
  deps: ReceiveWebhookDeps,
  request: WebhookRequest,
): Promise<WebhookResult> {
  const result = await receive(deps, request);
  if (result.kind === 'accepted') deps.metrics?.emit('WebhookAccepted');
  if (result.kind === 'unauthorized') deps.metrics?.emit('WebhookUnauthorized');
  return result;
}

async function receive(deps: ReceiveWebhookDeps, request: WebhookRequest): Promise<WebhookResult> {
  const log = deps.log ?? silentLog;
  if (deps.isAllowedAddress !== undefined && !deps.isAllowedAddress(request.sourceIp ?? '')) {
    log.info('delivery from an address that is not allowed refused', { sourceIp: request.sourceIp });
    return { kind: 'forbidden' };
  }
  const sourceId = parseSourceId(request.sourceId);
  if (sourceId === undefined) {
    log.info('delivery for a malformed source id refused');
    return { kind: 'unauthorized' };
  }
  // The key under which the other functions name it too.
  const sourceLog = log.child({ source: sourceId });
  try {
    return await receiveForSource({ ...deps, log: sourceLog }, sourceId, request);
  } catch (error) {
    sourceLog.error('delivery could not be handled', { error });
    return { kind: 'unavailable' };
  }
}

async function receiveForSource(
  deps: ReceiveWebhookDeps & { readonly log: Log },
  sourceId: SourceId,
  request: WebhookRequest,
): Promise<WebhookResult> {
  const source = await deps.sources.get(sourceId);
  if (source === undefined) {
    deps.log.info('delivery for an unknown source refused');
    return { kind: 'unauthorized' };
  }
  const maxBodyBytes = deps.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
  if (request.body.byteLength > maxBodyBytes) {
    deps.log.warn('delivery over the body cap refused', { bodyBytes: request.body.byteLength, maxBodyBytes });
    return { kind: 'too-large', maxBodyBytes };
  }
  const host = webhookHosts[source.provider];
  const headers = lowerCaseHeaders(request.headers);
  const proof = host.readProof(headers);
  if (proof === undefined) {
    deps.log.warn('delivery without a well-formed signature refused', { provider: source.provider });
    return { kind: 'unauthorized' };
  }
  if (!(await verifyProof(deps, source, proof, request.body))) {
    deps.log.warn('delivery with a wrong signature refused', { provider: source.provider });
    return { kind: 'unauthorized' };
  }
  const deliveryId = readDeliveryId(host.deliveryIdHeader, headers);
  const log = deps.log.child(deliveryId === undefined ? {} : { deliveryId });
  return act({ ...deps, log }, source, host.readDelivery(headers, request.body), deliveryId);
}

async function act(
  deps: ReceiveWebhookDeps & { readonly log: Log },
  source: Source,
  delivery: Delivery,
  deliveryId: string | undefined,
): Promise<WebhookResult> {
  switch (delivery.kind) {
    case 'malformed':
      deps.log.warn('signed delivery not understood', { reason: delivery.reason });
      return { kind: 'malformed', reason: delivery.reason };
    case 'other':
      deps.log.info('delivery ignored', { reason: delivery.reason });
      return { kind: 'ignored', reason: delivery.reason };
    case 'change':
      return wake(deps, source, deliveryId, {});
    case 'push': {
      const { ref } = delivery;
      if (!(await isFollowed(deps, source.id, delivery))) {
        deps.log.info('push to a ref that no application follows ignored', { ref });
        return { kind: 'ignored', reason: 'no application follows this ref' };
      }
      return wake(deps, source, deliveryId, { ref });
    }
  }
}

async function isFollowed(
  deps: ReceiveWebhookDeps & { readonly log: Log },
  source: SourceId,
  push: { readonly ref: string; readonly after?: string },
): Promise<boolean> {
  try {
    const followed = await deps.followedRefs(source);
    // An application may follow an exact commit, which this push may have brought.
    return followed === undefined || followed.has(push.ref) || followed.has(push.after ?? push.ref);
  } catch (error) {
    // Knowing the refs only saves a look; a push is not refused for want of it.
    deps.log.warn('followed refs not readable, waking the source', { error });
    return true;
  }
}

async function wake(
  deps: ReceiveWebhookDeps & { readonly log: Log },
  source: Source,
  deliveryId: string | undefined,
  fields: { readonly ref?: string },
): Promise<WebhookResult> {
  const wakeUp: WakeUp = { v: 1, kind: 'source', source: source.id, reason: 'push' };
  await deps.queue.send([deliveryId === undefined ? wakeUp : { ...wakeUp, deliveryId }]);
  deps.log.info('source woken', fields);
  return { kind: 'accepted' };
}

function parseSourceId(text: string): SourceId | undefined {
  return /^[a-z0-9-]{1,63}$/.test(text) ? (text as SourceId) : undefined;
}

/** Two spellings of one name are one header sent twice. */
function lowerCaseHeaders(headers: WebhookHeaders): WebhookHeaders {
  const lowered = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) {
      const key = name.toLowerCase();
      const before = lowered.get(key);
      lowered.set(key, before === undefined ? value : `${before},${value}`);
    }
  }
  return Object.fromEntries(lowered);
}

function readDeliveryId(name: string | undefined, headers: WebhookHeaders): string | undefined {
  const value = name === undefined ? undefined : headers[name];
  return value !== undefined && /^[A-Za-z0-9._-]{1,64}$/.test(value) ? value : undefined;
}
