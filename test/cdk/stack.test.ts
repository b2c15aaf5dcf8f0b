import { Validations } from 'aws-cdk-lib';
import { Match } from 'aws-cdk-lib/assertions';
import { Cluster } from 'aws-cdk-lib/aws-eks';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import { type CreateTableCommandInput, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ensureTable } from '../../lib/state/table.ts';
import { violationsIn } from './validation-report.ts';
import { anApp, aStack, aVpc, resourceAt, templateOf, textOf } from './synthesized.ts';

const FUNCTIONS = ['Webhook', 'SourceStage', 'TargetStage', 'DriftScan'];

describe('the stack', () => {
  const synthesized = templateOf(aStack());
  const { template } = synthesized;
  const properties = (below: string) => resourceAt(synthesized, below).Properties;

  it('is what was last agreed upon', () => {
    const masked = JSON.stringify(template.toJSON()).replaceAll(/[0-9a-f]{64}/g, '<asset hash>');

    expect(JSON.parse(masked)).toMatchSnapshot();
  });

  it('gives physical names to nothing but the hash key, which functions look for by its name', () => {
    const named = Object.values(synthesized.json.Resources).flatMap(({ Type, Properties }) =>
      [
        'FunctionName',
        'QueueName',
        'TableName',
        'BucketName',
        'RoleName',
        'AlarmName',
        'DashboardName',
        'LogGroupName',
        'GroupName',
      ]
        .filter(
          (property) =>
            Properties[property] !== undefined &&
            Type !== 'AWS::Lambda::Permission' &&
            Type !== 'AWS::Lambda::EventInvokeConfig' &&
            Type !== 'AWS::Lambda::EventSourceMapping',
        )
        .map((property) => `${Type} ${property}`),
    );

    expect(named).toEqual([]);
    expect(properties('Storage/HashKey')['Name']).toBe('holdfast/prod/hash-key/current');
  });

  describe('functions', () => {
    it.each(FUNCTIONS)('%s is sized, traced, bounded, and logs as JSON to its own group', (name) => {
      const fn = properties(`${name}/Function`);

      expect(fn).toMatchObject({
        Runtime: 'nodejs24.x',
        Handler: 'index.handler',
        TracingConfig: { Mode: 'Active' },
        MemorySize: expect.any(Number),
        Timeout: expect.any(Number),
        ReservedConcurrentExecutions: expect.any(Number),
        LoggingConfig: { LogFormat: 'JSON' },
      });
      expect(textOf(synthesized, (fn['LoggingConfig'] as { LogGroup: unknown }).LogGroup)).toBe(
        `<${name}/Logs>`,
      );
      expect(textOf(synthesized, fn['Role'])).toBe(`<${name}/Role>.Arn`);
      expect(properties(`${name}/Logs`)).toMatchObject({ RetentionInDays: 90 });
    });

    it.each([
      ['Webhook', 'arm64', 0],
      ['SourceStage', 'x86_64', 1],
      ['TargetStage', 'x86_64', 1],
      ['DriftScan', 'arm64', 0],
    ])('%s runs on %s with %d layers of tools', (name, architecture, layers) => {
      const fn = properties(`${name}/Function`);

      expect(fn['Architectures']).toEqual([architecture]);
      expect((fn['Layers'] as unknown[] | undefined) ?? []).toHaveLength(layers);
    });

    it('of both stages are one bundle', () => {
      expect(properties('SourceStage/Function')['Code']).toEqual(properties('TargetStage/Function')['Code']);
    });

    it.each([
      ['Webhook', ['INSTALLATION', 'SECRET_PREFIX', 'SOURCE_QUEUE_URL', 'TABLE']],
      [
        'SourceStage',
        [
          'BUCKET',
          'INSTALLATION',
          'SECRET_PREFIX',
          'SOURCE_QUEUE_URL',
          'TABLE',
          'TARGET_QUEUE_URL',
          'TOOLS_DIRECTORY',
        ],
      ],
      [
        'TargetStage',
        [
          'BUCKET',
          'INSTALLATION',
          'SECRET_PREFIX',
          'SOURCE_QUEUE_URL',
          'TABLE',
          'TARGET_QUEUE_URL',
          'TOOLS_DIRECTORY',
        ],
      ],
      ['DriftScan', ['INSTALLATION', 'SECRET_PREFIX', 'TABLE', 'TARGET_QUEUE_URL']],
    ])('%s is told the names of what it may use, and no secret', (name, variables) => {
      const { Variables } = properties(`${name}/Function`)['Environment'] as {
        readonly Variables: Record<string, unknown>;
      };

      expect(Object.keys(Variables).toSorted()).toEqual(variables.map((variable) => `HOLDFAST_${variable}`));
      expect(Variables).toMatchObject({
        HOLDFAST_INSTALLATION: 'prod',
        HOLDFAST_SECRET_PREFIX: 'holdfast/prod',
      });
    });
  });

  describe('queues', () => {
    it.each([
      ['Sources', 'SourceStage'],
      ['Targets', 'TargetStage'],
    ])(
      '%s are encrypted, keep what crashed, and wait six times as long as their function',
      (name, reader) => {
        const queue = properties(`${name}/Queue`);

        expect(queue['SqsManagedSseEnabled']).toBe(true);
        expect(queue['FifoQueue']).toBeUndefined();
        expect(queue['RedrivePolicy']).toMatchObject({ maxReceiveCount: 5 });
        expect(
          textOf(
            synthesized,
            (queue['RedrivePolicy'] as { deadLetterTargetArn: unknown }).deadLetterTargetArn,
          ),
        ).toBe(`<${name}/DeadLetters>.Arn`);
        expect(queue['VisibilityTimeout']).toBeGreaterThanOrEqual(
          6 * Number(properties(`${reader}/Function`)['Timeout']),
        );
        expect(queue['VisibilityTimeout']).toBeLessThanOrEqual(12 * 3600);
      },
    );

    it.each(['Sources/DeadLetters', 'Targets/DeadLetters', 'MissedSchedules'])(
      '%s keep dead letters for two weeks, encrypted',
      (name) => {
        expect(properties(name)).toMatchObject({
          SqsManagedSseEnabled: true,
          MessageRetentionPeriod: 14 * 86_400,
        });
      },
    );

    it.each([
      'Sources/Queue',
      'Sources/DeadLetters',
      'Targets/Queue',
      'Targets/DeadLetters',
      'MissedSchedules',
    ])('%s refuses requests without TLS', (name) => {
      expect(properties(`${name}/Policy`)['PolicyDocument']).toMatchObject({
        Statement: [
          {
            Effect: 'Deny',
            Action: 'sqs:*',
            Principal: { AWS: '*' },
            Condition: { Bool: { 'aws:SecureTransport': 'false' } },
          },
        ],
      });
    });

    it.each([
      ['SourceEvents', 'Sources', 'SourceStage'],
      ['TargetEvents', 'Targets', 'TargetStage'],
    ])(
      '%s hands over one message, takes partial failures, and never more than may run',
      (mapping, queue, reader) => {
        const events = properties(mapping);

        expect(events).toMatchObject({ BatchSize: 1, FunctionResponseTypes: ['ReportBatchItemFailures'] });
        expect(textOf(synthesized, events['EventSourceArn'])).toBe(`<${queue}/Queue>.Arn`);
        expect(textOf(synthesized, events['FunctionName'])).toBe(`<${reader}/Function>`);
        const { MaximumConcurrency } = events['ScalingConfig'] as { readonly MaximumConcurrency: number };
        expect(MaximumConcurrency).toBeLessThanOrEqual(
          Number(properties(`${reader}/Function`)['ReservedConcurrentExecutions']),
        );
      },
    );
  });

  describe('storage', () => {
    it('has the table that the emulators have, protected, restorable, encrypted', async () => {
      const table = properties('Storage/Table');

      const definition = await emulatedTable();
      const sorted = (attributes: unknown) =>
        [...(attributes as readonly { AttributeName: string }[])].toSorted((a, b) =>
          a.AttributeName.localeCompare(b.AttributeName),
        );
      expect(sorted(table['AttributeDefinitions'])).toEqual(sorted(definition.AttributeDefinitions));
      expect(table).toMatchObject({
        BillingMode: definition.BillingMode,
        KeySchema: definition.KeySchema,
        GlobalSecondaryIndexes: definition.GlobalSecondaryIndexes,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        DeletionProtectionEnabled: true,
        SSESpecification: { SSEEnabled: true },
        TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
      });
      expect(resourceAt(synthesized, 'Storage/Table').DeletionPolicy).toBe('Retain');
    });

    it('has a bucket that is private, encrypted, over TLS only, and forgets old artefacts', () => {
      expect(properties('Storage/Artefacts')).toMatchObject({
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
        },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
        LifecycleConfiguration: {
          Rules: expect.arrayContaining([
            expect.objectContaining({ Prefix: 'artefacts/', ExpirationInDays: 90, Status: 'Enabled' }),
          ]),
        },
      });
      expect(resourceAt(synthesized, 'Storage/Artefacts').DeletionPolicy).toBe('Retain');
      expect(JSON.stringify(properties('Storage/Artefacts/Policy'))).toContain(
        '"aws:SecureTransport":"false"',
      );
    });

    it('generates the hash key, which therefore stands nowhere in the template', () => {
      expect(properties('Storage/HashKey')).toMatchObject({ GenerateSecretString: { PasswordLength: 64 } });
      expect(properties('Storage/HashKey')['SecretString']).toBeUndefined();
      expect(resourceAt(synthesized, 'Storage/HashKey').DeletionPolicy).toBe('Retain');
    });
  });

  describe('the endpoint', () => {
    it('has one route, throttled and logged', () => {
      template.resourceCountIs('AWS::ApiGatewayV2::Route', 1);
      template.hasResourceProperties('AWS::ApiGatewayV2::Route', { RouteKey: 'POST /hooks/{sourceId}' });
      template.hasResourceProperties('AWS::ApiGatewayV2::Stage', {
        StageName: '$default',
        DefaultRouteSettings: { ThrottlingRateLimit: 20, ThrottlingBurstLimit: 40 },
        AccessLogSettings: {
          DestinationArn: Match.anyValue(),
          Format: Match.stringLikeRegexp('"status":"\\$context.status"'),
        },
      });
      expect(properties('Endpoint/AccessLog')).toMatchObject({ RetentionInDays: 90 });
    });
  });

  it.each([
    ['Sweep', 'rate(5 minutes)', '{"task":"sweep"}', 'SourceStage'],
    ['Scan', 'rate(15 minutes)', '{"task":"drift-scan"}', 'DriftScan'],
  ])('%s comes at %s', (name, expression, input, called) => {
    const schedule = properties(`${name}/Schedule`);
    const target = schedule['Target'] as Record<string, unknown>;

    expect(schedule['ScheduleExpression']).toBe(expression);
    expect(target['Input']).toBe(input);
    expect(textOf(synthesized, target['Arn'])).toBe(`<${called}/Function>.Arn`);
    expect(textOf(synthesized, target['RoleArn'])).toBe(`<${name}/Role>.Arn`);
    expect(textOf(synthesized, (target['DeadLetterConfig'] as { Arn: unknown }).Arn)).toBe(
      '<MissedSchedules>.Arn',
    );
  });

  it('says by its outputs what the command line has to know', () => {
    const names = Object.keys(synthesized.json.Outputs);

    expect(names).toEqual(
      expect.arrayContaining([
        'Installation',
        'Table',
        'SourceQueueUrl',
        'TargetQueueUrl',
        'Bucket',
        'SecretPrefix',
        'WebhookUrl',
      ]),
    );
    expect(textOf(synthesized, synthesized.json.Outputs['WebhookUrl']?.Value)).toMatch(
      /^https:\/\/<Endpoint\/Api>\.execute-api\..*\/hooks$/,
    );
  });

  it('passes the AwsSolutions and Serverless packs of cdk-nag', () => {
    const app = anApp();
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
    aStack({}, app);

    expect(() => app.synth()).not.toThrow();
    expect(violationsIn(app.outdir)).toEqual([]);
  });

  it('passes them too in a VPC, with a key of the user’s and with an EKS cluster', () => {
    const app = anApp();
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
    const { holdfast } = aStack(
      (stack) => ({
        installation: 'prod',
        vpc: aVpc(stack),
        kmsKey: Key.fromKeyArn(
          stack,
          'Key',
          'arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555',
        ),
        ipAllowList: ['192.30.252.0/22'],
      }),
      app,
    );
    holdfast.addEksCluster(Cluster.fromClusterAttributes(holdfast, 'Prod', { clusterName: 'prod' }));

    expect(() => app.synth()).not.toThrow();
  });

  it('refuses an open bucket, by the same packs', () => {
    const app = anApp();
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
    const bucket = new Bucket(aStack({}, app), 'Open');

    expect(() => app.synth()).toThrow(/validation/i);
    expect(violationsIn(app.outdir)).toEqual(
      expect.arrayContaining([`AwsSolutions-S10 at ${bucket.node.path}/Resource`]),
    );
  });
});

/** What `ensureTable` asks of an emulator. */
async function emulatedTable(): Promise<CreateTableCommandInput> {
  const asked: CreateTableCommandInput[] = [];
  const client = {
    async send(command: { readonly input: CreateTableCommandInput }) {
      if (command.input.KeySchema !== undefined) asked.push(command.input);
      return { Table: { TableStatus: 'ACTIVE' } };
    },
  };
  await ensureTable(client as unknown as DynamoDBClient, 'any');
  if (asked[0] === undefined) throw new Error('no table was asked for');
  return asked[0];
}
