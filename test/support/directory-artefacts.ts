import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ArtefactStore } from '../../lib/artefact/artefact-store.ts';

/** Artefacts as files, for workers in processes of their own. */
export function directoryArtefacts(directory: string): ArtefactStore {
  const pathOf = (digest: string) => join(directory, digest);
  return {
    has: async (digest) => existsSync(pathOf(digest)),
    async put(digest, bytes) {
      writeFileSync(`${pathOf(digest)}.part`, bytes);
      renameSync(`${pathOf(digest)}.part`, pathOf(digest));
    },
    get: async (digest) => (existsSync(pathOf(digest)) ? readFileSync(pathOf(digest)) : undefined),
  };
}
