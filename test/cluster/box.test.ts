import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { importKubeconfig } from '../../lib/cluster/import-kubeconfig.ts';
import type { KubeApi, ResourceType } from '../../lib/cluster/kube-api.ts';
import { runTour } from '../../lib/local/tour/run-tour.ts';
import { TOUR_STEPS } from '../../lib/local/tour/steps.ts';
import type { TourWorld } from '../../lib/local/tour/tour-world.ts';
import { MARK_LABEL, type SourceId } from '../../lib/model/ids.ts';
import { loadInventory } from '../../lib/reconcile/inventory-document.ts';
import type { Box } from '../box/box.ts';
import { eventually } from '../box/box-runtime.ts';
import {
  type BoxTour,
  configMapApplication,
  configMapsOf,
  openBoxTour,
  settledAt,
  targetIn,
} from '../box/box-tour.ts';
import { quietListener, verdicts } from '../e2e/tour-listener.ts';
import {
  aNamespace,
  kubeconfigs,
  openCluster,
  remove,
  typeOf,
  uniqueName,
  withCluster,
} from './real-cluster.ts';

const APPLICATION = 'bulk';
const OBJECTS = 300;
/** Few enough for the guard against mass deletion. */
const LEAVING = 100;

withCluster('the synthesized stack in a box, on a real cluster', () => {
  let directory: string;
  let tour: BoxTour;
  let box: Box;
  let world: TourWorld;
  let kube: KubeApi;
  let configMaps: ResourceType;
  const namespace = uniqueName('bulk');

  beforeAll(async () => {
    kube = openCluster();
    configMaps = await typeOf(kube, 'v1', 'ConfigMap');
    directory = mkdtempSync(path.join(tmpdir(), 'holdfast-box-'));
    tour = await openBoxTour(directory, kubeconfigs[0] ?? '', uniqueName('box'));
    ({ box, world } = tour);
    box.startSchedules({ sweep: 5, 'drift-scan': 5 });
  }, 240_000);

  afterAll(async () => {
    await tour?.close();
    await rm(directory, { recursive: true, force: true });
    const { staging, production } = tour?.names ?? {};
    for (const name of [staging?.namespace, production?.namespace, namespace]) {
      if (name !== undefined) await remove(kube, aNamespace(name));
    }
    await kube.close();
  }, 60_000);

  const many = (value: string): Record<string, string> =>
    Object.fromEntries(Array.from({ length: OBJECTS }, (_, index) => [`object-${index}`, value]));
  /** Uids of what bears the target's mark, by name. */
  const live = async (): Promise<ReadonlyMap<string, string>> => {
    const labelSelector = `${MARK_LABEL}=${targetIn(tour, APPLICATION)}`;
    const found = await kube.listMetadata(configMaps, { namespace, labelSelector });
    return new Map(found.map(({ metadata }) => [metadata.name, metadata.uid]));
  };

  it('tells the whole story of npm start', async () => {
    const results = await runTour(world, quietListener);

    expect(verdicts(results)).toEqual(TOUR_STEPS.map(({ title }) => title));
    expect(box.denied).toEqual([]);
  }, 400_000);

  it('loses nothing when the target stage is killed in the middle of applying and of pruning', async () => {
    const target = targetIn(tour, APPLICATION);
    const first = await world.workTree.push('Many objects', {
      ...configMapApplication(tour.names, APPLICATION, namespace),
      ...configMapsOf(APPLICATION, many('one')),
    });
    await eventually('some objects are there', 120, async () =>
      (await live()).size >= 20 ? true : undefined,
    );
    const killedApplying = await box.functions.targetStage.killBusy();
    const half = (await live()).size;
    await settledAt(tour, target, first);
    const applied = await live();
    const leaving = Object.keys(many('')).slice(0, LEAVING);
    const second = await world.workTree.push(
      'Fewer objects',
      Object.fromEntries(leaving.map((name) => [`${APPLICATION}/${name}.yaml`, null])),
    );
    await eventually('some objects are gone', 120, async () =>
      (await live()).size < OBJECTS ? true : undefined,
    );
    const killedPruning = await box.functions.targetStage.killBusy();
    const settled = await settledAt(tour, target, second);

    const inventory = await loadInventory(world.runtime.deps.state, settled);
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
    const commit = await world.workTree.push(
      'Another value',
      configMapsOf(APPLICATION, { 'object-200': 'two' }),
    );
    await eventually('the source stage is at work', 60, async () =>
      box.functions.sourceStage.busy() > 0 ? true : undefined,
    );
    const killed = await box.functions.sourceStage.killBusy();

    await settledAt(tour, targetIn(tour, APPLICATION), commit);

    const object = await kube.get({ type: configMaps, namespace, name: 'object-200' });
    expect(killed).toBeGreaterThan(0);
    expect(object?.['data']).toEqual({ value: 'two' });
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
