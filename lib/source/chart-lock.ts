import { sha256 } from '../model/ids.ts';

type Fields = Readonly<Record<string, unknown>>;

export interface LockedDependency {
  readonly name: string;
  readonly version: string;
}

/**
 * What a Chart.lock says of each declared dependency, in their order; undefined when it was written for other
 * declarations. Helm 3 and 4 hash declarations and locks together; a lock of Helm 2 beside a chart of apiVersion v1
 * holds a hash over the declarations alone (helm, internal/resolver: HashReq, HashV2Req).
 */
export function lockedVersions(
  declared: readonly Fields[],
  lock: Fields,
  apiVersion: unknown,
): readonly LockedDependency[] | undefined {
  const locked = Array.isArray(lock['dependencies'])
    ? (lock['dependencies'] as readonly unknown[]).map(fields)
    : [];
  const wanted = declared.map(asHashed);
  const digests = [hashOf([wanted, locked.map(asHashed)])];
  if (apiVersion !== 'v2') digests.push(hashOf({ dependencies: wanted }));
  if (!digests.includes(String(lock['digest'])) || locked.length !== declared.length) return undefined;
  return locked.map((entry) => ({ name: text(entry['name']), version: text(entry['version']) }));
}

/** A dependency as Go writes helm's struct as JSON: in the order of its fields, empty ones left out. */
function asHashed(entry: Fields): Fields {
  const { tags, 'import-values': imports } = entry;
  return {
    name: text(entry['name']),
    ...optional('version', text(entry['version'])),
    repository: text(entry['repository']),
    ...optional('condition', text(entry['condition'])),
    ...(Array.isArray(tags) && tags.length > 0 ? { tags } : {}),
    ...(entry['enabled'] === true ? { enabled: true } : {}),
    ...(Array.isArray(imports) && imports.length > 0 ? { 'import-values': sorted(imports) } : {}),
    ...optional('alias', text(entry['alias'])),
  };
}

function optional(name: string, value: string): Fields {
  return value === '' ? {} : { [name]: value };
}

function hashOf(value: unknown): string {
  // Go escapes what could end a script element, too.
  const json = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `sha256:${sha256(json)}`;
}

/** Go writes maps sorted by key. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
