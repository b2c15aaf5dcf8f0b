import type { TargetId } from '../model/ids.ts';
import type { StateStore } from '../state/state-store.ts';
import type { Clock } from './deps.ts';

/** A held lease. What is in flight ends before it does: `requestDeadline` is always earlier than its expiry. */
export interface HeldLease {
  stillOurs(): boolean;
  /** Monotonic milliseconds; a request sent now is aborted by then. */
  requestDeadline(): number;
  stop(): void;
}

/** Share of the lease after which no request may still be in flight. */
const USABLE = 0.75;

/**
 * Renews the lease on a third of its time. All bounds are on the monotonic clock, counted from *before* the write that
 * granted them, so that no pause of this process can make it believe in a lease that others see expired.
 */
export function keepLease(
  deps: { readonly state: Pick<StateStore, 'heartbeat'>; readonly clock: Clock },
  held: {
    readonly target: TargetId;
    readonly epoch: number;
    readonly leaseMs: number;
    readonly grantedAt: number;
  },
): HeldLease {
  const { target, epoch, leaseMs } = held;
  let validUntil = held.grantedAt + leaseMs * USABLE;
  let lost = false;

  async function renew(): Promise<void> {
    const asked = deps.clock.monotonic();
    // Too late to ask: another worker may have been told yes meanwhile.
    if (asked >= validUntil) {
      lost = true;
      return;
    }
    try {
      const granted = await deps.state.heartbeat(target, epoch, deps.clock.now() + leaseMs);
      if (granted) validUntil = asked + leaseMs * USABLE;
      else lost = true;
    } catch {
      // Not renewed is not lost: the lease runs out by itself unless the next beat gets through.
    }
  }

  const timer = setInterval(() => void renew(), leaseMs / 3);
  timer.unref();
  return {
    stillOurs: () => !lost && deps.clock.monotonic() < validUntil,
    requestDeadline: () => validUntil,
    stop: () => clearInterval(timer),
  };
}
