import { Aws, Duration, type RemovalPolicy, Size, Validations } from 'aws-cdk-lib';
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { Effect, Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  type Architecture,
  Function as LambdaFunction,
  type ILayerVersion,
  LoggingFormat,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { type FunctionBundleName, functionCode } from './function-code.ts';

export interface VpcPlacement {
  readonly vpc: IVpc;
  readonly vpcSubnets?: SubnetSelection | undefined;
  readonly securityGroup: ISecurityGroup;
}

export interface HoldfastFunctionProps {
  readonly bundle: FunctionBundleName;
  readonly functionsDirectory?: string | undefined;
  readonly description: string;
  readonly architecture: Architecture;
  readonly layers?: readonly ILayerVersion[];
  readonly memorySize: number;
  readonly timeout: Duration;
  readonly ephemeralStorage?: Size;
  /** undefined: taken from what the account has left. */
  readonly reservedConcurrency: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly placement?: VpcPlacement | undefined;
  readonly logRetention: RetentionDays;
  readonly logRemovalPolicy: RemovalPolicy;
  readonly encryptionKey?: IKey | undefined;
  /** Why an event that this function could not be handed needs no queue of its own. */
  readonly noDeadLetters: string;
}

/** What Lambda itself needs to place a function in a VPC; AWS documents no narrower form. */
const NETWORK_ACTIONS = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
];

/** A function with its own role, without managed policies, and its own log group. */
export class HoldfastFunction extends Construct {
  readonly function: LambdaFunction;
  readonly role: Role;
  readonly logGroup: LogGroup;
  /** Denies the code what Lambda needs to place the function in a VPC; undefined outside one. */
  readonly networkDenial: Policy | undefined;

  constructor(scope: Construct, id: string, props: HoldfastFunctionProps) {
    super(scope, id);
    this.logGroup = new LogGroup(this, 'Logs', {
      retention: props.logRetention,
      removalPolicy: props.logRemovalPolicy,
      ...(props.encryptionKey === undefined ? {} : { encryptionKey: props.encryptionKey }),
    });
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: props.description,
    });
    this.role.addToPolicy(
      new PolicyStatement({
        sid: 'OwnLogs',
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [this.logGroup.logGroupArn],
      }),
    );
    this.function = this.createFunction(props);
    this.networkDenial = props.placement === undefined ? undefined : this.keepNetworkFromCode();
    this.acknowledge(props);
  }

  /** Further rights; call before anything depends on the function. */
  allow(...statements: readonly PolicyStatement[]): void {
    for (const statement of statements) this.role.addToPolicy(statement);
  }

  private createFunction(props: HoldfastFunctionProps): LambdaFunction {
    const { placement } = props;
    if (placement !== undefined) {
      this.allow(new PolicyStatement({ sid: 'PlaceInVpc', actions: [...NETWORK_ACTIONS], resources: ['*'] }));
    }
    return new LambdaFunction(this, 'Function', {
      description: props.description,
      code: functionCode(props.bundle, props.functionsDirectory),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: props.architecture,
      layers: [...(props.layers ?? [])],
      memorySize: props.memorySize,
      timeout: props.timeout,
      ephemeralStorageSize: props.ephemeralStorage ?? Size.mebibytes(512),
      environment: { ...props.environment },
      role: this.role,
      logGroup: this.logGroup,
      loggingFormat: LoggingFormat.JSON,
      tracing: Tracing.ACTIVE,
      // An event that comes late or twice is a wake-up that the next schedule makes anyway.
      retryAttempts: 0,
      maxEventAge: Duration.minutes(5),
      ...(props.reservedConcurrency === undefined
        ? {}
        : { reservedConcurrentExecutions: props.reservedConcurrency }),
      ...(placement === undefined
        ? {}
        : {
            vpc: placement.vpc,
            securityGroups: [placement.securityGroup],
            ...(placement.vpcSubnets === undefined ? {} : { vpcSubnets: placement.vpcSubnets }),
          }),
    });
  }

  /** The network rights are Lambda's, not the code's: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html */
  private keepNetworkFromCode(): Policy {
    // A policy of its own: the function waits for the role's default policy, which therefore cannot name the function.
    return new Policy(this, 'NoNetworkForCode', {
      roles: [this.role],
      statements: [
        new PolicyStatement({
          sid: 'NoNetworkForCode',
          effect: Effect.DENY,
          actions: [...NETWORK_ACTIONS],
          resources: ['*'],
          conditions: { ArnEquals: { 'lambda:SourceFunctionArn': this.function.functionArn } },
        }),
      ],
    });
  }

  private acknowledge(props: HoldfastFunctionProps): void {
    Validations.of(this).acknowledge(
      {
        id: 'AwsSolutions-IAM5[Resource::*]',
        reason:
          'X-Ray knows no resources. In a VPC Lambda needs its network actions on any resource too; a policy of its own denies them to the code.',
      },
      {
        id: 'Serverless-StarPermissions',
        reason:
          'Only X-Ray (and EC2 in a VPC), which know no narrower resource; test/cdk/policies.test.ts states every action and resource.',
      },
      { id: 'Serverless-LambdaDLQ', reason: props.noDeadLetters },
      { id: 'Serverless-LambdaAsyncFailureDestination', reason: props.noDeadLetters },
    );
  }
}

/** `arn:<partition>:<service>:<region>:<account>:<rest>` of the stack's own environment. */
export function ownArn(service: string, rest: string): string {
  return `arn:${Aws.PARTITION}:${service}:${Aws.REGION}:${Aws.ACCOUNT_ID}:${rest}`;
}
