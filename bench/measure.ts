/** What one measurement has to say. `target` is met when `ratio` is on the right side of `bound`. */
export interface Outcome {
  readonly rows: readonly Row[];
  readonly target: Target;
}

export interface Row {
  readonly what: string;
  readonly value: string;
}

export interface Target {
  /** Said as a claim: "at most 0.5 of kubectl's wall time". */
  readonly claim: string;
  readonly measured: string;
  readonly isMet: boolean;
}

export interface Measurement {
  readonly name: string;
  readonly title: string;
  readonly run: () => Promise<Outcome>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle];
  if (upper === undefined) throw new Error('a median needs at least one value');
  const lower = sorted[middle - 1] ?? upper;
  return sorted.length % 2 === 1 ? upper : (lower + upper) / 2;
}

/**
 * The median of the ratios of each round. What else the machine does comes and goes; within a round it troubles both,
 * so this is steadier than the ratio of two medians.
 */
export function pairedRatio(ours: readonly number[], peers: readonly number[]): number {
  return median(ours.map((value, round) => value / (peers[round] ?? Number.NaN)));
}

export interface Timed<T> {
  readonly wallMs: number;
  readonly value: T;
}

export async function timed<T>(work: () => Promise<T>): Promise<Timed<T>> {
  const start = performance.now();
  const value = await work();
  return { wallMs: performance.now() - start, value };
}

/**
 * Runs every contender once per round, each round beginning with another one, so that none always profits from what the
 * one before has warmed or filled.
 */
export async function alternating(
  rounds: number,
  contenders: readonly ((round: number) => Promise<void>)[],
): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      await contenders[(round + turn) % contenders.length]?.(round);
    }
  }
}

/** The highest resident memory of this process while `work` runs, sampled. */
export async function withPeakMemory<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly peakBytes: number }> {
  let peakBytes = process.memoryUsage.rss();
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
  }, 10);
  try {
    const value = await work();
    return { value, peakBytes: Math.max(peakBytes, process.memoryUsage.rss()) };
  } finally {
    clearInterval(timer);
  }
}

export function milliseconds(value: number): string {
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`;
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MB`;
}

export function ratioText(value: number): string {
  return value.toFixed(value < 0.1 ? 3 : 2);
}

/** `median 812 ms (790 ms, 812 ms, 990 ms)` */
export function spread(values: readonly number[]): string {
  return `median ${milliseconds(median(values))} (${values.map(milliseconds).join(', ')})`;
}
