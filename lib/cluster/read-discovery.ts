import { KubeError } from './kube-error.ts';
import type { Discovery, ResourceType } from './kube-api.ts';
import { forEachPooled } from './pooled.ts';

/** GETs a path; `undefined` when it is not served (404). */
export type FetchJson = (path: string, accept: string) => Promise<unknown>;

interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

interface FoundGroup {
  readonly group: string;
  /** In the server's order of preference. */
  readonly versions: readonly string[];
}

const AGGREGATED_ACCEPT = [
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
  'application/json',
].join(',');
const PLAIN_ACCEPT = 'application/json';
const DISCOVERY_CONCURRENCY = 16;

/**
 * What the cluster serves: two requests where it offers aggregated discovery (1.27 and newer, on by default), else one
 * per group version, concurrently. A group version that cannot be read is reported in `failedGroups`.
 *
 * @throws KubeError when the roots /api and /apis cannot be read
 */
export async function readDiscovery(fetchJson: FetchJson): Promise<Discovery> {
  const [core, groups] = await Promise.all([
    fetchJson('/api', AGGREGATED_ACCEPT),
    fetchJson('/apis', AGGREGATED_ACCEPT),
  ]);
  const types: ResourceType[] = [];
  const failed: string[] = [];
  const found: FoundGroup[] = [];
  const unread: GroupVersion[] = [];

  for (const root of [core, groups]) {
    refuseOther(root);
    if (fieldOf(root, 'kind') === 'APIGroupDiscoveryList') {
      readAggregated(root, { found, types, failed });
    } else {
      for (const group of plainGroups(root)) {
        found.push(group);
        unread.push(...group.versions.map((version) => ({ group: group.group, version })));
      }
    }
  }

  await forEachPooled(unread, DISCOVERY_CONCURRENCY, async (groupVersion) => {
    const name = nameOf(groupVersion);
    try {
      const path = groupVersion.group === '' ? `/api/${groupVersion.version}` : `/apis/${name}`;
      const list = await fetchJson(path, PLAIN_ACCEPT);
      if (fieldOf(list, 'resources') === undefined) {
        // Named by /apis and not served: being installed or removed. Unknown until a later look settles it.
        failed.push(name);
      } else {
        types.push(...plainResources(groupVersion, list));
      }
    } catch (error) {
      if (error instanceof KubeError && error.code === 'kube-unauthorized') {
        throw error;
      }
      failed.push(name);
    }
  });
  return discoveryOf(types, found, failed.sort());
}

/** The picture made of these types; `groups` says which version of a group is preferred. */
export function discoveryOf(
  types: readonly ResourceType[],
  groups: readonly FoundGroup[],
  failedGroups: readonly string[],
): Discovery {
  const exact = new Map<string, ResourceType>();
  const byKind = new Map<string, Map<string, ResourceType>>();
  for (const type of types) {
    const key = `${nameOf(type)}/${type.kind}`;
    // Some kinds are served by two resources; the first one named is the one that stores.
    if (!exact.has(key)) {
      exact.set(key, type);
      const kindKey = `${type.group}/${type.kind}`;
      const versions = byKind.get(kindKey) ?? new Map<string, ResourceType>();
      versions.set(type.version, type);
      byKind.set(kindKey, versions);
    }
  }
  const order = new Map(groups.map((group) => [group.group, group.versions]));

  function preferred(group: string, kind: string): ResourceType | undefined {
    const versions = byKind.get(`${group}/${kind}`);
    if (versions === undefined) {
      return undefined;
    }
    const version = order.get(group)?.find((each) => versions.has(each));
    return version === undefined ? versions.values().next().value : versions.get(version);
  }

  return {
    find: (apiVersion, kind) => exact.get(`${apiVersion}/${kind}`),
    preferred,
    listable: () =>
      [...byKind.values()].flatMap((versions) => {
        const any = versions.values().next().value;
        const type = any === undefined ? undefined : preferred(any.group, any.kind);
        return type?.verbs.includes('list') === true ? [type] : [];
      }),
    apiVersions: () => {
      const served = new Set(failedGroups.filter((name) => name.includes('/')));
      for (const key of exact.keys()) served.add(key).add(key.slice(0, key.lastIndexOf('/')));
      return [...served].sort();
    },
    failedGroups,
  };
}

