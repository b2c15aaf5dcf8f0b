import type { Application } from '../model/application.ts';
import type { ApplicationId, Dialect, RootId } from '../model/ids.ts';
import type { Manifest } from '../model/resource.ts';

/** Where definitions were found: part of every application's id. */
export interface DefinitionContext {
  readonly installation: string;
  readonly root: RootId;
}

/** One thing wrong in a definition. The message begins with the path and says what was expected, got, and to be done. */
export interface DefinitionError {
  /** `spec.clusters[0]` */
  readonly path: string;
  readonly message: string;
}

export type ReadDefinition =
  | { readonly ok: true; readonly application: Application }
  | {
      readonly ok: false;
      readonly errors: readonly DefinitionError[];
      /** The application that is meant, where that much can be read. */
      readonly id?: ApplicationId;
    };

/** A way of declaring applications. A further one is a folder and a row in read-definitions.ts. */
export interface DefinitionDialect {
  readonly dialect: Dialect;
  isDefinition(apiVersion: string, kind: string): boolean;
  read(manifest: Manifest, context: DefinitionContext): ReadDefinition;
}
