import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { HoldfastError } from '../model/errors.ts';
import type { RenderLimits } from './limits.ts';
import { machineSandbox, type Sandbox } from './sandbox.ts';
import { watchMemory } from './tool-memory.ts';

export interface ToolRun {
  /** For messages: `kubectl kustomize`, `helm template`. */
  readonly name: string;
  readonly binary: string;
  readonly argv: readonly string[];
  /** The private directory; the tool starts in `workingDirectory` below it and has its home there. */
  readonly directory: string;
  readonly workingDirectory: string;
  readonly limits: RenderLimits;
  /** @default what this machine allows */
  readonly sandbox?: Sandbox | undefined;
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
 * Runs a tool by argv, without a shell, in its own process group, with an environment that holds nothing of ours, and
 * where the machine allows it without network and without sight of other processes. Its time, output and memory are
 * limited; past a limit the whole group is killed.
 *
 * @throws HoldfastError `render-limit`; ToolFailure when it exits with an error
 */
export async function runTool(run: ToolRun): Promise<Uint8Array> {
  const env = await minimalEnvironment(run);
  const { limits } = run;
  await assertExecutable(run);
  const sandbox = run.sandbox ?? (await machineSandbox());
  const command = sandbox.wrap(run.binary, run.argv, limits.maxToolMemoryBytes);
  return await new Promise((resolve, reject) => {
    const child = spawn(command.binary, command.argv, {
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
      reject(notStarted(run, error));
    });
    child.once('close', (code, signal) => {
      finish();
      if (stopped !== undefined) reject(limitError(run.name, stopped, limits));
      else if (code === 0) resolve(Buffer.concat(stdout));
      else {
        const words = Buffer.concat(stderr).toString();
        if (sandbox.limitsMemory && OUT_OF_MEMORY.test(words)) reject(limitError(run.name, 'memory', limits));
        else reject(new ToolFailure(code === null ? `ended by ${signal}` : `exit code ${code}`, words));
      }
    });
  });
}

/** Asked beforehand: what a sandbox says of a missing program looks like a tool that failed. */
async function assertExecutable(run: ToolRun): Promise<void> {
  try {
    await access(run.binary, constants.X_OK);
  } catch (error) {
    throw notStarted(run, error as NodeJS.ErrnoException);
  }
}

function notStarted(run: ToolRun, error: NodeJS.ErrnoException): HoldfastError {
  return new HoldfastError('internal', `${run.name} could not be started (${error.code ?? error.name})`, {
    retryable: true,
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

/** What Go says when the kernel refuses it memory, and V8. */
const OUT_OF_MEMORY =
  /^(?:fatal error: (?:runtime: )?(?:out of memory|cannot allocate memory)|runtime: (?:out of memory|cannot allocate)|.*(?:FATAL|Fatal).*out of memory)/m;

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
