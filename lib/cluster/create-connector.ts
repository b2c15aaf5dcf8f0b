import * as z from 'zod/mini';
import type { Cluster, ClusterCredential, EksCluster, SecretCluster } from '../model/cluster.ts';
import { HoldfastError } from '../model/errors.ts';
import type { ClusterName } from '../model/ids.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import { connectKube, type ConnectOptions } from './connect-kube.ts';
import type { EksTokenSource } from './eks-token-source.ts';
import type { ClusterConnector, KubeApi } from './kube-api.ts';

export interface ConnectorDeps {
  /** The registered cluster, read afresh on every connect; undefined when there is none of that name. */
  readonly clusters: (name: ClusterName) => Promise<Cluster | undefined>;
  readonly secrets: Pick<SecretStore, 'get'>;
  /** Signs the tokens of EKS clusters. @default such clusters are refused */
  readonly eksTokens?: EksTokenSource;
  /** Passed on to every connection; tests shorten it. */
  readonly requestTimeoutMs?: number;
  readonly userAgent?: string;
  readonly connect?: (options: ConnectOptions) => KubeApi;
}

interface Open {
  /** What the connection was made from: another registration means another connection. */
  readonly registration: string;
  readonly kube: Promise<KubeApi>;
}

const CREDENTIAL = z.union([
  z.strictObject({ token: z.string().check(z.minLength(1)) }),
  z.strictObject({
    clientCertificate: z.string().check(z.minLength(1)),
    clientKey: z.string().check(z.minLength(1)),
  }),
]);

/**
 * Opens clusters by name and keeps one connection per cluster and role for the life of the process. A registration
 * that changed gets a new connection; a credential that the cluster refuses is read from the secrets afresh, once.
 *
 * @throws HoldfastError `unknown-cluster`, `secret-missing`, `invalid-input` for a secret of another shape
 */
export function createConnector(deps: ConnectorDeps): ClusterConnector & { close(): Promise<void> } {
  const connect = deps.connect ?? connectKube;
  const open = new Map<string, Open>();

  async function connectCluster(name: ClusterName, role: 'apply' | 'read'): Promise<KubeApi> {
    const cluster = await deps.clusters(name);
    if (cluster === undefined) {
      throw new HoldfastError(
        'unknown-cluster',
        `unknown cluster ${JSON.stringify(name)}: register it with "holdfast cluster add", or correct the name`,
      );
    }
    const key = `${role}/${name}`;
    const registration = JSON.stringify([cluster.endpoint, cluster.caData, accessOf(cluster, role)]);
    const found = open.get(key);
    if (found?.registration === registration) {
      return found.kube;
    }
    const kube = connectOptions(deps, cluster, role).then(connect);
    open.set(key, { registration, kube });
    kube.catch(() => {
      if (open.get(key)?.kube === kube) {
        open.delete(key);
      }
    });
    // The old one may still carry requests of a run that began before the registration changed; it idles out.
    return kube;
  }

  return {
    connect: connectCluster,
    async close() {
      const all = [...open.values()];
      open.clear();
      await Promise.allSettled(all.map(async (each) => (await each.kube).close()));
    },
  };
}

/**
 * How to reach a registered cluster in one of its two roles; fetches or signs the credential.
 * @throws HoldfastError `secret-missing`, `invalid-input` for a secret of another shape, `kube-unauthorized`
 */
export async function connectOptions(
  deps: Omit<ConnectorDeps, 'clusters' | 'connect'>,
  cluster: Cluster,
  role: 'apply' | 'read',
): Promise<ConnectOptions> {
  return {
    name: cluster.name,
    endpoint: cluster.endpoint,
    ...(cluster.caData === undefined ? {} : { caData: cluster.caData }),
    ...(cluster.schema === 1
      ? await storedCredential(deps, cluster, role)
      : await signedToken(deps, cluster, role)),
    ...(deps.requestTimeoutMs === undefined ? {} : { requestTimeoutMs: deps.requestTimeoutMs }),
    ...(deps.userAgent === undefined ? {} : { userAgent: deps.userAgent }),
  };
}

type CredentialOptions = Pick<ConnectOptions, 'credential' | 'renewCredential' | 'currentCredential'>;

async function storedCredential(
  { secrets }: Pick<ConnectorDeps, 'secrets'>,
  cluster: SecretCluster,
  role: 'apply' | 'read',
): Promise<CredentialOptions> {
  const secret = accessOf(cluster, role);
  const read = async (fresh: boolean): Promise<ClusterCredential> =>
    parseCredential(await secrets.get(`cluster-${role}`, secret, { fresh }), role, secret);
  return { credential: await read(false), renewCredential: () => read(true) };
}

async function signedToken(
  { eksTokens }: Pick<ConnectorDeps, 'eksTokens'>,
  cluster: EksCluster,
  role: 'apply' | 'read',
): Promise<CredentialOptions> {
  if (eksTokens === undefined) {
    throw new HoldfastError(
      'invalid-input',
      `cluster "${cluster.name}" is an EKS cluster, for which this program signs no tokens: reach it through the installation`,
    );
  }
  const { clusterName, region } = cluster.authentication;
  const access = { cluster: cluster.name, role, clusterName, region, ...cluster.authentication[role] };
  const sign = async (fresh: boolean): Promise<ClusterCredential> => ({
    token: await eksTokens.get(access, { fresh }),
  });
  return {
    credential: await sign(false),
    currentCredential: () => sign(false),
    renewCredential: () => sign(true),
  };
}

/** What of a registration belongs to one role: the name of a secret, or how EKS is signed for. */
function accessOf(cluster: SecretCluster, role: 'apply' | 'read'): string;
function accessOf(cluster: Cluster, role: 'apply' | 'read'): unknown;
function accessOf(cluster: Cluster, role: 'apply' | 'read'): unknown {
  if (cluster.schema === 1) return role === 'apply' ? cluster.applySecret : cluster.readSecret;
  const { clusterName, region } = cluster.authentication;
  return [clusterName, region, cluster.authentication[role]];
}

function parseCredential(value: string, role: 'apply' | 'read', secret: string): ClusterCredential {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    // Neither the text nor the parser's message, which quotes it.
    parsed = undefined;
  }
  const result = CREDENTIAL.safeParse(parsed);
  if (!result.success) {
    throw new HoldfastError(
      'invalid-input',
      `secret "${secret}" in the role cluster-${role} is not a cluster credential: expected JSON {"token"} or ` +
        '{"clientCertificate", "clientKey"}; register it again with "holdfast cluster add"',
    );
  }
  return result.data;
}
