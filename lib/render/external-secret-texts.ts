import type { Json } from '../model/resource.ts';
import { describeKey } from '../model/external-values.ts';
import type { RenderLimits } from './limits.ts';
import { isObject } from './parse-manifests.ts';
import { parseYaml } from './parse-yaml.ts';
import type { ExternalContents } from './renderer.ts';
import type { SecretTexts } from './secret-texts.ts';
import { inOneLine } from './substitute/collect-variables.ts';

/** What comes from Secrets is secret, as a whole and, where it is YAML, in each of its texts. */
export function addExternalSecrets(
  secrets: SecretTexts,
  values: ExternalContents,
  limits: Pick<RenderLimits, 'maxDepth' | 'maxAliasWeight'>,
): void {
  for (const [key, { text, entries, secret }] of values) {
    if (!secret) continue;
    const from = describeKey(key);
    for (const whole of [...(text === undefined ? [] : [text]), ...Object.values(entries)]) {
      secrets.add(whole, from);
      // As a variable it has no newlines.
      secrets.add(inOneLine(whole), from);
      for (const part of partsOf(whole, limits)) secrets.add(part, from);
    }
  }
}

function partsOf(text: string, limits: Pick<RenderLimits, 'maxDepth' | 'maxAliasWeight'>): readonly string[] {
  if (!/[:{[]/.test(text)) return [];
  return parseYaml(text, { limits, uniqueKeys: false }).flatMap((document) =>
    document.ok && typeof document.value === 'object' ? textsOf(document.value) : [],
  );
}

function textsOf(value: Json): readonly string[] {
  if (typeof value === 'string') return [value];
  if (typeof value === 'number') return [String(value)];
  if (Array.isArray(value)) return (value as readonly Json[]).flatMap(textsOf);
  return isObject(value) ? Object.values(value).flatMap(textsOf) : [];
}
