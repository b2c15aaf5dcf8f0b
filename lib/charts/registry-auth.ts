import { sha256 } from '../model/ids.ts';
import { chartFailure, statusError } from './chart-errors.ts';
import type { ChartAnswer, ChartGet, Conversation } from './chart-http.ts';
import { MAX_DOCUMENT_BYTES } from './chart-limits.ts';

/** Authorization headers that registries have taken, for the life of the process. */
export interface RegistryTokens {
  find(key: string): string | undefined;
  keep(key: string, token: string, lifetimeSeconds: number): void;
  drop(key: string): void;
}

export interface RegistrySession {
  readonly conversation: Conversation;
  /** scheme://host of the registry. */
  readonly origin: string;
  /** Of the repository, for the scope of a token. */
  readonly path: string;
  readonly place: string;
  /** From a secret, or of Amazon ECR; sent only when it is asked for, to the registry or to the place of its tokens. */
  readonly basic: string | undefined;
  readonly tokens: RegistryTokens;
}

const MAX_TOKENS = 200;
/** The specification's lifetime of a token that does not say. */
const DEFAULT_LIFETIME_SECONDS = 60;
const MAX_LIFETIME_SECONDS = 3_600;
/** A token must outlast the requests it is used for. */
const EARLY_SECONDS = 10;
const MAX_CHALLENGE_LENGTH = 4_096;

/** @param now milliseconds on any clock that only grows */
export function registryTokens(now: () => number): RegistryTokens {
  const tokens = new Map<string, { readonly token: string; readonly expiresAt: number }>();
  return {
    find(key) {
      const known = tokens.get(key);
      return known !== undefined && known.expiresAt > now() ? known.token : undefined;
    },
    keep(key, token, lifetimeSeconds) {
      tokens.delete(key);
      tokens.set(key, { token, expiresAt: now() + (lifetimeSeconds - EARLY_SECONDS) * 1_000 });
      const [oldest] = tokens.keys();
      if (tokens.size > MAX_TOKENS && oldest !== undefined) tokens.delete(oldest);
    },
    drop: (key) => tokens.delete(key),
  };
}

/**
 * GET from a registry: answers its challenge, with a token of the service that it names or with the Basic credential.
 * @returns the answer, also 401 when there is nothing (more) to answer the challenge with
 */
export async function getFromRegistry(
  session: RegistrySession,
  url: URL,
  request: Omit<ChartGet, 'credential'>,
): Promise<ChartAnswer> {
  const key = sha256(`${session.origin}\n${session.path}\n${session.basic ?? ''}`);
  const attempt = (authorization: string | undefined) =>
    session.conversation.get(url, {
      ...request,
      credential: authorization === undefined ? undefined : { origin: session.origin, authorization },
    });
  const known = session.tokens.find(key);
  const answer = await attempt(known);
  // What another host says after a redirect is no challenge of the registry.
  if (answer.status !== 401 || answer.url.origin !== session.origin) return answer;
  if (known !== undefined) session.tokens.drop(key);
  const challenge = parseChallenge(answer.header('www-authenticate'));
  if (challenge === undefined) return answer;
  if (challenge.scheme === 'basic') {
    if (session.basic === undefined) return answer;
    const second = await attempt(session.basic);
    if (second.status !== 401) session.tokens.keep(key, session.basic, MAX_LIFETIME_SECONDS);
    return second;
  }
  const { token, lifetimeSeconds } = await fetchToken(session, challenge);
  session.tokens.keep(key, `Bearer ${token}`, lifetimeSeconds);
  return attempt(`Bearer ${token}`);
}

type Challenge =
  | { readonly scheme: 'basic' }
  | {
      readonly scheme: 'bearer';
      readonly realm: string;
      readonly service: string | undefined;
      readonly scope: string | undefined;
    };

/** RFC 9110, as registries use it: one scheme in a header, parameters quoted. */
export function parseChallenge(header: string): Challenge | undefined {
  if (header.length > MAX_CHALLENGE_LENGTH) return undefined;
  const bearer = /(?:^|,\s*)Bearer\s+(.*)$/i.exec(header)?.[1];
  if (bearer === undefined) return /(?:^|,\s*)Basic(?:\s|$)/i.test(header) ? { scheme: 'basic' } : undefined;
  const parameters = new Map<string, string>();
  for (const match of bearer.matchAll(/([a-z]+)=(?:"([^"\\]*)"|([^\s",]+))/gi)) {
    parameters.set((match[1] ?? '').toLowerCase(), match[2] ?? match[3] ?? '');
  }
  const realm = parameters.get('realm');
  if (realm === undefined) return undefined;
  return { scheme: 'bearer', realm, service: parameters.get('service'), scope: parameters.get('scope') };
}

/** The Basic credential goes to the service that the registry names: such is the protocol, and registries rely on it. */
async function fetchToken(
  session: RegistrySession,
  challenge: Extract<Challenge, { scheme: 'bearer' }>,
): Promise<{ readonly token: string; readonly lifetimeSeconds: number }> {
  const { basic, place } = session;
  if (!URL.canParse(challenge.realm)) {
    throw chartFailure('chart-corrupt', place, 'the registry names a place for tokens that is no URL');
  }
  const realm = new URL(challenge.realm);
  realm.hash = '';
  if (challenge.service !== undefined) realm.searchParams.set('service', challenge.service);
  realm.searchParams.set('scope', challenge.scope ?? `repository:${session.path}:pull`);
  const answer = await session.conversation.get(realm, {
    credential: basic === undefined ? undefined : { origin: realm.origin, authorization: basic },
    maxBytes: MAX_DOCUMENT_BYTES,
    limit: ['the token', 'of all documents'],
  });
  if (answer.status !== 200) {
    throw statusError({ ...answer, place: `${place}, whose registry gives out tokens at ${answer.place},` });
  }
  const { token, lifetimeSeconds } = parseToken(answer.body);
  if (token === undefined) {
    throw chartFailure('chart-corrupt', place, `${answer.place} answers without a token`);
  }
  return { token, lifetimeSeconds };
}

function parseToken(body: Buffer): { readonly token: string | undefined; readonly lifetimeSeconds: number } {
  let document: Readonly<Record<string, unknown>> = {};
  try {
    document = (JSON.parse(body.toString('utf8')) ?? {}) as typeof document;
  } catch {
    // Told below; the parser's message would quote the body.
  }
  const token = [document['token'], document['access_token']].find((each) => typeof each === 'string');
  const { expires_in: expiresIn } = document;
  const lifetime = typeof expiresIn === 'number' && expiresIn > 0 ? expiresIn : DEFAULT_LIFETIME_SECONDS;
  return {
    token: typeof token === 'string' && /^[\x21-\x7e]+$/.test(token) ? token : undefined,
    lifetimeSeconds: Math.min(lifetime, MAX_LIFETIME_SECONDS),
  };
}
