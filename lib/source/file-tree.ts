/** Files of one artefact by path (relative, `/`-separated, sorted). Regular files only, mode kept for nothing but executability. */
export interface FileTree {
  readonly paths: readonly string[];
  read(path: string): Uint8Array | undefined;
}
