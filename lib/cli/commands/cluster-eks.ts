import { parseEndpoint } from '../../cluster/endpoint.ts';
import { parseEksClusterName, parseRegion } from '../../cluster/eks-token.ts';
import type { EksAuthentication, EksIdentity } from '../../model/cluster.ts';
import { HoldfastError } from '../../model/errors.ts';
import { addCluster } from '../../register/add-cluster.ts';
import { type Cli, type GlobalOptions, registerDeps, withInstallation } from '../cli.ts';
import { UsageError } from '../exit-codes.ts';
import { readText } from '../secret-input.ts';
import { printAdded } from './cluster-added.ts';

export interface EksAddOptions extends GlobalOptions {
  readonly eks?: string;
  readonly region?: string;
  readonly roleArn?: string;
  readonly externalId?: string;
  readonly readRoleArn?: string;
  readonly readExternalId?: string;
  readonly endpoint?: string;
  readonly caFile?: string;
  readonly replace?: boolean;
}

/** Without effect on clusters of another kind. */
export const EKS_OPTIONS = [
  'region',
  'roleArn',
  'externalId',
  'readRoleArn',
  'readExternalId',
  'endpoint',
  'caFile',
] as const;
const MAX_CA_BYTES = 1024 * 1024;

/** Registers an EKS cluster: no credential is stored, and nothing is tried from here, because only the functions sign for it. */
export async function addEks(cli: Cli, name: string, options: EksAddOptions): Promise<void> {
  const eks = readEks(options);
  const place = await locateEks(cli, options, eks);
  await withInstallation(cli, options, async (installation) => {
    const added = await addCluster(registerDeps(cli, installation), {
      name,
      endpoint: place.endpoint,
      caData: place.caData,
      eks,
      replace: options.replace ?? false,
    });
    const warnings = [
      ...place.warnings,
      ...(added.sameCredential
        ? [
            'the role that reads is the role that applies, so the drift scan could write: give --read-role-arn',
          ]
        : []),
    ];
    printAdded(cli, options, added, warnings, undefined);
  });
}

/** @throws UsageError, HoldfastError `invalid-input` */
function readEks(options: EksAddOptions): EksAuthentication {
  if (options.region === undefined) throw new UsageError('--eks needs --region');
  return {
    kind: 'eks',
    clusterName: parseEksClusterName(options.eks ?? ''),
    region: parseRegion(options.region),
    apply: readIdentity('', options.roleArn, options.externalId),
    read: readIdentity('read-', options.readRoleArn, options.readExternalId),
  };
}

function readIdentity(
  prefix: '' | 'read-',
  roleArn: string | undefined,
  externalId: string | undefined,
): EksIdentity {
  if (roleArn === undefined) {
    if (externalId !== undefined) throw new UsageError(`--${prefix}external-id needs --${prefix}role-arn`);
    return {};
  }
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/.test(roleArn)) {
    throw new UsageError(`--${prefix}role-arn: expected arn:aws:iam::<account>:role/<name>`);
  }
  if (externalId === undefined) return { roleArn };
  if (!/^[\w+=,.@:/-]{2,1224}$/.test(externalId)) {
    throw new UsageError(`--${prefix}external-id: expected 2 to 1224 letters, digits and _+=,.@:/-`);
  }
  return { roleArn, externalId };
}

async function locateEks(
  cli: Cli,
  options: EksAddOptions,
  eks: EksAuthentication,
): Promise<{ readonly endpoint: string; readonly caData: string; readonly warnings: readonly string[] }> {
  const { endpoint, caFile } = options;
  if (endpoint === undefined && caFile === undefined) {
    return cli.describeEksCluster(eks.clusterName, eks.region);
  }
  if (endpoint === undefined || caFile === undefined) {
    throw new UsageError('--endpoint and --ca-file belong together; without both they are asked of EKS');
  }
  const { origin, prefix } = parseEndpoint(endpoint);
  const caData = await readText('--ca-file', caFile, MAX_CA_BYTES);
  if (!caData.includes('-----BEGIN CERTIFICATE-----')) {
    throw new HoldfastError('invalid-input', `--ca-file: ${caFile} holds no PEM certificate`);
  }
  return { endpoint: `${origin}${prefix}`, caData, warnings: [] };
}
