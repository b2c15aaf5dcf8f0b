import { App, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { DomainName } from 'aws-cdk-lib/aws-apigatewayv2';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Table } from 'aws-cdk-lib/aws-dynamodb';
import { SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { Cluster } from 'aws-cdk-lib/aws-eks';
import { Role } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { Holdfast } from '../../lib/cdk/holdfast.ts';
import {
  aStack,
  aVpc,
  bundlesDirectory,
  ofType,
  pathOf,
  resourceAt,
  type Synthesized,
  synthesize,
  templateOf,
  textOf,
} from './synthesized.ts';

describe('an installation', () => {
  it('takes its name from the stack and from what no other stack has', () => {
    const stack = new Stack(new App(), 'Anywhere');

    const holdfast = new Holdfast(stack, 'Holdfast', { functionsDirectory: bundlesDirectory() });

    expect(stack.resolve(holdfast.installation)).toMatchObject({
      'Fn::Join': ['', ['Anywhere-', { 'Fn::Select': [4, expect.anything()] }]],
    });
    expect(JSON.stringify(stack.resolve(holdfast.installation))).toContain('"Ref":"AWS::StackId"');
  });

  it.each(['', '*', 'prod/*', 'a?', '-prod', 'prod-', 'x'.repeat(61), 'prod eu'])(
    'rejects the name "%s", which would widen policies or is no name',
    (installation) => {
      expect(() => aStack({ installation })).toThrow('installation: expected 1 to 60 letters');
    },
  );

  it('rejects a directory without the built functions, and says what to run', () => {
    expect(() => aStack({ functionsDirectory: '/nowhere' })).toThrow(
      /the bundle of the webhook function is not at \/nowhere\/webhook\/index\.mjs: run "npm run build"/,
    );
  });

  it('leaves nothing behind where that is wanted', () => {
    const synthesized = synthesize({ removalPolicy: RemovalPolicy.DESTROY });

    const kept = Object.values(synthesized.json.Resources).filter(
      ({ DeletionPolicy }) => DeletionPolicy === 'Retain',
    );

    expect(kept.map(pathOf)).toEqual([]);
    expect(resourceAt(synthesized, 'Storage/Table').Properties['DeletionProtectionEnabled']).toBe(false);
  });

  it('runs on a table and queues of the user’s', () => {
    const synthesized = synthesize((stack) => ({
      table: Table.fromTableArn(stack, 'Table', 'arn:aws:dynamodb:eu-west-1:123456789012:table/mine'),
      sourceQueue: aPairOfQueues(stack, 'sources'),
      targetQueue: aPairOfQueues(stack, 'targets'),
    }));

    expect(ofType(synthesized, 'AWS::DynamoDB::Table')).toEqual([]);
    expect(ofType(synthesized, 'AWS::SQS::Queue').map(pathOf)).toEqual(['MissedSchedules']);
    const { Variables } = resourceAt(synthesized, 'SourceStage/Function').Properties['Environment'] as {
      readonly Variables: Readonly<Record<string, unknown>>;
    };
    expect(Variables['HOLDFAST_TABLE']).toBe('mine');
    expect(textOf(synthesized, Variables['HOLDFAST_SOURCE_QUEUE_URL'])).toContain('123456789012/sources');
  });

  it('tells the source stage alone from where bases and charts may come', () => {
    const synthesized = synthesize({ remoteBases: ['github.com'], chartOrigins: ['http://charts.internal'] });

    const told = ['Webhook', 'SourceStage', 'TargetStage', 'DriftScan'].filter((name) => {
      const { Environment } = resourceAt(synthesized, `${name}/Function`).Properties;
      return /HOLDFAST_REMOTE_BASES":"github.com".*CHART_ORIGINS|CHART_ORIGINS.*REMOTE_BASES/.test(
        JSON.stringify(Environment),
      );
    });
    expect(told).toEqual(['SourceStage']);
  });

  it('rejects bases from something that is neither a host nor an origin', () => {
    expect(() => aStack({ remoteBases: ['github.com/org'] })).toThrow('neither a host such as github.com');
  });
});

