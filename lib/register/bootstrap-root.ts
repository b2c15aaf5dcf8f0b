import type { Decryption, Root } from '../model/application.ts';
import { HoldfastError } from '../model/errors.ts';
import type { ClusterName, RootId, SourceId } from '../model/ids.ts';
import { refKey, type GitRef } from '../model/source.ts';
import type { RegisterDeps } from './deps.ts';
import { NotRegisteredError, parseName } from './names.ts';

export interface RootInput {
  readonly name: string;
  readonly source: string;
  readonly ref: GitRef;
  /** Relative to the repository's root; `.` for the root itself. */
  readonly path: string;
  readonly cluster: string;
  /** Of what is applied to the root's own cluster. @default none: what SOPS encrypted is refused */
  readonly decryption?: Decryption;
}

export interface BootstrappedRoot {
  readonly root: Root;
  readonly change: 'created' | 'changed' | 'unchanged';
}

/**
 * Registers where in Git definitions are declared, and wakes the source. Safe to repeat.
 *
 * A root that changes gets a base above everything registered through it so far, so that what it declares from now on
 * counts as newer, whatever the generation of its new ref.
 * @throws NotRegisteredError for an unknown source or cluster; HoldfastError `invalid-input`
 */
export async function bootstrapRoot(deps: RegisterDeps, input: RootInput): Promise<BootstrappedRoot> {
  const id = parseName<RootId>('root', input.name);
  const source = parseName<SourceId>('source', input.source);
  const cluster = parseName<ClusterName>('cluster', input.cluster);
  if ((await deps.state.getSource(source)) === undefined) {
    throw new NotRegisteredError(`unknown source "${source}": register it with "holdfast source add"`);
  }
  if ((await deps.state.getCluster(cluster)) === undefined) {
    throw new NotRegisteredError(`unknown cluster "${cluster}": register it with "holdfast cluster add"`);
  }
  const before = await deps.state.getRoot(id);
  const wanted = {
    schema: 1,
    id,
    installation: deps.installation,
    source,
    ref: input.ref,
    path: parseRootPath(input.path),
    cluster,
    ...(input.decryption === undefined ? {} : { decryption: input.decryption }),
  } as const;
  if (before !== undefined && isSame(before, wanted)) {
    await wake(deps, source);
    return { root: before, change: 'unchanged' };
  }
  const registry = await deps.state.getRegistry(id);
  const root: Root = { ...wanted, base: Math.max(registry.generation, before?.base ?? 0) + 1 };
  // Ahead of the root: a source that is linked for nothing costs a look, one that is not linked is never looked at.
  await deps.state.linkRoot(id, [source]);
  await deps.state.putRoot(root);
  await wake(deps, source);
  return { root, change: before === undefined ? 'created' : 'changed' };
}

/**
 * Permits, once, that the applications whose leaving is held back leave.
 * @param digest the delete set of the message, or its first digits (at least 8)
 * @throws NotRegisteredError; HoldfastError `invalid-input` when nothing, or something else, is held back
 */
export async function allowRemoval(deps: RegisterDeps, name: string, digest: string): Promise<Root> {
  const id = parseName<RootId>('root', name);
  const root = await deps.state.getRoot(id);
  if (root === undefined) throw new NotRegisteredError(`no root "${id}": "holdfast status" shows the roots`);
  if (!/^[0-9a-f]{8,64}$/.test(digest)) {
    throw new HoldfastError(
      'invalid-input',
      '--allow-removal: give the digest of the message, at least its first 8 digits',
    );
  }
  const outcome = await deps.state.changeRegistry<string>(id, (registry) => {
    const { held } = registry;
    if (held === undefined) return { result: 'nothing-held' };
    if (!held.deleteSet.startsWith(digest)) return { result: held.deleteSet };
    return { next: { ...registry, allowance: held.deleteSet }, result: 'allowed' };
  });
  if (outcome === 'nothing-held') {
    throw new HoldfastError('invalid-input', `root "${id}" holds no removal back: there is nothing to allow`);
  }
  if (outcome !== 'allowed') {
    throw new HoldfastError(
      'invalid-input',
      `root "${id}" holds back another removal (${outcome.slice(0, 12)}): look at "holdfast status" again, and allow that one if it is meant`,
    );
  }
  await wake(deps, root.source);
  return root;
}

async function wake(deps: RegisterDeps, source: SourceId): Promise<void> {
  await deps.queue.send([{ v: 1, kind: 'source', source, reason: 'registered' }]);
}

function isSame(root: Root, wanted: Omit<Root, 'base'>): boolean {
  return (
    root.source === wanted.source &&
    refKey(root.ref) === refKey(wanted.ref) &&
    root.path === wanted.path &&
    root.cluster === wanted.cluster &&
    root.decryption?.age === wanted.decryption?.age &&
    (root.decryption?.kms ?? false) === (wanted.decryption?.kms ?? false)
  );
}

function parseRootPath(text: string): string {
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  if (text.startsWith('/') || parts.includes('..') || /[\\\p{Cc}]/u.test(text) || text.length > 1024) {
    throw new HoldfastError(
      'invalid-input',
      `--path ${JSON.stringify(text.slice(0, 80))}: give a directory relative to the repository's root, without "..", such as clusters/production`,
    );
  }
  return parts.length === 0 ? '.' : parts.join('/');
}
