import type { ErrorRecord } from '../model/errors.ts';
import type { Action } from '../model/plan.ts';
import type { LiveObject } from '../model/resource.ts';

/** What became of one action. Every action of a plan gets exactly one. */
export type ActionResult =
  | {
      readonly kind: 'applied';
      readonly action: Action & { kind: 'apply' };
      readonly live: LiveObject;
      readonly forced: boolean;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'pruned'; readonly action: Action & { kind: 'prune' } }
  /** The delete was accepted; the object waits for its finalizers and stays in the inventory as `deleting`. */
  | { readonly kind: 'terminating'; readonly action: Action & { kind: 'prune' } }
  /** Dropped from the inventory without a delete: not ours any more, or it lives on under another identity. */
  | { readonly kind: 'released'; readonly action: Action & { kind: 'prune' }; readonly why: string }
  | { readonly kind: 'withheld'; readonly action: Action & { kind: 'prune' }; readonly why: string }
  | { readonly kind: 'failed'; readonly action: Action; readonly error: ErrorRecord }
  /** Not attempted: the deadline came, or the lease is no longer ours. */
  | { readonly kind: 'not-attempted'; readonly action: Action };

export interface ApplyReport {
  readonly results: readonly ActionResult[];
  readonly interrupted?: 'deadline' | 'lease-lost';
}
