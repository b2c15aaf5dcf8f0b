import { groupOf } from '../model/resource.ts';

export type Scope = 'namespaced' | 'cluster';

/** (apiVersion, kind) → scope; undefined: not known to whoever answers. */
export type ScopeOf = (apiVersion: string, kind: string) => Scope | undefined;

/** The kinds that Kubernetes itself serves, 1.20 to 1.36. The scope of a kind never changes between versions. */
const NAMESPACED: Readonly<Record<string, string>> = {
  '': 'Binding ConfigMap Endpoints Event LimitRange PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount',
  apps: 'ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet',
  'authorization.k8s.io': 'LocalSubjectAccessReview',
  autoscaling: 'HorizontalPodAutoscaler',
  batch: 'CronJob Job',
  'certificates.k8s.io': 'PodCertificateRequest',
  'coordination.k8s.io': 'Lease LeaseCandidate',
  'discovery.k8s.io': 'EndpointSlice',
  'events.k8s.io': 'Event',
  extensions: 'DaemonSet Deployment Ingress NetworkPolicy ReplicaSet',
  'networking.k8s.io': 'Ingress NetworkPolicy',
  policy: 'Eviction PodDisruptionBudget',
  'rbac.authorization.k8s.io': 'Role RoleBinding',
  'resource.k8s.io': 'ResourceClaim ResourceClaimTemplate',
  'storage.k8s.io': 'CSIStorageCapacity',
};

const CLUSTER: Readonly<Record<string, string>> = {
  '': 'ComponentStatus Namespace Node PersistentVolume',
  'admissionregistration.k8s.io':
    'MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration',
  'apiextensions.k8s.io': 'CustomResourceDefinition',
  'apiregistration.k8s.io': 'APIService',
  'authentication.k8s.io': 'SelfSubjectReview TokenReview',
  'authorization.k8s.io': 'SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview',
  'certificates.k8s.io': 'CertificateSigningRequest ClusterTrustBundle',
  'flowcontrol.apiserver.k8s.io': 'FlowSchema PriorityLevelConfiguration',
  'internal.apiserver.k8s.io': 'StorageVersion',
  'networking.k8s.io': 'IngressClass IPAddress ServiceCIDR',
  'node.k8s.io': 'RuntimeClass',
  policy: 'PodSecurityPolicy',
  'rbac.authorization.k8s.io': 'ClusterRole ClusterRoleBinding',
  'resource.k8s.io': 'DeviceClass DeviceTaintRule ResourceSlice',
  'scheduling.k8s.io': 'PriorityClass',
  'storage.k8s.io': 'CSIDriver CSINode StorageClass VolumeAttachment VolumeAttributesClass',
  'storagemigration.k8s.io': 'StorageVersionMigration',
};

const SCOPES: ReadonlyMap<string, Scope> = new Map([
  ...entriesOf(NAMESPACED, 'namespaced'),
  ...entriesOf(CLUSTER, 'cluster'),
]);

function entriesOf(
  table: Readonly<Record<string, string>>,
  scope: Scope,
): readonly (readonly [string, Scope])[] {
  return Object.entries(table).flatMap(([group, kinds]) =>
    kinds.split(' ').map((kind) => [`${group}/${kind}`, scope] as const),
  );
}

/** Built-in kinds only: what `holdfast render` knows without asking a cluster. */
export const builtInScopeOf: ScopeOf = (apiVersion, kind) => SCOPES.get(`${groupOf(apiVersion)}/${kind}`);
