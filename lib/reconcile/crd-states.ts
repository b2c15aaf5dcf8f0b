import type { KubeApi } from '../cluster/kube-api.ts';
import type { ResourceId } from '../model/resource.ts';
import type { CrdState } from '../plan/baseline.ts';

/** Groups whose kinds are built into the API server: `apps`, `batch`, and what ends in .k8s.io except CRD groups there. */
function mayBeCustom(group: string): boolean {
  return group.includes('.') && !BUILT_IN_GROUPS.test(group);
}

const BUILT_IN_GROUPS =
  /^(admissionregistration|apiextensions|apiregistration|authentication|authorization|certificates|coordination|discovery|events|flowcontrol\.apiserver|internal\.apiserver|networking|node|rbac\.authorization|resource|scheduling|storage|storagemigration)\.k8s\.io$/;

/** uid and generation of the CRD behind each custom resource: a changed CRD can change what its objects mean. */
export async function crdStates(
  kube: KubeApi,
  ids: Iterable<ResourceId>,
  deadline: number,
): Promise<(id: ResourceId) => CrdState | undefined> {
  const kinds = new Map<string, ResourceId>();
  for (const id of ids) if (mayBeCustom(id.group)) kinds.set(`${id.group}/${id.kind}`, id);
  if (kinds.size === 0) return () => undefined;
  const discovery = await kube.discovery({ deadline });
  const crdType = discovery.preferred('apiextensions.k8s.io', 'CustomResourceDefinition');
  const states = new Map<string, CrdState>();
  for (const [key, id] of kinds) {
    const type = discovery.preferred(id.group, id.kind);
    if (crdType === undefined || type === undefined) continue;
    const crd = await kube.getMetadata(
      { type: crdType, name: `${type.resource}.${type.group}` },
      { deadline },
    );
    // None: an aggregated API, whose objects no CRD describes.
    if (crd !== undefined)
      states.set(key, { uid: crd.metadata.uid, generation: crd.metadata.generation ?? 0 });
  }
  return (id) => states.get(`${id.group}/${id.kind}`);
}
