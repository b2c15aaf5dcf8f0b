import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ToolPaths } from '../lib/render/tools.ts';

export interface KubectlRun {
  readonly wallMs: number;
  /** As Linux reports it; undefined elsewhere. */
  readonly peakBytes: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export type Kubectl = (argv: readonly string[]) => Promise<KubectlRun>;

/** The peer: the same kubectl that Holdfast renders with, its discovery cache kept from run to run. */
export async function kubectlOn(tools: ToolPaths, kubeconfig: string, home: string): Promise<Kubectl> {
  const binary = await tools.kubectl();
  return (argv) =>
    new Promise((resolve, reject) => {
      const start = performance.now();
      const child = spawn(binary, [...argv, '--kubeconfig', path.resolve(kubeconfig)], {
        env: { HOME: home, PATH: process.env['PATH'] },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let stdout = '';
      let stderr = '';
      let peakBytes: number | undefined;
      const timer = setInterval(() => {
        peakBytes = highWaterMark(child.pid) ?? peakBytes;
      }, 50);
      child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      child.on('error', reject);
      child.on('close', (code) => {
        clearInterval(timer);
        const wallMs = performance.now() - start;
        if (code === 0) resolve({ wallMs, peakBytes, stdout, stderr });
        else reject(new Error(`kubectl ${argv[0]} ended with ${code}: ${stderr.slice(0, 2000)}`));
      });
    });
}

function highWaterMark(pid: number | undefined): number | undefined {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}

/** Requests of one method that a run with `-v=6` says it sent. */
export function requestsIn(run: KubectlRun, method: string): number {
  const pattern = new RegExp(`(?:verb="${method}"|\\b${method} https?://)`, 'g');
  return [...run.stderr.matchAll(pattern)].length;
}
