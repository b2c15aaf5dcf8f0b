import { isDeepStrictEqual } from 'node:util';
import { TEMPLATE_GENERATION } from './defaults.ts';
import { children, type Draft } from './pod-defaults.ts';
import { at, type DraftObject, type SandboxMeta, type SandboxObject } from './sandbox-object.ts';
import { groupKind, type ServedType } from './served-types.ts';

/** Hands out cluster IPs and node ports that no Service has. */
export interface ServiceAllocator {
  readonly clusterIp: () => string;
  readonly nodePort: () => number;
}

export type Subresource = '' | 'status' | 'scale';

/** Kinds whose generation counts changes of the spec. The others have none, PriorityClass always 1. */
const COUNTED = new Set([
  'apps/Deployment',
  'apps/StatefulSet',
  'apps/DaemonSet',
  'apps/ReplicaSet',
  'batch/Job',
  'batch/CronJob',
  'networking.k8s.io/Ingress',
  'networking.k8s.io/NetworkPolicy',
  'networking.k8s.io/IngressClass',
  'policy/PodDisruptionBudget',
  'scheduling.k8s.io/PriorityClass',
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration',
  'admissionregistration.k8s.io/MutatingWebhookConfiguration',
  'apiextensions.k8s.io/CustomResourceDefinition',
]);
/** Fields whose change is counted. */
const COUNTED_FIELDS = ['spec', 'webhooks'] as const;

/** What a kind does to a new object after its ownership is settled. Changes fields that the client cannot set. */
export function prepareForCreate(
  type: ServedType,
  object: DraftObject,
  allocator: ServiceAllocator,
): DraftObject {
  const out: Record<string, unknown> = { ...object };
  const counted = type.custom !== undefined || COUNTED.has(groupKind(type));
  const { generation: _, ...metadata } = object.metadata;
  out['metadata'] = counted ? { ...metadata, generation: 1 } : metadata;
  switch (groupKind(type)) {
    case '/Namespace':
      out['spec'] = { ...(at(object, 'spec') as Draft), finalizers: ['kubernetes'] };
      out['status'] = { phase: 'Active' };
      break;
    case '/Service':
      out['spec'] = allocate(undefined, at(object, 'spec') as Draft, allocator);
      out['status'] = { loadBalancer: {} };
      break;
    case '/PersistentVolumeClaim':
      out['metadata'] = protectedBy(metadata, 'kubernetes.io/pvc-protection');
      out['status'] = { phase: 'Pending' };
      break;
    case '/PersistentVolume':
      out['metadata'] = protectedBy(metadata, 'kubernetes.io/pv-protection');
      out['status'] = { phase: 'Pending' };
      break;
    case '/Pod':
      out['status'] = { phase: 'Pending', qosClass: 'BestEffort' };
      break;
    case 'batch/Job':
      withJobSelector(out);
      out['status'] = {};
      break;
    case 'apiextensions.k8s.io/CustomResourceDefinition':
      out['status'] = {
        acceptedNames: { kind: '', plural: '' },
        conditions: null,
        storedVersions: at(object, 'status', 'storedVersions'),
      };
      break;
    default:
      if (type.custom !== undefined) {
        if (type.hasStatus) delete out['status'];
      } else if (type.hasStatus) {
        out['status'] = emptyStatus(groupKind(type));
      }
  }
  withoutEmptyRules(out);
  return out as unknown as DraftObject;
}

function emptyStatus(kind: string): unknown {
  if (kind === 'networking.k8s.io/Ingress') return { loadBalancer: {} };
  if (kind === 'apps/DaemonSet') {
    return { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 };
  }
  return kind === 'apps/StatefulSet' || kind === 'apps/ReplicaSet' ? { replicas: 0 } : {};
}

/** Admission protects claims and volumes from going while they are used. */
function protectedBy(metadata: Partial<SandboxMeta>, finalizer: string): Partial<SandboxMeta> {
  return { ...metadata, finalizers: [...new Set([...(metadata.finalizers ?? []), finalizer])] };
}

/** Built-in objects are kept as protobuf, which does not tell an empty list from none. */
function withoutEmptyRules(out: Record<string, unknown>): void {
  if (Array.isArray(out['rules']) && out['rules'].length === 0) out['rules'] = null;
}

