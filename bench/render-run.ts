import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RenderReport, RenderTask } from './render-process.ts';

export interface MeasuredRun {
  readonly wallMs: number;
  /** Of the process and all that it started, together, sampled; undefined where there is no /proc. */
  readonly peakBytes: number | undefined;
  readonly stdout: string;
}

const SAMPLE_MS = 10;

/** A program to its end, with the memory of all its processes. */
export function runMeasured(
  binary: string,
  argv: readonly string[],
  options: { readonly directory: string; readonly keepOutput?: boolean },
): Promise<MeasuredRun> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(binary, argv, {
      cwd: options.directory,
      env: {
        HOME: options.directory,
        PATH: process.env['PATH'],
        KUBECONFIG: '/dev/null',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_TERMINAL_PROMPT: '0',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    let peakBytes: number | undefined;
    const timer = setInterval(() => {
      const bytes = residentBytes(child.pid);
      if (bytes !== undefined) peakBytes = Math.max(peakBytes ?? 0, bytes);
    }, SAMPLE_MS);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (options.keepOutput === true) stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < 4000) stderr += text;
    });
    child.on('error', (error) => {
      clearInterval(timer);
      reject(error);
    });
    child.on('close', (code) => {
      clearInterval(timer);
      const wallMs = performance.now() - start;
      if (code === 0) resolve({ wallMs, peakBytes, stdout });
      else reject(new Error(`${path.basename(binary)} ${argv[0]} ended with ${code}: ${stderr}`));
    });
  });
}

export interface RenderRun extends RenderReport {
  /** Of our process and the tools that it started, together. */
  readonly treeBytes: number | undefined;
}

/** Holdfast's side, in a process that does nothing else. */
export async function runRender(task: RenderTask, directory: string): Promise<RenderRun> {
  const script = fileURLToPath(new URL('render-process.ts', import.meta.url));
  const { stdout, peakBytes } = await runMeasured(process.execPath, [script, JSON.stringify(task)], {
    directory,
    keepOutput: true,
  });
  return { ...(JSON.parse(stdout) as RenderReport), treeBytes: peakBytes };
}

/** What the kernel counts as resident, shared pages of several processes several times; undefined: it has ended. */
function residentBytes(pid: number | undefined): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const own = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return children.reduce((sum, child) => sum + (residentBytes(Number(child)) ?? 0), own);
  } catch {
    return undefined;
  }
}
