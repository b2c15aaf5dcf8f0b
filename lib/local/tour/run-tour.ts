import { HoldfastError } from '../../model/errors.ts';
import { TOUR_STEPS } from './steps.ts';
import type { TourWorld } from './tour-world.ts';
import { StepFailedError, TourStoppedError } from './until.ts';

/** Hears the story while it happens. */
export interface TourListener {
  stepStarts(number: number, title: string): void;
  told(who: string, what: string): void;
  stepEnds(step: StepResult): void;
}

export interface StepResult {
  readonly number: number;
  readonly title: string;
  readonly ok: boolean;
  readonly tookMs: number;
  /** Why it did not come true. */
  readonly reason?: string;
}

/**
 * Walks the steps in order. The first that does not come true ends the story, for the others stand on it.
 * @throws TourStoppedError when it is stopped in between
 */
export async function runTour(world: TourWorld, listener: TourListener): Promise<readonly StepResult[]> {
  const results: StepResult[] = [];
  for (const [index, step] of TOUR_STEPS.entries()) {
    const number = index + 1;
    listener.stepStarts(number, step.title);
    const startedAt = performance.now();
    let reason: string | undefined;
    try {
      await step.run(world, (who, what) => listener.told(who, what));
    } catch (error) {
      if (error instanceof TourStoppedError || world.stop.aborted) throw new TourStoppedError();
      reason = reasonOf(error);
    }
    const result: StepResult = {
      number,
      title: step.title,
      ok: reason === undefined,
      tookMs: performance.now() - startedAt,
      ...(reason === undefined ? {} : { reason }),
    };
    results.push(result);
    listener.stepEnds(result);
    if (!result.ok) break;
  }
  return results;
}

export function tourSteps(): number {
  return TOUR_STEPS.length;
}

function reasonOf(error: unknown): string {
  if (error instanceof StepFailedError || error instanceof HoldfastError) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
