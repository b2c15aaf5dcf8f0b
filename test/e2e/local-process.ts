import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ENTRY = fileURLToPath(new URL('../../bin/holdfast.js', import.meta.url));

/** `holdfast local` as a process of its own. */
export interface LocalProcess {
  /** kill -9, and gone when it returns. */
  kill(): Promise<void>;
  /** Ctrl-C; the exit code. */
  stop(): Promise<number | null>;
}

/** @throws Error with what it wrote, when it ends before it is up */
export async function startLocalProcess(stateDirectory: string, ...options: string[]): Promise<LocalProcess> {
  const { NODE_OPTIONS: _jest, ...env } = process.env;
  const child = spawn(process.execPath, [ENTRY, 'local', '--state-dir', stateDirectory, ...options], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-20_000);
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`holdfast local ended with ${code}: ${said}`)));
  });
  return {
    kill: () => end(child, 'SIGKILL').then(() => undefined),
    stop: () => end(child, 'SIGINT'),
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
  return child.exitCode;
}
