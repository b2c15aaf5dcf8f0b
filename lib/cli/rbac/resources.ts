/** Resources of one API group, without subresources: nobody who applies manifests needs pods/exec. */
export interface ResourceSet {
  readonly group: string;
  readonly resources: readonly string[];
}

/** What applications are made of, inside a namespace. Pods and ReplicaSets are made by their controllers. */
export const NAMESPACED: readonly ResourceSet[] = [
  {
    group: '',
    resources: [
      'configmaps',
      'endpoints',
      'limitranges',
      'persistentvolumeclaims',
      'pods',
      'replicationcontrollers',
      'resourcequotas',
      'secrets',
      'serviceaccounts',
      'services',
    ],
  },
  { group: 'apps', resources: ['daemonsets', 'deployments', 'replicasets', 'statefulsets'] },
  { group: 'autoscaling', resources: ['horizontalpodautoscalers'] },
  { group: 'batch', resources: ['cronjobs', 'jobs'] },
  { group: 'coordination.k8s.io', resources: ['leases'] },
  { group: 'discovery.k8s.io', resources: ['endpointslices'] },
  { group: 'networking.k8s.io', resources: ['ingresses', 'networkpolicies'] },
  { group: 'policy', resources: ['poddisruptionbudgets'] },
  { group: 'rbac.authorization.k8s.io', resources: ['rolebindings', 'roles'] },
];

/** What belongs to the cluster as a whole; only where no namespaces are named. */
export const CLUSTER_SCOPED: readonly ResourceSet[] = [
  { group: '', resources: ['namespaces', 'persistentvolumes'] },
  {
    group: 'admissionregistration.k8s.io',
    resources: [
      'mutatingwebhookconfigurations',
      'validatingadmissionpolicies',
      'validatingadmissionpolicybindings',
      'validatingwebhookconfigurations',
    ],
  },
  { group: 'apiextensions.k8s.io', resources: ['customresourcedefinitions'] },
  { group: 'apiregistration.k8s.io', resources: ['apiservices'] },
  { group: 'networking.k8s.io', resources: ['ingressclasses'] },
  { group: 'node.k8s.io', resources: ['runtimeclasses'] },
  { group: 'rbac.authorization.k8s.io', resources: ['clusterrolebindings', 'clusterroles'] },
  { group: 'scheduling.k8s.io', resources: ['priorityclasses'] },
  { group: 'storage.k8s.io', resources: ['csidrivers', 'storageclasses'] },
];
