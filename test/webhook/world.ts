import { createHmac } from 'node:crypto';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { SourceId } from '../../lib/model/ids.ts';
import type { Log, LogFields } from '../../lib/model/log.ts';
import type { Source } from '../../lib/model/source.ts';
import type { WakeUp } from '../../lib/model/wake-up.ts';
import type { ReceiveWebhookDeps } from '../../lib/webhook/receive-webhook.ts';

export const SOURCE_ID = 'demo-repository-7f3a' as SourceId;
export const SECRET = "It's a Secret to Everybody";

export interface WebhookWorld {
  readonly deps: ReceiveWebhookDeps;
  readonly sent: readonly WakeUp[];
  /** `<name>` or `<name> fresh`, in order. */
  readonly secretReads: readonly string[];
  readonly logged: readonly { readonly message: string; readonly fields: LogFields }[];
}

/** One registered source with one secret, following `refs/heads/master`; each test adds one fact. */
export function aWebhookWorld(
  facts: {
    readonly source?: Partial<Source>;
    /** Current values by name; `fresh` values hide behind the cache until it is refetched. */
    readonly secrets?: Readonly<Record<string, string>>;
    readonly freshSecrets?: Readonly<Record<string, string>>;
    readonly followedRefs?: ReadonlySet<string> | 'unknown' | 'unreadable';
    readonly deps?: Partial<ReceiveWebhookDeps>;
  } = {},
): WebhookWorld {
  const source: Source = {
    schema: 1,
    id: SOURCE_ID,
    url: 'https://git.example.com/demo.git',
    provider: 'github',
    webhookSecrets: ['demo'],
    ...facts.source,
  };
  const cached = facts.secrets ?? { demo: SECRET };
  const fresh = facts.freshSecrets ?? cached;
  const sent: WakeUp[] = [];
  const secretReads: string[] = [];
  const logged: { message: string; fields: LogFields }[] = [];
  const deps: ReceiveWebhookDeps = {
    sources: { get: async (id) => (id === source.id ? source : undefined) },
    secrets: {
      async get(_role, name, options) {
        secretReads.push(options?.fresh === true ? `${name} fresh` : name);
        const value = (options?.fresh === true ? fresh : cached)[name];
        if (value === undefined) {
          throw new HoldfastError('secret-missing', `secret "${name}" does not exist`);
        }
        return value;
      },
    },
    queue: {
      async send(wakeUps) {
        sent.push(...wakeUps);
      },
    },
    async followedRefs() {
      const refs = facts.followedRefs ?? new Set(['refs/heads/master']);
      if (refs === 'unreadable') {
        throw new Error('the table is throttled');
      }
      return refs === 'unknown' ? undefined : refs;
    },
    log: recordingLog(logged, {}),
    ...facts.deps,
  };
  return { deps, sent, secretReads, logged };
}

function recordingLog(logged: { message: string; fields: LogFields }[], base: LogFields): Log {
  const record = (message: string, fields: LogFields = {}) => {
    logged.push({ message, fields: { ...base, ...fields } });
  };
  return {
    info: record,
    warn: record,
    error: record,
    child: (fields) => recordingLog(logged, { ...base, ...fields }),
  };
}

export function hmac(
  algorithm: 'sha256' | 'sha512' | 'sha1',
  secret: string,
  body: Uint8Array | string,
): string {
  return `${algorithm}=${createHmac(algorithm, secret).update(body).digest('hex')}`;
}

/** A signed GitHub delivery of JSON, text or bytes; `headers` are laid over the usual ones. */
export function aGithubDelivery(
  payload: unknown,
  headers: Readonly<Record<string, string | undefined>> = {},
  secret = SECRET,
) {
  const body =
    payload instanceof Uint8Array
      ? payload
      : Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload));
  return {
    sourceId: SOURCE_ID as string,
    headers: {
      'content-type': 'application/json',
      'x-github-event': 'push',
      'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
      'x-hub-signature-256': hmac('sha256', secret, body),
      ...headers,
    } as Readonly<Record<string, string | undefined>>,
    body,
  };
}

export function aPush(changes: Readonly<Record<string, unknown>> = {}) {
  return { ref: 'refs/heads/master', after: 'a'.repeat(40), deleted: false, ...changes };
}
