import type { CommitReader, TreeEntry } from './git-repository.ts';

type TreeReader = Pick<CommitReader, 'rootTree' | 'readTree' | 'readBlob'>;

/** Files of one artefact by path (relative, `/`-separated, sorted). Regular files only, mode kept for nothing but executability. */
export interface FileTree {
  readonly paths: readonly string[];
  read(path: string): Uint8Array | undefined;
}

/** A tree from files in memory; text is taken as UTF-8. */
export function fileTreeOf(files: Readonly<Record<string, string | Uint8Array>>): FileTree {
  const contents = new Map(
    Object.entries(files).map(([path, content]) => [
      path,
      typeof content === 'string' ? Buffer.from(content, 'utf8') : content,
    ]),
  );
  return { paths: [...contents.keys()].sort(), read: (path) => contents.get(path) };
}

/** A file tree as the walks read commits. Its object ids are paths: they say nothing about content. */
export function fileTreeReader(files: FileTree): TreeReader {
  const directories = new Map<string, Map<string, TreeEntry>>([['', new Map()]]);
  for (const path of files.paths) {
    let directory = '';
    for (const name of path.split('/').slice(0, -1)) {
      const below = directory === '' ? name : `${directory}/${name}`;
      directories.get(directory)?.set(name, { name, type: 'tree', oid: below });
      if (!directories.has(below)) directories.set(below, new Map());
      directory = below;
    }
    const name = path.slice(path.lastIndexOf('/') + 1);
    directories.get(directory)?.set(name, { name, type: 'blob', oid: path });
  }
  return {
    rootTree: '',
    readTree: async (oid) => [...(directories.get(oid)?.values() ?? [])],
    readBlob: async (oid) => {
      const bytes = files.read(oid);
      if (bytes === undefined) throw new Error(`${oid}: no such file`);
      return bytes;
    },
  };
}