describe('the functions in a VPC', () => {
  const synthesized = synthesize((stack) => ({ vpc: aVpc(stack) }));

  it.each(['TargetStage', 'DriftScan'])('%s is in the private subnets', (name) => {
    const config = resourceAt(synthesized, `${name}/Function`).Properties['VpcConfig'] as Record<
      string,
      unknown
    >;

    expect(config['SubnetIds']).toEqual(['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1']);
    expect(textOf(synthesized, [config['SecurityGroupIds']].flat()[0])).toBe('<SecurityGroup>.GroupId');
  });

  it.each(['Webhook', 'SourceStage'])('%s stays outside, where Git is', (name) => {
    expect(resourceAt(synthesized, `${name}/Function`).Properties['VpcConfig']).toBeUndefined();
  });

  it('let nothing in and only TCP 443 out', () => {
    const { SecurityGroupEgress, SecurityGroupIngress } = resourceAt(synthesized, 'SecurityGroup').Properties;

    expect(SecurityGroupIngress).toBeUndefined();
    expect(SecurityGroupEgress).toMatchObject([
      { CidrIp: '0.0.0.0/0', IpProtocol: 'tcp', FromPort: 443, ToPort: 443 },
      { CidrIpv6: '::/0', IpProtocol: 'tcp', FromPort: 443, ToPort: 443 },
    ]);
  });

  it('take a security group of the user’s', () => {
    const given = synthesize((stack) => ({
      vpc: aVpc(stack),
      securityGroup: SecurityGroup.fromSecurityGroupId(stack, 'Mine', 'sg-0123456789abcdef0'),
    }));

    expect(resourceAt(given, 'DriftScan/Function').Properties['VpcConfig']).toMatchObject({
      SecurityGroupIds: ['sg-0123456789abcdef0'],
    });
    expect(ofType(given, 'AWS::EC2::SecurityGroup')).toEqual([]);
  });

  it('rejects subnets without a VPC', () => {
    expect(() => aStack({ vpcSubnets: {} })).toThrow('give vpc too');
  });
});

describe('the concurrency', () => {
  it('follows a lower reservation', () => {
    const synthesized = synthesize({ targetStage: { reservedConcurrency: 4 } });

    expect(resourceAt(synthesized, 'TargetStage/Function').Properties['ReservedConcurrentExecutions']).toBe(
      4,
    );
    expect(resourceAt(synthesized, 'TargetEvents').Properties['ScalingConfig']).toEqual({
      MaximumConcurrency: 4,
    });
  });

  it('is not reserved where the account has none to give', () => {
    const synthesized = synthesize({
      sourceStage: { reservedConcurrency: 'unreserved', maxConcurrency: 50 },
    });

    expect(
      resourceAt(synthesized, 'SourceStage/Function').Properties['ReservedConcurrentExecutions'],
    ).toBeUndefined();
    expect(resourceAt(synthesized, 'SourceEvents').Properties['ScalingConfig']).toEqual({
      MaximumConcurrency: 50,
    });
  });

  it.each([
    { reservedConcurrency: 5, maxConcurrency: 6 },
    { maxConcurrency: 1 },
    { reservedConcurrency: 1 },
    { reservedConcurrency: 'unreserved', maxConcurrency: 1001 },
  ] as const)('rejects %j, with which messages would be throttled into the dead letters', (targetStage) => {
    expect(() => aStack({ targetStage })).toThrow('targetStage.maxConcurrency: expected 2 to');
  });

  it('keeps the visibility timeout at six times a timeout of the user’s', () => {
    const synthesized = synthesize({ targetStage: { timeout: Duration.minutes(15) } });

    expect(resourceAt(synthesized, 'Targets/Queue').Properties['VisibilityTimeout']).toBe(90 * 60);
  });
});

describe('the webhook’s door', () => {
  it('tells the function from where it may be called', () => {
    const synthesized = synthesize({ ipAllowList: ['192.30.252.0/22', '2a0a:a440::/29'] });

    expect(resourceAt(synthesized, 'Webhook/Function').Properties['Environment']).toMatchObject({
      Variables: { HOLDFAST_IP_ALLOW_LIST: '192.30.252.0/22,2a0a:a440::/29' },
    });
  });

  it.each([[[]], [['github.com']], [['10.0.0.0/8,']]])(
    'rejects the list %j before it is deployed',
    (ipAllowList) => {
      expect(() => aStack({ ipAllowList })).toThrow('expected addresses or CIDR ranges');
    },
  );

  it('is a domain of the user’s alone where there is one', () => {
    const synthesized = synthesize((stack) => ({
      domain: {
        domainName: new DomainName(stack, 'Domain', {
          domainName: 'hooks.example.com',
          certificate: Certificate.fromCertificateArn(
            stack,
            'Certificate',
            'arn:aws:acm:eu-west-1:123456789012:certificate/1',
          ),
        }),
      },
    }));

    expect(resourceAt(synthesized, 'Endpoint/Api').Properties['DisableExecuteApiEndpoint']).toBe(true);
    expect(ofType(synthesized, 'AWS::ApiGatewayV2::ApiMapping')).toHaveLength(1);
    expect(textOf(synthesized, synthesized.json.Outputs['WebhookUrl']?.Value)).toBe('https://<Domain>/hooks');
  });
});

