import type { ApplicationId, ClusterName, Dialect, RootId, SourceId } from './ids.ts';
import type { GitRef } from './source.ts';

export type DriftPolicy = 'correct' | 'report';

/**
 * What to deploy: the one shape that every dialect (Holdfast, Flux, Argo CD) is read into.
 * Optional members that only later dialects fill stay absent; the digest of the whole definition is part of every
 * input closure, so a new member is a new closure.
 */
export interface Application {
  readonly id: ApplicationId;
  readonly root: RootId;
  readonly dialect: Dialect;
  readonly namespace: string;
  readonly name: string;
  readonly source: SourceId;
  readonly ref: GitRef;
  /** Relative to the repository's root, `.` for the root itself; never `..`, never absolute. */
  readonly path: string;
  readonly render: RenderOptions;
  readonly destinations: readonly Destination[];
  /** Given to namespaced objects that have none. */
  readonly targetNamespace?: string;
  readonly createNamespace: boolean;
  readonly prune: boolean;
  readonly drift: DriftPolicy;
  readonly suspend: boolean;
}

export interface Destination {
  readonly cluster: ClusterName;
}

/** How to render. `auto`: a kustomization file means kustomize, a Chart.yaml means helm, else plain. */
export interface RenderOptions {
  readonly tool: 'auto' | 'plain' | 'kustomize' | 'helm';
  /** For helm; defaults to the application's name. */
  readonly releaseName?: string;
  /** `${NAME}` in what the tool wrote. Absent: `$` means nothing. */
  readonly substitute?: Substitution;
}

/** Variables in the grammar of Flux (docs/applications.md, "Variables"). */
export interface Substitution {
  /** Names are `[_A-Za-z][_A-Za-z0-9]*`. They stand in Git: nothing here is a secret. */
  readonly variables: Readonly<Record<string, string>>;
  /** `WithVariables` (the default) leaves everything alone where there is no variable at all, `Always` does not. */
  readonly strategy?: 'WithVariables' | 'Always';
}

/** What `holdfast bootstrap` registers: a place in Git where definitions are declared, and the cluster it speaks for. */
export interface Root {
  readonly schema: 1;
  readonly id: RootId;
  readonly installation: string;
  readonly source: SourceId;
  readonly ref: GitRef;
  readonly path: string;
  readonly cluster: ClusterName;
  /** Added to the generation of the root's ref, and raised when the root itself is changed, so that the order only grows. */
  readonly base: number;
}
