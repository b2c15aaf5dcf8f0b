import type { SourceId, TargetId } from './ids.ts';

export type WakeReason =
  | 'push'
  | 'sweep'
  | 'registered'
  | 'retry'
  | 'continuation'
  | 'drift'
  | 'requested'
  | 'artefact-missing'
  | 'health'
  /** A value, a key or the destination changed, on which the render depends. */
  | 'inputs';

/** A message carries an id and a reason, never work: the handler reads what is wanted from the table. */
export type WakeUp =
  | {
      readonly v: 1;
      readonly kind: 'source';
      readonly source: SourceId;
      readonly reason: WakeReason;
      readonly deliveryId?: string;
    }
  | {
      readonly v: 1;
      readonly kind: 'target';
      readonly target: TargetId;
      readonly reason: WakeReason;
      readonly deliveryId?: string;
    };
