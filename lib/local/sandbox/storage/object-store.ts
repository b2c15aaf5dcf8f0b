import type { SandboxObject } from '../objects/sandbox-object.ts';

/** Told of every write, after it happened. `object` is the new one, or the last one of a delete. */
export interface StoreChange {
  readonly kind: 'put' | 'deleted';
  /** collectionKey of its type. */
  readonly collection: string;
  readonly object: SandboxObject;
}

export interface StoreContent {
  readonly resourceVersion: number;
  readonly collections: Readonly<Record<string, readonly SandboxObject[]>>;
}

/** Objects by collection, namespace and name, under one counter of versions, as etcd has it. */
export interface ObjectStore {
  readonly resourceVersion: () => number;
  readonly get: (collection: string, namespace: string, name: string) => SandboxObject | undefined;
  /** In the order of namespace and name; a snapshot: later writes do not show in it. */
  readonly list: (collection: string, namespace?: string) => readonly SandboxObject[];
  /** Stores the object under the next version and returns it as stored. */
  readonly put: (collection: string, object: SandboxObject) => SandboxObject;
  readonly remove: (collection: string, object: SandboxObject) => SandboxObject;
  readonly collections: () => readonly string[];
  readonly content: () => StoreContent;
}

/** After a crash the last writes are missing, but clients have seen their versions: none of them may come again. */
const RESTART_GAP = 100_000;

export function createObjectStore(
  initial: StoreContent | undefined,
  onChange: (change: StoreChange) => void,
): ObjectStore {
  let version = initial === undefined ? 0 : initial.resourceVersion + RESTART_GAP;
  const collections = new Map<string, Map<string, SandboxObject>>();
  const sorted = new Map<string, readonly SandboxObject[]>();

  function collection(key: string): Map<string, SandboxObject> {
    let found = collections.get(key);
    if (found === undefined) {
      found = new Map();
      collections.set(key, found);
    }
    return found;
  }

  for (const [key, objects] of Object.entries(initial?.collections ?? {})) {
    for (const object of objects) collection(key).set(storageKey(object), object);
  }

  function stamped(object: SandboxObject): SandboxObject {
    version += 1;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
  }

  function all(key: string): readonly SandboxObject[] {
    let objects = sorted.get(key);
    if (objects === undefined) {
      const entries = [...collection(key)].sort(([a], [b]) => (a < b ? -1 : 1));
      objects = entries.map(([, object]) => object);
      sorted.set(key, objects);
    }
    return objects;
  }

  return {
    resourceVersion: () => version,
    get: (key, namespace, name) => collections.get(key)?.get(`${namespace}/${name}`),
    list: (key, namespace) => {
      const objects = all(key);
      if (namespace === undefined) return objects;
      return objects.filter((object) => (object.metadata.namespace ?? '') === namespace);
    },
    put: (key, object) => {
      const stored = stamped(object);
      collection(key).set(storageKey(stored), stored);
      sorted.delete(key);
      onChange({ kind: 'put', collection: key, object: stored });
      return stored;
    },
    remove: (key, object) => {
      const last = stamped(object);
      collection(key).delete(storageKey(object));
      sorted.delete(key);
      onChange({ kind: 'deleted', collection: key, object: last });
      return last;
    },
    collections: () => [...collections.keys()],
    content: () => ({
      resourceVersion: version,
      collections: Object.fromEntries([...collections].map(([key, objects]) => [key, [...objects.values()]])),
    }),
  };
}

function storageKey(object: SandboxObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}
