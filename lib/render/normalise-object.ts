import type { Json, JsonObject, KubeObject } from '../model/resource.ts';
import { groupOf } from '../model/resource.ts';
import { describeJson } from './read-events.ts';
import { isObject } from './parse-manifests.ts';
import { builtInScopeOf } from './scopes.ts';

/** An object whose form has to be corrected in Git. The message never holds a value. */
export class ObjectFault extends Error {}

/** Written by the API server alone; in Git they are left over from an export and would be refused or fought over. */
const SERVER_SET = [
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
  'managedFields',
  'selfLink',
];

/**
 * One object in the form in which it is compared and sent; namespaces are settled elsewhere.
 *
 * @throws ObjectFault
 */
export function normaliseObject(object: KubeObject): KubeObject {
  const { status: _status, ...rest } = object as unknown as { readonly [key: string]: Json };
  const builtIn = builtInScopeOf(object.apiVersion, object.kind) !== undefined;
  // A null in a built-in object is the absent field. In a custom resource only its schema can tell (`nullable`).
  const dropped: JsonObject = builtIn ? (withoutNulls(rest) as JsonObject) : rest;
  const metadata = normaliseMetadata((withoutNulls(dropped.metadata ?? {}) ?? {}) as JsonObject);
  const cleaned: JsonObject = { ...dropped, metadata };
  const group = groupOf(object.apiVersion);
  if (group === '' && object.kind === 'Secret') return asObject(foldStringData(cleaned));
  if (group === '' && object.kind === 'Service') return asObject(withServiceProtocols(cleaned));
  return asObject(withPodProtocols(cleaned, group, object.kind));
}

function asObject(object: JsonObject): KubeObject {
  return object as unknown as KubeObject;
}

function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(withoutNulls);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutNulls(inner)]));
}

function normaliseMetadata(metadata: JsonObject): JsonObject {
  const kept = Object.entries(metadata).filter(([key]) => !SERVER_SET.includes(key));
  const result = Object.fromEntries(kept);
  for (const field of ['labels', 'annotations']) {
    if (result[field] !== undefined) assertTexts(result[field], `metadata.${field}`);
  }
  if (result.namespace === '') delete result.namespace;
  return result;
}

function assertTexts(value: Json, path: string): void {
  if (!isObject(value))
    throw new ObjectFault(`${path}: expected a mapping of texts, got ${describeJson(value)}`);
  const odd = Object.entries(value).find(([, inner]) => typeof inner !== 'string');
  if (odd !== undefined) {
    throw new ObjectFault(
      `${path}["${odd[0]}"]: expected text, got ${describeJson(odd[1])}: put it in quotes`,
    );
  }
}

/** The API server folds stringData into data and answers without it; left apart, it would be a difference for ever. */
function foldStringData(secret: JsonObject): JsonObject {
  const { stringData, ...rest } = secret;
  if (stringData === undefined) return secret;
  assertTexts(stringData, 'stringData');
  const folded = Object.entries(stringData as JsonObject).map(([key, text]) => [
    key,
    Buffer.from(text as string, 'utf8').toString('base64'),
  ]);
  if (rest.data !== undefined && !isObject(rest.data)) {
    throw new ObjectFault(`data: expected a mapping of texts, got ${describeJson(rest.data)}`);
  }
  if (folded.length === 0 && rest.data === undefined) return rest;
  return { ...rest, data: { ...rest.data, ...Object.fromEntries(folded) } };
}

/** Protocol is part of the key of these lists, and Kubernetes 1.20 refuses to apply an item that leaves it out. */
function withProtocols(ports: Json | undefined): Json | undefined {
  if (!Array.isArray(ports)) return ports;
  return (ports as readonly Json[]).map((port) =>
    isObject(port) && port.protocol === undefined ? { ...port, protocol: 'TCP' } : port,
  );
}

function withServiceProtocols(service: JsonObject): JsonObject {
  return at(service, ['spec'], (spec) =>
    spec.ports === undefined ? spec : { ...spec, ports: withProtocols(spec.ports) ?? null },
  );
}

/** Where a pod's spec lies. */
const POD_SPECS: Readonly<Record<string, readonly string[]>> = {
  '/Pod': ['spec'],
  '/PodTemplate': ['template', 'spec'],
  '/ReplicationController': ['spec', 'template', 'spec'],
  'apps/Deployment': ['spec', 'template', 'spec'],
  'apps/StatefulSet': ['spec', 'template', 'spec'],
  'apps/DaemonSet': ['spec', 'template', 'spec'],
  'apps/ReplicaSet': ['spec', 'template', 'spec'],
  'batch/Job': ['spec', 'template', 'spec'],
  'batch/CronJob': ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
};

function withPodProtocols(object: JsonObject, group: string, kind: string): JsonObject {
  const path = POD_SPECS[`${group}/${kind}`];
  if (path === undefined) return object;
  return at(object, path, (spec) => {
    const containers = ['containers', 'initContainers', 'ephemeralContainers'].filter((list) =>
      Array.isArray(spec[list]),
    );
    return {
      ...spec,
      ...Object.fromEntries(containers.map((list) => [list, withContainerProtocols(spec[list] as Json)])),
    };
  });
}

function withContainerProtocols(containers: Json): Json {
  return (containers as readonly Json[]).map((container) =>
    isObject(container) && Array.isArray(container.ports)
      ? { ...container, ports: withProtocols(container.ports) ?? null }
      : container,
  );
}

function at(
  object: JsonObject,
  path: readonly string[],
  change: (inner: JsonObject) => JsonObject,
): JsonObject {
  const [first, ...rest] = path;
  if (first === undefined) return change(object);
  const inner = object[first];
  return isObject(inner) ? { ...object, [first]: at(inner, rest, change) } : object;
}
