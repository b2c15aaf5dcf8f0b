import { CfnOutput, Stack, Token } from 'aws-cdk-lib';
import { Port } from 'aws-cdk-lib/aws-ec2';
import type { IConnectable } from 'aws-cdk-lib/aws-ec2';
import { CfnAccessEntry } from 'aws-cdk-lib/aws-eks';
import { type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct, type IConstruct } from 'constructs';
import type { HoldfastFunction } from './holdfast-function.ts';

/** A cluster of aws-eks or of aws-eks-v2, made here or imported. */
export interface IEksCluster extends IConnectable, IConstruct {
  readonly clusterName: string;
}

export interface EksRole {
  /** Trusts the function's role, and is known to the cluster. */
  readonly role: IRole;
  /** What its trust policy demands; an identifier, not a secret. */
  readonly externalId?: string;
}

export interface AddEksClusterOptions {
  /** The name in Holdfast: lower-case letters, digits and dashes. @default the construct id of the cluster, in lower case */
  readonly name?: string;
  /** @default the region of this stack */
  readonly region?: string;
  /** Assumed by the target stage, as for a cluster in another account. @default the target stage comes as itself */
  readonly applyRole?: EksRole;
  /** Assumed by the drift scan. @default the drift scan comes as itself */
  readonly readRole?: EksRole;
  /** Kubernetes groups of who applies; "holdfast cluster rbac" prints what to bind to them. @default ['holdfast:apply'] */
  readonly applyGroups?: readonly string[];
  /** Kubernetes groups of who scans. @default ['holdfast:read'] */
  readonly readGroups?: readonly string[];
  /**
   * Whether the cluster's access entries are made here. Not for a cluster of another account: make them there, for the
   * roles given. The cluster's authentication mode must be API or API_AND_CONFIG_MAP.
   * @default true
   */
  readonly accessEntries?: boolean;
}

export interface EksAccessProps {
  readonly cluster: IEksCluster;
  readonly options: AddEksClusterOptions;
  readonly targetStage: HoldfastFunction;
  readonly driftScan: HoldfastFunction;
  /** Of the functions in the VPC, which are let in to the cluster's endpoint. */
  readonly connections?: IConnectable | undefined;
}

/** Lets the target stage apply to one EKS cluster and the drift scan read it, and says how to register it. */
export class EksAccess extends Construct {
  /** What to run once, after the deployment, to register the cluster. */
  readonly registration: string;
  readonly registrationOutput: CfnOutput;
  /** Of the target stage and of the drift scan, where they are made here. */
  readonly accessEntries: readonly CfnAccessEntry[];

  constructor(scope: Construct, id: string, props: EksAccessProps) {
    super(scope, id);
    const { cluster, options } = props;
    const { applyRole, readRole } = options;
    if (applyRole !== undefined) props.targetStage.allow(assume(applyRole));
    if (readRole !== undefined) props.driftScan.allow(assume(readRole));
    const apply = applyRole?.role ?? props.targetStage.role;
    const read = readRole?.role ?? props.driftScan.role;
    this.accessEntries =
      options.accessEntries === false
        ? []
        : [
            this.createEntry('ApplyEntry', cluster, apply, options.applyGroups ?? ['holdfast:apply']),
            this.createEntry('ReadEntry', cluster, read, options.readGroups ?? ['holdfast:read']),
          ];
    if (props.connections !== undefined) {
      cluster.connections.allowFrom(
        props.connections,
        Port.tcp(443),
        'Holdfast: target stage and drift scan',
      );
    }
    this.registration = this.describe(cluster, options);
    this.registrationOutput = new CfnOutput(this, 'Registration', {
      description: 'Run it once to register the cluster',
      value: this.registration,
    });
  }

  private createEntry(
    id: string,
    cluster: IEksCluster,
    role: IRole,
    groups: readonly string[],
  ): CfnAccessEntry {
    return new CfnAccessEntry(this, id, {
      clusterName: cluster.clusterName,
      principalArn: role.roleArn,
      // Groups rather than AWS's access policies: what they may do is a role of the cluster, as narrow as it is wanted.
      kubernetesGroups: [...groups],
      type: 'STANDARD',
    });
  }

  private describe(cluster: IEksCluster, options: AddEksClusterOptions): string {
    const name = options.name ?? cluster.node.id.toLowerCase();
    if (!Token.isUnresolved(name) && !/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) {
      throw new Error(
        `addEksCluster: expected a name of lower-case letters, digits and dashes, got ${JSON.stringify(name)}: give options.name`,
      );
    }
    return [
      'holdfast cluster add',
      name,
      `--eks ${cluster.clusterName}`,
      `--region ${options.region ?? Stack.of(this).region}`,
      ...flags('', options.applyRole),
      ...flags('read-', options.readRole),
    ].join(' ');
  }
}

function assume({ role, externalId }: EksRole): PolicyStatement {
  return new PolicyStatement({
    actions: ['sts:AssumeRole'],
    resources: [role.roleArn],
    ...(externalId === undefined ? {} : { conditions: { StringEquals: { 'sts:ExternalId': externalId } } }),
  });
}

function flags(prefix: '' | 'read-', role: EksRole | undefined): readonly string[] {
  if (role === undefined) return [];
  const externalId = role.externalId === undefined ? [] : [`--${prefix}external-id ${role.externalId}`];
  return [`--${prefix}role-arn ${role.role.roleArn}`, ...externalId];
}
