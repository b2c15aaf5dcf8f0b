import type { Json, JsonObject } from '../model/resource.ts';
import { isObject } from './parse-manifests.ts';
import { POD_SPECS } from './pod-specs.ts';

const RESOURCES = ['resources.limits.*', 'resources.requests.*'] as const;
const CLAIM = RESOURCES.map((path) => `spec.${path}`);
const CONTAINER = [...RESOURCES, 'env.*.valueFrom.resourceFieldRef.divisor'];

/** Below a pod's spec. `*` is every item of a list, or every member of a mapping. */
const IN_POD = [
  ...['containers', 'initContainers', 'ephemeralContainers'].flatMap((list) =>
    CONTAINER.map((path) => `${list}.*.${path}`),
  ),
  ...RESOURCES,
  'overhead.*',
  'volumes.*.emptyDir.sizeLimit',
  ...CLAIM.map((path) => `volumes.*.ephemeral.volumeClaimTemplate.${path}`),
  'volumes.*.downwardAPI.items.*.resourceFieldRef.divisor',
  'volumes.*.projected.sources.*.downwardAPI.items.*.resourceFieldRef.divisor',
];

const METRICS = ['resource', 'containerResource', 'pods', 'object', 'external'].flatMap((source) =>
  // v2 and v2beta2, then v2beta1
  ['target.value', 'target.averageValue', 'targetValue', 'averageValue', 'targetAverageValue'].map(
    (path) => `spec.metrics.*.${source}.${path}`,
  ),
);

/** Every field of type Quantity in the kinds that people write (k8s.io/api, 1.20 to 1.36), by group/kind. */
const QUANTITIES: Readonly<Record<string, readonly string[]>> = {
  '/LimitRange': ['default', 'defaultRequest', 'max', 'maxLimitRequestRatio', 'min'].map(
    (field) => `spec.limits.*.${field}.*`,
  ),
  '/PersistentVolume': ['spec.capacity.*'],
  '/PersistentVolumeClaim': CLAIM,
  '/ResourceQuota': ['spec.hard.*'],
  'apps/StatefulSet': CLAIM.map((path) => `spec.volumeClaimTemplates.*.${path}`),
  'autoscaling/HorizontalPodAutoscaler': [
    ...METRICS,
    'spec.behavior.scaleUp.tolerance',
    'spec.behavior.scaleDown.tolerance',
  ],
  'node.k8s.io/RuntimeClass': ['overhead.podFixed.*'],
  'storage.k8s.io/CSIStorageCapacity': ['capacity', 'maximumVolumeSize'],
};

const NONE: readonly (readonly string[])[] = [];
const PATHS: ReadonlyMap<string, readonly (readonly string[])[]> = new Map(
  [...new Set([...Object.keys(POD_SPECS), ...Object.keys(QUANTITIES)])].map((kind) => {
    const spec = POD_SPECS[kind];
    const inPod = spec === undefined ? [] : IN_POD.map((path) => [...spec, ...path.split('.')]);
    return [kind, [...inPod, ...(QUANTITIES[kind] ?? []).map((path) => path.split('.'))]];
  }),
);

/**
 * Quantities as texts. `cpu: 2` is read by every client, and yet Kubernetes 1.20 refuses to apply a number ("expected
 * string"), because the type it compares with is a text.
 */
export function withTextQuantities(object: JsonObject, group: string, kind: string): JsonObject {
  const paths = PATHS.get(`${group}/${kind}`) ?? NONE;
  return paths.reduce<Json>((changed, path) => withText(changed, path, 0), object) as JsonObject;
}

/** What has nothing to change is the same object afterwards. */
function withText(value: Json, path: readonly string[], at: number): Json {
  if (at === path.length) return typeof value === 'number' ? String(value) : value;
  if (Array.isArray(value)) {
    if (path[at] !== '*') return value;
    const items = (value as readonly Json[]).map((item) => withText(item, path, at + 1));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  if (!isObject(value)) return value;
  const step = path[at] ?? '';
  const keys = step === '*' ? Object.keys(value) : Object.hasOwn(value, step) ? [step] : [];
  const changed = keys.flatMap((key) => {
    const before = value[key] ?? null;
    const after = withText(before, path, at + 1);
    return after === before ? [] : [[key, after] as const];
  });
  return changed.length === 0 ? value : { ...value, ...Object.fromEntries(changed) };
}
