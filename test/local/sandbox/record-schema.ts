/**
 * Writes lib/local/sandbox/schema/builtin-schema.json: what each built-in kind looks like.
 * Base: the OpenAPI document of a real API server (list keys, atomic types). On top: fields that newer Kubernetes has,
 * from the model tables of @kubernetes/client-node, so that manifests of today are not refused.
 *
 *   node test/local/sandbox/record-schema.ts openapi-v2.json
 *   (the file: kubectl get --raw /openapi/v2)
 */
import { readFileSync, writeFileSync } from 'node:fs';
import * as models from '@kubernetes/client-node/dist/gen/models/all.js';

interface OpenApiSchema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly items?: OpenApiSchema;
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly additionalProperties?: OpenApiSchema;
  readonly required?: readonly string[];
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: string;
  readonly 'x-kubernetes-patch-strategy'?: string;
  readonly 'x-kubernetes-patch-merge-key'?: string;
  readonly 'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[];
}

interface StructRecord {
  fields: Record<string, string>;
  required?: readonly string[];
  atomic?: true;
  patchKeys?: Record<string, string>;
}

const ROOTS: readonly string[] = [
  ...['Namespace', 'ConfigMap', 'Secret', 'Service', 'ServiceAccount', 'PersistentVolumeClaim'].map(
    (k) => `v1/${k}`,
  ),
  ...['PersistentVolume', 'Pod', 'LimitRange', 'ResourceQuota', 'Endpoints'].map((k) => `v1/${k}`),
  ...['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'].map((k) => `apps/v1/${k}`),
  ...['Job', 'CronJob'].map((k) => `batch/v1/${k}`),
  ...['Ingress', 'NetworkPolicy', 'IngressClass'].map((k) => `networking.k8s.io/v1/${k}`),
  ...['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'].map(
    (k) => `rbac.authorization.k8s.io/v1/${k}`,
  ),
  'policy/v1/PodDisruptionBudget',
  'autoscaling/v2/HorizontalPodAutoscaler',
  'scheduling.k8s.io/v1/PriorityClass',
  'storage.k8s.io/v1/StorageClass',
  'admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration',
  'admissionregistration.k8s.io/v1/MutatingWebhookConfiguration',
  'apiextensions.k8s.io/v1/CustomResourceDefinition',
];

/** Newer than the recorded server; from the list-type markers in the Kubernetes sources (k8s.io/api, Apache-2.0). */
const NEWER_LISTS: Readonly<Record<string, string>> = {
  'V1PodSpec.resourceClaims': 'map name',
  'V1PodSpec.schedulingGates': 'map name',
  'V1ResourceRequirements.claims': 'map name',
  'V1ValidatingWebhook.matchConditions': 'map name',
  'V1MutatingWebhook.matchConditions': 'map name',
  'V1PodDisruptionBudgetStatus.conditions': 'map type',
  'V2HorizontalPodAutoscalerStatus.conditions': 'map type',
  'V1CustomResourceDefinitionVersion.selectableFields': 'atomic',
};

/** Objects of any form; every other object without fields is a struct that happens to have none. */
const FREE_FORM = new Set(['apis.meta.v1.FieldsV1', 'runtime.RawExtension']);

const document = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as {
  readonly info: { readonly version: string };
  readonly definitions: Readonly<Record<string, OpenApiSchema>>;
};
const types: Record<string, StructRecord> = {};

