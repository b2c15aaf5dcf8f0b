import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

/**
 * How much of the machine a tool can reach, as far as this platform allows:
 * - `isolated`: no network, not even loopback, and no other process to be seen or signalled
 * - `no-network`: no network; other processes of this user can be seen in /proc
 * - `none`: only the pre-flight, the environment and dead proxies stand in its way
 */
export type Isolation = 'isolated' | 'no-network' | 'none';

export interface Sandbox {
  readonly isolation: Isolation;
  /** Whether the kernel refuses memory past the limit. Otherwise it is only looked at now and then. */
  readonly limitsMemory: boolean;
  /** The command that runs this command inside. */
  wrap(binary: string, argv: readonly string[], maxMemoryBytes: number): Command;
}

export interface Command {
  readonly binary: string;
  readonly argv: readonly string[];
}

export const NO_SANDBOX: Sandbox = {
  isolation: 'none',
  limitsMemory: false,
  wrap: (binary, argv) => ({ binary, argv }),
};

/** Never from the PATH, which is somebody else's to set. */
const DIRECTORIES = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];

/** `--kill-child`: with unshare dies its child, which is the first process of its namespace, and with that all others. */
const CHILD = ['--pid', '--fork', '--kill-child'];
/** Best first; `--map-current-user` came with util-linux 2.34. */
const WAYS: readonly { readonly isolation: Isolation; readonly flags: readonly string[] }[] = [
  ...['--map-current-user', '--map-root-user'].map((user) => ({
    isolation: 'isolated' as const,
    flags: ['--user', user, '--net', '--ipc', ...CHILD, '--mount-proc'],
  })),
  ...['--map-current-user', '--map-root-user'].map((user) => ({
    isolation: 'no-network' as const,
    flags: ['--user', user, '--net', ...CHILD],
  })),
];

const PROBE_TIMEOUT_MS = 5_000;
/** What Go maps beyond what it uses: it takes its heap in pieces of 64 MiB, and threads have stacks. */
const MEMORY_HEADROOM_BYTES = 128 * 1024 * 1024;

/**
 * Finds out by trying, with util-linux' unshare and prlimit, what this machine allows. Containers and Lambda commonly
 * allow no user namespaces.
 */
export async function probeSandbox(directories: readonly string[] = DIRECTORIES): Promise<Sandbox> {
  if (process.platform !== 'linux') return NO_SANDBOX;
  const unshare = findProgram('unshare', directories);
  const prlimit = findProgram('prlimit', directories);
  const limits =
    prlimit !== undefined && (await runs(prlimit, [`--data=${2 ** 30}`, '--', prlimit, '--version']));
  const way = unshare === undefined ? undefined : await firstThatWorks(unshare);
  return {
    isolation: way?.isolation ?? 'none',
    limitsMemory: limits,
    wrap(binary, argv, maxMemoryBytes) {
      const limited =
        limits && prlimit !== undefined
          ? {
              binary: prlimit,
              argv: [`--data=${maxMemoryBytes + MEMORY_HEADROOM_BYTES}`, '--', binary, ...argv],
            }
          : { binary, argv };
      if (way === undefined || unshare === undefined) return limited;
      return { binary: unshare, argv: [...way.flags, '--', limited.binary, ...limited.argv] };
    },
  };
}

let probed: Promise<Sandbox> | undefined;

/** What this machine allows does not change while a process lives, so it is tried once, when a tool is first run. */
export function machineSandbox(): Promise<Sandbox> {
  probed ??= probeSandbox();
  return probed;
}

async function firstThatWorks(unshare: string): Promise<(typeof WAYS)[number] | undefined> {
  for (const way of WAYS) {
    if (await runs(unshare, [...way.flags, '--', unshare, '--version'])) return way;
  }
  return undefined;
}

async function runs(binary: string, argv: readonly string[]): Promise<boolean> {
  return await promisify(execFile)(binary, [...argv], { env: {}, timeout: PROBE_TIMEOUT_MS }).then(
    () => true,
    () => false,
  );
}

function findProgram(name: string, directories: readonly string[]): string | undefined {
  return directories.map((directory) => `${directory}/${name}`).find((path) => existsSync(path));
}
