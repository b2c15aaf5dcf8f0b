import { HoldfastError } from '../model/errors.ts';
import type { CommitSha } from '../model/ids.ts';

export function refused(place: string, what: string): HoldfastError {
  return new HoldfastError('git-refused', `${place} ${what}`, { details: { place } });
}

export function commitMissing(place: string, commit: CommitSha): HoldfastError {
  const message =
    `${place} does not give out commit ${commit}: it is not there (any more), ` +
    'or the server only serves the tips of branches and tags (uploadpack.allowReachableSHA1InWant)';
  return new HoldfastError('git-commit-missing', message, { details: { place, commit } });
}

/** @param what happened, said so that it follows "place, commit …:" */
export function commitFailure(
  code: 'git-corrupt' | 'git-too-large',
  { place, commit }: { readonly place: string; readonly commit: CommitSha },
  what: string,
): HoldfastError {
  return new HoldfastError(code, `${place}, commit ${commit}: ${what}`, { details: { place, commit } });
}

/**
 * Turns what isomorphic-git throws into an error that says where. Our own errors pass: they come through its plug-ins.
 * Its messages quote what the server sent, which could be anything, the request's credential among it: they are dropped.
 */
export function fromGitLibrary(error: unknown, where: string): unknown {
  if (error instanceof HoldfastError || typeof error !== 'object' || error === null) return error;
  const { name, code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== undefined) {
    const message = `${where}: the directory for fetched commits cannot be used (${code ?? syscall}): look after its space and owner`;
    return new HoldfastError('internal', message, { retryable: true, cause: error });
  }
  const message = `${where}: what the server sent cannot be read (${code ?? name})`;
  return new HoldfastError('git-corrupt', message, { details: { place: where } });
}