describe('the encryption with a key of the user’s', () => {
  it('covers table, queues, artefacts, logs and the hash key', () => {
    const synthesized = synthesize((stack) => ({ kmsKey: new Key(stack, 'Key') }));

    const withoutKey = Object.values(synthesized.json.Resources)
      .filter(({ Type }) =>
        [
          'AWS::DynamoDB::Table',
          'AWS::SQS::Queue',
          'AWS::S3::Bucket',
          'AWS::Logs::LogGroup',
          'AWS::SecretsManager::Secret',
        ].includes(Type),
      )
      .filter(({ Properties }) => !JSON.stringify(Properties).includes('"Fn::GetAtt":["Key'));

    expect(withoutKey.map(pathOf)).toEqual([]);
  });

  it('lets CloudWatch Logs use the key, for the log groups of this account', () => {
    const synthesized = synthesize((stack) => ({ kmsKey: new Key(stack, 'Key') }));

    const { Statement } = resourceAt(synthesized, 'Key').Properties['KeyPolicy'] as {
      readonly Statement: readonly Record<string, unknown>[];
    };
    const [logs] = Statement.filter(({ Sid }) => Sid === 'EncryptLogs');
    expect(
      textOf(synthesized, (logs?.['Principal'] as Record<string, unknown> | undefined)?.['Service']),
    ).toBe('logs.<AWS::Region>.amazonaws.com');
    expect(JSON.stringify(logs?.['Condition'])).toContain('kms:EncryptionContext:aws:logs:arn');
  });
});

describe('an EKS cluster', () => {
  it('lets in the two roles as groups, and says how it is registered', () => {
    const stack = aStack();

    const access = stack.holdfast.addEksCluster(
      Cluster.fromClusterAttributes(stack, 'Prod', { clusterName: 'prod-eu' }),
    );

    const synthesized = templateOf(stack);
    const entries = ofType(synthesized, 'AWS::EKS::AccessEntry').map(({ Properties }) => ({
      ...Properties,
      PrincipalArn: textOf(synthesized, Properties['PrincipalArn']),
    }));
    expect(entries).toEqual([
      {
        ClusterName: 'prod-eu',
        PrincipalArn: '<TargetStage/Role>.Arn',
        KubernetesGroups: ['holdfast:apply'],
        Type: 'STANDARD',
      },
      {
        ClusterName: 'prod-eu',
        PrincipalArn: '<DriftScan/Role>.Arn',
        KubernetesGroups: ['holdfast:read'],
        Type: 'STANDARD',
      },
    ]);
    expect(textOf(synthesized, stack.resolve(access.registration))).toBe(
      'holdfast cluster add prod --eks prod-eu --region <AWS::Region>',
    );
    expect(rightsToAssume(synthesized)).toEqual([]);
  });

  it('of another account is entered by roles there, which are all that may be assumed', () => {
    const stack = aStack();
    const role = (name: string) => Role.fromRoleArn(stack, name, `arn:aws:iam::210987654321:role/${name}`);

    const access = stack.holdfast.addEksCluster(
      Cluster.fromClusterAttributes(stack, 'Theirs', { clusterName: 'theirs' }),
      {
        name: 'partner',
        region: 'us-east-1',
        applyRole: { role: role('apply'), externalId: 'holdfast-1' },
        readRole: { role: role('read') },
        accessEntries: false,
      },
    );

    const synthesized = templateOf(stack);
    expect(ofType(synthesized, 'AWS::EKS::AccessEntry')).toEqual([]);
    expect(rightsToAssume(synthesized)).toEqual([
      {
        role: '<DriftScan/Role>',
        Action: 'sts:AssumeRole',
        Effect: 'Allow',
        Resource: 'arn:aws:iam::210987654321:role/read',
      },
      {
        role: '<TargetStage/Role>',
        Action: 'sts:AssumeRole',
        Condition: { StringEquals: { 'sts:ExternalId': 'holdfast-1' } },
        Effect: 'Allow',
        Resource: 'arn:aws:iam::210987654321:role/apply',
      },
    ]);
    expect(access.registration).toBe(
      'holdfast cluster add partner --eks theirs --region us-east-1 --role-arn arn:aws:iam::210987654321:role/apply --external-id holdfast-1 --read-role-arn arn:aws:iam::210987654321:role/read',
    );
  });

  it('with a private endpoint lets the functions in at TCP 443', () => {
    const stack = aStack((scope) => ({ vpc: aVpc(scope) }));
    const cluster = Cluster.fromClusterAttributes(stack, 'Private', {
      clusterName: 'private',
      securityGroupIds: ['sg-0123456789abcdef1'],
    });

    stack.holdfast.addEksCluster(cluster);

    const synthesized = templateOf(stack);
    const [rule, ...more] = ofType(synthesized, 'AWS::EC2::SecurityGroupIngress');
    expect(more).toEqual([]);
    expect(rule?.Properties).toMatchObject({
      GroupId: 'sg-0123456789abcdef1',
      IpProtocol: 'tcp',
      FromPort: 443,
      ToPort: 443,
    });
    expect(textOf(synthesized, rule?.Properties['SourceSecurityGroupId'])).toBe('<SecurityGroup>.GroupId');
  });

  it('rejects a name that the registry would not take', () => {
    const stack = aStack();
    const cluster = Cluster.fromClusterAttributes(stack, 'Prod', { clusterName: 'prod' });

    expect(() => stack.holdfast.addEksCluster(cluster, { name: 'Prod_EU' })).toThrow(
      'got "Prod_EU": give options.name',
    );
  });
});