/** Anything else would read as "nothing is served", and every object of the cluster as gone. */
function refuseOther(root: unknown): void {
  const lists: Readonly<Record<string, string>> = {
    APIGroupDiscoveryList: 'items',
    APIVersions: 'versions',
    APIGroupList: 'groups',
  };
  const kind = textOf(root, 'kind') ?? '';
  if (!Object.hasOwn(lists, kind) || !Array.isArray(fieldOf(root, lists[kind] ?? ''))) {
    throw new KubeError(
      'kube-error',
      'discovery: /api and /apis do not answer with lists of groups; is this a Kubernetes API server?',
      { retryable: true },
    );
  }
}

function readAggregated(
  list: unknown,
  into: { readonly found: FoundGroup[]; readonly types: ResourceType[]; readonly failed: string[] },
): void {
  for (const item of itemsOf(list, 'items')) {
    const group = textOf(fieldOf(item, 'metadata'), 'name') ?? '';
    const versions = itemsOf(item, 'versions');
    into.found.push({ group, versions: versions.map((each) => textOf(each, 'version') ?? '') });
    for (const entry of versions) {
      const version = textOf(entry, 'version') ?? '';
      // Stale: the aggregated API behind it did not answer; what is told may be old or nothing.
      if (textOf(entry, 'freshness') === 'Stale') {
        into.failed.push(nameOf({ group, version }));
      }
      for (const resource of itemsOf(entry, 'resources')) {
        const kind = textOf(fieldOf(resource, 'responseKind'), 'kind');
        const name = textOf(resource, 'resource');
        if (kind !== undefined && name !== undefined) {
          into.types.push({
            group,
            version,
            kind,
            resource: name,
            namespaced: textOf(resource, 'scope') === 'Namespaced',
            verbs: verbsOf(resource),
          });
        }
      }
    }
  }
}

function plainGroups(root: unknown): readonly FoundGroup[] {
  if (fieldOf(root, 'kind') === 'APIVersions') {
    const versions = fieldOf(root, 'versions');
    return [
      { group: '', versions: Array.isArray(versions) ? versions.filter((v) => typeof v === 'string') : [] },
    ];
  }
  return itemsOf(root, 'groups').map((item) => {
    const first = textOf(fieldOf(item, 'preferredVersion'), 'version');
    const versions = itemsOf(item, 'versions').map((each) => textOf(each, 'version') ?? '');
    return {
      group: textOf(item, 'name') ?? '',
      versions: first === undefined ? versions : [first, ...versions.filter((version) => version !== first)],
    };
  });
}

function plainResources(groupVersion: GroupVersion, list: unknown): readonly ResourceType[] {
  return itemsOf(list, 'resources').flatMap((resource) => {
    const name = textOf(resource, 'name');
    const kind = textOf(resource, 'kind');
    // `deployments/status` is a subresource.
    if (name === undefined || kind === undefined || name.includes('/')) {
      return [];
    }
    return [
      {
        ...groupVersion,
        kind,
        resource: name,
        namespaced: fieldOf(resource, 'namespaced') === true,
        verbs: verbsOf(resource),
      },
    ];
  });
}

function nameOf({ group, version }: GroupVersion): string {
  return group === '' ? version : `${group}/${version}`;
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined;
}

function textOf(value: unknown, field: string): string | undefined {
  const found = fieldOf(value, field);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

function itemsOf(value: unknown, field: string): readonly unknown[] {
  const found = fieldOf(value, field);
  return Array.isArray(found) ? found : [];
}

function verbsOf(resource: unknown): readonly string[] {
  return itemsOf(resource, 'verbs').filter((verb) => typeof verb === 'string');
}
