import type * as git from 'isomorphic-git';

/**
 * isomorphic-git, loaded at the first repository: the target stage starts from the same bundle and reads none, and
 * whoever waits for its cold start need not wait for this.
 */
export function loadGit(): Promise<typeof git> {
  return import('isomorphic-git');
}
