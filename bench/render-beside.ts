import { alternating, megabytes, milliseconds, pairedRatio, ratioText, spread } from './measure.ts';
import type { Outcome, Row } from './measure.ts';
import type { RenderTask } from './render-process.ts';
import type { MeasuredRun, RenderRun } from './render-run.ts';
import type { RenderWorld } from './render-world.ts';

export interface Contest {
  /** `a file each`; for the rows. */
  readonly what: string;
  readonly task: Pick<RenderTask, 'from' | 'path'>;
  /** How many have to come out. */
  readonly manifests: number;
  readonly peer: string;
  readonly runPeer: (round: number) => Promise<Pick<MeasuredRun, 'wallMs' | 'peakBytes'>>;
}

export interface Beside {
  readonly rows: readonly Row[];
  readonly ratio: number;
  readonly peakBytes: number;
}

/** The function that renders has this at the defaults of the stack. */
const FUNCTION_BYTES = 1536 * 1024 * 1024;

/** The whole way to the manifests, in a process of its own, and the tool by itself, in turns. */
export async function renderBeside(world: RenderWorld, contest: Contest, rounds: number): Promise<Beside> {
  const runs: RenderRun[] = [];
  const peers: Pick<MeasuredRun, 'wallMs' | 'peakBytes'>[] = [];
  await alternating(rounds, [
    async () => {
      const run = await world.render(contest.task);
      if (run.manifests !== contest.manifests) {
        throw new Error(`${contest.what}: ${run.manifests} manifests instead of ${contest.manifests}`);
      }
      runs.push(run);
    },
    async (round) => void peers.push(await contest.runPeer(round)),
  ]);
  const walls = runs.map(({ totalMs }) => totalMs);
  const peerWalls = peers.map(({ wallMs }) => wallMs);
  const ownBytes = Math.max(...runs.map(({ peakBytes }) => peakBytes));
  const allBytes = Math.max(ownBytes, ...runs.map(({ treeBytes }) => treeBytes ?? 0));
  const peerBytes = Math.max(0, ...peers.map(({ peakBytes }) => peakBytes ?? 0));
  const { what, peer } = contest;
  return {
    rows: [
      { what: `${what}: holdfast`, value: spread(walls) },
      { what: `${what}: its phases in the last round`, value: phasesText(runs.at(-1)) },
      {
        what: `${what}: its memory, and with the tools that it started`,
        value: `${megabytes(ownBytes)}, ${megabytes(allBytes)}`,
      },
      { what: `${what}: ${peer}`, value: spread(peerWalls) },
      { what: `${what}: its memory`, value: peerBytes === 0 ? 'not known here' : megabytes(peerBytes) },
    ],
    ratio: pairedRatio(walls, peerWalls),
    peakBytes: allBytes,
  };
}

/** All of them against one bound of time, and against the memory of the function. */
export function judged(
  contests: readonly Beside[],
  { most, mostMemory }: { readonly most: number; readonly mostMemory: number },
): Outcome {
  return {
    rows: contests.flatMap(({ rows }) => rows),
    target: {
      claim: `at most ${most} of its wall time, and at most ${mostMemory} of the memory of the function`,
      measured: contests
        .map(({ ratio, peakBytes }) => `${ratioText(ratio)}, ${megabytes(peakBytes)}`)
        .join('; '),
      isMet: contests.every(
        ({ ratio, peakBytes }) => ratio <= most && peakBytes <= FUNCTION_BYTES * mostMemory,
      ),
    },
  };
}

function phasesText(run: RenderRun | undefined): string {
  return Object.entries(run?.phasesMs ?? {})
    .map(([phase, ms]) => `${phase} ${milliseconds(ms)}`)
    .join(', ');
}
