import type { ClusterName } from '../model/ids.ts';
import type { KubeObject, LiveMetadata, LiveObject } from '../model/resource.ts';
import type { OpenApi } from './openapi.ts';

/** One served resource: what discovery says of a group, version and kind. */
export interface ResourceType {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** plural name, as in the URL */
  readonly resource: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

/** A consistent picture of what a cluster serves. */
export interface Discovery {
  /** Exactly this group, version and kind; undefined if it is not served. */
  find(apiVersion: string, kind: string): ResourceType | undefined;
  /** The preferred served version of a group and kind; undefined if none is served. */
  preferred(group: string, kind: string): ResourceType | undefined;
  /** Every preferred type that can be listed; for guards that must see everything in a namespace. */
  listable(): readonly ResourceType[];
  /** `group/version` and `group/version/Kind` of everything that is served, sorted; of what failed, the former. */
  apiVersions(): readonly string[];
  /** Group versions whose discovery failed (an aggregated API that is down): what is in them is unknown, not absent. */
  readonly failedGroups: readonly string[];
}

export interface ResourceRef {
  readonly type: ResourceType;
  readonly namespace?: string;
  readonly name: string;
}

export interface CallOptions {
  /** Milliseconds on the monotonic clock; the request is aborted then. */
  readonly deadline?: number;
}

export interface ApplyOptions extends CallOptions {
  readonly fieldManager: string;
  readonly force: boolean;
  readonly dryRun?: boolean;
}

export interface DeleteOptions extends CallOptions {
  readonly uid: string;
  readonly resourceVersion: string;
}

/** The outcome of a DELETE: gone at once, or waiting for finalizers or for its dependants. */
export type DeleteOutcome = 'gone' | 'terminating';

/**
 * The Kubernetes API as Holdfast uses it: one pooled connection per cluster.
 * Every method throws KubeError (see kube-error.ts); a list that failed half way throws, it never answers in part.
 */
export interface KubeApi {
  readonly cluster: ClusterName;
  /** Cached for the life of this object. */
  discovery(options?: { readonly refresh?: boolean } & CallOptions): Promise<Discovery>;
  /**
   * What the cluster says of the fields of its kinds (`/openapi/v2`, several megabytes). Cached until discovery is read
   * anew.
   */
  openapi(options?: CallOptions): Promise<OpenApi>;
  /** All pages of a metadata-only list. */
  listMetadata(
    type: ResourceType,
    options?: { readonly namespace?: string; readonly labelSelector?: string } & CallOptions,
  ): Promise<readonly LiveMetadata[]>;
  /** undefined when it does not exist (404 of the object, not of the type). */
  get(ref: ResourceRef, options?: CallOptions): Promise<LiveObject | undefined>;
  getMetadata(ref: ResourceRef, options?: CallOptions): Promise<LiveMetadata | undefined>;
  /** Server-side apply. Sends metadata.uid and resourceVersion of `object` as given, as preconditions. */
  apply(ref: ResourceRef, object: KubeObject, options: ApplyOptions): Promise<LiveObject>;
  /** A JSON merge patch; `object.metadata` carries uid and resourceVersion as preconditions. */
  mergePatch(
    ref: ResourceRef,
    patch: unknown,
    options: CallOptions & { readonly fieldManager: string },
  ): Promise<LiveObject>;
  /** A JSON patch (RFC 6902). */
  jsonPatch(
    ref: ResourceRef,
    patch: readonly unknown[],
    options: CallOptions & { readonly fieldManager: string },
  ): Promise<LiveObject>;
  /** Background propagation. undefined: it was already gone. */
  delete(ref: ResourceRef, options: DeleteOptions): Promise<DeleteOutcome | undefined>;
  /** `gitVersion` of /version. */
  serverVersion(options?: CallOptions): Promise<string>;
  /** Requests sent so far by verb (`list`, `get`, `apply`, `patch`, `delete`, `discovery`), for runs and benchmarks. */
  readonly requestCounts: Readonly<Record<string, number>>;
  close(): Promise<void>;
}

/** Opens clusters by name with one of their two credentials. */
export interface ClusterConnector {
  connect(cluster: ClusterName, role: 'apply' | 'read'): Promise<KubeApi>;
}
