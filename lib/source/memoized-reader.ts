import type { CommitReader, TreeEntry } from './git-repository.ts';

const MEMO_BYTES = 16 * 1024 * 1024;

/**
 * Reads every object of a commit once for all applications that are built from it. Trees are kept; of files only
 * 16 MiB, because kustomizations and bases are read again and again and everything else is not.
 */
export function memoizedReader(reader: CommitReader): CommitReader {
  const trees = new Map<string, Promise<readonly TreeEntry[]>>();
  const blobs = new Map<string, Uint8Array>();
  let bytes = 0;
  return {
    commit: reader.commit,
    rootTree: reader.rootTree,
    readTree: (oid) => {
      const known = trees.get(oid);
      if (known !== undefined) return known;
      const tree = reader.readTree(oid);
      trees.set(oid, tree);
      // What failed may succeed the next time.
      tree.catch(() => trees.delete(oid));
      return tree;
    },
    readBlob: async (oid) => {
      const known = blobs.get(oid);
      if (known !== undefined) return known;
      const blob = await reader.readBlob(oid);
      if (!blobs.has(oid) && bytes + blob.length <= MEMO_BYTES) {
        blobs.set(oid, blob);
        bytes += blob.length;
      }
      return blob;
    },
  };
}
