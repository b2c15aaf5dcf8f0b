import { chmodSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importKubeconfig } from '../../lib/cluster/import-kubeconfig.ts';
import { type TourNames, tourNames } from '../../lib/local/tour/tour-names.ts';
import { prepareTour, type TourWorld } from '../../lib/local/tour/tour-world.ts';
import {
  applicationId,
  type ClusterName,
  type CommitSha,
  type RootId,
  targetId,
  type TargetId,
} from '../../lib/model/ids.ts';
import { silentLog } from '../../lib/model/log.ts';
import { isWorkOutstanding, type TargetState } from '../../lib/model/target-state.ts';
import { type Box, openBox } from './box.ts';
import { boxRuntime, eventually } from './box-runtime.ts';
import { synthesize } from './synthesize.ts';

const CLUSTER = 'real';

/** The stack in a box with everything of the tour around it: a Git server that sends webhooks, and a real cluster. */
export interface BoxTour {
  readonly box: Box;
  readonly world: TourWorld;
  readonly names: TourNames;
  close(): Promise<void>;
}

/** @param suffix of the namespaces, unlike any other on a shared cluster */
export async function openBoxTour(directory: string, kubeconfig: string, suffix: string): Promise<BoxTour> {
  chmodSync(directory, 0o755);
  const stack = await synthesize(directory);
  const boxDirectory = join(directory, 'box');
  mkdirSync(boxDirectory);
  const box = await openBox({ ...stack, directory: mkdtempSync(join(boxDirectory, 'b-')) });
  const { endpoint, caData, credential } = importKubeconfig(readFileSync(kubeconfig, 'utf8'));
  const cluster = {
    name: CLUSTER,
    endpoint,
    ...(caData === undefined ? {} : { caData }),
    apply: credential,
    read: credential,
  };
  try {
    const world = await prepareTour({
      directory: join(directory, 'tour'),
      clusters: [cluster],
      names: tourNames([CLUSTER], `-${suffix}`),
      log: silentLog,
      stop: new AbortController().signal,
      // Cold starts of four functions, on a machine that does more than this.
      patienceSeconds: 120,
      startRuntime: () => boxRuntime(box, directory),
    });
    return { box, world, names: world.names, close: () => world.close() };
  } catch (error) {
    await box.close();
    throw error;
  }
}

/** Files that declare one more application of ConfigMaps, one file each. */
export function configMapApplication(
  names: TourNames,
  application: string,
  namespace: string,
): Readonly<Record<string, string>> {
  return {
    [`${names.definitions}/${application}.yaml`]: `apiVersion: holdfast.dev/v1alpha1
kind: Application
metadata:
  name: ${application}
  namespace: ${names.applications}
spec:
  source: ${names.source}
  path: ${application}
  clusters: [${CLUSTER}]
  namespace: ${namespace}
  createNamespace: true
`,
  };
}

export function configMapsOf(
  application: string,
  values: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      `${application}/${name}.yaml`,
      `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  value: ${value}\n`,
    ]),
  );
}

export function targetIn({ box, names }: BoxTour, application: string): TargetId {
  const id = applicationId({
    installation: box.names.installation,
    root: names.root as RootId,
    dialect: 'holdfast',
    namespace: names.applications,
    name: application,
  });
  return targetId(id, CLUSTER as ClusterName);
}

/** Waits until a target is at a commit and rests. */
export function settledAt(tour: BoxTour, target: TargetId, commit: CommitSha): Promise<TargetState> {
  return eventually(`the target is at ${commit}`, 240, async () => {
    const state = await tour.world.runtime.deps.state.getTarget(target);
    const isThere =
      state?.applied?.revision === commit && !isWorkOutstanding(state) && state.lease === undefined;
    return isThere ? state : undefined;
  });
}
