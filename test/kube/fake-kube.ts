import type { Discovery, KubeApi, ResourceRef, ResourceType } from '../../lib/cluster/kube-api.ts';
import { KubeError } from '../../lib/cluster/kube-error.ts';
import { readOpenApi } from '../../lib/cluster/openapi.ts';
import { discoveryOf } from '../../lib/cluster/read-discovery.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import type { KubeObject, LiveMetadata, LiveObject, ManagedFieldsEntry } from '../../lib/model/resource.ts';
import { versionOf } from '../../lib/model/resource.ts';

const ALL_VERBS = ['create', 'delete', 'get', 'list', 'patch'];

export function aType(apiVersion: string, kind: string, namespaced = true): ResourceType {
  const slash = apiVersion.indexOf('/');
  return {
    group: slash < 0 ? '' : apiVersion.slice(0, slash),
    version: versionOf(apiVersion),
    kind,
    resource: `${kind.toLowerCase()}s`,
    namespaced,
    verbs: ALL_VERBS,
  };
}

export const BUILT_IN: readonly ResourceType[] = [
  aType('v1', 'Namespace', false),
  aType('v1', 'ConfigMap'),
  aType('v1', 'Secret'),
  aType('v1', 'Service'),
  aType('v1', 'ServiceAccount'),
  aType('v1', 'Endpoints'),
  aType('apps/v1', 'Deployment'),
  aType('apiextensions.k8s.io/v1', 'CustomResourceDefinition', false),
];

export interface Call {
  readonly verb: 'apply' | 'get' | 'list' | 'delete' | 'patch' | 'discovery';
  readonly name: string;
  readonly kind: string;
  readonly object?: KubeObject;
  readonly force?: boolean;
}

export interface FakeKube extends KubeApi {
  readonly calls: readonly Call[];
  readonly stored: Map<string, LiveObject>;
  types: readonly ResourceType[];
  failedGroups: readonly string[];
  /** Of the OpenAPI document. */
  definitions: Readonly<Record<string, unknown>>;
  /** Requests under way now. */
  readonly inFlight: () => number;
  put(object: KubeObject, changes?: Partial<LiveObject['metadata']>): LiveObject;
}

/**
 * A cluster in memory with the rules that apply and prune rest on: uid and resourceVersion as preconditions, one owner
 * per object and its conflicts, CRDs that serve their kind once they are stored.
 *
 * @param before may throw, wait, or change the cluster before a request is carried out
 */
