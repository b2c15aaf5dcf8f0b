import { createHash } from 'node:crypto';
import type { CommitSha } from '../../lib/model/ids.ts';
import type { CommitReader, TreeEntry } from '../../lib/source/git-repository.ts';

export type MemoryFile = string | Uint8Array | { readonly type: 'symlink' | 'submodule' };

/** A commit whose object ids depend on content alone, as in Git. Counts what is read. */
export function memoryCommit(
  files: Readonly<Record<string, MemoryFile>>,
): CommitReader & { readonly reads: string[] } {
  const objects = new Map<string, Uint8Array | readonly TreeEntry[]>();
  const reads: string[] = [];
  const store = (kind: string, content: Uint8Array | readonly TreeEntry[]): string => {
    const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content));
    const oid = createHash('sha1').update(`${kind}\0`).update(bytes).digest('hex');
    objects.set(oid, content);
    return oid;
  };
  const treeOf = (prefix: string): string => {
    const names = new Set(
      Object.keys(files)
        .filter((path) => path.startsWith(prefix))
        .map((path) => path.slice(prefix.length).split('/')[0] ?? ''),
    );
    const entries = [...names].sort().map((name): TreeEntry => {
      const file = files[`${prefix}${name}`];
      if (file === undefined) return { name, type: 'tree', oid: treeOf(`${prefix}${name}/`) };
      if (typeof file === 'object' && 'type' in file) return { name, type: file.type, oid: '0'.repeat(40) };
      return { name, type: 'blob', oid: store('blob', typeof file === 'string' ? Buffer.from(file) : file) };
    });
    return store('tree', entries);
  };
  const rootTree = treeOf('');
  const read = (oid: string) => {
    reads.push(oid);
    const object = objects.get(oid);
    if (object === undefined) throw new Error(`no object ${oid}`);
    return object;
  };
  return {
    commit: createHash('sha1').update(rootTree).digest('hex') as CommitSha,
    rootTree,
    reads,
    readTree: async (oid) => read(oid) as readonly TreeEntry[],
    readBlob: async (oid) => read(oid) as Uint8Array,
  };
}
