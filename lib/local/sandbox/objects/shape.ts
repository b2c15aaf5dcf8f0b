import { type Atom, type MapAtom, settle, type TypeRef } from '../schema/atom.ts';
import { canonicalQuantity } from './quantity.ts';
import { isRecord } from './sandbox-object.ts';

/*
 * A built-in object passes through a Go struct on its way into the API server and out of it: unknown fields fall away,
 * empty values of optional fields fall away, structs that are not pointers appear. OpenAPI does not tell pointers from
 * values, so the names are listed here (from the types in k8s.io/api).
 */

/** Struct fields that are values, not pointers: always written, if only as `{}`. `Struct.field` or `field`. */
const VALUE_STRUCTS = new Set([
  'metadata',
  'spec',
  'status',
  'strategy',
  'updateStrategy',
  'template',
  'resources',
  'jobTemplate',
  'roleRef',
  'scaleTargetRef',
  'loadBalancer',
  'names',
  'acceptedNames',
  'networking.v1.NetworkPolicySpec.podSelector',
  'networking.v1.HTTPIngressPath.backend',
  'networking.v1.IngressServiceBackend.port',
  'networking.v1.IngressStatus.loadBalancer',
  'admissionregistration.v1.MutatingWebhook.clientConfig',
  'admissionregistration.v1.ValidatingWebhook.clientConfig',
  'core.v1.WeightedPodAffinityTerm.podAffinityTerm',
  'core.v1.PreferredSchedulingTerm.preference',
  'core.v1.ContainerStatus.state',
  'core.v1.ContainerStatus.lastState',
]);
const POINTER_STRUCTS = new Set([
  'core.v1.PodSpec.resources',
  'apiextensions.v1.CustomResourceSubresources.status',
]);

/** Optional numbers, booleans and strings that are pointers: their zero is a value and is kept. */
const POINTER_SCALARS = new Set(
  (
    'replicas revisionHistoryLimit progressDeadlineSeconds terminationGracePeriodSeconds partition ' +
    'automountServiceAccountToken enableServiceLinks runAsUser runAsGroup runAsNonRoot privileged fsGroup ' +
    'fsGroupChangePolicy allowPrivilegeEscalation readOnlyRootFilesystem procMount immutable optional controller ' +
    'blockOwnerDeletion shareProcessNamespace setHostnameAsFQDN hostUsers storageClassName runtimeClassName ' +
    'volumeMode suspend parallelism completions completionMode backoffLimit backoffLimitPerIndex maxFailedIndexes ' +
    'activeDeadlineSeconds ttlSecondsAfterFinished manualSelector startingDeadlineSeconds timeZone ' +
    'successfulJobsHistoryLimit failedJobsHistoryLimit minReplicas ingressClassName ipFamilyPolicy ' +
    'allocateLoadBalancerNodePorts internalTrafficPolicy allowVolumeExpansion reclaimPolicy volumeBindingMode ' +
    'preemptionPolicy priority tolerationSeconds defaultMode mode expirationSeconds appProtocol collisionCount ' +
    'mountPropagation deletionGracePeriodSeconds started pathType preserveUnknownFields targetCPUUtilizationPercentage ' +
    'minDomains averageUtilization stabilizationWindowSeconds podReplacementPolicy clientIP ordinals ' +
    'maximum minimum maxLength minLength maxItems minItems maxProperties minProperties multipleOf ' +
    'x-kubernetes-preserve-unknown-fields x-kubernetes-list-type x-kubernetes-map-type scope reinvocationPolicy ' +
    'failurePolicy matchPolicy sideEffects'
  ).split(' '),
);
/** `Struct.field`: a pointer there and a value elsewhere, or the other way round. */
const POINTER_SCALARS_AT = new Set([
  'core.v1.TypedLocalObjectReference.apiGroup',
  'admissionregistration.v1.MutatingWebhook.timeoutSeconds',
  'admissionregistration.v1.ValidatingWebhook.timeoutSeconds',
  'networking.v1.NetworkPolicyPort.protocol',
  'core.v1.HostPathVolumeSource.type',
  'core.v1.SessionAffinityConfig.timeoutSeconds',
  'core.v1.ClientIPConfig.timeoutSeconds',
]);
const VALUE_SCALARS_AT = new Set([
  'apiextensions.v1.CustomResourceDefinitionSpec.preserveUnknownFields',
  'core.v1.PersistentVolumeSpec.storageClassName',
  'core.v1.PersistentVolumeSpec.mountOptions',
]);
/** Written also when empty although OpenAPI does not call them required. */
const ALWAYS: Readonly<Record<string, unknown>> = {
  'apis.meta.v1.ObjectMeta.creationTimestamp': null,
  'core.v1.ServicePort.targetPort': 0,
  'rbac.v1.Role.rules': null,
  'rbac.v1.ClusterRole.rules': null,
};

