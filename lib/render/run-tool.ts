import { spawn } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { HoldfastError } from '../model/errors.ts';
import type { RenderLimits } from './limits.ts';

export interface ToolRun {
  /** For messages: `kubectl kustomize`, `helm template`. */
  readonly name: string;
  readonly binary: string;
  readonly argv: readonly string[];
  /** The private directory; the tool starts in `workingDirectory` below it and has its home there. */
  readonly directory: string;
  readonly workingDirectory: string;
  readonly limits: RenderLimits;
}

type Stopped = 'timeout' | 'output' | 'memory';

/** A failed tool, before its words are made safe to show. */
export class ToolFailure extends Error {
  readonly stderr: string;
  readonly exit: string;

  constructor(exit: string, stderr: string) {
    super(exit);
    this.exit = exit;
    this.stderr = stderr;
  }
}

/**
 * Runs a tool by argv, without a shell, in its own process group and with an environment that holds nothing of ours.
 * Its time, output and memory are limited; past a limit the whole group is killed.
 *
 * @throws HoldfastError `render-limit`; ToolFailure when it exits with an error
 */
export async function runTool(run: ToolRun): Promise<Uint8Array> {
  const env = await minimalEnvironment(run);
  const { limits } = run;
  return await new Promise((resolve, reject) => {
    const child = spawn(run.binary, run.argv, {
      cwd: run.workingDirectory,
      env,
      detached: true,
      shell: false,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let outputBytes = 0;
    let errorBytes = 0;
    let stopped: Stopped | undefined;
    const stop = (reason: Stopped): void => {
      stopped ??= reason;
      killGroup(child.pid);
    };
    const timer = setTimeout(() => stop('timeout'), limits.toolTimeoutMs);
    const watch = watchMemory(child.pid, limits.maxToolMemoryBytes, () => stop('memory'));
    child.stdout.on('data', (chunk: Buffer) => {
      outputBytes += chunk.byteLength;
      if (outputBytes > limits.maxOutputBytes) stop('output');
      else stdout.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      errorBytes += chunk.byteLength;
      if (errorBytes <= limits.maxErrorBytes) stderr.push(chunk);
      else if (errorBytes > limits.maxErrorBytes + limits.maxOutputBytes) stop('output');
    });
    const finish = (): void => {
      clearTimeout(timer);
      watch.stop();
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      finish();
      reject(
        new HoldfastError('internal', `${run.name} could not be started (${error.code ?? error.name})`, {
          retryable: true,
        }),
      );
    });
    child.once('close', (code, signal) => {
      finish();
      if (stopped !== undefined) reject(limitError(run.name, stopped, limits));
      else if (code === 0) resolve(Buffer.concat(stdout));
      else
        reject(
          new ToolFailure(
            code === null ? `ended by ${signal}` : `exit code ${code}`,
            Buffer.concat(stderr).toString(),
          ),
        );
    });
  });
}

async function minimalEnvironment(run: ToolRun): Promise<Record<string, string>> {
  const home = join(run.directory, 'home');
  const nothing = join(run.directory, 'nothing');
  await mkdir(home, { recursive: true, mode: 0o700 });
  await mkdir(nothing, { recursive: true, mode: 0o500 });
  // Port 9 (discard): a request that slips past the pre-flight ends here and not on the network.
  const deadProxy = 'http://127.0.0.1:9';
  return {
    HOME: home,
    TMPDIR: home,
    PATH: nothing,
    KUBECONFIG: '/dev/null',
    HELM_CACHE_HOME: join(home, 'helm/cache'),
    HELM_CONFIG_HOME: join(home, 'helm/config'),
    HELM_DATA_HOME: join(home, 'helm/data'),
    HELM_PLUGINS: nothing,
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    HTTP_PROXY: deadProxy,
    HTTPS_PROXY: deadProxy,
    http_proxy: deadProxy,
    https_proxy: deadProxy,
    GOMEMLIMIT: String(Math.floor(run.limits.maxToolMemoryBytes * 0.8)),
    GOMAXPROCS: '2',
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
  };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ESRCH: nothing of the group is left, which is what was wanted.
  }
}

const MEMORY_CHECK_MS = 50;

/**
 * Go reserves address space freely, so RLIMIT_AS would kill honest renders; resident memory is what a hostile template
 * eats. Where there is no /proc, GOMEMLIMIT and the time limit have to do.
 */
function watchMemory(pid: number | undefined, maxBytes: number, exceeded: () => void): { stop(): void } {
  if (pid === undefined || process.platform !== 'linux') return { stop: () => undefined };
  let reading = false;
  const timer = setInterval(() => {
    if (reading) return;
    reading = true;
    readFile(`/proc/${pid}/status`, 'utf8')
      .then((text) => {
        if (Number(/^VmRSS:\s*(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024 > maxBytes) exceeded();
      })
      // The process is gone; its end is reported by itself.
      .catch(() => undefined)
      .finally(() => {
        reading = false;
      });
  }, MEMORY_CHECK_MS);
  return { stop: () => clearInterval(timer) };
}

function limitError(name: string, stopped: Stopped, limits: RenderLimits): HoldfastError {
  const what: Record<Stopped, string> = {
    timeout: `took longer than ${limits.toolTimeoutMs / 1000} s`,
    output: `wrote more than ${limits.maxOutputBytes} bytes`,
    memory: `used more than ${limits.maxToolMemoryBytes} bytes of memory`,
  };
  return new HoldfastError(
    'render-limit',
    `${name} ${what[stopped]} and was stopped: look for endless loops or generated bulk, or split the application`,
    { details: { limit: stopped } },
  );
}
