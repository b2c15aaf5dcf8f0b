import type { AccessQuestion, AccessReviewer } from '../../cluster/access-review.ts';
import type { Discovery, ResourceType } from '../../cluster/kube-api.ts';
import { forEachPooled } from '../../cluster/pooled.ts';
import type { Cluster } from '../../model/cluster.ts';
import { loadInventory } from '../../reconcile/inventory-document.ts';
import type { StateStore } from '../../state/state-store.ts';
import { plural } from '../output/words.ts';
import { type Finding, ok, problem, skipped, warning } from './finding.ts';

/** A type of which something is deployed, and where. */
export interface Deployed {
  readonly type: Pick<ResourceType, 'group' | 'resource'>;
  /** Empty for what belongs to no namespace. */
  readonly namespaces: readonly string[];
}

const VERBS = { apply: ['get', 'list', 'create', 'patch', 'delete'], read: ['get', 'list'] } as const;
/** Looked at in each namespace at most; beyond, one answer speaks for the others. */
const MAX_NAMESPACES = 20;
const MAX_TARGETS = 200;
const CONCURRENCY = 8;
const SHOWN = 5;

/** What is deployed to a cluster, from the inventories of its targets. */
export async function deployedTypes(
  state: Pick<StateStore, 'listTargets' | 'getTargets' | 'getBlob'>,
  cluster: Cluster,
  discovery: Discovery,
): Promise<readonly Deployed[]> {
  const ids = (await state.listTargets(cluster.name)).slice(0, MAX_TARGETS);
  const found = new Map<string, { type: ResourceType; namespaces: Set<string> }>();
  for (const target of (await state.getTargets(ids)).values()) {
    for (const { id } of (await loadInventory(state, target))?.entries.values() ?? []) {
      const type = discovery.preferred(id.group, id.kind);
      if (type === undefined) continue;
      const key = `${type.group}/${type.resource}`;
      const known = found.get(key) ?? { type, namespaces: new Set<string>() };
      found.set(key, known);
      if (id.namespace !== undefined) known.namespaces.add(id.namespace);
    }
  }
  return [...found.values()].map(({ type, namespaces }) => ({ type, namespaces: [...namespaces].sort() }));
}

/** Whether a credential may do what its role needs, and for the one that reads, nothing more. */
export async function checkRights(
  reviewer: Pick<AccessReviewer, 'isAllowed'>,
  cluster: string,
  role: 'apply' | 'read',
  deployed: readonly Deployed[],
): Promise<readonly Finding[]> {
  const subject = `${cluster} (${role})`;
  if (deployed.length === 0) {
    return [
      skipped('rights', subject, 'nothing is deployed there yet, so it is not known which rights are needed'),
    ];
  }
  const denied: string[] = [];
  const excessive: string[] = [];
  await forEachPooled(deployed, CONCURRENCY, async (each) => {
    for (const verb of VERBS[role]) denied.push(...(await deniedFor(reviewer, verb, each)));
    if (role === 'read') {
      for (const verb of ['patch', 'delete']) {
        if (await reviewer.isAllowed(questionOf(verb, each, each.namespaces[0]))) {
          excessive.push(`${verb} ${nameOf(each)}`);
        }
      }
    }
  });
  const rbac = `holdfast cluster rbac ${cluster}${role === 'read' ? ' --read' : ''}`;
  const findings: Finding[] = [];
  if (denied.length > 0) {
    findings.push(
      problem(
        'rights',
        subject,
        `may not ${listed(denied)}`,
        `have the cluster's administrator apply what "${rbac}" prints, with --also for custom resources`,
      ),
    );
  }
  if (excessive.length > 0) {
    findings.push(
      warning(
        'rights',
        subject,
        `may ${listed(excessive)}, and should only read`,
        `register a credential that only reads: "${rbac}" prints its rights`,
      ),
    );
  }
  if (findings.length > 0) return findings;
  return [ok('rights', subject, `has what it needs for ${plural(deployed.length, 'kind')}`)];
}

async function deniedFor(
  reviewer: Pick<AccessReviewer, 'isAllowed'>,
  verb: string,
  deployed: Deployed,
): Promise<readonly string[]> {
  if (await reviewer.isAllowed(questionOf(verb, deployed, undefined))) return [];
  if (deployed.namespaces.length === 0) return [`${verb} ${nameOf(deployed)}`];
  const denied: string[] = [];
  for (const namespace of deployed.namespaces.slice(0, MAX_NAMESPACES)) {
    if (!(await reviewer.isAllowed(questionOf(verb, deployed, namespace)))) {
      denied.push(`${verb} ${nameOf(deployed)} in ${namespace}`);
    }
  }
  return denied;
}

function questionOf(verb: string, { type }: Deployed, namespace: string | undefined): AccessQuestion {
  const { group, resource } = type;
  return { verb, group, resource, ...(namespace === undefined ? {} : { namespace }) };
}

function nameOf({ type }: Deployed): string {
  return type.group === '' ? type.resource : `${type.resource}.${type.group}`;
}

function listed(items: readonly string[]): string {
  const sorted = [...items].sort();
  const more = sorted.length - SHOWN;
  return sorted.slice(0, SHOWN).join(', ') + (more > 0 ? `, and ${more} more` : '');
}
