import { sha256, type ClusterName } from '../model/ids.ts';
import type { Cluster, ClusterCredential, EksAuthentication } from '../model/cluster.ts';
import { HoldfastError } from '../model/errors.ts';
import { isGone, isSettled } from '../model/target-state.ts';
import type { WakeUp } from '../model/wake-up.ts';
import type { RegisterDeps } from './deps.ts';
import { parseName } from './names.ts';

interface Destination {
  readonly name: string;
  readonly endpoint: string;
  readonly caData?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly replace?: boolean;
}

interface StoredCredentials {
  readonly apply: ClusterCredential;
  readonly read: ClusterCredential;
}

/** With two credentials to store, or as an EKS cluster, for which none is stored. */
export type ClusterInput = Destination & (StoredCredentials | { readonly eks: EksAuthentication });

export interface AddedCluster {
  readonly cluster: Cluster;
  readonly replaced: boolean;
  /** The scan then runs with a credential that may write. */
  readonly sameCredential: boolean;
}

/**
 * Registers a destination. The secrets get new names each time, so that running functions open a new connection with
 * the new credentials; the former ones go last.
 * @throws HoldfastError `invalid-input`; what the stores throw
 */
export async function addCluster(deps: RegisterDeps, input: ClusterInput): Promise<AddedCluster> {
  const name = parseName<ClusterName>('cluster', input.name);
  const known = await deps.state.getCluster(name);
  if (known !== undefined && input.replace !== true) {
    throw new HoldfastError(
      'invalid-input',
      `cluster "${name}" is registered already, at ${known.endpoint}: choose another name, or give --replace`,
    );
  }
  const place = {
    name,
    labels: input.labels ?? {},
    endpoint: input.endpoint,
    ...(input.caData === undefined ? {} : { caData: input.caData }),
  };
  const cluster: Cluster =
    'eks' in input
      ? { schema: 2, ...place, authentication: input.eks }
      : { schema: 1, ...place, ...(await storeCredentials(deps, name, input)) };
  await deps.state.putCluster(cluster);
  if (known?.schema === 1) {
    await deps.secrets.delete('cluster-apply', known.applySecret);
    await deps.secrets.delete('cluster-read', known.readSecret);
  }
  await wakeWaiting(deps, name);
  return { cluster, replaced: known !== undefined, sameCredential: isSameCredential(input) };
}

async function storeCredentials(
  deps: RegisterDeps,
  cluster: ClusterName,
  credentials: StoredCredentials,
): Promise<{ readonly applySecret: string; readonly readSecret: string }> {
  const secret = `${cluster}-${deps.newId()}`;
  await deps.secrets.put('cluster-apply', secret, JSON.stringify(credentials.apply));
  await deps.secrets.put('cluster-read', secret, JSON.stringify(credentials.read));
  return { applySecret: secret, readSecret: secret };
}

/** On EKS without roles the functions sign with their own, of which each has another. */
function isSameCredential(input: ClusterInput): boolean {
  if ('eks' in input) {
    const { apply, read } = input.eks;
    return apply.roleArn !== undefined && apply.roleArn === read.roleArn;
  }
  return sha256(JSON.stringify(input.apply)) === sha256(JSON.stringify(input.read));
}

/** Targets that failed because the cluster was not there, or not with this credential, need not wait for their back-off. */
async function wakeWaiting(deps: RegisterDeps, cluster: ClusterName): Promise<void> {
  const states = await deps.state.getTargets(await deps.state.listTargets(cluster));
  const wakeUps: WakeUp[] = [];
  for (const state of states.values()) {
    if (isSettled(state) || isGone(state)) continue;
    const outcome = await deps.state.changeTarget(state.target, { kind: 'request', now: deps.now() });
    if (outcome.kind === 'write') {
      wakeUps.push({ v: 1, kind: 'target', target: state.target, reason: 'registered' });
    }
  }
  await deps.queue.send(wakeUps);
}
