import { createHash } from 'node:crypto';

type Brand<T, B extends string> = T & { readonly __brand: B };

/** A registered Git repository's id: lower-case letters, digits and dashes, at most 63. */
export type SourceId = Brand<string, 'SourceId'>;
/** installation / root / dialect / namespace / name */
export type ApplicationId = Brand<string, 'ApplicationId'>;
/** 32 lower-case hex digits: a hash of application id × cluster. Usable as a label value and a key. */
export type TargetId = Brand<string, 'TargetId'>;
export type RootId = Brand<string, 'RootId'>;
export type ClusterName = Brand<string, 'ClusterName'>;
/** 40 (SHA-1) or 64 (SHA-256) lower-case hex digits. */
export type CommitSha = Brand<string, 'CommitSha'>;
/** sha256, 64 lower-case hex digits. */
export type Digest = Brand<string, 'Digest'>;

export function sha256(data: string | Uint8Array): Digest {
  return createHash('sha256').update(data).digest('hex') as Digest;
}

export type Dialect = 'holdfast' | 'flux' | 'argocd' | 'root';

export function applicationId(parts: {
  readonly installation: string;
  readonly root: RootId;
  readonly dialect: Dialect;
  readonly namespace: string;
  readonly name: string;
}): ApplicationId {
  return [parts.installation, parts.root, parts.dialect, parts.namespace, parts.name]
    .map((part) => encodeURIComponent(part))
    .join('/') as ApplicationId;
}

/** The id of one Application on one Cluster. Hashed, because it becomes a label value (at most 63 characters). */
export function targetId(application: ApplicationId, cluster: ClusterName): TargetId {
  return sha256(`${application}\u0000${cluster}`).slice(0, 32) as TargetId;
}

/** The field manager of a target. One per target, so that the API server itself names a second writer. */
export function fieldManagerOf(target: TargetId): string {
  return `holdfast:${target}`;
}

export const FIELD_MANAGER_PREFIX = 'holdfast:';
/** The label that marks what a target applied; its value is the TargetId. Counts only where our own managedFields entry owns it. */
export const MARK_LABEL = 'holdfast.dev/target';
/** Set when a worker takes over an expired lease, so that every version moves and a late PATCH of the dead one fails. */
export const EPOCH_ANNOTATION = 'holdfast.dev/epoch';
/** `disabled` on a live or desired object keeps it from being pruned. */
export const PRUNE_ANNOTATION = 'holdfast.dev/prune';
