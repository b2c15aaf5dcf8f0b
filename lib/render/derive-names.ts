import { createHash } from 'node:crypto';
import { withValueAt } from '../model/json-pointer.ts';
import type { KubeObject, Manifest } from '../model/resource.ts';

/** The longest name that every kind takes: a DNS label. */
const MAX_NAME = 63;
const HASH_CHARACTERS = 8;

/**
 * Gives every object that has only a `generateName` the name that its content asks for: the prefix, cut to fit into 63
 * characters, and 8 hexadecimal digits of a hash of the whole object. The same object keeps its name for ever, so that
 * it is applied once; a changed one is a new object beside which the old one is pruned, which is how a Job is run again.
 * (The API server's own random name would make another object of it at every apply; it refuses to apply without a name.)
 */
export function deriveNames(manifests: readonly Manifest[]): readonly Manifest[] {
  return manifests.map((manifest) => {
    const { name, generateName, ...metadata } = manifest.object.metadata ?? {};
    if (!isEmpty(name) || isEmpty(generateName)) return manifest;
    const derived = `${generateName.slice(0, MAX_NAME - HASH_CHARACTERS)}${hashOf(withoutVolatile(manifest))}`;
    return { ...manifest, object: { ...manifest.object, metadata: { ...metadata, name: derived } } };
  });
}

/** What comes out differently each time would make another object of it each time. */
function withoutVolatile({ object, volatile = [] }: Manifest): KubeObject {
  return volatile.reduce((rest, pointer) => withValueAt(rest, pointer, null), object);
}

function isEmpty(text: string | null | undefined): text is '' | null | undefined {
  return text === undefined || text === null || text === '';
}

function hashOf(object: KubeObject): string {
  return createHash('sha256')
    .update(JSON.stringify(object, sortedKeys))
    .digest('hex')
    .slice(0, HASH_CHARACTERS);
}

/** The same text in whatever order an object's fields were written. */
function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
