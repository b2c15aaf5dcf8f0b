import type { Application } from '../model/application.ts';
import type { Manifest } from '../model/resource.ts';
import type { FileTree } from '../source/file-tree.ts';

export interface RenderInput {
  /** The materialised artefact: all that may be read. */
  readonly files: FileTree;
  readonly application: Application;
  /** gitVersion of the destination, for helm's capabilities; absent: the tool's default. */
  readonly kubeVersion?: string;
  readonly apiVersions?: readonly string[];
}

/** Artefact → manifests. */
export interface Renderer {
  /** In the order of the documents; `List`s flattened; namespaces not defaulted yet. May be empty. */
  render(input: RenderInput): Promise<readonly Manifest[]>;
  /** Part of every input closure: a new tool version is a new render. */
  readonly version: string;
}
