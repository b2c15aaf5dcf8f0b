import { type IVpc, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { Role } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import {
  type Synthesized,
  pathOf,
  synthesize,
  templateOf,
  textOf,
  aStack,
  resourceAt,
} from './synthesized.ts';

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

/** Everything that a role may do: one line for each action on each resource, with its condition. */
function rightsOf(synthesized: Synthesized, role: string): readonly string[] {
  const lines = Object.values(synthesized.json.Resources)
    .filter(({ Type }) => Type === 'AWS::IAM::Policy')
    .filter(({ Properties }) =>
      (Properties['Roles'] as readonly unknown[]).some((ref) => textOf(synthesized, ref) === `<${role}>`),
    )
    .flatMap(
      ({ Properties }) =>
        (Properties['PolicyDocument'] as { readonly Statement: readonly Statement[] }).Statement,
    )
    .flatMap((statement) => linesOf(synthesized, statement));
  return lines.toSorted();
}

function linesOf(
  synthesized: Synthesized,
  { Effect, Action, Resource, Condition }: Statement,
): readonly string[] {
  const resources = Array.isArray(Resource) ? (Resource as readonly unknown[]) : [Resource];
  const condition = Condition === undefined ? '' : ` if ${conditionText(synthesized, Condition)}`;
  const denied = Effect === 'Allow' ? '' : `${Effect} `;
  return [Action]
    .flat()
    .flatMap((action) =>
      resources.map((resource) => `${denied}${action} on ${textOf(synthesized, resource)}${condition}`),
    );
}

function conditionText(synthesized: Synthesized, condition: unknown): string {
  return Object.entries(condition as Record<string, Record<string, unknown>>)
    .flatMap(([operator, operands]) =>
      Object.entries(operands).map(
        ([key, value]) =>
          `${operator} ${key} ${[value]
            .flat()
            .map((one) => textOf(synthesized, one))
            .join(',')}`,
      ),
    )
    .join(' and ');
}

const TRACING = ['xray:PutTelemetryRecords on *', 'xray:PutTraceSegments on *'];
const ownLogs = (name: string) => [
  `logs:CreateLogStream on <${name}/Logs>.Arn`,
  `logs:PutLogEvents on <${name}/Logs>.Arn`,
];
const TABLE = '<Storage/Table>.Arn';
const on = (resource: string, actions: readonly string[], condition = '') =>
  actions.map((action) => `${action} on ${resource}${condition}`);
const READ = ['dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:Query'];
const CHANGE = [...READ, 'dynamodb:BatchWriteItem', 'dynamodb:PutItem'];
const CONSUME = ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'];
const NETWORK = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
];
const secrets = (role: string, action = 'GetSecretValue') =>
  `secretsmanager:${action} on arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:holdfast/prod/${role}/*`;
const HASH_KEY = 'secretsmanager:GetSecretValue on <Storage/HashKey>';
const ARTEFACTS = '<Storage/Artefacts>.Arn/artefacts/*';

const RIGHTS: Readonly<Record<string, readonly string[]>> = {
  Webhook: [
    ...ownLogs('Webhook'),
    ...TRACING,
    ...on(TABLE, READ, ' if ForAllValues:StringLike dynamodb:LeadingKeys SOURCE#*,ROOT#*'),
    'sqs:SendMessage on <Sources/Queue>.Arn',
    secrets('webhook'),
  ],
  SourceStage: [
    ...ownLogs('SourceStage'),
    ...TRACING,
    ...on(TABLE, CHANGE),
    `dynamodb:Query on ${TABLE}/index/list`,
    `dynamodb:Query on ${TABLE}/index/due`,
    ...on('<Sources/Queue>.Arn', ['sqs:SendMessage', ...CONSUME]),
    'sqs:SendMessage on <Targets/Queue>.Arn',
    ...on(ARTEFACTS, ['s3:GetObject', 's3:PutObject']),
    's3:ListBucket on <Storage/Artefacts>.Arn',
    secrets('git'),
    secrets('chart'),
  ],
  TargetStage: [
    ...ownLogs('TargetStage'),
    ...TRACING,
    ...on(TABLE, CHANGE),
    `dynamodb:Query on ${TABLE}/index/list`,
    ...on('<Targets/Queue>.Arn', ['sqs:SendMessage', ...CONSUME]),
    'sqs:SendMessage on <Sources/Queue>.Arn',
    `s3:GetObject on ${ARTEFACTS}`,
    's3:ListBucket on <Storage/Artefacts>.Arn',
    secrets('cluster-apply'),
    secrets('decryption'),
    secrets('values'),
    HASH_KEY,
  ],
  DriftScan: [
    ...ownLogs('DriftScan'),
    ...TRACING,
    ...on(TABLE, CHANGE, ' if ForAllValues:StringLike dynamodb:LeadingKeys CLUSTER#*,TARGET#*,DRIFT#*'),
    `dynamodb:Query on ${TABLE}/index/list`,
    'sqs:SendMessage on <Targets/Queue>.Arn',
    secrets('cluster-read'),
    secrets('decryption', 'DescribeSecret'),
    secrets('values', 'DescribeSecret'),
    HASH_KEY,
  ],
  Sweep: ['lambda:InvokeFunction on <SourceStage/Function>.Arn', 'sqs:SendMessage on <MissedSchedules>.Arn'],
  Scan: ['lambda:InvokeFunction on <DriftScan/Function>.Arn', 'sqs:SendMessage on <MissedSchedules>.Arn'],
};

