import path from 'node:path';
import type { Measurement } from './measure.ts';
import { type Beside, judged, renderBeside } from './render-beside.ts';
import { chartFiles, documentFiles, kustomizationOf } from './render-inputs.ts';
import { inRenderWorld, type RenderWorld } from './render-world.ts';

const ROUNDS = 5;
const DOCUMENTS = 10_000;
/** kustomize's time grows with the square of the objects, and a render may take it a minute. */
const KUSTOMIZE_DOCUMENTS = 2_000;
const KUSTOMIZE_ROUNDS = 3;
const TEMPLATES = 2_000;

/** Beside the one command of kubectl that reads every file, writes every object and asks no cluster. */
export function measureRenderPlain(): Measurement {
  return {
    name: 'render-plain',
    title: `Rendering a directory of ${DOCUMENTS} documents, beside kubectl label --local`,
    run: () =>
      inRenderWorld(async (world) => {
        const contests: Beside[] = [];
        for (const perFile of [1, 100]) {
          const files = documentFiles(DOCUMENTS, perFile);
          contests.push(
            await contest(world, {
              what: perFile === 1 ? 'a file each' : `${perFile} to a file`,
              files,
              manifests: DOCUMENTS,
              tool: 'kubectl',
              argv: (directory) => ['label', '--local', '-o', 'yaml', '-f', directory, 'bench=yes'],
              rounds: ROUNDS,
            }),
          );
        }
        return judged(contests, { most: 1.3, mostMemory: 0.5 });
      }),
  };
}

export function measureRenderKustomize(): Measurement {
  return {
    name: 'render-kustomize',
    title: `Rendering a kustomization of ${KUSTOMIZE_DOCUMENTS} documents, beside kubectl kustomize`,
    run: () =>
      inRenderWorld(async (world) => {
        const contests: Beside[] = [];
        for (const perFile of [1, 100]) {
          const files = documentFiles(KUSTOMIZE_DOCUMENTS, perFile);
          contests.push(
            await contest(world, {
              what: perFile === 1 ? 'a file each' : `${perFile} to a file`,
              files: { ...files, 'kustomization.yaml': kustomizationOf(files) },
              manifests: KUSTOMIZE_DOCUMENTS,
              tool: 'kubectl',
              argv: (directory) => ['kustomize', directory],
              rounds: KUSTOMIZE_ROUNDS,
            }),
          );
        }
        return judged(contests, { most: 1.5, mostMemory: 0.5 });
      }),
  };
}

export function measureRenderChart(): Measurement {
  return {
    name: 'render-chart',
    title: `Rendering a chart of ${TEMPLATES} templates, beside helm template`,
    run: () =>
      inRenderWorld(async (world) => {
        const only = await contest(world, {
          what: 'the chart',
          files: chartFiles(TEMPLATES),
          manifests: TEMPLATES,
          tool: 'helm',
          argv: (directory) => ['template', 'bench', directory],
          rounds: ROUNDS,
        });
        // Every template is checked and copied first, and every object read afterwards; helm by itself does neither.
        return judged([only], { most: 3, mostMemory: 0.5 });
      }),
  };
}

async function contest(
  world: RenderWorld,
  input: {
    readonly what: string;
    readonly files: Readonly<Record<string, string>>;
    readonly manifests: number;
    readonly tool: 'kubectl' | 'helm';
    readonly argv: (directory: string) => readonly string[];
    readonly rounds: number;
  },
): Promise<Beside> {
  const { what, files, manifests, tool, argv, rounds } = input;
  const directory = await world.directoryOf(files);
  const binary = await world.tools[tool]();
  return renderBeside(
    world,
    {
      what,
      task: {
        from: { kind: 'directory', directory: path.dirname(directory) },
        path: path.basename(directory),
      },
      manifests,
      peer: `${tool} by itself`,
      runPeer: () => world.run(binary, argv(directory)),
    },
    rounds,
  );
}
