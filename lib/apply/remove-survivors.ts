import type { ResourceRef } from '../cluster/kube-api.ts';
import { KubeError } from '../cluster/kube-error.ts';
import { describeResource, type KubeObject, type LiveObject, type ResourceId } from '../model/resource.ts';
import { type ApplyDeps, attempt, callDeadline } from './apply-deps.ts';
import { describePath, findSurvivors, removalPatch, type Survivor } from './survivors.ts';

export interface Survived {
  /** As the last request left it. */
  readonly live: LiveObject;
  readonly warnings: readonly string[];
}

const TRIES = 3;
const WARNINGS_SHOWN = 10;

/**
 * After an apply: takes away the fields that left Git and that an edit by hand holds in place, and tells of those that
 * it cannot or must not take away.
 *
 * @throws Interrupted, KubeError of a passing kind: the apply is then to be repeated, as the fields are still there
 */
export async function removeSurvivors(
  deps: ApplyDeps,
  ref: ResourceRef,
  applied: { readonly id: ResourceId; readonly sent: KubeObject; readonly live: LiveObject },
): Promise<Survived> {
  const previous = deps.previousFields?.(applied.id);
  if (previous === undefined) {
    return { live: applied.live, warnings: [] };
  }
  const { fieldManager } = deps;
  const find = (live: LiveObject): readonly Survivor[] =>
    findSurvivors({ previous, sent: applied.sent, live, fieldManager });

  let live = applied.live;
  let survivors = find(live);
  for (let tries = 0; tries < TRIES; tries += 1) {
    const patch = removalPatch(survivors, live);
    if (patch === undefined) {
      break;
    }
    try {
      live = await attempt(deps, () =>
        deps.kube.mergePatch(ref, patch, { fieldManager, deadline: callDeadline(deps) }),
      );
      survivors = find(live);
    } catch (error) {
      if (!(error instanceof KubeError) || (error.retryable && error.code !== 'kube-conflict')) {
        throw error;
      }
      if (error.code !== 'kube-conflict') {
        // Refused for good (a field that must be there): told of below.
        break;
      }
      const now = await attempt(deps, () => deps.kube.get(ref, { deadline: callDeadline(deps) }));
      if (now === undefined || now.metadata.uid !== live.metadata.uid) {
        throw error;
      }
      live = now;
      survivors = find(live);
    }
  }
  return { live, warnings: warningsOf(applied.id, survivors) };
}

function warningsOf(id: ResourceId, survivors: readonly Survivor[]): readonly string[] {
  const shown = survivors
    .slice(0, WARNINGS_SHOWN)
    .map(
      ({ path, managers }) =>
        `${describeResource(id)}: ${describePath(path)} left Git and is still there, owned by ${managers.join(', ')}`,
    );
  return survivors.length > WARNINGS_SHOWN
    ? [
        ...shown,
        `${describeResource(id)}: ${survivors.length - WARNINGS_SHOWN} more fields that left Git are still there`,
      ]
    : shown;
}
