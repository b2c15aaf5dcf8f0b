import type { StepAnswer } from './sequence.ts';

/** Names of this run that become the same words in every run. */
export interface RunNames {
  readonly namespace: string;
  readonly suffix: string;
  readonly anyTime: boolean;
}

const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const TIME = /\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z\b/g;
const TEMPLATE_HASH = /(ReplicaSet \\?"[a-z-]+)-[0-9a-f]{6,10}/g;

/**
 * Makes two runs comparable: uids, addresses and node ports become numbers by first appearance, times and resource
 * versions become their rank, so equal, older and newer stay visible.
 */
export function normalise(answers: readonly StepAnswer[], run: RunNames): readonly StepAnswer[] {
  const text = JSON.stringify(answers);
  const uids = numbered(text.match(UUID) ?? [], 'uid');
  const times = numbered([...new Set(text.match(TIME) ?? [])].sort(), 'time');
  const versions = numbered(resourceVersions(answers), 'version');
  const places = new Map<string, string>();
  const place = (kind: string, value: unknown): string => {
    const key = `${kind}:${String(value)}`;
    if (!places.has(key))
      places.set(key, `${kind}-${[...places.keys()].filter((k) => k.startsWith(kind)).length + 1}`);
    return places.get(key) ?? '';
  };

  function walk(value: unknown, field: string, parent: string): unknown {
    if (Array.isArray(value)) return value.map((item) => walk(item, field, parent));
    if (typeof value === 'object' && value !== null) {
      const isList = Array.isArray((value as { items?: unknown }).items);
      const context = field === 'metadata' && parent === 'list' ? 'list' : '';
      return Object.fromEntries(
        Object.entries(value).map(([key, child]) => [key, walk(child, key, isList ? 'list' : context)]),
      );
    }
    if (field === 'resourceVersion' && typeof value === 'string') {
      return parent === 'list' ? 'list-version' : (versions.get(value) ?? value);
    }
    if (field === 'continue' && typeof value === 'string' && value !== '') return 'continue-token';
    if (
      (field === 'clusterIP' || field === 'clusterIPs') &&
      typeof value === 'string' &&
      value.startsWith('10.')
    ) {
      return place('ip', value);
    }
    if (field === 'nodePort') return place('port', value);
    return typeof value === 'string' ? words(value) : value;
  }

  function words(value: string): string {
    return value
      .replaceAll(run.namespace, '$NS')
      .replaceAll(run.suffix, '$SUFFIX')
      .replaceAll(UUID, (uid) => uids.get(uid) ?? uid)
      .replaceAll(TIME, (time) => (run.anyTime ? 'some-time' : (times.get(time) ?? time)))
      .replaceAll(
        /in record \((\d+)\)/g,
        (_, version) => `in record (${versions.get(String(version)) ?? version})`,
      )
      .replaceAll(TEMPLATE_HASH, '$1-$HASH');
  }

  const renamed = (value: unknown): unknown => {
    // uids, and the names of the run, also stand in keys of managedFields and labels.
    if (Array.isArray(value)) return value.map(renamed);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [words(key), renamed(child)]));
  };

  return answers.map(({ status, body }) => ({ status, body: renamed(walk(body, '', '')) }));
}

function numbered(values: readonly string[], word: string): ReadonlyMap<string, string> {
  const out = new Map<string, string>();
  for (const value of values) if (!out.has(value)) out.set(value, `${word}-${out.size + 1}`);
  return out;
}

/** In rising order. Versions of lists count every write of the cluster and are left out. */
function resourceVersions(answers: readonly StepAnswer[]): readonly string[] {
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(visit);
    if (typeof value !== 'object' || value === null) return;
    const { items, metadata } = value as { items?: unknown; metadata?: { resourceVersion?: unknown } };
    if (items === undefined && typeof metadata?.resourceVersion === 'string')
      found.add(metadata.resourceVersion);
    Object.values(value).forEach(visit);
  };
  for (const answer of answers) visit(answer.body);
  return [...found].sort((a, b) => Number(a) - Number(b));
}
