import { chmodSync, mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { importKubeconfig } from '../../lib/cluster/import-kubeconfig.ts';
import { runTour } from '../../lib/local/tour/run-tour.ts';
import { TOUR_STEPS } from '../../lib/local/tour/steps.ts';
import { tourNames } from '../../lib/local/tour/tour-names.ts';
import { prepareTour, type TourWorld } from '../../lib/local/tour/tour-world.ts';
import {
  applicationId,
  type ClusterName,
  MARK_LABEL,
  type RootId,
  type SourceId,
  targetId,
} from '../../lib/model/ids.ts';
import type { Run } from '../../lib/model/run.ts';
import { isWorkOutstanding } from '../../lib/model/target-state.ts';
import { loadInventory } from '../../lib/reconcile/inventory-document.ts';
import { silentLog } from '../../lib/model/log.ts';
import { type Box, openBox } from '../box/box.ts';
import { boxRuntime, eventually } from '../box/box-runtime.ts';
import { synthesize } from '../box/synthesize.ts';
import { quietListener, verdicts } from '../e2e/tour-listener.ts';
import { aNamespace, kubeconfigs, openCluster, remove, uniqueName, withCluster } from './real-cluster.ts';

const CLUSTER = 'real';
const OBJECTS = 300;
/** Few enough for the guard against mass deletion. */
const LEAVING = 100;

withCluster('the synthesized stack in a box, on a real cluster', () => {
  let directory: string;
  let box: Box;
  let world: TourWorld;
  let bulk: string;

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'holdfast-box-'));
    chmodSync(directory, 0o755);
    const stack = await synthesize(directory);
    box = await openBox({ ...stack, directory: mkdtempSync(path.join(directory, 'box-')) });
    const { endpoint, caData, credential } = importKubeconfig(readFileSync(kubeconfigs[0] ?? '', 'utf8'));
    world = await prepareTour({
      directory: path.join(directory, 'tour'),
      clusters: [
        {
          name: CLUSTER,
          endpoint,
          ...(caData === undefined ? {} : { caData }),
          apply: credential,
          read: credential,
        },
      ],
      names: tourNames([CLUSTER], `-${uniqueName('box')}`),
      log: silentLog,
      stop: new AbortController().signal,
      // Cold starts of four functions on a machine that does more than this.
      patienceSeconds: 120,
      startRuntime: () => boxRuntime(box, directory),
    });
    box.startSchedules({ sweep: 5, 'drift-scan': 5 });
    bulk = uniqueName('bulk');
  }, 240_000);

  afterAll(async () => {
    const names = world?.names;
    await world?.close();
    await box?.close();
    await rm(directory, { recursive: true, force: true });
    if (names === undefined) return;
    const kube = openCluster();
    for (const name of [names.staging.namespace, names.production.namespace, bulk]) {
      await remove(kube, aNamespace(name));
    }
    await kube.close();
  }, 60_000);

  const files = (values: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        `bulk/${name}.yaml`,
        `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  value: ${value}\n`,
      ]),
    );
  const many = (value: string): Record<string, string> =>
    Object.fromEntries(Array.from({ length: OBJECTS }, (_, index) => [`object-${index}`, value]));
  const definition = (): Record<string, string> => ({
    [`${world.names.definitions}/bulk.yaml`]: `apiVersion: holdfast.dev/v1alpha1
kind: Application
metadata:
  name: bulk
  namespace: shop
spec:
  source: ${world.names.source}
  path: bulk
  clusters: [${CLUSTER}]
  namespace: ${bulk}
  createNamespace: true
`,
  });
  const target = () =>
    targetId(
      applicationId({
        installation: box.names.installation,
        root: world.names.root as RootId,
        dialect: 'holdfast',
        namespace: 'shop',
        name: 'bulk',
      }),
      CLUSTER as ClusterName,
    );
  /** Uids of what bears the target's mark, by name. */
  const live = async (): Promise<ReadonlyMap<string, string>> => {
    const kube = world.kube(CLUSTER);
    const type = (await kube.discovery()).find('v1', 'ConfigMap');
    if (type === undefined) throw new Error('no ConfigMaps');
    const labelSelector = `${MARK_LABEL}=${target()}`;
    const found = await kube.listMetadata(type, { namespace: bulk, labelSelector });
    return new Map(found.map(({ metadata }) => [metadata.name, metadata.uid]));
  };
  const valueOf = async (name: string): Promise<unknown> => {
    const kube = world.kube(CLUSTER);
    const type = (await kube.discovery()).find('v1', 'ConfigMap');
    if (type === undefined) throw new Error('no ConfigMaps');
    const object = await kube.get({ type, namespace: bulk, name });
    return (object?.['data'] as Record<string, unknown> | undefined)?.['value'];
  };
  const settledAt = (commit: string): Promise<readonly Run[]> =>
    eventually(`bulk is at ${commit}`, 200, async () => {
      const { state } = world.runtime.deps;
      const found = await state.getTarget(target());
      const isThere =
        found?.applied?.revision === commit && !isWorkOutstanding(found) && found.lease === undefined;
      return isThere ? state.listRuns(target(), 20) : undefined;
    });

  it('tells the whole story of npm start', async () => {
    const results = await runTour(world, quietListener);

    expect(verdicts(results)).toEqual(TOUR_STEPS.map(({ title }) => title));
    expect(box.denied).toEqual([]);
  }, 400_000);

  it('loses nothing when the target stage is killed in the middle of applying and of pruning', async () => {
    const first = await world.workTree.push('Many objects', { ...definition(), ...files(many('one')) });
    await eventually('some objects are there', 120, async () =>
      (await live()).size >= 20 ? true : undefined,
    );
    const killedApplying = await box.functions.targetStage.killBusy();
    const half = (await live()).size;
    await settledAt(first);
    const applied = await live();
    const leaving = Object.keys(many('')).slice(0, LEAVING);
    const second = await world.workTree.push(
      'Fewer objects',
      Object.fromEntries(leaving.map((name) => [`bulk/${name}.yaml`, null])),
    );
    await eventually('some objects are gone', 120, async () =>
      (await live()).size < OBJECTS ? true : undefined,
    );
    const killedPruning = await box.functions.targetStage.killBusy();
    await settledAt(second);

    const { state } = world.runtime.deps;
    const found = await state.getTarget(target());
    const inventory = found && (await loadInventory(state, found));
    const left = await live();
    expect([killedApplying, killedPruning]).toEqual([1, 1]);
    expect(half).toBeLessThan(OBJECTS);
    expect(applied.size).toBe(OBJECTS);
    expect(left.size).toBe(OBJECTS - LEAVING);
    expect([...left].every(([name, uid]) => applied.get(name) === uid)).toBe(true);
    // And the namespace.
    expect(inventory?.entries.size).toBe(OBJECTS - LEAVING + 1);
  }, 600_000);

  it('loses no push when the source stage is killed while it looks', async () => {
    const commit = await world.workTree.push('Another value', files({ 'object-200': 'three' }));
    await eventually('the source stage is at work', 60, async () =>
      box.functions.sourceStage.busy() > 0 ? true : undefined,
    );
    const killed = await box.functions.sourceStage.killBusy();

    const runs = await settledAt(commit);

    expect(killed).toBeGreaterThan(0);
    expect(await valueOf('object-200')).toBe('three');
    expect(runs.length).toBeGreaterThan(0);
  }, 400_000);

  it('writes no secret to its logs', async () => {
    const { deps, secrets } = world.runtime;
    const source = await deps.state.getSource(world.names.source as SourceId);
    const { credential } = importKubeconfig(readFileSync(kubeconfigs[0] ?? '', 'utf8'));
    const values: readonly string[] = [
      await secrets.get('webhook', source?.webhookSecrets[0] ?? ''),
      await secrets.get('hash-key', 'current'),
      ...Object.values(credential),
    ];
    const log = box.lines.join('\n');

    expect(box.lines.length).toBeGreaterThan(10);
    for (const value of values) expect(log.includes(value.trim())).toBe(false);
  });
});
