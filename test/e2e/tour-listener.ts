import type { StepResult, TourListener } from '../../lib/local/tour/run-tour.ts';

/** Hears the tour and says nothing. */
export const quietListener: TourListener = {
  stepStarts: () => undefined,
  told: () => undefined,
  stepEnds: () => undefined,
};

/** For a failure that says why: `5 steps` or the reason of the step that did not come true. */
export function verdicts(results: readonly StepResult[]): readonly string[] {
  return results.map(({ title, reason }) => (reason === undefined ? title : `${title}: ${reason}`));
}
