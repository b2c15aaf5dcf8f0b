import type { Json, JsonObject, KubeObject } from '../model/resource.ts';
import { groupOf } from '../model/resource.ts';
import { describeJson } from './read-events.ts';
import { isObject } from './parse-manifests.ts';
import { withTextQuantities } from './normalise-quantities.ts';
import { POD_SPECS } from './pod-specs.ts';
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
  const group = groupOf(object.apiVersion);
  // A null in a built-in object is the absent field. In a custom resource only its schema can tell (`nullable`).
  const dropped = builtIn ? (withoutNulls(rest, textMapsOf(group, object.kind)) as JsonObject) : rest;
  const metadata = normaliseMetadata(withoutNulls(rest.metadata ?? {}, TEXT_MAPS) as JsonObject);
  const cleaned: JsonObject = { ...dropped, metadata };
  if (group === '' && object.kind === 'Secret') return asObject(foldStringData(cleaned));
  if (group === '' && object.kind === 'Service') return asObject(withServiceProtocols(cleaned));
  const quantified = withTextQuantities(cleaned, group, object.kind);
  return asObject(withPodProtocols(quantified, group, object.kind));
}

function asObject(object: JsonObject): KubeObject {
  return object as unknown as KubeObject;
}

/** Mappings of texts, in which the API server reads a null as the empty text (`data: {KEY: }`), and not as nothing. */
const TEXT_MAPS: ReadonlySet<string> = new Set(['annotations', 'labels', 'matchLabels', 'nodeSelector']);
const TEXT_MAPS_OF: Readonly<Record<string, readonly string[]>> = {
  '/ConfigMap': ['data', 'binaryData'],
  '/Secret': ['data', 'stringData'],
  '/Service': ['selector'],
  '/ReplicationController': ['selector'],
  'storage.k8s.io/StorageClass': ['parameters'],
};

function textMapsOf(group: string, kind: string): ReadonlySet<string> {
  // In a schema these are names of properties.
  if (kind === 'CustomResourceDefinition') return new Set();
  return new Set([...TEXT_MAPS, ...(TEXT_MAPS_OF[`${group}/${kind}`] ?? [])]);
}

function withoutNulls(value: Json, textMaps: ReadonlySet<string>): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map((item) => withoutNulls(item, textMaps));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => {
      if (inner === null) return [];
      const isTextMap = textMaps.has(key) && isObject(inner);
      return [[key, isTextMap ? withEmptyTexts(inner) : withoutNulls(inner, textMaps)]];
    }),
  );
}

function withEmptyTexts(texts: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, text ?? '']));
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
