import { isSettled } from '../../model/target-state.ts';
import type { Run } from '../../model/run.ts';
import type { CommitSha } from '../../model/ids.ts';
import {
  CONFIG,
  DEPLOYMENT,
  type EnvironmentName,
  greetingOf,
  lastRunOf,
  liveObject,
  replicasOf,
  runsOf,
  SERVICE,
  standing,
  stateOf,
  targetOf,
  untilApplied,
} from './look.ts';
import { brokenConfig, config, deployment, GREETING, sampleRepository } from './sample-repository.ts';
import type { TourWorld } from './tour-world.ts';
import { check, until } from './until.ts';

/** One line of what happened: who, and what. */
export interface Told {
  readonly who: string;
  readonly what: string;
}

/** One step of the story. It does something, and looks at the cluster and the state whether it has become true. */
export interface TourStep {
  readonly title: string;
  readonly run: (world: TourWorld, tell: (who: string, what: string) => void) => Promise<void>;
}

const HAND_EDIT_MANAGER = 'kubectl-edit';

const pushIsApplied: TourStep = {
  title: 'A push reaches the cluster',
  async run(world, tell) {
    const { names, workTree } = world;

    const commit = await workTree.push('Add two environments', sampleRepository(names));

    tell('git push', `main is ${short(commit)}`);
    tellDelivery(world, tell);
    const staging = await untilApplied(world, 'staging', commit);
    const production = await untilApplied(world, 'production', commit);
    const registry = await world.runtime.deps.state.getRegistry(staging.root);
    tell(
      'source',
      `fetched ${short(commit)} once; ${registry.childCount} applications declared in ${names.definitions}`,
    );
    tell(
      'target',
      `${staging.title} on ${staging.cluster}: ${describeRun(await lastRunOf(world, 'staging'))}`,
    );
    tell(
      'target',
      `${production.title} on ${production.cluster}: ${describeRun(await lastRunOf(world, 'production'))}`,
    );
    for (const environment of ['staging', 'production'] as const) {
      const live = await untilAvailable(world, environment);
      tell(
        'cluster',
        `Deployment ${names[environment].namespace}/web has ${live} of ${live} replicas available`,
      );
    }
  },
};

const otherEnvironmentIsLeftAlone: TourStep = {
  title: 'A push that touches one environment leaves the other alone',
  async run(world, tell) {
    const { production } = world.names;
    const before = await stateOf(world, 'staging');
    const runsBefore = await runsOf(world, 'staging');

    const commit = await world.workTree.push('Scale production to 3', {
      'environments/production/deployment.yaml': deployment(production.namespace, 3),
    });

    tell('git push', `main is ${short(commit)}: one file below environments/production`);
    const moved = await untilApplied(world, 'production', commit);
    tell('target', `${moved.title}: ${describeRun(await lastRunOf(world, 'production'))}`);
    const live = await liveObject(world, 'production', DEPLOYMENT);
    check(replicasOf(live).wanted === 3, `Deployment ${production.namespace}/web does not have 3 replicas`);
    const staging = await untilApplied(world, 'staging', commit);
    const runs = (await runsOf(world, 'staging')).length - runsBefore.length;
    check(runs === 0, `staging was run ${runs} times, although nothing that it reads has changed`);
    check(staging.epoch === before?.epoch, 'a worker took the lease of staging');
    tell(
      'target',
      `${staging.title}: moved to ${short(commit)} by one write; 0 renders, 0 requests to its cluster`,
    );
  },
};

const handEditIsHealed: TourStep = {
  title: 'A change by hand is found, attributed and put back',
  async run(world, tell) {
    const { cluster, namespace } = world.names.staging;
    await until('staging rests', world, async () => {
      const state = await stateOf(world, 'staging');
      return state !== undefined && isSettled(state) ? state : undefined;
    });
    const runsBefore = (await runsOf(world, 'staging')).length;
    const startedAt = performance.now();

    await editByHand(world, 'staging', 'hacked');

    tell('somebody', `kubectl edit configmap web -n ${namespace}: greeting is "hacked" now`);
    const report = await until('the scan finds the change', world, async () => {
      const found = await world.runtime.deps.state.getDrift(targetOf(world, 'staging'));
      return found?.findings.some(({ id }) => id.kind === 'ConfigMap') ? found : undefined;
    });
    const finding = report.findings.find(({ id }) => id.kind === 'ConfigMap');
    const field = finding?.fields.find(({ path }) => path === '/data/greeting');
    check(field !== undefined, 'the scan does not say that /data/greeting was changed');
    check(
      field?.manager === HAND_EDIT_MANAGER,
      `the scan says that ${field?.manager} changed it, and not ${HAND_EDIT_MANAGER}`,
    );
    tell(
      'drift scan',
      `${cluster}: ConfigMap ${namespace}/web modified by ${field?.manager}: ${field?.path} ${show(field?.applied)} -> ${show(field?.live)}`,
    );
    const healing = await until('it is put back', world, async () => {
      const runs = await runsOf(world, 'staging');
      const [run] = runs;
      const isBack = greetingOf(await liveObject(world, 'staging', CONFIG)) === GREETING;
      return isBack && runs.length > runsBefore && run?.outcome === 'succeeded' ? run : undefined;
    });
    check(healing.counts.healed >= 1, 'the run that put it back says that it healed nothing');
    tell(
      'target',
      `woken, and put back in ${healing.endedAt - healing.startedAt} ms: greeting is "${GREETING}" again, ${seconds(startedAt)} after the edit`,
    );
  },
};