describe('the rights', () => {
  const plain = synthesize();

  it.each(Object.keys(RIGHTS))('of %s are these and no others', (name) => {
    expect(rightsOf(plain, `${name}/Role`)).toEqual([...(RIGHTS[name] ?? [])].toSorted());
  });

  it('belong to these roles alone, none of which has a managed or an inline policy', () => {
    const roles = Object.values(plain.json.Resources).filter(({ Type }) => Type === 'AWS::IAM::Role');

    expect(roles.map(pathOf).toSorted()).toEqual(
      Object.keys(RIGHTS)
        .map((name) => `${name}/Role`)
        .toSorted(),
    );
    for (const { Properties } of roles) {
      expect(Properties['ManagedPolicyArns']).toBeUndefined();
      expect(Properties['Policies']).toBeUndefined();
    }
  });

  it.each(['Webhook', 'SourceStage', 'TargetStage', 'DriftScan'])('of %s are Lambda’s to take', (name) => {
    const { Properties } = resourceAt(plain, `${name}/Role`);

    expect(Properties['AssumeRolePolicyDocument']).toEqual({
      Version: '2012-10-17',
      Statement: [
        { Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } },
      ],
    });
  });

  it.each(['Sweep', 'Scan'])('of %s are the Scheduler’s to take, and of this account only', (name) => {
    const { Properties } = resourceAt(plain, `${name}/Role`);

    expect(Properties['AssumeRolePolicyDocument']).toMatchObject({
      Statement: [
        {
          Action: 'sts:AssumeRole',
          Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
          Principal: { Service: 'scheduler.amazonaws.com' },
        },
      ],
    });
  });

  it('of API Gateway are to call the webhook function by its one route', () => {
    const permissions = Object.values(plain.json.Resources).filter(
      ({ Type }) => Type === 'AWS::Lambda::Permission',
    );

    expect(permissions).toHaveLength(1);
    expect(permissions[0]?.Properties).toMatchObject({
      Action: 'lambda:InvokeFunction',
      Principal: 'apigateway.amazonaws.com',
    });
    expect(textOf(plain, permissions[0]?.Properties['FunctionName'])).toBe('<Webhook/Function>.Arn');
    expect(textOf(plain, permissions[0]?.Properties['SourceArn'])).toMatch(
      /:<Endpoint\/Api>\/\*\/\*\/hooks\/\{sourceId\}$/,
    );
  });

  it('in a VPC grow by what Lambda needs to place the function, which is denied to the code', () => {
    const inVpc = synthesize((stack) => ({ vpc: new Vpc(stack, 'Vpc') as IVpc }));

    for (const name of ['TargetStage', 'DriftScan']) {
      expect(rightsOf(inVpc, `${name}/Role`)).toEqual(
        [
          ...(RIGHTS[name] ?? []),
          ...on('*', NETWORK),
          ...NETWORK.map(
            (action) => `Deny ${action} on * if ArnEquals lambda:SourceFunctionArn <${name}/Function>.Arn`,
          ),
        ].toSorted(),
      );
    }
    for (const name of ['Webhook', 'SourceStage']) {
      expect(rightsOf(inVpc, `${name}/Role`)).toEqual([...(RIGHTS[name] ?? [])].toSorted());
    }
  });

  it('with a key of the user’s grow by its use through the services that each function calls', () => {
    const withKey = synthesize((stack) => ({ kmsKey: new Key(stack, 'Key') }));
    const use = (...services: readonly string[]) =>
      on(
        '<Key>.Arn',
        ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey'],
        ` if StringEquals kms:ViaService ${services.map((service) => `${service}.<AWS::Region>.amazonaws.com`).join(',')}`,
      );

    const added = (name: string) =>
      rightsOf(withKey, `${name}/Role`).filter((line) => !(RIGHTS[name] ?? []).includes(line));

    expect(added('Webhook')).toEqual(use('dynamodb', 'sqs', 'secretsmanager'));
    expect(added('SourceStage')).toEqual(use('dynamodb', 'sqs', 's3', 'secretsmanager'));
    expect(added('TargetStage')).toEqual(use('dynamodb', 'sqs', 's3', 'secretsmanager'));
    expect(added('DriftScan')).toEqual(use('dynamodb', 'sqs', 'secretsmanager'));
    expect(added('Sweep')).toEqual(use('sqs'));
    expect(added('Scan')).toEqual(use('sqs'));
  });

  it('grow by keys and roles for decryption, and by repositories of charts, each where it is used', () => {
    const given = synthesize((stack) => ({
      decryptionKeys: [new Key(stack, 'SopsKey')],
      decryptionRoles: [Role.fromRoleArn(stack, 'SopsRole', 'arn:aws:iam::444455556666:role/sops')],
      chartRepositories: [new Repository(stack, 'Charts')],
    }));

    const added = (name: string) =>
      rightsOf(given, `${name}/Role`).filter((line) => !(RIGHTS[name] ?? []).includes(line));

    expect(added('TargetStage')).toEqual([
      'kms:Decrypt on <SopsKey>.Arn',
      'sts:AssumeRole on arn:aws:iam::444455556666:role/sops',
    ]);
    expect(added('SourceStage')).toEqual([
      'ecr:BatchGetImage on <Charts>.Arn',
      'ecr:GetAuthorizationToken on *',
      'ecr:GetDownloadUrlForLayer on <Charts>.Arn',
      'ecr:ListImages on <Charts>.Arn',
    ]);
    expect(added('Webhook')).toEqual([]);
    expect(added('DriftScan')).toEqual([]);
  });

  it('reach no other installation, whatever it is called', () => {
    const stack = aStack({ installation: 'prod-eu' });

    const lines = Object.keys(RIGHTS).flatMap((name) => rightsOf(templateOf(stack), `${name}/Role`));

    const secretNames = lines.filter((line) => line.includes(':secret:'));
    expect(secretNames).toHaveLength(9);
    for (const line of secretNames) expect(line).toMatch(/:secret:holdfast\/prod-eu\/[a-z-]+\/\*$/);
  });
});
