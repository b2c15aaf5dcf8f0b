import { isDeepStrictEqual } from 'node:util';
import type { FieldError } from '../api/status.ts';
import { validateCustom } from './custom-resource.ts';
import { validateDataKeys, validateMetadata } from './names.ts';
import { children, type Draft } from './pod-defaults.ts';
import { at, type DraftObject, isRecord, type SandboxObject } from './sandbox-object.ts';
import { groupKind, type ServedType } from './served-types.ts';

/**
 * What is wrong with an object: names, labels, and per kind the rules that manifests break most often. Far from every
 * rule of the API server; what passes here may still be refused by a cluster.
 */
export function validateObject(type: ServedType, object: DraftObject): readonly FieldError[] {
  const errors = [...validateMetadata(type, object)];
  if (type.custom?.openapi !== undefined) errors.push(...validateCustom(type.custom.openapi, object));
  errors.push(...(RULES[groupKind(type)]?.(object) ?? []));
  return errors;
}

/** What of an update is not allowed, given the object that lives. */
export function validateUpdate(
  type: ServedType,
  live: SandboxObject,
  next: DraftObject,
): readonly FieldError[] {
  return (FROZEN[groupKind(type)] ?? []).flatMap((rule) => rule(live, next));
}

type Rule = (object: DraftObject) => readonly FieldError[];

const RULES: Readonly<Record<string, Rule>> = {
  '/ConfigMap': (object) => [
    ...validateDataKeys('data', keysOf(object['data'])),
    ...validateDataKeys('binaryData', keysOf(object['binaryData'])),
  ],
  '/Secret': (object) => validateDataKeys('data', keysOf(object['data'])),
  '/Service': validateService,
  '/Pod': (object) => validatePodSpec(at(object, 'spec'), 'spec'),
  '/PersistentVolumeClaim': (object) =>
    isEmptyList(at(object, 'spec', 'accessModes'))
      ? [{ type: 'required', field: 'spec.accessModes', detail: 'at least 1 access mode is required' }]
      : [],
  'apps/Deployment': validateWorkload,
  'apps/StatefulSet': validateWorkload,
  'apps/DaemonSet': validateWorkload,
  'apps/ReplicaSet': validateWorkload,
  'batch/Job': (object) => validateTemplate(object, ['OnFailure', 'Never']),
  'rbac.authorization.k8s.io/RoleBinding': validateBinding,
  'rbac.authorization.k8s.io/ClusterRoleBinding': validateBinding,
};

function keysOf(value: unknown): readonly string[] {
  return isRecord(value) ? Object.keys(value) : [];
}

function isEmptyList(value: unknown): boolean {
  return !Array.isArray(value) || value.length === 0;
}

function required(object: unknown, field: string, path: string, detail = ''): readonly FieldError[] {
  const value = at(object, field);
  return value === undefined || value === null || value === ''
    ? [{ type: 'required', field: `${path}.${field}`, detail }]
    : [];
}

function validateService(object: DraftObject): readonly FieldError[] {
  const spec = at(object, 'spec');
  const ports = children(spec as Draft, 'ports');
  const needsPorts = at(spec, 'type') !== 'ExternalName' && at(spec, 'clusterIP') !== 'None';
  if (needsPorts && ports.length === 0) return [{ type: 'required', field: 'spec.ports', detail: '' }];
  return ports.flatMap((port, index) => [
    ...(ports.length > 1 ? required(port, 'name', `spec.ports[${index}]`) : []),
    ...portError(port['port'], `spec.ports[${index}].port`),
  ]);
}

function portError(value: unknown, field: string): readonly FieldError[] {
  if (typeof value === 'number' && value >= 1 && value <= 65535) return [];
  return [{ type: 'invalid', field, value, detail: 'must be between 1 and 65535, inclusive' }];
}

function validateWorkload(object: DraftObject): readonly FieldError[] {
  const selector = at(object, 'spec', 'selector');
  const errors: FieldError[] = [];
  const labels = at(object, 'spec', 'template', 'metadata', 'labels');
  const wanted = at(selector, 'matchLabels');
  if (!isRecord(selector)) errors.push({ type: 'required', field: 'spec.selector', detail: '' });
  const matches = isRecord(wanted)
    ? Object.entries(wanted).every(([key, value]) => at(labels, key) === value)
    : isRecord(selector);
  if (!matches) {
    const detail = '`selector` does not match template `labels`';
    const field = 'spec.template.metadata.labels';
    errors.push({ type: 'invalid', field, value: labels ?? null, shown: goLabels(labels), detail });
  }
  return [...errors, ...validateTemplate(object, ['Always'])];
}

