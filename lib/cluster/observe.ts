import { errorRecord } from '../model/errors.ts';
import type { Observation, Observed } from '../model/plan.ts';
import { type LiveMetadata, type ResourceId, resourceKey } from '../model/resource.ts';
import type { CallOptions, Discovery, KubeApi, ResourceType } from './kube-api.ts';
import { KubeError } from './kube-error.ts';
import { forEachPooled } from './pooled.ts';

export interface Wanted {
  readonly id: ResourceId;
  /** API version under which it was last applied, without the group. */
  readonly version: string;
  readonly namespaced: boolean;
}

export interface ObserveInput {
  readonly kube: KubeApi;
  /** The mark, as a label selector: `holdfast.dev/target=<id>`. */
  readonly selector: string;
  readonly wanted: readonly Wanted[];
  /** Monotonic milliseconds. */
  readonly deadline?: number;
  readonly concurrency?: number;
}

interface KindGroup {
  readonly type: ResourceType;
  readonly wanted: readonly Wanted[];
}

/** Up to this many objects of a kind are read one by one: a list costs the server a walk over all of them. */
const SINGLE_GETS = 2;
const CONCURRENCY = 16;

/**
 * What lives of the wanted objects, by metadata only. Every wanted object gets exactly one entry, and nothing throws:
 * what could not be read is `unknown` with the reason, which is not the same as absent.
 */
export async function observe(input: ObserveInput): Promise<Observation> {
  const { kube } = input;
  const concurrency = input.concurrency ?? CONCURRENCY;
  const call: CallOptions = input.deadline === undefined ? {} : { deadline: input.deadline };
  const seen = new Map<string, Observed>();
  if (input.wanted.length === 0) {
    return seen;
  }

  let discovery: Discovery;
  try {
    discovery = await kube.discovery(call);
    if (input.wanted.some((each) => typeOf(discovery, each) === undefined)) {
      // Cached discovery may be older than the CRD, and the group that was down may be up again.
      discovery = await kube.discovery({ ...call, refresh: true });
    }
  } catch (error) {
    return new Map(input.wanted.map((each) => [resourceKey(each.id), unknownBecause(error)]));
  }

  const groups = new Map<string, { type: ResourceType; wanted: Wanted[] }>();
  for (const each of input.wanted) {
    const type = typeOf(discovery, each);
    if (type === undefined) {
      seen.set(resourceKey(each.id), unservedVerdict(discovery, each));
      continue;
    }
    const key = `${type.group}/${type.kind}/${type.version}`;
    const group = groups.get(key) ?? { type, wanted: [] };
    group.wanted.push(each);
    groups.set(key, group);
  }

  const singles: { readonly type: ResourceType; readonly wanted: Wanted }[] = [];
  const lists: KindGroup[] = [];
  for (const group of groups.values()) {
    if (group.wanted.length <= SINGLE_GETS || !group.type.verbs.includes('list')) {
      singles.push(...group.wanted.map((wanted) => ({ type: group.type, wanted })));
    } else {
      lists.push(group);
    }
  }

  await forEachPooled(lists, concurrency, async (group) => {
    try {
      const found = await listGroup(input, group, call);
      for (const wanted of group.wanted) {
        const metadata = found.get(placeOf(wanted.id));
        if (metadata === undefined) {
          // Not in the list: somebody may have taken the mark off. Only a GET by name can say that it is gone.
          singles.push({ type: group.type, wanted });
        } else {
          seen.set(resourceKey(wanted.id), { kind: 'live', metadata });
        }
      }
    } catch (error) {
      const verdict = await verdictOfFailure(input, group.wanted[0], error, call);
      for (const wanted of group.wanted) {
        seen.set(resourceKey(wanted.id), verdict);
      }
    }
  });

  await forEachPooled(singles, concurrency, async ({ type, wanted }) => {
    seen.set(resourceKey(wanted.id), await observeOne(input, type, wanted, call));
  });
  return seen;
}

async function listGroup(
  input: ObserveInput,
  group: KindGroup,
  call: CallOptions,
): Promise<ReadonlyMap<string, LiveMetadata>> {
  const selector = { ...call, labelSelector: input.selector };
  const namespaces = [...new Set(group.wanted.map((each) => each.id.namespace))];
  const only = namespaces.length === 1 ? namespaces[0] : undefined;
  const found = new Map<string, LiveMetadata>();
  const take = (items: readonly LiveMetadata[]): void => {
    for (const item of items) {
      found.set(placeOf(item.metadata), item);
    }
  };

  try {
    take(
      await input.kube.listMetadata(
        group.type,
        only === undefined ? selector : { ...selector, namespace: only },
      ),
    );
  } catch (error) {
    const isForbidden = error instanceof KubeError && error.code === 'kube-forbidden';
    if (!isForbidden || only !== undefined || !group.type.namespaced) {
      throw error;
    }
    // A credential that is bound to some namespaces may still list in each of them.
    for (const namespace of namespaces) {
      if (namespace !== undefined) {
        take(await input.kube.listMetadata(group.type, { ...selector, namespace }));
      }
    }
  }
  return found;
}

async function observeOne(
  input: ObserveInput,
  type: ResourceType,
  wanted: Wanted,
  call: CallOptions,
): Promise<Observed> {
  const { name, namespace } = wanted.id;
  try {
    const ref = namespace === undefined ? { type, name } : { type, name, namespace };
    const metadata = await input.kube.getMetadata(ref, call);
    return metadata === undefined ? { kind: 'absent' } : { kind: 'live', metadata };
  } catch (error) {
    return verdictOfFailure(input, wanted, error, call);
  }
}

/** A type that stopped being served between discovery and the request takes its objects with it. */
async function verdictOfFailure(
  input: ObserveInput,
  wanted: Wanted | undefined,
  error: unknown,
  call: CallOptions,
): Promise<Observed> {
  if (wanted !== undefined && error instanceof KubeError && error.status === 404) {
    try {
      const discovery = await input.kube.discovery({ ...call, refresh: true });
      if (typeOf(discovery, wanted) === undefined) {
        return unservedVerdict(discovery, wanted);
      }
    } catch (failure) {
      return unknownBecause(failure);
    }
  }
  return unknownBecause(error);
}

/** The version recorded if it is still served, else the preferred one. */
function typeOf(discovery: Discovery, wanted: Wanted): ResourceType | undefined {
  const { group, kind } = wanted.id;
  const apiVersion = group === '' ? wanted.version : `${group}/${wanted.version}`;
  const type = discovery.find(apiVersion, kind) ?? discovery.preferred(group, kind);
  // A CRD that was recreated with another scope serves other objects under the same kind.
  return type !== undefined && type.namespaced === (wanted.id.namespace !== undefined) ? type : undefined;
}

function unservedVerdict(discovery: Discovery, wanted: Wanted): Observed {
  const failed = failedVersion(discovery, wanted);
  return failed === undefined
    ? { kind: 'absent' }
    : { kind: 'unknown', error: `discovery of ${failed} failed: nothing is known of ${wanted.id.kind}` };
}

function failedVersion(discovery: Discovery, wanted: Wanted): string | undefined {
  const { group } = wanted.id;
  return discovery.failedGroups.find((each) =>
    group === '' ? !each.includes('/') : each.startsWith(`${group}/`),
  );
}

function placeOf(place: { readonly namespace?: string; readonly name: string }): string {
  return `${place.namespace ?? ''}/${place.name}`;
}

function unknownBecause(error: unknown): Observed {
  return { kind: 'unknown', error: errorRecord(error).message };
}