function withJobSelector(job: Record<string, unknown>): void {
  const metadata = job['metadata'] as Draft;
  const labels = { 'controller-uid': String(metadata['uid']), 'job-name': String(metadata['name']) };
  const spec = { ...(job['spec'] as Draft) };
  if (spec['manualSelector'] !== true) {
    const template = { ...(spec['template'] as Draft) };
    const meta = { ...(template['metadata'] as Draft) };
    template['metadata'] = { ...meta, labels: { ...(meta['labels'] as Draft), ...labels } };
    spec['template'] = template;
    spec['selector'] = { matchLabels: { 'controller-uid': labels['controller-uid'] } };
  }
  job['spec'] = spec;
}

/** What a kind keeps of the object that lives, and its next generation. */
export function prepareForUpdate(
  type: ServedType,
  live: SandboxObject,
  next: DraftObject,
  subresource: Subresource,
  allocator: ServiceAllocator,
): DraftObject {
  const out: Record<string, unknown> = { ...next };
  if (subresource === 'status') {
    for (const field of new Set([...Object.keys(live), ...Object.keys(next)])) {
      if (['status', 'metadata', 'apiVersion', 'kind'].includes(field)) continue;
      keep(out, live, field);
    }
  } else if (type.hasStatus) {
    keep(out, live, 'status');
  }
  const kind = groupKind(type);
  if (kind === '/Namespace' && subresource === '') keep(out, live, 'spec');
  if (kind === '/Service' && subresource === '') {
    out['spec'] = allocate(at(live, 'spec') as Draft, at(next, 'spec') as Draft, allocator);
  }
  if (kind === 'batch/Job' && subresource === '') {
    const spec = out['spec'] as Draft;
    if (spec['selector'] === undefined) out['spec'] = { ...spec, selector: at(live, 'spec', 'selector') };
  }
  withoutEmptyRules(out);
  const { generation: _, ...metadata } =
    kind === 'apps/DaemonSet' ? countedTemplate(live, next) : next.metadata;
  const generation = nextGeneration(type, live, out, subresource);
  out['metadata'] = generation === undefined ? metadata : { ...metadata, generation };
  return out as unknown as DraftObject;
}

function countedTemplate(live: SandboxObject, next: DraftObject): Partial<SandboxMeta> {
  const before = Number(live.metadata.annotations?.[TEMPLATE_GENERATION] ?? 1);
  const same = isDeepStrictEqual(at(live, 'spec', 'template'), at(next, 'spec', 'template'));
  const count = String(same ? before : before + 1);
  return { ...next.metadata, annotations: { ...next.metadata.annotations, [TEMPLATE_GENERATION]: count } };
}

function keep(out: Record<string, unknown>, live: SandboxObject, field: string): void {
  if (live[field] === undefined) delete out[field];
  else out[field] = live[field];
}

function nextGeneration(
  type: ServedType,
  live: SandboxObject,
  next: Record<string, unknown>,
  subresource: Subresource,
): number | undefined {
  const before = live.metadata.generation;
  if (before === undefined || subresource === 'status') return before;
  const kind = groupKind(type);
  if (kind === 'scheduling.k8s.io/PriorityClass') return before;
  let changed: boolean;
  if (type.custom !== undefined) {
    const ignored = type.hasStatus ? ['metadata', 'status'] : ['metadata'];
    changed = !isDeepStrictEqual(without(live, ignored), without(next, ignored));
  } else {
    changed = COUNTED_FIELDS.some((field) => !isDeepStrictEqual(live[field], next[field]));
    if (kind === 'apps/Deployment') {
      const annotations = at(next, 'metadata', 'annotations');
      changed ||= !isDeepStrictEqual(live.metadata.annotations ?? {}, annotations ?? {});
    }
  }
  return changed ? before + 1 : before;
}

function without(object: object, fields: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([field]) => !fields.includes(field)));
}

/** A cluster IP that is not given is kept or handed out; a node port that is not given is always a new one. */
function allocate(live: Draft | undefined, spec: Draft, allocator: ServiceAllocator): Draft {
  const out: Record<string, unknown> = { ...spec };
  if (spec['type'] !== 'ExternalName') {
    const given = spec['clusterIP'] ?? live?.['clusterIP'];
    const ip = given === undefined || given === '' ? allocator.clusterIp() : given;
    out['clusterIP'] = ip;
    out['clusterIPs'] = [ip];
  }
  if (spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer') {
    out['ports'] = children(spec, 'ports').map((port) =>
      typeof port['nodePort'] === 'number' ? port : { ...port, nodePort: allocator.nodePort() },
    );
  }
  return out;
}
