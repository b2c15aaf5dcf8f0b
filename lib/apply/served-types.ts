import type { Discovery, ResourceType } from '../cluster/kube-api.ts';
import { HoldfastError } from '../model/errors.ts';
import { describeResource, groupOf, type KubeObject, type ResourceId, versionOf } from '../model/resource.ts';
import { type ApplyDeps, attempt, callDeadline } from './apply-deps.ts';

/** What the cluster serves, looked at again where that may have changed since. */
export interface ServedTypes {
  /**
   * The type of an object that is about to be sent.
   * @throws HoldfastError `unknown-kind`, and `invalid-input` when the object's scope is not its type's
   */
  typeOf(id: ResourceId, object: KubeObject): Promise<ResourceType>;
  /** The type of an object that was applied as `version` once: that version if it is still served, else another. */
  anyTypeOf(id: ResourceId, version: string): Promise<ResourceType | undefined>;
  /** What is known to be served, without another request if anything is. */
  current(): Promise<Discovery>;
  /** What is served now. */
  refresh(): Promise<Discovery>;
}

export function servedTypes(deps: ApplyDeps): ServedTypes {
  let known: Promise<Discovery> | undefined;
  let refreshed: Promise<Discovery> | undefined;

  function current(): Promise<Discovery> {
    known ??= attempt(deps, () => deps.kube.discovery({ deadline: callDeadline(deps) }));
    return known;
  }

  async function refresh(): Promise<Discovery> {
    const next = await attempt(deps, () =>
      deps.kube.discovery({ refresh: true, deadline: callDeadline(deps) }),
    );
    // A look that failed leaves what was known: it still serves the kinds that it names.
    known = Promise.resolve(next);
    refreshed = known;
    return next;
  }

  /** Once per run for all that is not found: the cached picture may be older than the CRD. */
  function refreshedOnce(): Promise<Discovery> {
    refreshed ??= refresh();
    return refreshed;
  }

  return {
    current,
    refresh,

    async typeOf(id, object) {
      const find = (discovery: Discovery): ResourceType | undefined =>
        discovery.find(object.apiVersion, object.kind);
      const type = find(await current()) ?? find(await refreshedOnce());
      if (type === undefined) {
        throw unknownKind(await current(), object);
      }
      if (type.namespaced !== (id.namespace !== undefined)) {
        throw new HoldfastError(
          'invalid-input',
          type.namespaced
            ? `${describeResource(id)}: ${id.kind} is namespaced: set metadata.namespace`
            : `${describeResource(id)}: ${id.kind} is cluster-scoped: remove metadata.namespace`,
        );
      }
      return type;
    },

    async anyTypeOf(id, version) {
      const apiVersion = id.group === '' ? version : `${id.group}/${version}`;
      const find = (discovery: Discovery): ResourceType | undefined =>
        discovery.find(apiVersion, id.kind) ?? discovery.preferred(id.group, id.kind);
      const type = find(await current()) ?? find(await refreshedOnce());
      if (type !== undefined) {
        return type;
      }
      const failed = failedGroupOf(await current(), id.group);
      if (failed !== undefined) {
        throw discoveryFailed(id.kind, failed);
      }
      return undefined;
    },
  };
}

function unknownKind(discovery: Discovery, object: KubeObject): HoldfastError {
  const group = groupOf(object.apiVersion);
  const failed = failedGroupOf(discovery, group);
  if (failed !== undefined) {
    return discoveryFailed(object.kind, failed);
  }
  const other = discovery.preferred(group, object.kind);
  const advice =
    other !== undefined
      ? `the cluster serves it as version "${other.version}", not "${versionOf(object.apiVersion)}": correct apiVersion`
      : group === ''
        ? 'correct apiVersion or kind'
        : `install the CustomResourceDefinition of group "${group}" first (it may be in the same commit), or correct apiVersion or kind`;
  return new HoldfastError(
    'unknown-kind',
    `the cluster does not know kind "${object.kind}" in "${object.apiVersion}": ${advice}`,
  );
}

/** A failed group version of this group: its kinds are unknown, not absent. */
export function failedGroupOf(discovery: Discovery, group: string): string | undefined {
  return discovery.failedGroups.find((each) =>
    group === '' ? !each.includes('/') : each.startsWith(`${group}/`),
  );
}

function discoveryFailed(kind: string, failed: string): HoldfastError {
  return new HoldfastError(
    'kube-error',
    `discovery of ${failed} failed on the cluster, so nothing is known of kind "${kind}": is the API server behind it up?`,
    { retryable: true },
  );
}
