import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { connectKube } from '../../cluster/connect-kube.ts';
import type { KubeApi } from '../../cluster/kube-api.ts';
import type { ClusterCredential } from '../../model/cluster.ts';
import type { ClusterName, SourceId } from '../../model/ids.ts';
import type { Log } from '../../model/log.ts';
import type { Timings } from '../../reconcile/deps.ts';
import { addCluster } from '../../register/add-cluster.ts';
import { addSource } from '../../register/add-source.ts';
import { bootstrapRoot } from '../../register/bootstrap-root.ts';
import type { RegisterDeps } from '../../register/deps.ts';
import { type GitServer, startGitServer } from '../git-server/git-server.ts';
import { type LocalRuntime, startLocal } from '../local-installation.ts';
import { sendPushWebhook, type WebhookDelivery } from './send-webhook.ts';
import type { TourNames } from './tour-names.ts';
import { createWorkTree, type WorkTree } from './work-tree.ts';

/** A cluster on which the story happens. */
export interface TourCluster {
  readonly name: string;
  readonly endpoint: string;
  readonly caData?: string;
  readonly apply: ClusterCredential;
  readonly read: ClusterCredential;
}

/** What the story needs of an installation, wherever it runs. */
export type TourRuntime = Pick<LocalRuntime, 'deps' | 'secrets' | 'webhookUrl' | 'close'>;

export interface TourOptions {
  /** Everything of the tour is below it. */
  readonly directory: string;
  readonly clusters: readonly [TourCluster, ...TourCluster[]];
  readonly names: TourNames;
  readonly log: Log;
  readonly stop: AbortSignal;
  /** How long a step waits for something to come true. @default 30 */
  readonly patienceSeconds?: number;
  /** The installation; closed with the tour. @default local mode, below `directory` */
  readonly startRuntime?: () => Promise<TourRuntime>;
}

/** What the steps of the story have in hand. */
export interface TourWorld {
  readonly names: TourNames;
  readonly runtime: TourRuntime;
  /** For whoever registers more. */
  readonly registration: RegisterDeps;
  readonly repositoryUrl: string;
  readonly workTree: WorkTree;
  /** Deliveries of the sample repository's webhook, oldest first. */
  readonly deliveries: readonly WebhookDelivery[];
  /** A connection of its own to each cluster: to look whether it is true, and for the hand edit. */
  kube(cluster: string): KubeApi;
  readonly stop: AbortSignal;
  readonly patienceSeconds: number;
  close(): Promise<void>;
}

/** Seconds instead of minutes: somebody is watching. */
const TIMINGS: Timings = { leaseMs: 15_000, retryMs: 1_000, maxRetryMs: 15_000 };
const SWEEP_SECONDS = 5;
const SCAN_SECONDS = 3;
const PATIENCE_SECONDS = 30;

/** Git server, local installation and registration: all that there is before the first push. */
export async function prepareTour(options: TourOptions): Promise<TourWorld> {
  const { names } = options;
  const closing: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closing.splice(0).reverse()) await each();
  };
  try {
    const runtime = await (options.startRuntime ?? (() => startLocalRuntime(options)))();
    closing.push(() => runtime.close());
    const deliveries: WebhookDelivery[] = [];
    const gitServer = await startSampleServer(options, runtime, deliveries);
    closing.push(() => gitServer.close());
    const { url } = await gitServer.createRepository(names.repository);
    const registration = registerDepsOf(runtime);
    await register(options, registration, url);

    const kubes = new Map<string, KubeApi>();
    for (const { name, endpoint, caData, apply } of options.clusters) {
      const kube = connectKube({
        name: name as ClusterName,
        endpoint,
        credential: apply,
        ...(caData === undefined ? {} : { caData }),
      });
      kubes.set(name, kube);
      closing.push(() => kube.close());
    }
    return {
      names,
      runtime,
      registration,
      repositoryUrl: url,
      workTree: await createWorkTree(join(options.directory, 'work'), url),
      deliveries,
      kube(cluster) {
        const kube = kubes.get(cluster);
        if (kube === undefined) throw new Error(`the tour has no cluster "${cluster}"`);
        return kube;
      },
      stop: options.stop,
      patienceSeconds: options.patienceSeconds ?? PATIENCE_SECONDS,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function startLocalRuntime({ directory, log }: TourOptions): Promise<LocalRuntime> {
  return startLocal({
    directory: stateDirectoryOf(directory),
    timings: TIMINGS,
    sweepSeconds: SWEEP_SECONDS,
    scanSeconds: SCAN_SECONDS,
    log,
  });
}

export function stateDirectoryOf(directory: string): string {
  return join(directory, 'state');
}

function startSampleServer(
  options: TourOptions,
  runtime: TourRuntime,
  deliveries: WebhookDelivery[],
): Promise<GitServer> {
  const { names, log } = options;
  return startGitServer({
    directory: join(options.directory, 'git'),
    async onPush(_repository, updates) {
      const source = await runtime.deps.state.getSource(names.source as SourceId);
      const secretName = source?.webhookSecrets[0];
      if (secretName === undefined) return;
      const secret = await runtime.secrets.get('webhook', secretName);
      for (const update of updates) {
        const delivery = await sendPushWebhook(
          { url: `${runtime.webhookUrl}/${names.source}`, secret },
          update,
        );
        deliveries.push(delivery);
        log.info('webhook delivered', { ref: update.ref, after: update.after, status: delivery.status });
      }
    },
  });
}

async function register(options: TourOptions, deps: RegisterDeps, url: string): Promise<void> {
  const { names } = options;
  await addSource(deps, {
    name: names.source,
    url,
    provider: 'github',
    allowHttp: true,
    allowPrivateNetwork: true,
  });
  for (const cluster of options.clusters) await addCluster(deps, cluster);
  await bootstrapRoot(deps, {
    name: names.root,
    source: names.source,
    ref: { kind: 'branch', name: 'main' },
    path: names.definitions,
    cluster: options.clusters[0].name,
  });
}

function registerDepsOf(runtime: TourRuntime): RegisterDeps {
  const { deps, secrets } = runtime;
  return {
    installation: deps.installation,
    state: deps.state,
    queue: deps.queue,
    secrets,
    now: () => deps.clock.now(),
    newId: () => randomUUID().slice(0, 8),
    log: deps.log,
  };
}
