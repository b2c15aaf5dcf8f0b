import {
  applicationId,
  targetId,
  type ApplicationId,
  type ClusterName,
  type Digest,
  type RootId,
  type SourceId,
  type TargetId,
} from './ids.ts';
import type { Application, Root } from './application.ts';
import type { ErrorRecord } from './errors.ts';
import type { BlobPointer } from './inventory.ts';

/** What a root has declared: the truth about which applications exist. One conditional write replaces all of it. */
export interface RegistryState {
  readonly schema: 1;
  readonly root: RootId;
  /** Grows with each write that stores children. */
  readonly seq: number;
  /** The root's own order (`base` + generation of its ref) up to which definitions are registered. Only grows. */
  readonly generation: number;
  /** Closure of the render that the children came from. */
  readonly closure?: Digest;
  /** The children, as JSON of RegisteredApplication[], compressed. */
  readonly children?: BlobPointer;
  readonly childCount: number;
  /** Targets that left: kept until each is gone. */
  readonly leaving: readonly LeavingTarget[];
  /** Of the last attempt to read definitions; what was registered before stays. */
  readonly errors: readonly DefinitionError[];
  /** Why applications that left Git are kept; absent when none is held back. */
  readonly held?: { readonly message: string; readonly deleteSet: Digest };
  /** Permits this delete set once. */
  readonly allowance?: Digest;
}

export interface RegisteredApplication {
  readonly application: Application;
  /** Registry generation at which this definition last changed. */
  readonly definition: number;
}

export interface LeavingTarget {
  readonly target: TargetId;
  readonly application: ApplicationId;
  readonly cluster: ClusterName;
  readonly title: string;
  readonly prune: boolean;
  /** Registry generation at which it left. */
  readonly definition: number;
}

export interface DefinitionError {
  /** file:line in the repository, where known. */
  readonly origin?: string;
  readonly error: ErrorRecord;
}

export function initialRegistry(root: RootId): RegistryState {
  return { schema: 1, root, seq: 0, generation: 0, childCount: 0, leaving: [], errors: [] };
}

/** The root seen as an application: what it declares is registered, everything else in its path goes to its own cluster. */
export function rootApplication(root: Root): Application {
  return {
    id: applicationId({
      installation: root.installation,
      root: root.id,
      dialect: 'root',
      namespace: '',
      name: root.id,
    }),
    root: root.id,
    dialect: 'root',
    namespace: '',
    name: root.id,
    source: root.source,
    ref: root.ref,
    path: root.path,
    render: {
      tool: 'auto',
      ...(root.decryption === undefined ? {} : { decryption: root.decryption }),
    },
    destinations: [{ cluster: root.cluster }],
    createNamespace: false,
    prune: true,
    drift: 'correct',
    suspend: false,
  };
}

export function titleOf(application: Application): string {
  return application.dialect === 'root'
    ? `root/${application.name}`
    : `${application.namespace}/${application.name}`;
}

export function targetsOf(application: Application): readonly LeavingTarget[] {
  return application.destinations.map(({ cluster }) => ({
    target: targetId(application.id, cluster),
    application: application.id,
    cluster,
    title: titleOf(application),
    prune: application.prune,
    definition: 0,
  }));
}

/** Sources named by a set of children. */
export function sourcesOf(children: readonly RegisteredApplication[]): readonly SourceId[] {
  return [...new Set(children.map((child) => child.application.source))].sort();
}