function validateTemplate(object: DraftObject, restartPolicies: readonly string[]): readonly FieldError[] {
  const path = 'spec.template.spec';
  const spec = at(object, 'spec', 'template', 'spec');
  const errors = [...validatePodSpec(spec, path)];
  const policy = String(at(spec, 'restartPolicy'));
  if (!restartPolicies.includes(policy)) {
    errors.push({
      type: 'unsupported',
      field: `${path}.restartPolicy`,
      value: policy,
      supported: restartPolicies,
    });
  }
  return errors;
}

function validatePodSpec(spec: unknown, path: string): readonly FieldError[] {
  const sources = validateVolumes(spec, path);
  if (isEmptyList(at(spec, 'containers'))) {
    return [...sources, { type: 'required', field: `${path}.containers`, detail: '' }];
  }
  const volumes = new Set(children(spec as Draft, 'volumes').map((volume) => volume['name']));
  const containers = ['initContainers', 'containers'].flatMap((list) =>
    children(spec as Draft, list).flatMap((container, index) => {
      const place = `${path}.${list}[${index}]`;
      const mounts = children(container, 'volumeMounts').flatMap((mount, at): readonly FieldError[] =>
        volumes.has(mount['name'])
          ? []
          : [{ type: 'not-found', field: `${place}.volumeMounts[${at}].name`, value: mount['name'] }],
      );
      const variables = children(container, 'env').flatMap((variable, at) =>
        required(variable, 'name', `${place}.env[${at}]`),
      );
      const own = [...required(container, 'name', place), ...required(container, 'image', place)];
      return [...own, ...variables, ...mounts];
    }),
  );
  return [...sources, ...containers];
}

/** A volume has one source. Merging leaves two when an apply replaces a source that had defaults. */
function validateVolumes(spec: unknown, path: string): readonly FieldError[] {
  return children(spec as Draft, 'volumes').flatMap((volume, index) => {
    const sources = Object.keys(volume).filter((field) => field !== 'name');
    const late = sources.filter((field) => LATE_SOURCES.has(field));
    const extra = [...sources.filter((field) => !LATE_SOURCES.has(field)), ...late].slice(1);
    return extra.map(
      (field): FieldError => ({
        type: 'forbidden',
        field: `${path}.volumes[${index}].${field}`,
        detail: 'may not specify more than 1 volume type',
      }),
    );
  });
}

/** Sources that the API server looks at after all the others. */
const LATE_SOURCES = new Set(['configMap', 'downwardAPI', 'projected', 'csi', 'ephemeral']);

function goLabels(labels: unknown): string {
  if (!isRecord(labels)) return 'map[string]string(nil)';
  const entries = Object.entries(labels).map(
    ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
  );
  return `map[string]string{${entries.join(', ')}}`;
}

function goSelector(selector: unknown): string {
  const labels = goLabels(at(selector, 'matchLabels'));
  return `v1.LabelSelector{MatchLabels:${labels}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}`;
}

function fixedSelector(live: SandboxObject, next: DraftObject): readonly FieldError[] {
  const selector = at(next, 'spec', 'selector');
  if (isDeepStrictEqual(at(live, 'spec', 'selector'), selector)) return [];
  const shown = goSelector(selector);
  return [{ type: 'invalid', field: 'spec.selector', value: selector, shown, detail: FIELD_IMMUTABLE }];
}

function validateBinding(object: DraftObject): readonly FieldError[] {
  return required(at(object, 'roleRef'), 'name', 'roleRef');
}

type UpdateRule = (live: SandboxObject, next: DraftObject) => readonly FieldError[];

const FIELD_IMMUTABLE = 'field is immutable';

/** A field that cannot change once set. */
function immutable(...path: readonly string[]): UpdateRule {
  return (live, next) =>
    isDeepStrictEqual(at(live, ...path), at(next, ...path))
      ? []
      : [
          {
            type: 'invalid',
            field: path.join('.'),
            value: at(next, ...path) ?? null,
            detail: FIELD_IMMUTABLE,
          },
        ];
}

