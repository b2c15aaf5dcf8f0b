import { HASH_KEY_NAME } from '../../compose/hash-key.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { Cluster } from '../../model/cluster.ts';
import type { Source } from '../../model/source.ts';
import type { SecretRole, SecretStore } from '../../secrets/secret-store.ts';
import { type Finding, isDenied, ok, problem, reasonOf, skipped } from './finding.ts';

interface Needed {
  readonly role: SecretRole;
  readonly name: string;
  readonly owner: string;
  readonly action: string;
}

/** Whether every secret that something registered names is there. Values are read and dropped. */
export async function checkSecrets(
  secrets: Pick<SecretStore, 'get'>,
  registered: { readonly sources: readonly Source[]; readonly clusters: readonly Cluster[] },
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const needed of neededBy(registered)) findings.push(await checkSecret(secrets, needed));
  return findings;
}

function neededBy({
  sources,
  clusters,
}: {
  readonly sources: readonly Source[];
  readonly clusters: readonly Cluster[];
}): readonly Needed[] {
  const hashKey: Needed = {
    role: 'hash-key',
    name: HASH_KEY_NAME,
    owner: 'the installation',
    action: 'deploy the stack again, which makes one; every Secret then counts as changed once',
  };
  const ofSources = sources.flatMap((source) => {
    const owner = `source ${source.id}`;
    const action = `register it again: holdfast source add ${source.id} --replace`;
    const webhook = source.webhookSecrets.map((name): Needed => ({ role: 'webhook', name, owner, action }));
    return source.gitSecret === undefined
      ? webhook
      : [...webhook, { role: 'git' as const, name: source.gitSecret, owner, action }];
  });
  const ofClusters = clusters.flatMap((cluster): readonly Needed[] => {
    if (cluster.schema !== 1) return [];
    const owner = `cluster ${cluster.name}`;
    const action = `register it again: holdfast cluster add ${cluster.name} --replace`;
    return [
      { role: 'cluster-apply', name: cluster.applySecret, owner, action },
      { role: 'cluster-read', name: cluster.readSecret, owner, action },
    ];
  });
  return [hashKey, ...ofSources, ...ofClusters];
}

async function checkSecret(secrets: Pick<SecretStore, 'get'>, needed: Needed): Promise<Finding> {
  const subject = `${needed.role}/${needed.name}`;
  try {
    await secrets.get(needed.role, needed.name, { fresh: true });
    return ok('secret', subject, `there, for ${needed.owner}`);
  } catch (error) {
    if (isDenied(error)) return skipped('secret', subject, 'the credentials of this shell may not read it');
    const isMissing = error instanceof HoldfastError && error.code === 'secret-missing';
    const why = isMissing ? 'is missing' : `cannot be read (${reasonOf(error)})`;
    return problem('secret', subject, `${why}, and ${needed.owner} needs it`, needed.action);
  }
}
