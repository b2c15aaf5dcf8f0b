import { describeResource, groupOf, type LiveMetadata, type ResourceId } from '../model/resource.ts';
import { memberOf } from '../plan/owned-fields.ts';

/** What this run deletes, by uid: only deletes that the API server has accepted. */
export type DeleteSet = ReadonlyMap<string, ResourceId>;

const SERVICE_ACCOUNT_UID = 'kubernetes.io/service-account.uid';
/** Put into every namespace by Kubernetes (and OpenShift) itself. */
const AUTOMATIC_CONFIG_MAPS = new Set(['kube-root-ca.crt', 'openshift-service-ca.crt']);
const SHOWN = 5;

/**
 * Of what a namespace or a CRD holds, what would be deleted with it without being meant: everything that is neither in
 * the delete set, nor owned only by what is, nor made by Kubernetes itself for every namespace or Service.
 */
export function foreignContent(
  content: readonly LiveMetadata[],
  deleteSet: DeleteSet,
): readonly LiveMetadata[] {
  // Views (PodMetrics) have no uid: nothing is stored, nothing can be lost.
  const stored = content.filter((item) => item.metadata.uid !== '');
  const byUid = new Map(stored.map((item) => [item.metadata.uid, item]));
  const known = new Map<string, boolean>();

  const services = new Set(
    [...deleteSet.values()]
      .filter((id) => id.group === '' && id.kind === 'Service')
      .map((id) => `${id.namespace ?? ''}/${id.name}`),
  );
  const serviceAccounts = new Set(stored.filter(isDefaultServiceAccount).map((item) => item.metadata.uid));

  function isCovered(uid: string): boolean {
    if (deleteSet.has(uid)) {
      return true;
    }
    const before = known.get(uid);
    if (before !== undefined) {
      return before;
    }
    // Owners that own each other cover nothing.
    known.set(uid, false);
    const item = byUid.get(uid);
    const covered = item !== undefined && (isAutomatic(item) || isOwnedByCovered(item));
    known.set(uid, covered);
    return covered;
  }

  function isOwnedByCovered(item: LiveMetadata): boolean {
    const owners = item.metadata.ownerReferences ?? [];
    // All of them: the garbage collector keeps an object as long as one owner lives.
    return owners.length > 0 && owners.every((owner) => isCovered(String(memberOf(owner, 'uid'))));
  }

  function isAutomatic(item: LiveMetadata): boolean {
    const { name, namespace, annotations } = item.metadata;
    switch (`${groupOf(item.apiVersion)}/${item.kind}`) {
      case '/ServiceAccount':
        return isDefaultServiceAccount(item);
      case '/ConfigMap':
        return AUTOMATIC_CONFIG_MAPS.has(name);
      case '/Event':
      case 'events.k8s.io/Event':
        return true;
      case '/Secret': {
        const account = memberOf(annotations, SERVICE_ACCOUNT_UID);
        return typeof account === 'string' && (serviceAccounts.has(account) || deleteSet.has(account));
      }
      case '/Endpoints':
        return services.has(`${namespace ?? ''}/${name}`);
      default:
        return false;
    }
  }

  return stored.filter((item) => !isCovered(item.metadata.uid));
}

/** `ConfigMap web/a, Secret web/b and 3 more` */
export function describeContent(content: readonly LiveMetadata[]): string {
  const shown = content.slice(0, SHOWN).map((item) => {
    const id = { group: groupOf(item.apiVersion), kind: item.kind, name: item.metadata.name };
    const { namespace } = item.metadata;
    return describeResource(namespace === undefined ? id : { ...id, namespace });
  });
  return content.length > SHOWN ? `${shown.join(', ')} and ${content.length - SHOWN} more` : shown.join(', ');
}

function isDefaultServiceAccount(item: LiveMetadata): boolean {
  return item.apiVersion === 'v1' && item.kind === 'ServiceAccount' && item.metadata.name === 'default';
}
