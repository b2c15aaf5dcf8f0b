import { parseEksClusterName, parseRegion } from '../cluster/eks-token.ts';
import { HoldfastError } from '../model/errors.ts';

export interface DescribedCluster {
  readonly endpoint: string;
  /** PEM. */
  readonly caData: string;
  /** What will not work yet, and what to do. */
  readonly warnings: readonly string[];
}

export type DescribeEksCluster = (clusterName: string, region: string) => Promise<DescribedCluster>;

/**
 * Endpoint and CA of an EKS cluster, by eks:DescribeCluster with the credentials of this shell.
 * @throws HoldfastError `invalid-input` that says what to give instead
 */
export const describeEksCluster: DescribeEksCluster = async (clusterName, region) => {
  const name = parseEksClusterName(clusterName);
  const { EKSClient, DescribeClusterCommand } = await import('@aws-sdk/client-eks');
  const client = new EKSClient({ region: parseRegion(region) });
  try {
    const { cluster } = await client.send(new DescribeClusterCommand({ name }));
    return readDescription(name, region, cluster ?? {});
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const why = cause instanceof Error ? cause.name : 'unknown error';
    throw new HoldfastError(
      'invalid-input',
      `EKS cluster ${name} in ${region} could not be described (${why}): check --eks, --region and the AWS credentials of this shell (they need eks:DescribeCluster), or give --endpoint and --ca-file`,
      { cause },
    );
  } finally {
    client.destroy();
  }
};

interface Description {
  readonly status?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly certificateAuthority?: { readonly data?: string | undefined } | undefined;
  readonly accessConfig?: { readonly authenticationMode?: string | undefined } | undefined;
}

/** @throws HoldfastError `invalid-input` for a cluster that has no endpoint yet */
export function readDescription(name: string, region: string, described: Description): DescribedCluster {
  const { endpoint, certificateAuthority, accessConfig, status } = described;
  const caData = Buffer.from(certificateAuthority?.data ?? '', 'base64').toString('utf8');
  if (endpoint === undefined || !caData.includes('-----BEGIN ')) {
    throw new HoldfastError(
      'invalid-input',
      `EKS cluster ${name} in ${region} has no endpoint or CA yet (it is ${status ?? 'of unknown status'}): wait until it is ACTIVE`,
    );
  }
  const mode = accessConfig?.authenticationMode;
  return {
    endpoint,
    caData,
    warnings:
      mode === 'CONFIG_MAP'
        ? [
            `EKS cluster ${name} takes no access entries (authentication mode CONFIG_MAP): change it to API_AND_CONFIG_MAP, or map the functions' roles in aws-auth`,
          ]
        : [],
  };
}
