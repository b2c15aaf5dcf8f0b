import type { Dispatcher } from 'undici';
import { HoldfastError } from '../model/errors.ts';

/** Turns the words for what is wrong with a server's answer into the room's own error. */
export type Refuse = (what: string) => HoldfastError;

/** Where a redirect leads, as the server wrote it; '' when it names no place; undefined when it is no redirect. */
export function redirectOf(response: Dispatcher.ResponseData): string | undefined {
  if (![301, 302, 303, 307, 308].includes(response.statusCode)) return undefined;
  const location = response.headers['location'];
  return typeof location === 'string' ? location : '';
}

export interface RedirectRules {
  /** Where the conversation began: may be returned to however it is spoken with. */
  readonly origin: string;
  readonly refuse: Refuse;
  /** Other hosts that may be spoken to without https. @default none */
  readonly allowsPlainHttp?: (target: URL) => boolean;
}

/** @throws what `refuse` makes, for a redirect that would leave https or that carries a credential */
export function redirectTarget(location: string, from: URL, rules: RedirectRules): URL {
  let target: URL;
  try {
    target = new URL(location, from);
  } catch {
    throw rules.refuse('redirects to something that is no URL');
  }
  if (target.username !== '' || target.password !== '') {
    throw rules.refuse('redirects to a URL that holds a user name or password');
  }
  const allowed =
    target.origin === rules.origin ||
    target.protocol === 'https:' ||
    (target.protocol === 'http:' && rules.allowsPlainHttp?.(target) === true);
  if (!allowed) {
    throw rules.refuse(`redirects to another host without https (${target.protocol}//${target.host})`);
  }
  target.hash = '';
  return target;
}

/** For an answer whose body nobody reads: the connection is not waited for. */
export function discard(response: Dispatcher.ResponseData): void {
  response.body.on('error', () => undefined);
  response.body.destroy();
}

/** The body as it comes; what breaks it is told by `fail`. */
export async function* readBody(
  response: Dispatcher.ResponseData,
  fail: (cause: unknown) => HoldfastError,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.body) yield chunk as Buffer;
  } catch (cause) {
    throw fail(cause);
  }
}

/**
 * Our own errors pass (they come out of the socket's look-up); everything else never reached the server's logic.
 * @param unreachable gets a code such as ECONNREFUSED, or the name of an error; never a message
 */
export function connectionError(
  cause: unknown,
  unreachable: (reason: string, cause: unknown) => HoldfastError,
): HoldfastError {
  const causes = causesOf(cause);
  const ours = causes.find((each) => each instanceof HoldfastError);
  if (ours instanceof HoldfastError) return ours;
  const codes = causes.map((each) => property(each, 'code')).filter((code) => typeof code === 'string');
  return unreachable(codes[0] ?? String(property(cause, 'name') ?? 'unknown reason'), cause);
}

/** An error with everything it wraps, outermost first: fetch-like clients nest, and happy eyeballs aggregates. */
function causesOf(error: unknown, depth = 0): unknown[] {
  if (typeof error !== 'object' || error === null || depth > 5) return [];
  const nested = property(error, 'errors');
  const inner = [property(error, 'cause'), ...(Array.isArray(nested) ? nested : [])];
  return [error, ...inner.flatMap((each) => causesOf(each, depth + 1))];
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
