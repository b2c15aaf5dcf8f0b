import { HoldfastError } from '../model/errors.ts';
import type { ClusterName } from '../model/ids.ts';
import { isGone } from '../model/target-state.ts';
import type { RegisterDeps } from './deps.ts';
import { NotRegisteredError, parseName } from './names.ts';

/**
 * Forgets a cluster and its credentials; what was applied to it stays there.
 * @param options.force also while applications are deployed to it: they fail from then on
 * @throws NotRegisteredError; HoldfastError `invalid-input` naming what is deployed to it
 */
export async function removeCluster(
  deps: RegisterDeps,
  name: string,
  options: { readonly force?: boolean } = {},
): Promise<void> {
  const id = parseName<ClusterName>('cluster', name);
  const cluster = await deps.state.getCluster(id);
  if (cluster === undefined) {
    throw new NotRegisteredError(
      `no cluster "${id}": "holdfast cluster list" shows those that are registered`,
    );
  }
  const states = await deps.state.getTargets(await deps.state.listTargets(id));
  const deployed = [...states.values()].filter((state) => !isGone(state)).map(({ title }) => title);
  if (deployed.length > 0 && options.force !== true) {
    const shown =
      deployed.slice(0, 5).join(', ') + (deployed.length > 5 ? `, and ${deployed.length - 5} more` : '');
    throw new HoldfastError(
      'invalid-input',
      `cluster "${id}" is the destination of ${shown}: take it out of their definitions first, or give --force to leave what is deployed there as it is`,
    );
  }
  await deps.state.deleteCluster(id);
  if (cluster.schema === 1) {
    await deps.secrets.delete('cluster-apply', cluster.applySecret);
    await deps.secrets.delete('cluster-read', cluster.readSecret);
  }
}