function frozen(detail: string, ...path: readonly string[]): UpdateRule {
  return (live, next) =>
    isDeepStrictEqual(at(live, ...path), at(next, ...path))
      ? []
      : [{ type: 'forbidden', field: path.join('.'), detail }];
}

/** ConfigMaps and Secrets with `immutable: true`. */
function sealed(...fields: readonly string[]): UpdateRule {
  const detail = 'field is immutable when `immutable` is set';
  return (live, next) => {
    if (live['immutable'] !== true) return [];
    return ['immutable', ...fields]
      .filter((field) => !isDeepStrictEqual(live[field], next[field]))
      .map((field) => ({ type: 'forbidden', field, detail }));
  };
}

const STATEFUL_MUTABLE = new Set([
  'replicas',
  'template',
  'updateStrategy',
  'minReadySeconds',
  'ordinals',
  'persistentVolumeClaimRetentionPolicy',
  'revisionHistoryLimit',
]);

function statefulSpec(live: SandboxObject, next: DraftObject): readonly FieldError[] {
  const fixed = (object: DraftObject): unknown =>
    Object.fromEntries(
      Object.entries((at(object, 'spec') as Draft) ?? {}).filter(([field]) => !STATEFUL_MUTABLE.has(field)),
    );
  if (isDeepStrictEqual(fixed(live), fixed(next))) return [];
  const detail =
    "updates to statefulset spec for fields other than 'replicas', 'template', and 'updateStrategy' are forbidden";
  return [{ type: 'forbidden', field: 'spec', detail }];
}

function clusterIp(live: SandboxObject, next: DraftObject): readonly FieldError[] {
  const before = at(live, 'spec', 'clusterIP');
  const after = at(next, 'spec', 'clusterIP');
  const kept = before === undefined || before === '' || before === after;
  if (kept || at(next, 'spec', 'type') === 'ExternalName') return [];
  const field = 'spec.clusterIPs[0]';
  if (after === undefined) {
    const detail = 'primary clusterIP can not be unset';
    return [{ type: 'invalid', field, value: null, shown: '[]string(nil)', detail }];
  }
  const shown = `[]string{${JSON.stringify(after)}}`;
  return [{ type: 'invalid', field, value: [after], shown, detail: 'may not change once set' }];
}

const CLAIM_TEXT = 'is immutable after creation except resources.requests for bound claims';

const FROZEN: Readonly<Record<string, readonly UpdateRule[]>> = {
  '/ConfigMap': [sealed('data', 'binaryData')],
  '/Secret': [immutable('type'), sealed('data')],
  '/Service': [clusterIp],
  '/PersistentVolumeClaim': ['accessModes', 'storageClassName', 'volumeMode', 'selector', 'dataSource'].map(
    (field): UpdateRule => {
      return (live, next) =>
        isDeepStrictEqual(at(live, 'spec', field), at(next, 'spec', field))
          ? []
          : [{ type: 'forbidden', field: 'spec', detail: CLAIM_TEXT }];
    },
  ),
  'apps/Deployment': [fixedSelector],
  'apps/DaemonSet': [fixedSelector],
  'apps/ReplicaSet': [fixedSelector],
  'apps/StatefulSet': [statefulSpec],
  'batch/Job': [
    immutable('spec', 'selector'),
    immutable('spec', 'template'),
    immutable('spec', 'completions'),
  ],
  'rbac.authorization.k8s.io/RoleBinding': [roleRef],
  'rbac.authorization.k8s.io/ClusterRoleBinding': [roleRef],
  'scheduling.k8s.io/PriorityClass': [frozen('may not be changed in an update.', 'value')],
  'storage.k8s.io/StorageClass': [
    frozen('updates to parameters are forbidden.', 'parameters'),
    frozen('updates to provisioner are forbidden.', 'provisioner'),
    frozen('updates to reclaimPolicy are forbidden.', 'reclaimPolicy'),
  ],
  'apiextensions.k8s.io/CustomResourceDefinition': [
    immutable('spec', 'scope'),
    immutable('spec', 'names', 'kind'),
    immutable('spec', 'group'),
  ],
};

function roleRef(live: SandboxObject, next: DraftObject): readonly FieldError[] {
  if (isDeepStrictEqual(live['roleRef'], next['roleRef'])) return [];
  return [{ type: 'invalid', field: 'roleRef', value: next['roleRef'], detail: 'cannot change roleRef' }];
}
