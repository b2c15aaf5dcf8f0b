import { text } from 'node:stream/consumers';
import type { CliIo } from './cli.ts';

/** The process as the command line sees it. */
export function processIo(): CliIo {
  const stopping = new AbortController();
  let listening = false;
  const onSignal = (): void => {
    // Whoever insists gets it at once; what is lost then comes back at the next start.
    if (stopping.signal.aborted) process.exit(130);
    stopping.abort();
  };
  // A reader that has seen enough (head, less) ends the command, and that is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    throw error;
  });
  return {
    out: (chunk) => void process.stdout.write(chunk),
    err: (chunk) => void process.stderr.write(chunk),
    readStdin: () => text(process.stdin),
    env: process.env,
    colours: process.stdout.isTTY && !process.env['NO_COLOR'],
    now: () => Date.now(),
    /** Signals are only held back from commands that ask for this. */
    get stop() {
      if (!listening) {
        listening = true;
        process.on('SIGINT', onSignal);
        process.on('SIGTERM', onSignal);
        process.on('SIGHUP', onSignal);
      }
      return stopping.signal;
    },
  };
}
