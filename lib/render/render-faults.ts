import { HoldfastError } from '../model/errors.ts';
import { describeOrigin } from '../model/resource.ts';
import type { Origin } from '../model/resource.ts';

/** One thing wrong in one place. A render reports all of them at once. */
export interface RenderFault {
  readonly origin: Origin;
  readonly message: string;
}

const SHOWN = 50;
const KEPT = 500;

/** One error for all faults: the message names each place, `details.faults` lists them. */
export function renderFaultsError(
  faults: readonly RenderFault[],
  code: 'render-failed' | 'render-refused' = 'render-failed',
): HoldfastError {
  const lines = faults.map(({ origin, message }) => `${describeOrigin(origin)}: ${message}`);
  const more = lines.length > SHOWN ? `\n… and ${lines.length - SHOWN} more` : '';
  const head = lines.length === 1 ? '' : `${lines.length} faulty documents:\n`;
  return new HoldfastError(code, `${head}${lines.slice(0, SHOWN).join('\n')}${more}`, {
    details: { faults: lines.slice(0, KEPT), count: lines.length },
  });
}
