import { createAccessReviewer } from '../../cluster/access-review.ts';
import { connectOptions } from '../../cluster/create-connector.ts';
import { awsSts } from '../../cluster/eks-sts.ts';
import { createEksTokenSource } from '../../cluster/eks-token-source.ts';
import { machineSandbox } from '../../render/sandbox.ts';
import type { Installation } from '../cli.ts';
import { checkClusters, type ClusterChecks } from './check-clusters.ts';
import { checkRenderer } from './check-renderer.ts';
import { checkSecrets } from './check-secrets.ts';
import { checkServices } from './check-services.ts';
import { checkSources } from './check-sources.ts';
import { checkWork } from './check-work.ts';
import { type Finding, problem, reasonOf, skipped } from './finding.ts';

const REVIEW_TIMEOUT_MS = 10_000;

/**
 * Looks at everything that an installation rests on, from where this runs and with its credentials. Changes nothing.
 * Never throws: what cannot be looked at is a finding.
 */
export async function examine(installation: Installation, now: () => number): Promise<readonly Finding[]> {
  const { deps, secrets, aws } = installation;
  const findings: Finding[] = [
    ...(aws === undefined
      ? [skipped('services', installation.directory, 'table, queues and bucket are not known here')]
      : await checkServices(aws)),
    ...(installation.rendersHere === true ? [checkRenderer(await machineSandbox())] : []),
  ];
  let registered: Registered;
  try {
    registered = { sources: await deps.state.listSources(), clusters: await deps.state.listClusters() };
  } catch (error) {
    const action = 'mend the table first: nothing else can be looked at without it';
    return [...findings, problem('table', 'records', `cannot be read (${reasonOf(error)})`, action)];
  }
  const eksTokens = createEksTokenSource({ sts: awsSts() });
  const checks: ClusterChecks = {
    connector: deps.connector,
    state: deps.state,
    now,
    openReviewer: async (cluster, role) =>
      createAccessReviewer(
        await connectOptions({ secrets, eksTokens, requestTimeoutMs: REVIEW_TIMEOUT_MS }, cluster, role),
      ),
  };
  const parts: readonly (readonly [string, () => Promise<readonly Finding[]>])[] = [
    ['secret', () => checkSecrets(secrets, registered)],
    ['source', () => checkSources(deps, registered.sources)],
    ['cluster', () => checkClusters(checks, registered.clusters)],
    ['work', () => checkWork(deps.state, now(), registered.clusters)],
  ];
  for (const [name, look] of parts) {
    try {
      findings.push(...(await look()));
    } catch (error) {
      findings.push(
        problem(
          name,
          'all',
          `could not be looked at (${reasonOf(error)})`,
          'see whether the table can be read, then try again',
        ),
      );
    }
  }
  return findings;
}

type Registered = Parameters<typeof checkSecrets>[1];
