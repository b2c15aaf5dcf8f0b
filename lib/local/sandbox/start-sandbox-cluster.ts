import { randomBytes } from 'node:crypto';
import { createLister } from './api/list.ts';
import { createAllocator, type SandboxWorld } from './api/world.ts';
import { createControllers } from './controllers/controllers.ts';
import { createScheduler } from './controllers/scheduler.ts';
import { seedNamespaces } from './controllers/seed.ts';
import { dispatch } from './http/dispatch.ts';
import type { SandboxVerb } from './http/request-info.ts';
import { digestOf, type FaultHook, listen, type SandboxRequest } from './http/server.ts';
import { createTypeRegistry } from './objects/type-registry.ts';
import { createObjectStore, type ObjectStore, type StoreChange } from './storage/object-store.ts';
import { createStateFile, readStateFile } from './storage/state-file.ts';

export interface SandboxOptions {
  /** @default any free port */
  readonly port?: number;
  /** Time of every timestamp. @default the system's clock */
  readonly clock?: () => Date;
  /** The cluster's content is kept here and read at the next start. @default in memory only */
  readonly dataFile?: string;
  /** How long the replicas of a workload take to become ready. @default 300 */
  readonly availableAfterMs?: number;
  /** Bearer tokens. @default random ones */
  readonly tokens?: { readonly apply?: string; readonly read?: string };
}

/** Requests as they came, for tests and for the tour. */
export interface RequestLog {
  /** The last 10,000, oldest first. */
  readonly all: () => readonly SandboxRequest[];
  /** How many of each verb since the start or the last reset. */
  readonly counts: () => Readonly<Partial<Record<SandboxVerb, number>>>;
  readonly reset: () => void;
}

export interface SandboxCluster {
  /** http://127.0.0.1:port */
  readonly url: string;
  /** May do everything. */
  readonly token: string;
  /** May get and list; everything else is 403. */
  readonly readToken: string;
  readonly requests: RequestLog;
  /** Delays, fails or drops requests from now on; undefined ends it. */
  readonly setFault: (hook: FaultHook | undefined) => void;
  /** Stops listening, ends open connections, writes the data file. @throws when the data file cannot be written */
  readonly close: () => Promise<void>;
}

const DEFAULT_AVAILABLE_MS = 300;
const LOG_LENGTH = 10_000;

/**
 * A Kubernetes API server in this process: discovery, objects, server-side apply with managedFields and conflicts, dry
 * run, selectors, paging, definitions of custom resources, workloads that become available. No pods run. What it does
 * not do it answers with 501. Behaviour as recorded from Kubernetes 1.20 (test/local/sandbox).
 * @throws HoldfastError `state-schema` when the data file is not readable as one
 */
export async function startSandboxCluster(options: SandboxOptions = {}): Promise<SandboxCluster> {
  const content = options.dataFile === undefined ? undefined : await readStateFile(options.dataFile);
  const observers: ((change: StoreChange) => void)[] = [];
  const store: ObjectStore = createObjectStore(content, (change) => {
    for (const observer of observers) observer(change);
  });
  const world: SandboxWorld = {
    store,
    types: createTypeRegistry(() => store),
    allocator: createAllocator(() => store.list('/services')),
    clock: options.clock ?? (() => new Date()),
  };
  const scheduler = createScheduler();
  const controllers = createControllers(world, scheduler, options.availableAfterMs ?? DEFAULT_AVAILABLE_MS);
  observers.push(controllers.observe);
  const file = options.dataFile === undefined ? undefined : createStateFile(options.dataFile, store.content);
  if (file !== undefined) observers.push(file.schedule);
  seedNamespaces(world);
  controllers.resume();

  const log = createLog();
  let fault: FaultHook | undefined;
  const lister = createLister(world);
  const token = options.tokens?.apply ?? randomBytes(24).toString('base64url');
  const readToken = options.tokens?.read ?? randomBytes(24).toString('base64url');
  const { server, port } = await listen(
    {
      tokenDigest: digestOf(token),
      readTokenDigest: digestOf(readToken),
      answer: (request) => dispatch({ world, lister }, request),
      onRequest: log.add,
      fault: () => fault,
    },
    options.port ?? 0,
  );

  return {
    url: `http://127.0.0.1:${port}`,
    token,
    readToken,
    requests: log,
    setFault: (hook) => {
      fault = hook;
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      scheduler.close();
      await closed;
      await file?.flush();
    },
  };
}

function createLog(): RequestLog & { readonly add: (request: SandboxRequest) => void } {
  let all: SandboxRequest[] = [];
  let counts: Partial<Record<SandboxVerb, number>> = {};
  return {
    all: () => all.slice(-LOG_LENGTH),
    counts: () => ({ ...counts }),
    reset: () => {
      all = [];
      counts = {};
    },
    add: (request) => {
      all.push(request);
      // Trimmed now and then, so that it does not cost a copy each time.
      if (all.length > 2 * LOG_LENGTH) all = all.slice(-LOG_LENGTH);
      counts[request.verb] = (counts[request.verb] ?? 0) + 1;
    },
  };
}
