import { posix } from 'node:path';

import { decodeText } from './parse-manifests.ts';
import type { RenderLimits } from './limits.ts';

/**
 * Helm fetches what a values schema refers to, from the network and from the disk. Only where every schema stands on its
 * own may helm check the values against it.
 *
 * @param files path in the private directory → content
 * @param chart its directory
 */
export function canCheckSchemas(
  limits: Pick<RenderLimits, 'maxDepth'>,
  files: ReadonlyMap<string, Uint8Array>,
  chart: string,
): boolean {
  return [...files].every(([path, content]) => {
    const isSchema = posix.basename(path) === 'values.schema.json';
    if (!isSchema || (chart !== '.' && !path.startsWith(`${chart}/`))) return true;
    return isSelfContained(parseJson(decodeText(content)), limits.maxDepth);
  });
}

/** By the grammar that helm reads it with: to a YAML parser the same text may be something else. */
function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '') as unknown;
  } catch {
    return undefined;
  }
}

const KNOWN_DIALECT =
  /^https?:\/\/json-schema\.org\/(?:draft-0[467]|draft\/2019-09|draft\/2020-12)\/schema#?$/;

/** A schema that refers to nothing but its own parts and the drafts that helm has built in. */
function isSelfContained(value: unknown, depth: number): boolean {
  if (value === undefined || depth < 0) return false;
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, inner]) => {
    if (key === '$schema' && typeof inner === 'string') return KNOWN_DIALECT.test(inner);
    if (/^\$(?:ref|dynamicRef|recursiveRef)$/.test(key) && typeof inner === 'string')
      return inner.startsWith('#');
    return isSelfContained(inner, depth - 1);
  });
}
