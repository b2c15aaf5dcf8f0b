import type { ArtefactStore } from '../artefact/artefact-store.ts';
import type { ClusterConnector } from '../cluster/kube-api.ts';
import type { Log } from '../model/log.ts';
import type { Metrics } from '../model/metrics.ts';
import type { HashKey } from '../plan/keyed-hash.ts';
import type { WakeQueue } from '../queue/wake-queue.ts';
import type { Renderer } from '../render/renderer.ts';
import type { SecretVersions } from '../secrets/secret-store.ts';
import type { Elsewhere } from '../source/closure-walk.ts';
import type { GitHost } from '../source/git-repository.ts';
import type { StateStore } from '../state/state-store.ts';
import type { ReadInputsDeps } from './read-inputs.ts';

/** Both clocks in milliseconds. `now` informs people and schedules; `monotonic` bounds what this process does. */
export interface Clock {
  now(): number;
  monotonic(): number;
}

/** Durations are configuration: seconds in tests, minutes in production. */
export interface Timings {
  readonly leaseMs: number;
  /** First retry; doubled with each failure in a row, up to `maxRetryMs`, with jitter. */
  readonly retryMs: number;
  readonly maxRetryMs: number;
}

export const DEFAULT_TIMINGS: Timings = { leaseMs: 60_000, retryMs: 5_000, maxRetryMs: 600_000 };

interface SharedDeps {
  readonly state: StateStore;
  readonly queue: WakeQueue;
  readonly clock: Clock;
  readonly timings: Timings;
  /** 0 ≤ x < 1, for jitter. */
  readonly random: () => number;
  readonly log: Log;
  /** @default none */
  readonly metrics?: Metrics;
}

/** Charts and bases that do not lie in the repository, as one run of the source stage sees them. */
export interface OpenElsewhere {
  readonly elsewhere: Elsewhere;
  /** Lets go of what was opened; never throws. */
  close(): Promise<void>;
}

export interface SourceStageDeps extends SharedDeps {
  readonly installation: string;
  readonly git: GitHost;
  /** Opened once for each run of the source stage. @default nothing comes from elsewhere */
  readonly elsewhere?: () => OpenElsewhere;
  readonly artefacts: ArtefactStore;
  readonly renderer: Renderer;
}

export interface TargetStageDeps extends SharedDeps, ReadInputsDeps {
  readonly artefacts: ArtefactStore;
  readonly renderer: Renderer;
  readonly connector: ClusterConnector;
  readonly hashKey: () => Promise<HashKey>;
  readonly newId: () => string;
}

export interface ScanDeps extends SharedDeps {
  readonly connector: ClusterConnector;
  /** The scan asks which versions are current, and never for a value. */
  readonly secrets: Pick<SecretVersions, 'currentVersion'>;
  readonly hashKey: () => Promise<HashKey>;
}

export type SweepDeps = Pick<SharedDeps, 'state' | 'queue' | 'clock' | 'log' | 'metrics'>;

/** Full jitter over the upper half: spread, but never at once. */
export function retryDelayMs(timings: Timings, attempt: number, random: () => number): number {
  const ceiling = Math.min(timings.maxRetryMs, timings.retryMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling * (0.5 + random() / 2));
}
