import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findTools, type ToolPaths } from '../lib/render/tools.ts';
import { writeFiles } from './render-inputs.ts';
import type { RenderTask } from './render-process.ts';
import { type MeasuredRun, type RenderRun, runMeasured, runRender } from './render-run.ts';

/** A directory of its own for the inputs of one measurement, and what renders them. */
export interface RenderWorld {
  readonly directory: string;
  readonly tools: ToolPaths;
  /** Writes files into a new directory. */
  directoryOf(files: Readonly<Record<string, string>>): Promise<string>;
  /** Each with an empty cache of commits. */
  render(task: Pick<RenderTask, 'from' | 'path' | 'again'>): Promise<RenderRun>;
  run(binary: string, argv: readonly string[]): Promise<MeasuredRun>;
}

export async function inRenderWorld<T>(use: (world: RenderWorld) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-bench-render-'));
  const toolsDirectory = path.join(tmpdir(), 'holdfast-bench-tools');
  let directories = 0;
  const next = (): string => path.join(directory, `directory-${directories++}`);
  try {
    return await use({
      directory,
      tools: await findTools({ cacheDirectory: toolsDirectory }),
      async directoryOf(files) {
        const made = next();
        await writeFiles(made, files);
        return made;
      },
      render: (task) => runRender({ ...task, toolsDirectory, cacheDirectory: next() }, directory),
      run: (binary, argv) => runMeasured(binary, argv, { directory }),
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
