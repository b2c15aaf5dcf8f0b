import { HoldfastError } from '../model/errors.ts';
import type { KubeObject } from '../model/resource.ts';
import type { ExternalContent } from '../render/renderer.ts';

const MAX_VALUE_BYTES = 1024 * 1024;

/**
 * What a secret of Secrets Manager gives to a render: its text, and the keys of a JSON object of texts.
 * @throws HoldfastError `render-limit`
 */
export function contentOfText(name: string, text: string): ExternalContent {
  assertSize(`secret ${name} of Secrets Manager`, Buffer.byteLength(text));
  return { text, entries: textsOf(text) ?? {}, secret: true };
}

/**
 * What a ConfigMap or a Secret gives: its `data`, decoded. What is not UTF-8 text is no value, and left out.
 * @param key as externalKey gives it, for the message
 * @throws HoldfastError `render-limit`
 */
export function contentOfObject(object: KubeObject, key: string): ExternalContent {
  const secret = object.kind === 'Secret';
  const { data } = object as { readonly data?: unknown };
  const entries: Record<string, string> = Object.create(null) as Record<string, string>;
  let bytes = 0;
  if (typeof data === 'object' && data !== null) {
    for (const [name, value] of Object.entries(data)) {
      if (typeof value !== 'string') continue;
      const decoded = Buffer.from(value, secret ? 'base64' : 'utf8');
      bytes += decoded.byteLength;
      const text = textOf(decoded);
      if (text !== undefined) entries[name] = text;
    }
  }
  assertSize(key, bytes);
  return { entries, secret };
}

/** Of a JSON object of texts, and of nothing else. */
function textsOf(text: string): Readonly<Record<string, string>> | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
    const entries = Object.entries(parsed);
    return entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')
      ? Object.fromEntries(entries)
      : undefined;
  } catch {
    return undefined;
  }
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function assertSize(what: string, bytes: number): void {
  if (bytes <= MAX_VALUE_BYTES) return;
  throw new HoldfastError('render-limit', `${what}: ${bytes} bytes of values, at most 1 MiB are read`);
}