function shortName(definition: string): string {
  return definition
    .replace(/^#\/definitions\//, '')
    .replace(/^io\.k8s\.(api|apimachinery\.pkg|apiextensions-apiserver\.pkg\.apis)\./, '');
}

function reference(definition: string): string {
  const name = shortName(definition);
  const schema = document.definitions[definition.replace(/^#\/definitions\//, '')];
  if (schema === undefined) throw new Error(`no definition ${definition}`);
  if (name === 'util.intstr.IntOrString') return 'u';
  if (name === 'api.resource.Quantity') return 'q';
  if (schema.properties === undefined) {
    if (schema.type === 'string') return 's';
    if (schema.type !== 'object' || FREE_FORM.has(name)) return 'j';
  }
  convert(name, schema);
  return `#${name}`;
}

function typeOf(schema: OpenApiSchema): string {
  if (schema.$ref !== undefined) return reference(schema.$ref);
  switch (schema.type) {
    case 'string':
      return schema.format === 'int-or-string' ? 'u' : 's';
    case 'integer':
    case 'number':
      return 'n';
    case 'boolean':
      return 'b';
    case 'array':
      return `[${listRelation(schema)}]${typeOf(schema.items ?? {})}`;
    case 'object':
      return `{${schema['x-kubernetes-map-type'] === 'atomic' ? 'atomic' : ''}}${typeOf(schema.additionalProperties ?? {})}`;
    default:
      return 'j';
  }
}

function listRelation(schema: OpenApiSchema): string {
  const type = schema['x-kubernetes-list-type'];
  if (type === 'map') return `map ${(schema['x-kubernetes-list-map-keys'] ?? []).join(',')}`;
  if (type !== undefined) return type === 'set' ? 'set' : '';
  // The API server falls back to the strategic merge markers where a list has no type of its own.
  if (schema['x-kubernetes-patch-strategy']?.split(',').includes('merge') !== true) return '';
  const key = schema['x-kubernetes-patch-merge-key'];
  return key === undefined ? 'set' : `map ${key}`;
}

function convert(name: string, schema: OpenApiSchema): void {
  if (types[name] !== undefined) return;
  const record: StructRecord = { fields: {} };
  types[name] = record;
  if (schema.required !== undefined) record.required = [...schema.required].sort();
  if (schema['x-kubernetes-map-type'] === 'atomic') record.atomic = true;
  for (const [field, value] of Object.entries(schema.properties ?? {})) {
    record.fields[field] = typeOf(value);
    const key = value['x-kubernetes-patch-merge-key'];
    if (key !== undefined && !record.fields[field].startsWith(`[map ${key}]`)) {
      record.patchKeys = { ...record.patchKeys, [field]: key };
    }
  }
  addNewerFields(name, record);
}

interface ModelClass {
  readonly attributeTypeMap: readonly { readonly baseName: string; readonly type: string }[];
}

function modelClass(name: string): ModelClass | undefined {
  const found = (models as unknown as Record<string, ModelClass | undefined>)[name];
  return found?.attributeTypeMap === undefined ? undefined : found;
}

/** core.v1.PodSpec is V1PodSpec there; a few names are taken twice and carry their group. */
function addNewerFields(name: string, record: StructRecord): void {
  const match = /([^.]+)\.(v\d\w*)\.(\w+)$/.exec(name);
  if (match === null) return;
  const [, group = '', version = '', kind = ''] = match;
  const versioned = version[0]?.toUpperCase() + version.slice(1);
  const model =
    modelClass(`${group[0]?.toUpperCase()}${group.slice(1)}${versioned}${kind}`) ??
    modelClass(versioned + kind);
  if (model !== undefined) addModelFields(versioned + kind, model, record);
}

function addModelFields(modelName: string, model: ModelClass, record: StructRecord): void {
  for (const { baseName, type } of model.attributeTypeMap) {
    record.fields[baseName] ??= modelType(type, `${modelName}.${baseName}`);
  }
}

function modelType(type: string, place: string): string {
  const list = /^Array<(.*)>$/.exec(type)?.[1];
  if (list !== undefined) return `[${NEWER_LISTS[place] ?? ''}]${modelType(list, `${place}[]`)}`;
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  if (map !== undefined) return `{}${modelType(map, `${place}{}`)}`;
  switch (type) {
    case 'string':
    case 'Date':
    case 'V1MicroTime':
      return 's';
    case 'number':
      return 'n';
    case 'boolean':
      return 'b';
    case 'IntOrString':
      return 'u';
    case 'any':
      return 'j';
    default:
      return `#${modelReference(type, place)}`;
  }
}

function modelReference(modelName: string, place: string): string {
  const match = /(V\d+(?:(?:alpha|beta)\d+)?)(\w+)$/.exec(modelName);
  const suffix = `.${match?.[1]?.toLowerCase()}.${match?.[2]}`;
  const recorded = Object.keys(document.definitions).filter((key) => key.endsWith(suffix));
  if (recorded.length === 1 && recorded[0] !== undefined) return reference(recorded[0]).slice(1);
  if (types[modelName] === undefined) {
    const model = modelClass(modelName);
    if (model === undefined) throw new Error(`${place}: no model ${modelName}`);
    const record: StructRecord = { fields: {} };
    types[modelName] = record;
    addModelFields(modelName, model, record);
  }
  return modelName;
}

const kinds: Record<string, string> = {};
for (const root of ROOTS) {
  const [kind = '', version = '', group = ''] = root.split('/').reverse();
  const found = Object.entries(document.definitions).find(([, schema]) =>
    schema['x-kubernetes-group-version-kind']?.some(
      (gvk) => gvk.group === group && gvk.version === version && gvk.kind === kind,
    ),
  );
  const versioned = version[0]?.toUpperCase() + version.slice(1);
  kinds[root] = found === undefined ? modelReference(versioned + kind, root) : reference(found[0]).slice(1);
}

const sorted = Object.fromEntries(Object.entries(types).sort(([a], [b]) => (a < b ? -1 : 1)));
const lines = Object.entries(sorted).map(
  ([name, record]) => `${JSON.stringify(name)}:${JSON.stringify(record)}`,
);
writeFileSync(
  new URL('../../../lib/local/sandbox/schema/builtin-schema.json', import.meta.url),
  `{"recordedFrom":${JSON.stringify(document.info.version)},\n"kinds":${JSON.stringify(kinds)},\n"types":{\n${lines.join(',\n')}\n}}\n`,
);
