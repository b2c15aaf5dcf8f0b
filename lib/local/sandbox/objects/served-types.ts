import { builtinSchema } from '../schema/builtin.ts';
import type { TypeRef } from '../schema/atom.ts';

/** A type that the sandbox serves: one version of one kind. */
export interface ServedType {
  readonly group: string;
  readonly version: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly listKind: string;
  readonly resource: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly schema: TypeRef;
  /** Served under /status; writes to the main resource leave the status alone. */
  readonly hasStatus: boolean;
  readonly hasScale: boolean;
  /** A custom resource: the definition it comes from. */
  readonly custom?: CustomType;
}

export interface CustomType {
  readonly crd: string;
  /** JSON schema of the version; absent: anything goes. */
  readonly openapi?: Readonly<Record<string, unknown>>;
  readonly preserveUnknown: boolean;
}

/** apiVersion, kind, plural, scope, then `status`, `scale`, `short=…`, `all`. */
const TABLE: readonly string[] = [
  'v1 Namespace namespaces Cluster status short=ns',
  'v1 ConfigMap configmaps Namespaced short=cm',
  'v1 Secret secrets Namespaced',
  'v1 Service services Namespaced status short=svc all',
  'v1 ServiceAccount serviceaccounts Namespaced short=sa',
  'v1 PersistentVolumeClaim persistentvolumeclaims Namespaced status short=pvc',
  'v1 PersistentVolume persistentvolumes Cluster status short=pv',
  'v1 Pod pods Namespaced status short=po all',
  'v1 LimitRange limitranges Namespaced short=limits',
  'v1 ResourceQuota resourcequotas Namespaced status short=quota',
  'v1 Endpoints endpoints Namespaced short=ep',
  'apps/v1 Deployment deployments Namespaced status scale short=deploy all',
  'apps/v1 StatefulSet statefulsets Namespaced status scale short=sts all',
  'apps/v1 DaemonSet daemonsets Namespaced status short=ds all',
  'apps/v1 ReplicaSet replicasets Namespaced status scale short=rs all',
  'batch/v1 Job jobs Namespaced status all',
  'batch/v1 CronJob cronjobs Namespaced status short=cj all',
  'networking.k8s.io/v1 Ingress ingresses Namespaced status short=ing',
  'networking.k8s.io/v1 NetworkPolicy networkpolicies Namespaced short=netpol',
  'networking.k8s.io/v1 IngressClass ingressclasses Cluster',
  'rbac.authorization.k8s.io/v1 Role roles Namespaced',
  'rbac.authorization.k8s.io/v1 RoleBinding rolebindings Namespaced',
  'rbac.authorization.k8s.io/v1 ClusterRole clusterroles Cluster',
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding clusterrolebindings Cluster',
  'policy/v1 PodDisruptionBudget poddisruptionbudgets Namespaced status short=pdb',
  'autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers Namespaced status short=hpa all',
  'scheduling.k8s.io/v1 PriorityClass priorityclasses Cluster short=pc',
  'storage.k8s.io/v1 StorageClass storageclasses Cluster short=sc',
  'admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration validatingwebhookconfigurations Cluster',
  'admissionregistration.k8s.io/v1 MutatingWebhookConfiguration mutatingwebhookconfigurations Cluster',
  'apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions Cluster status short=crd,crds',
];

export const BUILTIN_TYPES: readonly ServedType[] = TABLE.map(parseRow);

function parseRow(row: string): ServedType {
  const [apiVersion = '', kind = '', resource = '', scope = '', ...flags] = row.split(' ');
  const slash = apiVersion.indexOf('/');
  const short = flags.find((flag) => flag.startsWith('short='));
  return {
    group: slash < 0 ? '' : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    apiVersion,
    kind,
    listKind: `${kind}List`,
    resource,
    // The API server leaves the singular of built-in kinds empty.
    singular: '',
    shortNames: short === undefined ? [] : short.slice('short='.length).split(','),
    categories: flags.includes('all') ? ['all'] : [],
    namespaced: scope === 'Namespaced',
    schema: builtinSchema(apiVersion, kind),
    hasStatus: flags.includes('status'),
    hasScale: flags.includes('scale'),
  };
}

/** `group/Kind`, `/Kind` in the core group: the key of the tables by kind. */
export function groupKind(type: { readonly group: string; readonly kind: string }): string {
  return `${type.group}/${type.kind}`;
}

/** Where objects of a type are stored: the same for all its versions. */
export function collectionKey(type: { readonly group: string; readonly resource: string }): string {
  return `${type.group}/${type.resource}`;
}
