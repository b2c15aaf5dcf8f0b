import { posix } from 'node:path';
import { HoldfastError } from '../model/errors.ts';
import { sha256 } from '../model/ids.ts';
import { EXTERNAL_DIRECTORY } from './closure-walk.ts';
import type { ClosureWalk } from './closure-walk.ts';
import type { Place } from './kustomization-place.ts';
import { parseRemoteBase } from './remote-base-url.ts';
import type { RemoteBase } from './remote-base-url.ts';
import { isTakenForRepository, renderRefused, shownEntry } from './repository-path.ts';

/** A directory that was fetched, and how the entry is written that leads there. */
export interface MountedBase {
  readonly path: string;
  readonly entry: string;
}

/** Each is a question to a Git server and a fetch. */
const MAX_REMOTE_BASES = 32;

/**
 * Puts the repository that an entry names into the tree, at the commit that its ref is at now. In an artefact it lies
 * there already.
 * @throws HoldfastError `render-refused` for what is not a repository over HTTP, for hosts that are not allowed, and where
 * nothing may be fetched; `render-failed` for an artefact without it; git-*
 */
export async function mountRemoteBase(
  walk: ClosureWalk,
  at: Place,
  entry: string,
  mounted: Set<string>,
): Promise<MountedBase> {
  const shown = shownEntry(entry);
  const parsed = parseRemoteBase(entry);
  if (!parsed.ok) throw renderRefused(at.file, at.where, `${shown} is remote: ${parsed.why}`);
  const { base } = parsed;
  const mount = `${EXTERNAL_DIRECTORY}/bases/${sha256(`${base.url}\n${base.ref ?? ''}`).slice(0, 16)}`;
  mounted.add(mount);
  if (mounted.size > MAX_REMOTE_BASES) {
    throw renderRefused(at.file, at.where, `more than ${MAX_REMOTE_BASES} remote bases: commit copies`);
  }
  if (walk.isArtefact) await assertInArtefact(walk, at, shown, mount);
  else if (!walk.isMounted(mount)) await open(walk, at, shown, { base, mount });
  const path = posix.join(mount, base.path);
  const found = await walk.look(path);
  if (found?.type !== 'tree') {
    const what = found === undefined ? 'does not exist there' : 'is a file, expected a directory';
    throw renderRefused(at.file, at.where, `${shown} is remote: ${base.path} ${what}`);
  }
  const relative = posix.relative(posix.dirname(at.file), path);
  // kustomize takes whatever looks like an address for one, even if it exists as a directory.
  if (isTakenForRepository(relative) || relative.includes('?')) {
    throw renderRefused(at.file, at.where, `${shown} is remote: its directory has a name like an address`);
  }
  return { path, entry: relative };
}

async function assertInArtefact(walk: ClosureWalk, at: Place, shown: string, mount: string): Promise<void> {
  if ((await walk.look(mount)) !== undefined) return;
  throw new HoldfastError(
    'render-failed',
    `${at.file}: ${at.where}: ${shown} is remote, and was not put into the artefact`,
    { details: { path: at.file } },
  );
}

async function open(
  walk: ClosureWalk,
  at: Place,
  shown: string,
  { base, mount }: { readonly base: RemoteBase; readonly mount: string },
): Promise<void> {
  const openBase = walk.elsewhere?.openBase;
  if (openBase === undefined) {
    throw renderRefused(
      at.file,
      at.where,
      `${shown} is remote: bases of other repositories are not fetched here; commit a copy and refer to that, or allow its host to the installation`,
    );
  }
  try {
    const reader = await openBase(base.url, base.ref);
    walk.mount(mount, `commit:${reader.commit}`, reader);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    throw new HoldfastError(error.code, `${at.file}: ${at.where}: ${shown} is remote: ${error.message}`, {
      retryable: error.retryable,
      details: { ...error.details, path: at.file },
      cause: error,
    });
  }
}
