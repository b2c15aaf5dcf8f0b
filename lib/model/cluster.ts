import type { ClusterName } from './ids.ts';

/** A registered destination. Credentials are secret names in the roles `cluster-apply` and `cluster-read`. */
export interface Cluster {
  readonly schema: 1;
  readonly name: ClusterName;
  readonly labels: Readonly<Record<string, string>>;
  /** https://host:port (http:// only for the in-process sandbox cluster, on loopback). */
  readonly endpoint: string;
  /** PEM. */
  readonly caData?: string;
  readonly applySecret: string;
  readonly readSecret: string;
}

/** The value of a cluster credential's secret, as JSON. */
export type ClusterCredential =
  | { readonly token: string }
  | { readonly clientCertificate: string; readonly clientKey: string };
