import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { assertConverged, assertLawful, beforeTheCrash, recover } from '../support/crash-story.ts';
import { directoryArtefacts } from '../support/directory-artefacts.ts';
import { startDynalite } from '../support/dynalite-table.ts';
import type { KilledWorkerInput } from '../support/killed-worker.ts';
import { aNamespace, kubeconfigs, openCluster, remove, uniqueName, withCluster } from './real-cluster.ts';

const WORKER = fileURLToPath(new URL('../support/killed-worker.ts', import.meta.url));

/** The signal that ended it, or its exit code. */
function work(input: KilledWorkerInput): Promise<string> {
  const { NODE_OPTIONS: _jest, ...env } = process.env;
  const child = spawn(process.execPath, [WORKER, JSON.stringify(input)], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  return new Promise((resolve) => {
    child.on('close', (code, signal) => resolve(signal ?? (code === 0 ? 'lived' : complaint)));
  });
}

withCluster('a worker killed with SIGKILL at each external call, on a real cluster', () => {
  let kube: KubeApi;
  let dynalite: Awaited<ReturnType<typeof startDynalite>>;
  let directory: string;
  beforeAll(async () => {
    kube = openCluster();
    dynalite = await startDynalite();
    directory = mkdtempSync(join(tmpdir(), 'holdfast-kill-'));
  });
  afterAll(async () => {
    await kube.close();
    await dynalite.close();
    rmSync(directory, { recursive: true });
  });

  it('leaves nothing orphaned and nothing foreign touched, and another worker converges', async () => {
    let killed = 0;
    for (let call = 1; ; call++) {
      const story = { kube, namespace: uniqueName('kill') };
      const tableName = story.namespace;
      const storage = { table: await dynalite.newTable(tableName), artefacts: directoryArtefacts(directory) };
      const world = await beforeTheCrash(story, storage);
      const { endpoint } = dynalite;
      const { namespace } = story;
      const kubeconfig = kubeconfigs[0] ?? '';

      const ending = await work({
        endpoint,
        tableName,
        kubeconfig,
        namespace,
        artefacts: directory,
        call,
        when: call % 2 ? 'after' : 'before',
      });

      expect(ending).toMatch(/^(SIGKILL|lived)$/);
      await assertLawful(world, story);
      await recover(world);
      await assertConverged(world, story);
      await remove(kube, aNamespace(story.namespace));
      if (ending === 'lived') break;
      killed += 1;
    }
    expect(killed).toBeGreaterThan(30);
  }, 400_000);
});
