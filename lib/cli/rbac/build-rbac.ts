import type { KubeObject } from '../../model/resource.ts';
import { CLUSTER_SCOPED, NAMESPACED, type ResourceSet } from './resources.ts';

export interface RbacOptions {
  /** `apply`: the target stage. `read`: the drift scan, which gets and lists and nothing else. */
  readonly role: 'apply' | 'read';
  /** Empty: the whole cluster, with what belongs to no namespace. */
  readonly namespaces: readonly string[];
  /** Further resources, custom ones above all. */
  readonly also: readonly ResourceSet[];
  /** Rights over roles that go beyond its own; without, the API server lets it grant only what it holds. */
  readonly manageRbac: boolean;
  /** The rights go to a ServiceAccount in each namespace, and the subject may only impersonate it. */
  readonly impersonate: boolean;
  readonly subject: Subject;
}

export type Subject = { readonly kind: 'Group' | 'User'; readonly name: string };

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly verbs: readonly string[];
}

type BoundSubject =
  | (Subject & { readonly apiGroup: string })
  | { readonly kind: 'ServiceAccount'; readonly name: string; readonly namespace: string };

/** The verbs that Holdfast uses, and no others: it does not watch, update or delete by selector. */
const VERBS = {
  apply: ['get', 'list', 'create', 'patch', 'delete'],
  read: ['get', 'list'],
} as const;
const RBAC_GROUP = 'rbac.authorization.k8s.io';
const RBAC_API = `${RBAC_GROUP}/v1`;
/** Of a tenant, in each of its namespaces. */
export const TENANT_SERVICE_ACCOUNT = 'holdfast';

/** The roles and bindings that let one of Holdfast's two identities do its work on a cluster, and nothing else. */
export function buildRbac(options: RbacOptions): readonly KubeObject[] {
  const name = `holdfast-${options.role}`;
  const subject: BoundSubject = { ...options.subject, apiGroup: RBAC_GROUP };
  if (options.namespaces.length === 0) {
    const rules = [...rulesOf(options, [...CLUSTER_SCOPED, ...NAMESPACED]), DISCOVERY];
    return [clusterRole(name, rules), clusterBinding(name, [subject])];
  }
  const accounts = options.namespaces.map(tenantOf);
  const basics = [clusterRole(`${name}-basics`, [...basicRules(options.namespaces), DISCOVERY])];
  const everybody = options.impersonate ? [subject, ...accounts] : [subject];
  return [
    ...basics,
    clusterBinding(`${name}-basics`, everybody),
    ...options.namespaces.flatMap((namespace) =>
      options.impersonate
        ? inTenant(options, name, namespace, subject)
        : [role(name, namespace, rulesOf(options, NAMESPACED)), binding(name, namespace, [subject])],
    ),
  ];
}

/** What every client may see on an ordinary cluster; said here for those where it was taken away. */
const DISCOVERY: Rule = {
  nonResourceURLs: ['/api', '/api/*', '/apis', '/apis/*', '/version'],
  verbs: ['get'],
};

/** A custom resource is judged with its CRD, and a namespace is looked at before anything is put into it. */
function basicRules(namespaces: readonly string[]): readonly Rule[] {
  return [
    {
      apiGroups: ['apiextensions.k8s.io'],
      resources: ['customresourcedefinitions'],
      verbs: ['get'],
    },
    { apiGroups: [''], resources: ['namespaces'], resourceNames: namespaces, verbs: ['get'] },
  ];
}

function rulesOf(options: RbacOptions, sets: readonly ResourceSet[]): readonly Rule[] {
  const rules = merge([...sets, ...options.also]).map(({ group, resources }): Rule => {
    return { apiGroups: [group], resources, verbs: VERBS[options.role] };
  });
  if (options.role === 'read' || !options.manageRbac) return rules;
  const kinds = sets.flatMap(({ group, resources }) => (group === RBAC_GROUP ? resources : []));
  const roles = kinds.filter((kind) => kind.endsWith('roles')).sort();
  return [...rules, { apiGroups: [RBAC_GROUP], resources: roles, verbs: ['bind', 'escalate'] }];
}

function merge(sets: readonly ResourceSet[]): readonly ResourceSet[] {
  const groups = new Map<string, Set<string>>();
  for (const { group, resources } of sets) {
    const known = groups.get(group) ?? new Set();
    for (const resource of resources) known.add(resource);
    groups.set(group, known);
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([group, resources]) => ({ group, resources: resources.has('*') ? ['*'] : [...resources].sort() }));
}

function inTenant(
  options: RbacOptions,
  name: string,
  namespace: string,
  subject: BoundSubject,
): readonly KubeObject[] {
  const impersonate: Rule = {
    apiGroups: [''],
    resources: ['serviceaccounts'],
    resourceNames: [TENANT_SERVICE_ACCOUNT],
    verbs: ['impersonate'],
  };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: TENANT_SERVICE_ACCOUNT, namespace } },
    role(name, namespace, rulesOf(options, NAMESPACED)),
    binding(name, namespace, [tenantOf(namespace)]),
    role(`${name}-impersonate`, namespace, [impersonate]),
    binding(`${name}-impersonate`, namespace, [subject]),
  ];
}

function tenantOf(namespace: string): BoundSubject {
  return { kind: 'ServiceAccount', name: TENANT_SERVICE_ACCOUNT, namespace };
}

function clusterRole(name: string, rules: readonly Rule[]): KubeObject {
  return { apiVersion: RBAC_API, kind: 'ClusterRole', metadata: { name }, rules };
}

function clusterBinding(name: string, subjects: readonly BoundSubject[]): KubeObject {
  const roleRef = { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name };
  return { apiVersion: RBAC_API, kind: 'ClusterRoleBinding', metadata: { name }, roleRef, subjects };
}

function role(name: string, namespace: string, rules: readonly Rule[]): KubeObject {
  return { apiVersion: RBAC_API, kind: 'Role', metadata: { name, namespace }, rules };
}

function binding(name: string, namespace: string, subjects: readonly BoundSubject[]): KubeObject {
  const roleRef = { apiGroup: RBAC_GROUP, kind: 'Role', name };
  return { apiVersion: RBAC_API, kind: 'RoleBinding', metadata: { name, namespace }, roleRef, subjects };
}
