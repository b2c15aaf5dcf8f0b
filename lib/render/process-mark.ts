import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Says which process of which machine something belongs to, fit for a file name: `<machine>-<pid>-<start>`. The start
 * tells a process from a later one with its number, which comes soon where every restart counts from the same one.
 */
export function processMark(): string {
  return `${machine()}-${process.pid}-${startOf(process.pid) ?? '0'}`;
}

/** Whether the process of a mark has ended. undefined: it is one of another machine or container, or no mark. */
export function hasEnded(mark: string): boolean | undefined {
  const [where, pid, start] = mark.split('-');
  if (where !== machine() || !/^\d+$/.test(pid ?? '') || start === undefined) return undefined;
  if (!exists(Number(pid))) return true;
  return start !== '0' && startOf(Number(pid)) !== start;
}

let known: string | undefined;

/** Process numbers mean something within one boot and one process namespace only: a directory may be shared by several. */
function machine(): string {
  known ??= createHash('sha256')
    .update(`${hostname()}\n${tryRead(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'))}`)
    .update(`\n${tryRead(() => readlinkSync('/proc/self/ns/pid'))}`)
    .digest('hex')
    .slice(0, 8);
  return known;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: somebody else's, and there.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** In clock ticks since boot; only Linux tells. */
function startOf(pid: number): string | undefined {
  const stat = tryRead(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  // The name in brackets may hold blanks and brackets itself; what follows it is the third field, the start the 22nd.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

function tryRead(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
