import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import { assertConverged, assertLawful, beforeTheCrash, recover } from '../support/crash-story.ts';
import { directoryArtefacts } from '../support/directory-artefacts.ts';
import { startDynalite } from '../support/dynalite-table.ts';
import type { KilledWorkerInput } from '../support/killed-worker.ts';
import { aNamespace, kubeconfigs, openCluster, remove, uniqueName, withCluster } from './real-cluster.ts';

/** Stories side by side: most of one is waiting for a lease to run out. */
const AT_ONCE = 4;

const WORKER = fileURLToPath(new URL('../support/killed-worker.ts', import.meta.url));

/** The signal that ended it, or its exit code. */
function work(program: string, input: KilledWorkerInput): Promise<string> {
  const { NODE_OPTIONS: _jest, ...env } = process.env;
  const child = spawn(process.execPath, [program, JSON.stringify(input)], {
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
  let program: string;
  beforeAll(async () => {
    kube = openCluster();
    dynalite = await startDynalite();
    directory = mkdtempSync(join(tmpdir(), 'holdfast-kill-'));
    program = join(directory, 'worker.mjs');
    // In one file it starts in a fraction of the time, and it is started some forty times.
    await build({
      entryPoints: [WORKER],
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      banner: {
        js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
      },
      logLevel: 'error',
    });
  });
  afterAll(async () => {
    await kube.close();
    await dynalite.close();
    rmSync(directory, { recursive: true });
  });

  /** One story from the beginning: a worker that dies at this call, if it comes so far, and another that takes over. */
  async function dieAt(call: number): Promise<string> {
    const story = { kube, namespace: uniqueName('kill') };
    const tableName = story.namespace;
    const artefacts = join(directory, story.namespace);
    mkdirSync(artefacts);
    const storage = { table: await dynalite.newTable(tableName), artefacts: directoryArtefacts(artefacts) };
    const world = await beforeTheCrash(story, storage);
    const { endpoint } = dynalite;
    const { namespace } = story;
    const kubeconfig = kubeconfigs[0] ?? '';

    const when = call % 2 ? 'after' : 'before';
    const ending = await work(program, { endpoint, tableName, kubeconfig, namespace, artefacts, call, when });

    expect(ending).toMatch(/^(SIGKILL|lived)$/);
    await assertLawful(world, story);
    await recover(world);
    await assertConverged(world, story);
    await remove(kube, aNamespace(story.namespace));
    return ending;
  }

  it('leaves nothing orphaned and nothing foreign touched, and another worker converges', async () => {
    let killed = 0;
    for (let call = 1, lived = false; !lived; call += AT_ONCE) {
      const endings = await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => dieAt(call + index)));
      lived = endings.includes('lived');
      killed += endings.filter((ending) => ending === 'SIGKILL').length;
    }
    expect(killed).toBeGreaterThan(30);
  }, 400_000);
});
