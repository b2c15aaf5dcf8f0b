import type { ResourceId } from './resource.ts';

export type DriftKind = 'modified' | 'missing';

/** One field that differs. Values are shown unless the kind is a Secret. */
export interface DriftField {
  /** JSON pointer into the object. */
  readonly path: string;
  /** undefined: the field is gone. Masked for Secrets. */
  readonly applied?: unknown;
  readonly live?: unknown;
  /** Field manager that owns it now; `unknown` where managedFields does not tell. */
  readonly manager: string;
  readonly time?: string;
}

export interface DriftFinding {
  readonly id: ResourceId;
  readonly kind: DriftKind;
  readonly fields: readonly DriftField[];
  /** The managers behind the finding, `unknown` where nothing tells. */
  readonly by: readonly string[];
  /** The newest time that managedFields gives for them. */
  readonly at?: string;
}
