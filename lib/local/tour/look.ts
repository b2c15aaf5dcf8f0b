import type { Run } from '../../model/run.ts';
import type { LiveObject } from '../../model/resource.ts';
import { isWorkOutstanding, type TargetState } from '../../model/target-state.ts';
import { applicationId, type ClusterName, type CommitSha, targetId, type TargetId } from '../../model/ids.ts';
import type { TourWorld } from './tour-world.ts';
import { until } from './until.ts';

export type EnvironmentName = 'staging' | 'production';

/** The target of an environment, as the definitions of the sample repository make it. */
export function targetOf(world: TourWorld, environment: EnvironmentName): TargetId {
  const { names, runtime } = world;
  const application = applicationId({
    installation: runtime.deps.installation,
    root: names.root as never,
    dialect: 'holdfast',
    namespace: names.applications,
    name: environment,
  });
  return targetId(application, names[environment].cluster as ClusterName);
}

export async function stateOf(
  world: TourWorld,
  environment: EnvironmentName,
): Promise<TargetState | undefined> {
  return world.runtime.deps.state.getTarget(targetOf(world, environment));
}

export async function runsOf(world: TourWorld, environment: EnvironmentName): Promise<readonly Run[]> {
  return world.runtime.deps.state.listRuns(targetOf(world, environment), 50);
}

/** The record of the last run. It is written after the state that names it, so it is waited for. */
export function lastRunOf(world: TourWorld, environment: EnvironmentName): Promise<Run> {
  return until(`the last run of ${environment} is recorded`, world, async () => {
    const id = (await stateOf(world, environment))?.lastRun?.id;
    return (await runsOf(world, environment)).find((run) => run.id === id);
  });
}

/** Waits until an environment is at a commit and rests. */
export function untilApplied(
  world: TourWorld,
  environment: EnvironmentName,
  commit: CommitSha,
): Promise<TargetState> {
  return until(`${environment} is at ${commit.slice(0, 7)}`, world, async () => {
    const state = await stateOf(world, environment);
    if (state === undefined) return 'it is not registered yet';
    const isThere =
      state.applied?.revision === commit && !isWorkOutstanding(state) && state.lease === undefined;
    return isThere ? state : standing(state);
  });
}

export function standing(state: TargetState): string {
  const { wanted, lastRun } = state;
  if (wanted.kind === 'invalid') return wanted.error.message;
  return lastRun === undefined ? 'it has not run yet' : `its last run ${lastRun.outcome}: ${lastRun.message}`;
}

export interface ObjectPlace {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
}

export const CONFIG: ObjectPlace = { apiVersion: 'v1', kind: 'ConfigMap', name: 'web' };
export const SERVICE: ObjectPlace = { apiVersion: 'v1', kind: 'Service', name: 'web' };
export const DEPLOYMENT: ObjectPlace = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };

/** What lives, read from the cluster itself. */
export async function liveObject(
  world: TourWorld,
  environment: EnvironmentName,
  place: ObjectPlace,
): Promise<LiveObject | undefined> {
  const { cluster, namespace } = world.names[environment];
  const kube = world.kube(cluster);
  const type = (await kube.discovery()).find(place.apiVersion, place.kind);
  if (type === undefined) throw new Error(`cluster ${cluster} serves no ${place.kind}`);
  return kube.get({ type, namespace, name: place.name });
}

export function greetingOf(object: LiveObject | undefined): unknown {
  return (object?.['data'] as Record<string, unknown> | undefined)?.['greeting'];
}

export function replicasOf(object: LiveObject | undefined): {
  readonly wanted: unknown;
  readonly available: unknown;
} {
  const spec = object?.['spec'] as Record<string, unknown> | undefined;
  const status = object?.['status'] as Record<string, unknown> | undefined;
  return { wanted: spec?.['replicas'], available: status?.['availableReplicas'] };
}
