import type { Discovery, ResourceRef, ResourceType } from '../cluster/kube-api.ts';
import { forEachPooled } from '../cluster/pooled.ts';
import { errorRecord } from '../model/errors.ts';
import type { LiveMetadata } from '../model/resource.ts';
import { type ApplyDeps, attempt, CONCURRENCY, Interrupted, callDeadline } from './apply-deps.ts';
import { definedType } from './await-served.ts';
import { type DeleteSet, describeContent, foreignContent } from './delete-set.ts';

/**
 * Why a Namespace must not be deleted; undefined when everything in it is meant to go. What cannot be seen is taken to
 * be there: a failed list or a group whose discovery failed withholds the delete.
 *
 * @throws Interrupted
 */
export async function whyKeepNamespace(
  deps: ApplyDeps,
  discovery: Discovery,
  namespace: string,
  deleteSet: DeleteSet,
): Promise<string | undefined> {
  if (discovery.failedGroups.length > 0) {
    return `what is in it cannot be seen: discovery of ${discovery.failedGroups.join(', ')} failed`;
  }
  // What nobody can create is a view on something else (PodMetrics).
  const types = discovery.listable().filter((type) => type.namespaced && type.verbs.includes('create'));
  const content: LiveMetadata[] = [];
  const unseen: string[] = [];
  await forEachPooled(types, deps.concurrency ?? CONCURRENCY, async (type) => {
    try {
      content.push(...(await list(deps, type, namespace)));
    } catch (error) {
      if (error instanceof Interrupted) {
        throw error;
      }
      unseen.push(errorRecord(error).message);
    }
  });
  if (unseen.length > 0) {
    return `what is in it cannot be seen: ${unseen[0]}${unseen.length > 1 ? ` (and ${unseen.length - 1} more)` : ''}`;
  }
  return whyForeign(content, deleteSet);
}

/**
 * Why a CustomResourceDefinition must not be deleted: deleting it deletes every custom resource of its kind.
 *
 * @throws Interrupted
 */
export async function whyKeepCrd(
  deps: ApplyDeps,
  ref: ResourceRef,
  deleteSet: DeleteSet,
): Promise<string | undefined> {
  try {
    const crd = await attempt(deps, () => deps.kube.get(ref, { deadline: callDeadline(deps) }));
    const defined = crd === undefined ? undefined : definedType(crd);
    const version = defined?.servedVersions[0];
    if (defined === undefined || version === undefined) {
      return 'its custom resources cannot be seen: it serves no version';
    }
    const type: ResourceType = {
      group: defined.group,
      version,
      kind: defined.kind,
      resource: defined.plural,
      namespaced: defined.namespaced,
      verbs: ['list'],
    };
    return whyForeign(await list(deps, type), deleteSet);
  } catch (error) {
    if (error instanceof Interrupted) {
      throw error;
    }
    return `its custom resources cannot be seen: ${errorRecord(error).message}`;
  }
}

function list(deps: ApplyDeps, type: ResourceType, namespace?: string): Promise<readonly LiveMetadata[]> {
  const deadline = callDeadline(deps);
  return attempt(deps, () =>
    deps.kube.listMetadata(type, namespace === undefined ? { deadline } : { deadline, namespace }),
  );
}

function whyForeign(content: readonly LiveMetadata[], deleteSet: DeleteSet): string | undefined {
  const foreign = foreignContent(content, deleteSet);
  return foreign.length === 0
    ? undefined
    : `it holds what this deletion does not cover: ${describeContent(foreign)}`;
}