describe('what others may be granted', () => {
  it('is to look, without a secret and without a change', () => {
    const stack = aStack();
    const role = new Role(stack, 'Viewer', { assumedBy: stack.holdfast.webhook.role });

    stack.holdfast.grantRead(role);

    const actions = actionsOf(templateOf(stack), '<Viewer>');
    expect(actions).toEqual([
      'dynamodb:BatchGetItem',
      'dynamodb:DescribeTable',
      'dynamodb:GetItem',
      'dynamodb:Query',
      's3:ListBucket',
      'sqs:GetQueueAttributes',
    ]);
  });

  it('is to operate, which writes secrets but never reads the name of another installation', () => {
    const stack = aStack();
    const role = new Role(stack, 'Operator', { assumedBy: stack.holdfast.webhook.role });

    stack.holdfast.grantOperate(role);

    const synthesized = templateOf(stack);
    const text = JSON.stringify(statementsOf(synthesized, '<Operator>'));
    expect(actionsOf(synthesized, '<Operator>')).toEqual(
      expect.arrayContaining([
        'secretsmanager:CreateSecret',
        'secretsmanager:PutSecretValue',
        'sqs:SendMessage',
        'lambda:InvokeFunction',
      ]),
    );
    for (const [name] of text.matchAll(/:secret:[^"]+/g)) expect(name).toContain(':secret:holdfast/prod/');
  });
});

describe('the metrics', () => {
  it('are those of this installation', () => {
    const { holdfast } = aStack();

    const metric = holdfast.metric('LeaseStolen', { period: Duration.hours(1) });

    expect(metric).toMatchObject({
      namespace: 'Holdfast',
      metricName: 'LeaseStolen',
      dimensions: { Installation: 'prod' },
    });
    expect(metric.period.toHours()).toBe(1);
    expect(holdfast.metricTargetsBehind().statistic).toBe('Maximum');
    expect(holdfast.metricDriftedTargets().metricName).toBe('DriftedTargets');
    expect(holdfast.metricReconcileFailed().metricName).toBe('ReconcileFailed');
  });
});

interface PolicyStatementJson {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

function statementsOf(synthesized: Synthesized, role: string): readonly PolicyStatementJson[] {
  return ofType(synthesized, 'AWS::IAM::Policy')
    .filter(({ Properties }) =>
      (Properties['Roles'] as readonly unknown[]).some((ref) => textOf(synthesized, ref) === role),
    )
    .flatMap(
      ({ Properties }) =>
        (Properties['PolicyDocument'] as { readonly Statement: readonly PolicyStatementJson[] }).Statement,
    );
}

function actionsOf(synthesized: Synthesized, role: string): readonly string[] {
  return [...new Set(statementsOf(synthesized, role).flatMap(({ Action }) => Action))].toSorted();
}

function rightsToAssume(synthesized: Synthesized) {
  return ofType(synthesized, 'AWS::IAM::Policy')
    .flatMap(({ Properties }) =>
      (
        Properties['PolicyDocument'] as { readonly Statement: readonly PolicyStatementJson[] }
      ).Statement.filter(({ Action }) => [Action].flat().includes('sts:AssumeRole')).map((statement) => ({
        role: textOf(synthesized, (Properties['Roles'] as readonly unknown[])[0]),
        ...statement,
      })),
    )
    .toSorted((a, b) => a.role.localeCompare(b.role));
}

function aPairOfQueues(stack: Stack, name: string) {
  const arn = (queue: string) => `arn:aws:sqs:eu-west-1:123456789012:${queue}`;
  return {
    queue: Queue.fromQueueArn(stack, name, arn(name)),
    deadLetterQueue: Queue.fromQueueArn(stack, `${name}-dead`, arn(`${name}-dead`)),
  };
}
