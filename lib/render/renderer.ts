import type { Application } from '../model/application.ts';
import type { Digest } from '../model/ids.ts';
import type { Manifest } from '../model/resource.ts';
import type { FileTree } from '../source/file-tree.ts';
import type { SopsKeys } from './sops/data-key.ts';

export interface RenderInput {
  /** The materialised artefact: all that may be read. */
  readonly files: FileTree;
  readonly application: Application;
  /** Of `files`: equal ones hold the same. Absent: this render is not remembered. */
  readonly artefact?: Digest;
  /**
   * `definitions`: the source stage looks for definitions only. It holds no keys, so nothing is decrypted, what is
   * encrypted is no error, and values from elsewhere are not asked for. @default 'apply'
   */
  readonly purpose?: 'apply' | 'definitions';
  /** gitVersion of the destination, for helm's capabilities; absent: the tool's default. */
  readonly kubeVersion?: string;
  /** `group/version` and `group/version/Kind` that the destination serves. */
  readonly apiVersions?: readonly string[];
  /** What the application's valuesFrom and substitute.from name, by externalKey(). Optional ones may be missing. */
  readonly values?: ExternalContents;
  /** Present when the application has `decryption`. */
  readonly keys?: SopsKeys;
}

export type ExternalContents = ReadonlyMap<string, ExternalContent>;

/** The content of one ConfigMap, Secret (decoded) or secret of Secrets Manager. */
export interface ExternalContent {
  /** The text as a whole; of Secrets Manager only. */
  readonly text?: string;
  /** By key. */
  readonly entries: Readonly<Record<string, string>>;
  /** Whether its texts must be kept out of messages. */
  readonly secret: boolean;
}

export interface Rendered {
  /** In the order of the documents; `List`s flattened; namespaces not defaulted yet. May be empty. */
  readonly manifests: readonly Manifest[];
  /** What a reader of the run should know, and no error. Without secrets. */
  readonly warnings: readonly string[];
}

/** Artefact → manifests. */
export interface Renderer {
  render(input: RenderInput): Promise<Rendered>;
  /** Part of every input closure: a new tool version is a new render. */
  readonly version: string;
}
