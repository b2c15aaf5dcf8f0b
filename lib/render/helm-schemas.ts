import { posix } from 'node:path';

import { decodeText } from './parse-manifests.ts';
import type { RenderLimits } from './limits.ts';
import { parseYaml } from './parse-yaml.ts';

/**
 * Helm fetches what a values schema refers to, from the network and from the disk. Only where every schema stands on its
 * own may helm check the values against it.
 *
 * @param files path in the private directory → content
 * @param chart its directory
 */
export function canCheckSchemas(
  limits: RenderLimits,
  files: ReadonlyMap<string, Uint8Array>,
  chart: string,
): boolean {
  return [...files].every(([path, content]) => {
    const isSchema = posix.basename(path) === 'values.schema.json';
    if (!isSchema || (chart !== '.' && !path.startsWith(`${chart}/`))) return true;
    const documents = parseYaml(decodeText(content) ?? '', { limits, uniqueKeys: false });
    return documents.every((document) => document.ok && isSelfContained(document.value));
  });
}

const KNOWN_DIALECT =
  /^https?:\/\/json-schema\.org\/(?:draft-0[467]|draft\/2019-09|draft\/2020-12)\/schema#?$/;

/** A schema that refers to nothing but its own parts and the drafts that helm has built in. */
function isSelfContained(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, inner]) => {
    if (key === '$schema' && typeof inner === 'string') return KNOWN_DIALECT.test(inner);
    if (/^\$(?:ref|dynamicRef|recursiveRef)$/.test(key) && typeof inner === 'string')
      return inner.startsWith('#');
    return isSelfContained(inner);
  });
}
