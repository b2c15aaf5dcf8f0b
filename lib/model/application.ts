import type { ApplicationId, ClusterName, Dialect, RootId, SourceId } from './ids.ts';
import type { JsonObject } from './resource.ts';
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

/** How to render. `auto`: the tool whose options are given; else a kustomization file means kustomize, a Chart.yaml helm, else plain. */
export interface RenderOptions {
  readonly tool: 'auto' | 'plain' | 'kustomize' | 'helm';
  /** For helm; defaults to the application's name. */
  readonly releaseName?: string;
  readonly plain?: PlainOptions;
  readonly kustomize?: KustomizeOptions;
  readonly helm?: HelmOptions;
  /** Set on every object after the tool, over what it has. */
  readonly commonMetadata?: CommonMetadata;
  /** `${NAME}` in what the tool wrote. Absent: `$` means nothing. */
  readonly substitute?: Substitution;
  /** Absent: what SOPS encrypted is refused. */
  readonly decryption?: Decryption;
  /** `strict`: checked against the destination's OpenAPI document before anything is applied. Absent: not checked. */
  readonly validation?: 'strict';
}

/** Which files of a directory are manifests. Globs are relative to the application's path; exclude wins. */
export interface PlainOptions {
  /** Absent: every .yaml, .yml and .json. */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** @default true */
  readonly recurse?: boolean;
}

/** Written into a copy of the kustomization at the path, or into a generated one where there is none. */
export interface KustomizeOptions {
  /** These three replace what the kustomization says. */
  readonly namePrefix?: string;
  readonly nameSuffix?: string;
  readonly namespace?: string;
  /** Merged by name into the kustomization's; newTag and digest are replaced together. */
  readonly images?: readonly ImageOverride[];
  /** After the kustomization's own. */
  readonly patches?: readonly KustomizePatch[];
  /** Directories, relative to the application's path, after the kustomization's own. */
  readonly components?: readonly string[];
  /** Components whose directory does not exist are left out. @default false */
  readonly ignoreMissingComponents?: boolean;
  /** Merged by name into the kustomization's. */
  readonly replicas?: readonly { readonly name: string; readonly count: number }[];
}

export interface ImageOverride {
  readonly name: string;
  readonly newName?: string;
  readonly newTag?: string;
  readonly digest?: string;
}

/** A strategic merge patch or a JSON patch, in YAML. */
export interface KustomizePatch {
  readonly patch: string;
  readonly target?: PatchTarget;
}

/** As in kustomize: name, namespace and kind are anchored regular expressions. */
export interface PatchTarget {
  readonly group?: string;
  readonly version?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly annotationSelector?: string;
}

export interface CommonMetadata {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Values: the chart's own < valuesFiles < valuesFrom < values < valuesFrom with targetPath < parameters; later ones win. */
export interface HelmOptions {
  /** A chart from elsewhere; absent: the one at the application's path. */
  readonly chart?: RemoteChart;
  /** The release's namespace. @default the application's target namespace, else `default` */
  readonly namespace?: string;
  /** Relative to the application's path; for a remote chart too, where they come from the application's source. */
  readonly valuesFiles?: readonly string[];
  /** @default false */
  readonly ignoreMissingValuesFiles?: boolean;
  readonly valuesFrom?: readonly HelmValuesFrom[];
  readonly values?: JsonObject;
  readonly parameters?: readonly HelmParameter[];
  /** @default those of the destination */
  readonly kubeVersion?: string;
  /** In addition to the destination's. */
  readonly apiVersions?: readonly string[];
  /** @default false */
  readonly skipCrds?: boolean;
  /** @default false */
  readonly skipSchemaValidation?: boolean;
  /** Kustomize over what the chart gives. */
  readonly postRender?: {
    readonly patches?: readonly KustomizePatch[];
    readonly images?: readonly ImageOverride[];
  };
}

export interface RemoteChart {
  /** `https://…` with an index.yaml, or `oci://…` without the chart's name. */
  readonly repository: string;
  readonly name: string;
  /** A version or a range, as helm reads it. @default '*' */
  readonly version?: string;
  /** `sha256:…`: nothing else is taken. */
  readonly digest?: string;
  /** Name of a secret in the role `chart`. */
  readonly credentials?: string;
}

/** `--set`, or `--set-string` with `forceString`. */
export interface HelmParameter {
  readonly name: string;
  readonly value: string;
  readonly forceString?: boolean;
}

/**
 * A value that does not stand in Git: a secret of the role `values` in Secrets Manager, or a ConfigMap or Secret in the
 * destination. A Secrets Manager text that is a JSON object of texts has keys; any other has none.
 */
export interface ExternalValue {
  readonly kind: 'SecretsManager' | 'ConfigMap' | 'Secret';
  readonly name: string;
  /** Of a ConfigMap or Secret. @default the application's target namespace, else `default` */
  readonly namespace?: string;
  /** One that does not exist counts as empty. @default false */
  readonly optional?: boolean;
}

export interface HelmValuesFrom extends ExternalValue {
  /** @default 'values.yaml'; of Secrets Manager: the whole text */
  readonly key?: string;
  /** Where the text goes in the values, as in `--set`: `a.b[0]`. Absent: the text is a YAML mapping of values. */
  readonly targetPath?: string;
}

/** Variables in the grammar of Flux (docs/rendering.md, "Variables"). `variables` win over `from`, later ones of `from` over earlier. */
export interface Substitution {
  /** Names are `[_A-Za-z][_A-Za-z0-9]*`. They stand in Git: nothing here is a secret. */
  readonly variables: Readonly<Record<string, string>>;
  readonly from?: readonly ExternalValue[];
  /** `WithVariables` (the default) leaves everything alone where there is no variable at all, `Always` does not. */
  readonly strategy?: 'WithVariables' | 'Always';
}

/** How what SOPS encrypted is decrypted. */
export interface Decryption {
  /** Name of a secret in the role `decryption` that holds age identities, a line each. */
  readonly age?: string;
  /** AWS KMS with the function's own rights. @default false */
  readonly kms?: boolean;
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
  /** Of what lies below the path and is applied to the root's own cluster. */
  readonly decryption?: Decryption;
  /** Added to the generation of the root's ref, and raised when the root itself is changed, so that the order only grows. */
  readonly base: number;
}