/** The object as its Go struct would hold it. Only the fields of the schema are kept. */
export function goShape(atom: Atom, value: unknown): unknown {
  const form = settle(atom, value);
  switch (form.kind) {
    case 'scalar':
      if (form.scalar === 'quantity' && (typeof value === 'string' || typeof value === 'number')) {
        return canonicalQuantity(value);
      }
      return value;
    case 'list': {
      if (!Array.isArray(value)) return value;
      const element = form.element();
      return element.kind === 'any' ? value : value.map((item) => goShape(element, item));
    }
    case 'map':
      return form.name === undefined ? shapeMap(form, value) : shapeStruct(form, form.name, value);
  }
}

function shapeMap(form: MapAtom, value: unknown): unknown {
  const element = form.element?.();
  if (!isRecord(value) || element === undefined || element.kind === 'any') return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, goShape(element, child)]));
}

function shapeStruct(form: MapAtom, name: string, value: unknown): unknown {
  if (value !== undefined && value !== null && !isRecord(value)) return value;
  const given: Record<string, unknown> = isRecord(value) ? value : {};
  const out: Record<string, unknown> = {};
  const write = (field: string, type: TypeRef | undefined): void => {
    if (type === undefined) return;
    const place = `${name}.${field}`;
    const child = Object.hasOwn(given, field) ? given[field] : undefined;
    const shaped = shapeField(type(), place, field, child, form.required.has(field));
    if (shaped !== undefined) out[field] = shaped;
    else if (place in ALWAYS) out[field] = child ?? ALWAYS[place];
  };
  for (const field of Object.keys(given)) write(field, form.fields.get(field));
  for (const field of writtenWhenAbsent(form, name))
    if (!Object.hasOwn(given, field)) write(field, form.fields.get(field));
  return out;
}

const absentFields = new WeakMap<MapAtom, readonly string[]>();

/** The few of many fields that appear although nobody gave them. */
function writtenWhenAbsent(form: MapAtom, name: string): readonly string[] {
  let fields = absentFields.get(form);
  if (fields === undefined) {
    fields = [...form.fields.keys()].filter(
      (field) =>
        form.required.has(field) || isValueStruct(`${name}.${field}`, field) || `${name}.${field}` in ALWAYS,
    );
    absentFields.set(form, fields);
  }
  return fields;
}

function isValueStruct(place: string, field: string): boolean {
  return (VALUE_STRUCTS.has(field) || VALUE_STRUCTS.has(place)) && !POINTER_STRUCTS.has(place);
}

/** undefined: the field is not written. */
function shapeField(atom: Atom, place: string, field: string, value: unknown, required: boolean): unknown {
  if (atom.kind === 'any') return value ?? undefined;
  if (atom.kind === 'list') {
    if (Array.isArray(value) && value.length > 0) return goShape(atom, value);
    return required ? (value ?? null) : undefined;
  }
  if (atom.kind === 'map' && atom.name !== undefined) {
    if (isValueStruct(place, field)) return goShape(atom, value ?? {});
    if (value === null || value === undefined) return required ? null : undefined;
    return goShape(atom, value);
  }
  if (atom.kind === 'map') {
    if (isRecord(value) && Object.keys(value).length > 0) return goShape(atom, value);
    return required ? (value ?? null) : undefined;
  }
  if (value === null || value === undefined) return required ? zeroOf(atom.scalar) : undefined;
  if (required || isPointer(place, field) || atom.scalar === 'quantity' || atom.scalar === 'untyped') {
    return goShape(atom, value);
  }
  return value === '' || value === 0 || value === false ? undefined : goShape(atom, value);
}

function isPointer(place: string, field: string): boolean {
  if (VALUE_SCALARS_AT.has(place)) return false;
  return POINTER_SCALARS.has(field) || POINTER_SCALARS_AT.has(place);
}

function zeroOf(kind: string): unknown {
  switch (kind) {
    case 'string':
      return '';
    case 'number':
      return 0;
    case 'boolean':
      return false;
    default:
      return undefined;
  }
}
