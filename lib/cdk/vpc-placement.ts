import { Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';
import type { VpcPlacement } from './holdfast-function.ts';
import type { HoldfastProps } from './holdfast-props.ts';

/** Where target stage and drift scan run; undefined: outside any VPC. */
export function placeInVpc(
  scope: Construct,
  { vpc, vpcSubnets, securityGroup }: HoldfastProps,
): VpcPlacement | undefined {
  if (vpc === undefined) {
    if (vpcSubnets !== undefined || securityGroup !== undefined) {
      throw new Error(
        'vpcSubnets and securityGroup are for functions in a VPC: give vpc too, or leave them out',
      );
    }
    return undefined;
  }
  return { vpc, vpcSubnets, securityGroup: securityGroup ?? createSecurityGroup(scope, vpc) };
}

function createSecurityGroup(scope: Construct, vpc: NonNullable<HoldfastProps['vpc']>): SecurityGroup {
  const group = new SecurityGroup(scope, 'SecurityGroup', {
    vpc,
    description: 'Holdfast: target stage and drift scan',
    allowAllOutbound: false,
  });
  // AWS and EKS; a cluster at another port needs another rule.
  group.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'AWS services and Kubernetes API servers');
  group.addEgressRule(Peer.anyIpv6(), Port.tcp(443), 'AWS services and Kubernetes API servers');
  return group;
}
