import type { CommitReader, TreeEntry } from './git-repository.ts';

type TreeReader = Pick<CommitReader, 'rootTree' | 'readTree' | 'readBlob'>;

export interface MountedReaders {
  add(path: string, label: string, reader: TreeReader): void;
  has(path: string): boolean;
  /** Where to begin looking for a path: the tree of the mount that holds it, and what is left of the path. */
  startOf(path: string): { readonly path: string; readonly root: string; readonly rest: string };
  readTree(oid: string): Promise<readonly TreeEntry[]>;
  readBlob(oid: string): Promise<Uint8Array>;
}

/**
 * One commit with other trees put into it. An object id of a mounted tree carries the mount's label, so that ids of
 * different repositories never meet, and a closure's digest says what was mounted.
 */
export function mountedReaders(base: TreeReader): MountedReaders {
  const mounts = new Map<string, { readonly label: string; readonly reader: TreeReader }>();
  const byLabel = new Map<string, TreeReader>();
  const split = (
    oid: string,
  ): { readonly label: string; readonly reader: TreeReader; readonly oid: string } => {
    const end = oid.indexOf(SEPARATOR);
    const label = end < 0 ? '' : oid.slice(0, end);
    return { label, reader: byLabel.get(label) ?? base, oid: end < 0 ? oid : oid.slice(end + 1) };
  };
  return {
    add(path, label, reader) {
      mounts.set(path, { label, reader });
      byLabel.set(label, reader);
    },
    has: (path) => mounts.has(path),
    startOf(path) {
      for (const [at, { label, reader }] of mounts) {
        if (path !== at && !path.startsWith(`${at}/`)) continue;
        return { path: at, root: `${label}${SEPARATOR}${reader.rootTree}`, rest: path.slice(at.length + 1) };
      }
      return { path: '.', root: base.rootTree, rest: path === '.' ? '' : path };
    },
    async readTree(oid) {
      const { label, reader, oid: inner } = split(oid);
      const entries = await reader.readTree(inner);
      return label === ''
        ? entries
        : entries.map((entry) => ({ ...entry, oid: `${label}${SEPARATOR}${entry.oid}` }));
    },
    readBlob(oid) {
      const { reader, oid: inner } = split(oid);
      return reader.readBlob(inner);
    },
  };
}

/** In no object id and in no label. */
const SEPARATOR = '\u0000';
