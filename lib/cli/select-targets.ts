import { isGone, type TargetState } from '../model/target-state.ts';
import type { StateStore } from '../state/state-store.ts';
import { NotFoundError } from './exit-codes.ts';

/** All targets that are not gone, by application and cluster. */
export async function allTargets(
  state: Pick<StateStore, 'listTargets' | 'getTargets'>,
): Promise<readonly TargetState[]> {
  const states = await state.getTargets(await state.listTargets());
  return [...states.values()].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

/**
 * The targets of one application: by its title (`namespace/name`, `root/name`), by its name alone, or by the first
 * digits of a target's id, at least six.
 * @param options.gone also those that were removed and are gone from their cluster
 * @throws NotFoundError that lists what there is, or what the name could mean
 */
export async function selectTargets(
  state: Pick<StateStore, 'listTargets' | 'getTargets'>,
  text: string,
  options: { readonly cluster?: string; readonly gone?: boolean } = {},
): Promise<readonly TargetState[]> {
  const all = await allTargets(state);
  const alive = all.filter((target) => !isGone(target));
  const candidates = options.gone === true ? all : alive;
  let found = candidates.filter(({ title }) => title === text);
  // The name alone, which is enough where only one namespace has it.
  if (found.length === 0) found = candidates.filter(({ title }) => title.endsWith(`/${text}`));
  if (found.length === 0 && /^[0-9a-f]{6,32}$/.test(text)) {
    found = candidates.filter(({ target }) => target.startsWith(text));
  }
  if (found.some((target) => !isGone(target))) found = found.filter((target) => !isGone(target));
  if (found.length === 0) throw unknownApplication(text, alive);
  const chosen =
    options.cluster === undefined ? found : found.filter(({ cluster }) => cluster === options.cluster);
  if (chosen.length === 0) {
    const clusters = found.map(({ cluster }) => cluster).join(', ');
    throw new NotFoundError(`${text} is not on cluster "${options.cluster}": it is on ${clusters}`);
  }
  if (new Set(chosen.map(({ application }) => application)).size > 1) {
    const each = chosen.map(
      ({ target, title, root, cluster }) =>
        `${target.slice(0, 12)} (${title} of root ${root}, cluster ${cluster})`,
    );
    throw new NotFoundError(`"${text}" could mean ${each.join(' or ')}: give one of these ids`);
  }
  return chosen;
}

function unknownApplication(text: string, alive: readonly TargetState[]): NotFoundError {
  const titles = [...new Set(alive.map(({ title }) => title))];
  const shown =
    titles.slice(0, 10).join(', ') + (titles.length > 10 ? `, and ${titles.length - 10} more` : '');
  return new NotFoundError(
    titles.length === 0
      ? `no application "${text}": none is registered yet; declare one in Git below the path of a root (holdfast bootstrap)`
      : `no application "${text}": there are ${shown}`,
  );
}

function sortKey({ title, cluster, target }: TargetState): string {
  return `${title}\0${cluster}\0${target}`;
}
