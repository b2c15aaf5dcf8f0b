import { readFile } from 'node:fs/promises';

const CHECK_MS = 50;
const MOST_PROCESSES = 200;

/**
 * Calls `exceeded` when a process and all below it hold more resident memory than allowed. Go reserves address space
 * freely, so a limit on that (RLIMIT_AS) would kill honest renders. Only on Linux: elsewhere the time limit has to do.
 */
export function watchMemory(
  pid: number | undefined,
  maxBytes: number,
  exceeded: () => void,
): { stop(): void } {
  if (pid === undefined || process.platform !== 'linux') return { stop: () => undefined };
  let reading = false;
  const timer = setInterval(() => {
    if (reading) return;
    reading = true;
    void residentBytes(pid)
      .then((bytes) => {
        if (bytes > maxBytes) exceeded();
      })
      .finally(() => {
        reading = false;
      });
  }, CHECK_MS);
  return { stop: () => clearInterval(timer) };
}

async function residentBytes(root: number): Promise<number> {
  let bytes = 0;
  const waiting = [root];
  for (let count = 0; count < MOST_PROCESSES; count += 1) {
    const pid = waiting.pop();
    if (pid === undefined) break;
    // A process that is gone holds nothing; its end is reported by itself.
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    bytes += Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    waiting.push(...children.split(' ').filter(Boolean).map(Number));
  }
  return bytes;
}
