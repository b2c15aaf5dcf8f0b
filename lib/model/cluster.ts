import type { ClusterName } from './ids.ts';

/** A registered destination: where it is, and how each of the two roles (apply, read) proves who it is there. */
export type Cluster = SecretCluster | EksCluster;

interface Destination {
  readonly name: ClusterName;
  readonly labels: Readonly<Record<string, string>>;
  /** https://host:port (http:// only for the in-process sandbox cluster, on loopback). */
  readonly endpoint: string;
  /** PEM. */
  readonly caData?: string;
}

/** Credentials are secret names in the roles `cluster-apply` and `cluster-read`. */
export interface SecretCluster extends Destination {
  readonly schema: 1;
  readonly authentication?: never;
  readonly applySecret: string;
  readonly readSecret: string;
}

/**
 * No stored credential: every token is signed by the function that needs it. Schema 2, so that a function of an older
 * version says that it is too old instead of looking for secrets that are not there.
 */
export interface EksCluster extends Destination {
  readonly schema: 2;
  readonly authentication: EksAuthentication;
  readonly applySecret?: never;
  readonly readSecret?: never;
}

export interface EksAuthentication {
  readonly kind: 'eks';
  /** The name in EKS, which is signed into the token; may differ from the name in Holdfast. */
  readonly clusterName: string;
  readonly region: string;
  readonly apply: EksIdentity;
  readonly read: EksIdentity;
}

/** Who signs: the function's own role, or one that it assumes first (a cluster in another account). */
export interface EksIdentity {
  readonly roleArn?: string;
  /** Demanded by the trust policy of a role in somebody else's account; an identifier, not a secret. */
  readonly externalId?: string;
}

/** The value of a cluster credential's secret, as JSON. */
export type ClusterCredential =
  | { readonly token: string }
  | { readonly clientCertificate: string; readonly clientKey: string };
