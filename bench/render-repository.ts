import { rm } from 'node:fs/promises';
import path from 'node:path';
import { gitCommand } from '../lib/local/git-server/git-command.ts';
import { startGitServer } from '../lib/local/git-server/git-server.ts';
import { alternating, median, milliseconds, pairedRatio, ratioText, spread } from './measure.ts';
import type { Measurement, Outcome } from './measure.ts';
import { judged, renderBeside } from './render-beside.ts';
import { documentFiles, kustomizationOf, writeFiles, writeUnrelated } from './render-inputs.ts';
import { inRenderWorld, type RenderWorld } from './render-world.ts';

const ROUNDS = 5;
const REPOSITORY_FILES = 5_000;
const FILE_BYTES = 20 * 1024;
const APPLICATION = 'apps/web';
const OBJECTS = 30;

/** A first fetch of a large repository of which an application reads next to nothing. */
export function measureRenderRepository(): Measurement {
  const bytes = REPOSITORY_FILES * FILE_BYTES;
  return {
    name: 'render-repository',
    title: `Fetching a repository of ${Math.round(bytes / 1024 / 1024)} MB and rendering ${OBJECTS} objects of it, beside git clone --depth 1 and kubectl kustomize`,
    run: () => inRenderWorld(inLargeRepository),
  };
}

async function inLargeRepository(world: RenderWorld): Promise<Outcome> {
  const server = await startGitServer({ directory: path.join(world.directory, 'server') });
  try {
    const { url, directory: bare } = await server.createRepository('large');
    const commit = await pushLargeRepository(path.join(world.directory, 'work'), bare);
    const kubectl = await world.tools.kubectl();
    const first = await renderBeside(
      world,
      {
        what: 'first fetch',
        task: { from: { kind: 'git', url, commit }, path: APPLICATION },
        manifests: OBJECTS,
        peer: 'git clone --depth 1 and kubectl kustomize',
        async runPeer(round) {
          const clone = path.join(world.directory, `clone-${round}`);
          const cloned = await world.run('git', ['clone', '--quiet', '--depth', '1', url, clone]);
          const rendered = await world.run(kubectl, ['kustomize', path.join(clone, APPLICATION)]);
          await rm(clone, { recursive: true, force: true });
          return {
            wallMs: cloned.wallMs + rendered.wallMs,
            peakBytes: Math.max(cloned.peakBytes ?? 0, rendered.peakBytes ?? 0),
          };
        },
      },
      ROUNDS,
    );
    // The pack is in memory several times over while isomorphic-git indexes it; 128 MiB of it are the most that is taken.
    return judged([first], { most: 2, mostMemory: 0.6 });
  } finally {
    await server.close();
  }
}

async function pushLargeRepository(work: string, bare: string): Promise<string> {
  const files = documentFiles(OBJECTS, 10);
  await writeFiles(path.join(work, APPLICATION), { ...files, 'kustomization.yaml': kustomizationOf(files) });
  await writeUnrelated(work, REPOSITORY_FILES, FILE_BYTES);
  const git = (...args: string[]) => gitCommand(work, args);
  await git('init', '--quiet', '--initial-branch=main');
  await git('add', '--all');
  await git('commit', '--quiet', '-m', 'Everything');
  await git('push', '--quiet', bare, 'main');
  return git('rev-parse', 'HEAD');
}

/** The same files a second time: what a push costs that touches nothing of an application, and a second cluster. */
export function measureRenderUnchanged(): Measurement {
  const documents = 1_000;
  return {
    name: 'render-unchanged',
    title: `A second render of an unchanged kustomization of ${documents} documents, beside the first`,
    run: () =>
      inRenderWorld(async (world) => {
        const files = documentFiles(documents, 10);
        const directory = await world.directoryOf({ ...files, 'kustomization.yaml': kustomizationOf(files) });
        const first: number[] = [];
        const closures: number[] = [];
        const renders: number[] = [];
        const kubectl = await world.tools.kubectl();
        const tool: number[] = [];
        await alternating(ROUNDS, [
          async () => {
            const { totalMs, phasesMs } = await world.render({
              from: { kind: 'directory', directory: path.dirname(directory) },
              path: path.basename(directory),
              again: true,
            });
            first.push(totalMs);
            closures.push(phasesMs['closure again'] ?? Number.NaN);
            renders.push(phasesMs['render again'] ?? Number.NaN);
          },
          async () => void tool.push((await world.run(kubectl, ['kustomize', directory])).wallMs),
        ]);
        const again = closures.map((closureMs, round) => closureMs + (renders[round] ?? 0));
        const ratio = pairedRatio(again, first);
        return {
          rows: [
            { what: 'holdfast, first time', value: spread(first) },
            {
              what: 'the same closure found again, after which a push is passed over',
              value: spread(closures),
            },
            {
              what: 'the same artefact asked for again, as for another cluster',
              value: milliseconds(median(renders)),
            },
            { what: 'kubectl kustomize, each time', value: spread(tool) },
          ],
          target: {
            claim: 'at most 0.1 of the first time, and no tool is started',
            measured: ratioText(ratio),
            isMet: ratio <= 0.1,
          },
        };
      }),
  };
}
