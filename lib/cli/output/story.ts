import { styleText } from 'node:util';
import type { StepResult, TourListener } from '../../local/tour/run-tour.ts';
import { printable } from '../../plan/printable.ts';

const WHO_WIDTH = 11;

/** Tells the tour line by line, while it happens; plain text without colours. */
export function tellStory(write: (text: string) => void, colours: boolean): TourListener {
  const style = (format: Parameters<typeof styleText>[0], text: string): string =>
    colours ? styleText(format, text, { validateStream: false }) : text;
  return {
    stepStarts(number, title) {
      write(`\n${style('bold', `${number}  ${title}`)}\n`);
    },
    told(who, what) {
      write(`   ${style('cyan', who.padEnd(WHO_WIDTH))} ${printable(what)}\n`);
    },
    stepEnds({ ok, tookMs, reason }: StepResult) {
      const took = style('dim', `${(tookMs / 1000).toFixed(1)} s`);
      write(
        ok
          ? `   ${style('green', '✓')} ${took}\n`
          : `   ${style('red', '✗')} ${took}  ${printable(reason ?? 'it did not come true')}\n`,
      );
    },
  };
}
