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