export function fakeKube(before: (call: Call, kube: FakeKube) => void | Promise<void> = () => {}): FakeKube {
  const calls: Call[] = [];
  const stored = new Map<string, LiveObject>();
  let revision = 100;
  let inFlight = 0;

  async function carryOut<T>(call: Call, work: () => T): Promise<T> {
    calls.push(call);
    inFlight += 1;
    try {
      // At least one turn: nothing may rest on an answer that comes at once.
      await Promise.resolve();
      await before(call, kube);
      return work();
    } finally {
      inFlight -= 1;
    }
  }

  function discovery(): Discovery {
    const defined = [...stored.values()]
      .filter((object) => object.kind === 'CustomResourceDefinition')
      .map((crd) => {
        const spec = crd['spec'] as { group: string; names: { kind: string }; scope?: string };
        return aType(`${spec.group}/v1`, spec.names.kind, spec.scope !== 'Cluster');
      });
    return discoveryOf([...kube.types, ...defined], [], kube.failedGroups);
  }

  function put(object: KubeObject, changes: Partial<LiveObject['metadata']> = {}): LiveObject {
    const key = keyOf(object);
    revision += 1;
    const live: LiveObject = {
      ...object,
      ...(object.kind === 'Namespace' ? { status: { phase: 'Active' } } : {}),
      ...(object.kind === 'CustomResourceDefinition'
        ? { status: { conditions: [{ type: 'Established', status: 'True' }] } }
        : {}),
      metadata: {
        ...object.metadata,
        name: object.metadata.name ?? '',
        uid: stored.get(key)?.metadata.uid ?? `uid-${revision}`,
        resourceVersion: String(revision),
        ...changes,
      },
    };
    stored.set(key, live);
    return live;
  }

  const kube: FakeKube = {
    cluster: 'fake' as ClusterName,
    calls,
    stored,
    types: BUILT_IN,
    failedGroups: [],
    definitions: {},
    inFlight: () => inFlight,
    put,
    requestCounts: {},
    close: () => Promise.resolve(),
    serverVersion: () => Promise.resolve('v1.36.2'),
    discovery: () => carryOut({ verb: 'discovery', name: '', kind: '' }, discovery),
    openapi: () =>
      carryOut({ verb: 'discovery', name: 'openapi', kind: '' }, () =>
        readOpenApi({ definitions: kube.definitions }),
      ),
    get: (ref) => carryOut(callOf('get', ref), () => stored.get(refKey(ref))),
    getMetadata: (ref) => carryOut(callOf('get', ref), () => stored.get(refKey(ref))),
    listMetadata: (type, options) =>
      carryOut({ verb: 'list', name: options?.namespace ?? '', kind: type.kind }, () =>
        [...stored.values()].filter(
          (object): object is LiveObject & LiveMetadata =>
            object.kind === type.kind &&
            (options?.namespace === undefined || object.metadata.namespace === options.namespace) &&
            isSelected(object, options?.labelSelector),
        ),
      ),
    apply: (ref, object, options) =>
      carryOut({ ...callOf('apply', ref), object, force: options.force }, () => {
        const existing = stored.get(refKey(ref));
        checkPreconditions(object, existing);
        const entries = existing?.metadata.managedFields ?? [];
        const other = entries.find((entry) => entry.manager !== options.fieldManager);
        if (other !== undefined && !options.force) {
          throw conflict(409, [{ manager: other.manager ?? '', field: '.data.a' }]);
        }
        return put(object, { managedFields: [ownEntry(options.fieldManager, object)] });
      }),
    mergePatch: (ref) => carryOut(callOf('patch', ref), () => stored.get(refKey(ref)) as LiveObject),
    jsonPatch: (ref) => carryOut(callOf('patch', ref), () => stored.get(refKey(ref)) as LiveObject),
    delete: (ref, options) =>
      carryOut(callOf('delete', ref), () => {
        const existing = stored.get(refKey(ref));
        if (existing === undefined) {
          return undefined;
        }
        const { uid, resourceVersion } = existing.metadata;
        if (uid !== options.uid || resourceVersion !== options.resourceVersion) {
          throw conflict(409);
        }
        if ((existing.metadata.finalizers ?? []).length > 0) {
          put(existing, { deletionTimestamp: '2026-01-01T00:00:00Z' });
          return 'terminating';
        }
        stored.delete(refKey(ref));
        return 'gone';
      }),
  };
  return kube;
}

export function ownEntry(manager: string, object: KubeObject): ManagedFieldsEntry {
  const labels = Object.fromEntries(
    Object.keys(object.metadata.labels ?? {}).map((name) => [`f:${name}`, {}]),
  );
  return {
    manager,
    operation: 'Apply',
    apiVersion: object.apiVersion,
    time: '2026-01-01T00:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:metadata': { 'f:labels': labels } },
  };
}

export function conflict(
  status: number,
  conflicts: readonly { readonly manager: string; readonly field: string }[] = [],
): KubeError {
  return new KubeError('kube-conflict', 'conflict', { status, conflicts, retryable: true });
}

export function unreachable(): KubeError {
  return new KubeError('kube-unreachable', 'no answer', { retryable: true });
}

export function refused(message = 'refused'): KubeError {
  return new KubeError('kube-invalid', message, { status: 422, retryable: false });
}

function checkPreconditions(object: KubeObject, existing: LiveObject | undefined): void {
  const { uid, resourceVersion } = object.metadata;
  if (uid !== undefined && existing?.metadata.uid !== uid) {
    throw conflict(409);
  }
  if (resourceVersion !== undefined && existing !== undefined) {
    if (existing.metadata.resourceVersion !== resourceVersion) {
      throw conflict(409);
    }
  }
}

function isSelected(object: LiveObject, selector: string | undefined): boolean {
  const [label = '', value] = (selector ?? '').split('=');
  return selector === undefined || object.metadata.labels?.[label] === value;
}

function callOf(verb: Call['verb'], ref: ResourceRef): Call {
  return { verb, name: ref.name, kind: ref.type.kind };
}

function keyOf(object: KubeObject): string {
  return `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

function refKey(ref: ResourceRef): string {
  return `${ref.type.kind}/${ref.namespace ?? ''}/${ref.name}`;
}
