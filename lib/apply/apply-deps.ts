import type { KubeApi } from '../cluster/kube-api.ts';
import { KubeError } from '../cluster/kube-error.ts';
import type { TargetId } from '../model/ids.ts';
import type { Projection } from '../model/inventory.ts';
import type { ResourceId } from '../model/resource.ts';
import type { ActionResult } from './apply-report.ts';

export interface ApplyDeps {
  readonly kube: KubeApi;
  readonly target: TargetId;
  /** `holdfast:<target>`; see fieldManagerOf. */
  readonly fieldManager: string;
  /** Asked before every request; answers at once. */
  readonly lease: {
    stillOurs(): boolean;
    /** Monotonic milliseconds by which a request sent now must have ended, so that it ends before the lease does. */
    requestDeadline?(): number;
  };
  /** Milliseconds on the monotonic clock at which the run ends. */
  readonly deadline: number;
  /** Set by a worker that took over an expired lease: the epoch, written to every object so that every version moves. */
  readonly epochAnnotation?: number;
  /** Requests at once; 16 by default. */
  readonly concurrency?: number;
  /** Called as soon as the outcome of an action is known. */
  readonly onResult?: (result: ActionResult) => void;
  /** What we owned of an object when it was last applied; fields of it that left Git must not survive. */
  readonly previousFields?: (id: ResourceId) => Projection | undefined;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  readonly sleep?: (ms: number) => Promise<void>;
  /** 0 to 1, for jitter. */
  readonly random?: () => number;
}

export type Stop = 'deadline' | 'lease-lost';

/** Thrown inside the room to leave an action where it is; never leaves the room. */
export class Interrupted extends Error {
  readonly reason: Stop;

  constructor(reason: Stop) {
    super(reason);
    this.name = 'Interrupted';
    this.reason = reason;
  }
}

export const CONCURRENCY = 16;
const TRANSIENT_TRIES = 4;
const BACKOFF_BASE_MS = 200;
const BACKOFF_LIMIT_MS = 4_000;

export function stopReason(deps: ApplyDeps): Stop | undefined {
  if (!deps.lease.stillOurs()) {
    return 'lease-lost';
  }
  return nowOf(deps) >= deps.deadline ? 'deadline' : undefined;
}

/** When a request sent now is aborted. */
export function callDeadline(deps: ApplyDeps): number {
  return Math.min(deps.deadline, deps.lease.requestDeadline?.() ?? Number.POSITIVE_INFINITY);
}

export function nowOf(deps: ApplyDeps): number {
  return deps.now === undefined ? performance.now() : deps.now();
}

/**
 * One request, sent only while the lease and the deadline allow it, and tried a few times more when its failure is a
 * passing one. Conflicts are not: they call for another request, and are thrown at once.
 *
 * @throws Interrupted when there is no time or no right to go on
 * @throws KubeError
 */
export async function attempt<T>(deps: ApplyDeps, request: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    throwIfStopped(deps);
    try {
      return await request();
    } catch (error) {
      const isTransient = error instanceof KubeError && error.retryable && error.code !== 'kube-conflict';
      if (!isTransient) {
        throw error;
      }
      // A request that the deadline cut off says nothing about the object.
      throwIfStopped(deps);
      if (failures + 1 >= TRANSIENT_TRIES) {
        throw error;
      }
      await pause(deps, backoffMs(deps, failures));
    }
  }
}

/** @throws Interrupted instead of sleeping over the deadline */
export async function pause(deps: ApplyDeps, ms: number): Promise<void> {
  throwIfStopped(deps);
  if (nowOf(deps) + ms >= deps.deadline) {
    throw new Interrupted('deadline');
  }
  await (deps.sleep ?? sleepFor)(ms);
}

export function throwIfStopped(deps: ApplyDeps): void {
  const reason = stopReason(deps);
  if (reason !== undefined) {
    throw new Interrupted(reason);
  }
}

function backoffMs(deps: ApplyDeps, failures: number): number {
  const random = (deps.random ?? Math.random)();
  return (0.5 + random / 2) * Math.min(BACKOFF_LIMIT_MS, BACKOFF_BASE_MS * 2 ** failures);
}

function sleepFor(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