const removedFileIsPruned: TourStep = {
  title: 'A file that leaves Git is pruned',
  async run(world, tell) {
    const { namespace } = world.names.production;
    check(
      (await liveObject(world, 'production', SERVICE)) !== undefined,
      `no Service ${namespace}/web to prune`,
    );

    const commit = await world.workTree.push('Remove the service of production', {
      'environments/production/service.yaml': null,
    });

    tell('git push', `main is ${short(commit)}: environments/production/service.yaml is gone`);
    await untilApplied(world, 'production', commit);
    const run = await lastRunOf(world, 'production');
    const pruned = (await runsOf(world, 'production'))
      .filter(({ revision }) => revision === commit)
      .reduce((sum, { counts }) => sum + counts.pruned, 0);
    check(pruned === 1, `the runs of this commit pruned ${pruned} objects, and not 1`);
    check(
      (await liveObject(world, 'production', SERVICE)) === undefined,
      `Service ${namespace}/web is still there`,
    );
    const other = await liveObject(world, 'staging', SERVICE);
    check(other !== undefined, 'the Service of staging is gone too');
    tell('target', `${describeRun(run)}; the Service of staging is untouched`);
  },
};

const brokenCommitChangesNothing: TourStep = {
  title: 'A broken commit changes nothing, and the next good one is applied at once',
  async run(world, tell) {
    const { namespace } = world.names.production;
    const before = await liveObject(world, 'production', CONFIG);

    const broken = await world.workTree.push('Greet in French', {
      'environments/production/config.yaml': brokenConfig(namespace),
    });

    tell('git push', `main is ${short(broken)}: broken YAML in environments/production/config.yaml`);
    const message = await untilRefused(world, 'production', broken);
    check(
      /environments\/production\/config\.yaml:\d+/.test(message),
      `the error does not name file and line: ${message}`,
    );
    tell('target', `refused: ${message}`);
    const after = await liveObject(world, 'production', CONFIG);
    check(
      after !== undefined && after.metadata.resourceVersion === before?.metadata.resourceVersion,
      `ConfigMap ${namespace}/web was changed`,
    );
    tell('cluster', 'nothing has changed');

    const startedAt = performance.now();
    const good = await world.workTree.push('Greet in French, this time in YAML', {
      'environments/production/config.yaml': config(namespace, 'bonjour'),
    });
    await untilApplied(world, 'production', good);
    check(
      greetingOf(await liveObject(world, 'production', CONFIG)) === 'bonjour',
      'the good commit is not applied',
    );
    tell(
      'git push',
      `main is ${short(good)}: applied ${seconds(startedAt)} after the push; greeting is "bonjour"`,
    );
  },
};

/** The story, in the order in which it is told: each step stands on the ones before. */
export const TOUR_STEPS: readonly TourStep[] = [
  pushIsApplied,
  otherEnvironmentIsLeftAlone,
  handEditIsHealed,
  removedFileIsPruned,
  brokenCommitChangesNothing,
];

function tellDelivery({ deliveries }: TourWorld, tell: (who: string, what: string) => void): void {
  const delivery = deliveries.at(-1);
  check(delivery?.status === 202, `the webhook was answered with ${delivery?.status ?? 'nothing'}`);
  tell(
    'webhook',
    `signed with HMAC-SHA-256, verified, answered 202 in ${Math.round(delivery?.tookMs ?? 0)} ms; one wake-up queued`,
  );
}

async function untilAvailable(world: TourWorld, environment: EnvironmentName): Promise<number> {
  const seen = await until(`Deployment web of ${environment} is available`, world, async () => {
    const { wanted, available } = replicasOf(await liveObject(world, environment, DEPLOYMENT));
    return typeof wanted === 'number' && available === wanted
      ? { wanted }
      : `${String(available ?? 0)} of ${String(wanted)} replicas`;
  });
  return seen.wanted;
}

/** Writes as a person with kubectl edit does. */
async function editByHand(world: TourWorld, environment: EnvironmentName, greeting: string): Promise<void> {
  const { cluster, namespace } = world.names[environment];
  const kube = world.kube(cluster);
  const type = (await kube.discovery()).find(CONFIG.apiVersion, CONFIG.kind);
  check(type !== undefined, `cluster ${cluster} serves no ConfigMap`);
  if (type === undefined) return;
  await kube.mergePatch(
    { type, namespace, name: CONFIG.name },
    { data: { greeting } },
    { fieldManager: HAND_EDIT_MANAGER },
  );
}

async function untilRefused(
  world: TourWorld,
  environment: EnvironmentName,
  commit: CommitSha,
): Promise<string> {
  const refused = await until(`the broken commit is reported`, world, async () => {
    const state = await stateOf(world, environment);
    if (state === undefined) return undefined;
    const { wanted, lastRun } = state;
    if (wanted.kind === 'invalid' && wanted.revision === commit) return { message: wanted.error.message };
    const failed =
      lastRun?.outcome === 'failed' && lastRun.revision === commit && lastRun.wantedSeq === state.wantedSeq;
    return failed ? { message: lastRun.message } : standing(state);
  });
  return refused.message;
}

function describeRun(run: Run): string {
  const parts = Object.entries(run.counts).filter(([, count]) => count > 0);
  const changes = parts.map(([what, count]) => `${count} ${what}`).join(', ') || 'nothing to do';
  const requests = Object.entries(run.requests).filter(([, count]) => count > 0);
  const sent = requests.map(([verb, count]) => `${count} ${verb}`).join(', ') || 'no requests';
  return `${changes} in ${run.endedAt - run.startedAt} ms (${sent})`;
}

function short(commit: CommitSha): string {
  return commit.slice(0, 7);
}

function show(value: unknown): string {
  return value === undefined ? '(none)' : JSON.stringify(value);
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
