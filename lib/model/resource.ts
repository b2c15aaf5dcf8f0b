import { HoldfastError } from './errors.ts';

/** Any JSON value as it comes from YAML or from the API server. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** A Kubernetes object, rendered or live. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

export interface ObjectMeta {
  readonly name?: string;
  readonly namespace?: string;
  readonly generateName?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly JsonObject[];
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly deletionTimestamp?: string;
  readonly creationTimestamp?: string;
  readonly managedFields?: readonly ManagedFieldsEntry[];
}

export interface ManagedFieldsEntry {
  readonly manager?: string;
  readonly operation?: 'Apply' | 'Update';
  readonly apiVersion?: string;
  /** Absent for writes through `scale` on newer API servers. */
  readonly time?: string;
  readonly fieldsType?: string;
  readonly fieldsV1?: JsonObject;
  readonly subresource?: string;
}

/** What the API server answers with: metadata is complete. */
export interface LiveObject extends KubeObject {
  readonly metadata: ObjectMeta & {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
}

/** One item of a metadata-only list or GET (PartialObjectMetadata); kind and apiVersion are the object's own. */
export interface LiveMetadata {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: LiveObject['metadata'];
}

/** Group, kind, namespace and name. The version is not part of it: one object is served in several. Core group is ''. */
export interface ResourceId {
  readonly group: string;
  readonly kind: string;
  /** Absent on cluster-scoped objects. */
  readonly namespace?: string;
  readonly name: string;
}

/** One rendered object and the place it came from, for every later error. */
export interface Manifest {
  readonly object: KubeObject;
  readonly origin: Origin;
  /** Absent: an ordinary object. */
  readonly hook?: Hook;
  /** JSON pointers of values that come out differently each time (random passwords, certificates): no change by themselves. */
  readonly volatile?: readonly string[];
}

export type HookPhase = 'pre-sync' | 'post-sync' | 'pre-delete' | 'post-delete';

/** What a chart wants to have run around the rest: helm's hooks in the phases of a sync. */
export interface Hook {
  /** At least one. */
  readonly phases: readonly HookPhase[];
  /** Lower ones first. */
  readonly weight: number;
  readonly deletePolicies: readonly ('before-hook-creation' | 'hook-succeeded' | 'hook-failed')[];
}

export interface Origin {
  /** Path in the repository; for rendered charts and kustomizations the directory, or the template's path where known. */
  readonly file: string;
  /** 1-based; absent where the renderer does not say. */
  readonly line?: number;
}

export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

export function versionOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf('/') + 1);
}

/**
 * The identity of an object whose scope is already settled (namespace set if and only if namespaced).
 * @throws HoldfastError `invalid-input` when it has no name.
 */
export function resourceId(object: KubeObject): ResourceId {
  const { name, namespace } = object.metadata;
  if (name === undefined || name === '') {
    throw new HoldfastError('invalid-input', `${object.kind} without metadata.name: give it a name`);
  }
  const id = { group: groupOf(object.apiVersion), kind: object.kind, name };
  return namespace === undefined ? id : { ...id, namespace };
}

/** A map key; injective, because `/` and NUL are in no group, kind, namespace or (except RBAC, last) name. */
export function resourceKey(id: ResourceId): string {
  return `${id.group}/${id.kind}/${id.namespace ?? ''}/${id.name}`;
}

/** For people: `Deployment.apps web/guestbook-ui`, `Namespace web`. */
export function describeResource(id: ResourceId): string {
  const kind = id.group === '' ? id.kind : `${id.kind}.${id.group}`;
  return `${kind} ${id.namespace === undefined ? id.name : `${id.namespace}/${id.name}`}`;
}

export function describeOrigin(origin: Origin): string {
  return origin.line === undefined ? origin.file : `${origin.file}:${origin.line}`;
}
