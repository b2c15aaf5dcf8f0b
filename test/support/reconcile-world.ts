import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ArtefactStore } from '../../lib/artefact/artefact-store.ts';
import type { ClusterConnector, KubeApi } from '../../lib/cluster/kube-api.ts';
import type { Root } from '../../lib/model/application.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { ClusterName, Digest, RootId, SourceId } from '../../lib/model/ids.ts';
import { silentLog, type Log } from '../../lib/model/log.ts';
import type { TargetState } from '../../lib/model/target-state.ts';
import type { WakeUp } from '../../lib/model/wake-up.ts';
import type { HashKey } from '../../lib/plan/keyed-hash.ts';
import type { ReconcileDeps } from '../../lib/compose/reconcile.ts';
import { runSourceStage, type SourceOutcome } from '../../lib/reconcile/source-stage.ts';
import { runTargetStage, type TargetOutcome } from '../../lib/reconcile/target-stage.ts';
import { createRenderer } from '../../lib/render/create-renderer.ts';
import { findTools } from '../../lib/render/tools.ts';
import type { RecordTable } from '../../lib/state/record-table.ts';
import { tableStateStore } from '../../lib/state/table-state-store.ts';
import { memorySecrets } from './memory-secrets.ts';
import { memoryGit, type MemoryGit } from './memory-git.ts';
import { memoryTable } from './memory-table.ts';

export const SHOP = 'shop' as SourceId;
export const MAIN = 'main' as RootId;

export interface ReconcileWorld {
  readonly deps: ReconcileDeps;
  readonly git: MemoryGit;
  readonly clock: { now: number };
  readonly messages: { wakeUp: WakeUp; dueAt: number }[];
  readonly renders: { count: number };
  /** `<role>/<name>` → value. */
  readonly secrets: Map<string, string>;
  /** Pushes, wakes the source, and works until nothing is due. */
  push(files: Readonly<Record<string, string>>): Promise<void>;
  /** Works off every message that is due; delayed ones wait for `advance`. */
  drain(): Promise<readonly (SourceOutcome | TargetOutcome)[]>;
  /** Moves the clock on and drains. */
  advance(ms: number): Promise<void>;
  /** The target whose title is `default/<name>` on this cluster. */
  target(name: string, cluster?: string): Promise<TargetState>;
}

/** All of Holdfast's use cases around a table, a queue, a Git server and artefacts in memory; the cluster is the caller's. */
export async function reconcileWorld(options: {
  readonly clusters: Readonly<Record<string, KubeApi>>;
  readonly rootCluster?: string;
  readonly installation?: string;
  readonly table?: RecordTable;
  readonly log?: Log;
  readonly leaseMs?: number;
  readonly git?: MemoryGit;
  readonly artefacts?: ArtefactStore;
}): Promise<ReconcileWorld> {
  const git = options.git ?? memoryGit();
  const clock = { now: Date.now() };
  const messages: { wakeUp: WakeUp; dueAt: number }[] = [];
  const renders = { count: 0 };
  const artefacts = new Map<Digest, Uint8Array>();
  const store: ArtefactStore = {
    has: async (digest) => artefacts.has(digest),
    put: async (digest, bytes) => void artefacts.set(digest, bytes),
    get: async (digest) => artefacts.get(digest),
  };
  const connector: ClusterConnector = {
    async connect(name) {
      const kube = options.clusters[name];
      if (kube === undefined) throw new HoldfastError('unknown-cluster', `unknown cluster "${name}"`);
      return kube;
    },
  };
  const key: HashKey = { id: 'test', key: Buffer.from('test key') };
  const renderer = createRenderer({
    tools: await findTools({ cacheDirectory: join(tmpdir(), 'holdfast-test-tools') }),
    temporaryDirectory: mkdtempSync(join(tmpdir(), 'holdfast-test-')),
  });
  const secrets = memorySecrets();
  let ids = 0;
  const installation = options.installation ?? 'test';
  const deps: ReconcileDeps = {
    installation,
    state: tableStateStore(options.table ?? memoryTable()),
    queue: {
      async send(wakeUps, delaySeconds = 0) {
        for (const wakeUp of wakeUps) messages.push({ wakeUp, dueAt: clock.now + delaySeconds * 1000 });
      },
    },
    git,
    artefacts: options.artefacts ?? store,
    secrets,
    renderer: {
      version: renderer.version,
      render: (input) => {
        renders.count += 1;
        return renderer.render(input);
      },
    },
    connector,
    hashKey: async () => key,
    clock: { now: () => clock.now, monotonic: () => performance.now() },
    timings: { leaseMs: options.leaseMs ?? 60_000, retryMs: 5_000, maxRetryMs: 600_000 },
    random: () => 0.5,
    newId: () => String(ids++),
    log: options.log ?? silentLog,
  };
  const rootCluster = (options.rootCluster ?? Object.keys(options.clusters)[0]) as ClusterName;
  await deps.state.putSource({
    schema: 1,
    id: SHOP,
    url: 'https://git.example/shop',
    provider: 'github',
    webhookSecrets: ['shop'],
  });
  for (const name of Object.keys(options.clusters)) {
    await deps.state.putCluster({
      schema: 1,
      name: name as ClusterName,
      labels: {},
      endpoint: 'https://cluster.example',
      applySecret: name,
      readSecret: name,
    });
  }
  const root: Root = {
    schema: 1,
    id: MAIN,
    installation,
    source: SHOP,
    ref: { kind: 'branch', name: 'main' },
    path: 'clusters/main',
    cluster: rootCluster,
    base: 1,
  };
  await deps.state.putRoot(root);
  await deps.state.linkRoot(MAIN, [SHOP]);

  const world: ReconcileWorld = {
    deps,
    git,
    clock,
    messages,
    renders,
    secrets: secrets.values,
    async push(files) {
      git.push(files);
      await deps.queue.send([{ v: 1, kind: 'source', source: SHOP, reason: 'push' }]);
      await world.drain();
    },
    async drain() {
      const outcomes: (SourceOutcome | TargetOutcome)[] = [];
      for (;;) {
        const index = messages.findIndex(({ dueAt }) => dueAt <= clock.now);
        const [message] = index < 0 ? [] : messages.splice(index, 1);
        if (message === undefined) return outcomes;
        outcomes.push(await handle(deps, message.wakeUp));
      }
    },
    async advance(ms) {
      clock.now += ms;
      await world.drain();
    },
    async target(name, cluster = rootCluster) {
      for (const state of (await deps.state.getTargets(await deps.state.listTargets())).values()) {
        if (state.title.endsWith(`/${name}`) && state.cluster === cluster) return state;
      }
      throw new Error(`no target ${name} on ${cluster}`);
    },
  };
  return world;
}

export function handle(deps: ReconcileDeps, wakeUp: WakeUp): Promise<SourceOutcome | TargetOutcome> {
  return wakeUp.kind === 'source'
    ? runSourceStage(deps, wakeUp.source, wakeUp)
    : runTargetStage(deps, wakeUp.target, { reason: wakeUp.reason, deadline: performance.now() + 300_000 });
}

/** A definition file. */
export function definition(name: string, spec: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Application',
    metadata: { name },
    spec: { source: 'shop', ...spec },
  });
}

export function configMap(name: string, data: Readonly<Record<string, string>>, namespace?: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    data,
  });
}
