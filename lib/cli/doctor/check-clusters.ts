import type { AccessReviewer } from '../../cluster/access-review.ts';
import type { ClusterConnector, KubeApi } from '../../cluster/kube-api.ts';
import { KubeError } from '../../cluster/kube-error.ts';
import { forEachPooled } from '../../cluster/pooled.ts';
import type { Cluster } from '../../model/cluster.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { ClusterScan, StateStore } from '../../state/state-store.ts';
import { ago } from '../output/words.ts';
import { checkRights, deployedTypes } from './check-rights.ts';
import { type Finding, ok, problem, reasonOf, skipped } from './finding.ts';

export interface ClusterChecks {
  readonly connector: ClusterConnector;
  readonly state: Pick<StateStore, 'listTargets' | 'getTargets' | 'getBlob' | 'getClusterScan'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly openReviewer: (cluster: Cluster, role: 'apply' | 'read') => Promise<AccessReviewer>;
}

const TIMEOUT_MS = 10_000;
const CONCURRENCY = 4;
const ROLES = ['apply', 'read'] as const;

/** Whether each cluster answers to both of its credentials, and what these may do. */
export async function checkClusters(
  checks: ClusterChecks,
  clusters: readonly Cluster[],
): Promise<readonly Finding[]> {
  const findings = new Map<string, readonly Finding[]>();
  await forEachPooled(clusters, CONCURRENCY, async (cluster) => {
    const found: Finding[] = [];
    for (const role of ROLES) found.push(...(await checkRole(checks, cluster, role)));
    findings.set(cluster.name, found);
  });
  return clusters.flatMap(({ name }) => findings.get(name) ?? []);
}

async function checkRole(
  checks: ClusterChecks,
  cluster: Cluster,
  role: 'apply' | 'read',
): Promise<readonly Finding[]> {
  const subject = `${cluster.name} (${role})`;
  let kube: KubeApi;
  let version: string;
  try {
    kube = await checks.connector.connect(cluster.name, role);
    // Discovery needs a valid credential; the version alone is shown to everybody.
    await kube.discovery({ deadline: performance.now() + TIMEOUT_MS });
    version = await kube.serverVersion({ deadline: performance.now() + TIMEOUT_MS });
  } catch (error) {
    return [unreached(checks, cluster, subject, error, await checks.state.getClusterScan(cluster.name))];
  }
  const reached = ok('cluster', subject, `${cluster.endpoint} answers, Kubernetes ${version}`);
  return [reached, ...(await rightsOf(checks, cluster, role, kube))];
}

/** From here is not from the functions: a private endpoint, or a token that only they can sign, is no problem. */
function unreached(
  checks: ClusterChecks,
  cluster: Cluster,
  subject: string,
  error: unknown,
  scan: ClusterScan | undefined,
): Finding {
  const scanned = scan !== undefined && scan.error === undefined;
  const onlyFromInside =
    error instanceof HoldfastError && (error.code === 'kube-unreachable' || cluster.schema === 2);
  if (onlyFromInside && scanned) {
    const when = ago(checks.now(), scan.scannedAt);
    return skipped(
      'cluster',
      subject,
      `not reached from here; the scan reached it ${when} (${reasonOf(error)})`,
    );
  }
  const action =
    cluster.schema === 2
      ? 'check its endpoint, its access entries for the roles of the functions, and who may assume the roles given'
      : `check the endpoint, and register fresh credentials: holdfast cluster add ${cluster.name} --replace`;
  return problem('cluster', subject, reasonOf(error), action);
}

async function rightsOf(
  checks: ClusterChecks,
  cluster: Cluster,
  role: 'apply' | 'read',
  kube: KubeApi,
): Promise<readonly Finding[]> {
  const subject = `${cluster.name} (${role})`;
  let reviewer: AccessReviewer | undefined;
  try {
    const deployed = await deployedTypes(checks.state, cluster, await kube.discovery());
    reviewer = await checks.openReviewer(cluster, role);
    return await checkRights(reviewer, cluster.name, role, deployed);
  } catch (error) {
    // A cluster that answers no reviews (the sandbox) is not wrong for that.
    const why = error instanceof KubeError ? error.message : reasonOf(error);
    return [skipped('rights', subject, `the cluster did not say what the credential may do (${why})`)];
  } finally {
    await reviewer?.close();
  }
}
