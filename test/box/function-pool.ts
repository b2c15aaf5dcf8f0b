import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalFunction } from '../../lib/local/invocation.ts';
import {
  type ExecutionEnvironment,
  type FunctionSpec,
  type InvocationEnd,
  startEnvironment,
} from './execution-environment.ts';

export interface FunctionPoolOptions {
  /** Below it each environment gets a directory of its own. */
  readonly directory: string;
  readonly onLine?: (line: string) => void;
  /** Reserved concurrency; what is above it waits. @default 10 */
  readonly maxConcurrency?: number;
}

/** A function with its execution environments: warm ones are used again, and a new one starts when all are busy. */
export interface FunctionPool {
  readonly spec: FunctionSpec;
  readonly invoke: (event: unknown) => Promise<InvocationEnd>;
  /** As the local runtime calls a function: @throws for everything but an answer. */
  readonly asFunction: LocalFunction<unknown>;
  /** SIGKILL to every environment that handles an event now. */
  killBusy(): Promise<number>;
  /** Ends the warm ones, so that the next event meets a cold start. */
  cool(): Promise<void>;
  /** Of the processes that live. */
  pids(): readonly number[];
  /** Events under way. */
  readonly busy: () => number;
  close(): Promise<void>;
}

export function createFunctionPool(spec: FunctionSpec, options: FunctionPoolOptions): FunctionPool {
  const idle: ExecutionEnvironment[] = [];
  const busy = new Set<ExecutionEnvironment>();
  const waiting: (() => void)[] = [];
  const maxConcurrency = options.maxConcurrency ?? 10;
  let running = 0;

  const warm = (): ExecutionEnvironment | undefined => {
    for (let found = idle.pop(); found !== undefined; found = idle.pop()) if (found.isAlive()) return found;
    return undefined;
  };

  const turn = async (): Promise<void> => {
    // Whoever leaves hands its place over, so a newcomer cannot slip in between.
    if (running >= maxConcurrency) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
  };
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  };

  const invoke = async (event: unknown): Promise<InvocationEnd> => {
    await turn();
    let environment: ExecutionEnvironment | undefined;
    try {
      environment =
        warm() ??
        (await startEnvironment(spec, {
          directory: await mkdtemp(join(options.directory, `${spec.name.slice(0, 20)}-`)),
          ...(options.onLine === undefined ? {} : { onLine: options.onLine }),
        }));
      busy.add(environment);
      return await environment.invoke(event);
    } finally {
      if (environment !== undefined) {
        busy.delete(environment);
        if (environment.isAlive()) idle.push(environment);
      }
      leave();
    }
  };

  const cool = async (): Promise<void> => {
    await Promise.all(idle.splice(0).map((environment) => environment.kill()));
  };

  return {
    spec,
    invoke,
    asFunction: {
      name: spec.name,
      // The pool ends what takes too long; this only keeps the caller from waiting for ever.
      timeoutSeconds: spec.timeoutSeconds + 30,
      async handler(event) {
        const end = await invoke(event);
        switch (end.kind) {
          case 'returned':
            return end.value;
          case 'failed':
            throw new Error(`${end.error.errorType}: ${end.error.errorMessage}`);
          case 'timed-out':
            throw new Error(`Task timed out after ${spec.timeoutSeconds} seconds`);
          case 'died':
            throw new Error(`Runtime exited: ${end.how}`);
        }
      },
    },
    async killBusy() {
      const victims = [...busy];
      await Promise.all(victims.map((environment) => environment.kill()));
      return victims.length;
    },
    cool,
    pids: () => [...idle, ...busy].filter((each) => each.isAlive()).map(({ pid }) => pid),
    busy: () => busy.size,
    async close() {
      await Promise.all([...busy].map((environment) => environment.kill()));
      await cool();
    },
  };
}
