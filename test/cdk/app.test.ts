import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { durationsOf, readContext } from '../../lib/cdk/read-context.ts';
import { bundlesDirectory } from './synthesized.ts';
import { violationsIn } from './validation-report.ts';

const REPOSITORY = path.join(import.meta.dirname, '../..');

describe('the app of a clone', () => {
  const outdir = mkdtempSync(path.join(tmpdir(), 'holdfast-app-'));
  afterAll(() => rmSync(outdir, { recursive: true, force: true }));

  it('makes the template without an account or a network, as the CDK command line calls it', async () => {
    const context = {
      ...(JSON.parse(readFileSync(path.join(REPOSITORY, 'cdk.json'), 'utf8')) as { readonly context: object })
        .context,
      'aws:cdk:disable-asset-staging': true,
      'holdfast:stackName': 'Prod',
      'holdfast:eksClusters': 'one,two',
      'holdfast:decryptionKeyArns': 'arn:aws:kms:eu-west-1:111122223333:key/0000-1111',
      'holdfast:decryptionRoleArns': 'arn:aws:iam::444455556666:role/sops',
      'holdfast:chartRepositoryArns': 'arn:aws:ecr:eu-west-1:111122223333:repository/charts/web',
      'holdfast:functionsDirectory': bundlesDirectory(),
    };

    await promisify(execFile)(process.execPath, ['bin/app.ts'], {
      cwd: REPOSITORY,
      // No AWS_* and no HOME: nothing to log in with.
      env: { PATH: process.env['PATH'], CDK_OUTDIR: outdir, CDK_CONTEXT_JSON: JSON.stringify(context) },
    });

    // cdk-nag's and CloudFormation's own.
    expect(violationsIn(outdir)).toEqual([]);
    const template = JSON.parse(readFileSync(path.join(outdir, 'Prod.template.json'), 'utf8')) as {
      readonly Outputs: Readonly<Record<string, unknown>>;
      readonly Resources: Readonly<Record<string, { readonly Type: string }>>;
    };
    expect(Object.keys(template.Outputs)).toEqual(
      expect.arrayContaining(['WebhookUrl', 'Installation', 'Table']),
    );
    const types = Object.values(template.Resources).map(({ Type }) => Type);
    expect(types.filter((type) => type === 'AWS::EKS::AccessEntry')).toHaveLength(4);
    expect(types.filter((type) => type === 'AWS::Lambda::Function')).toHaveLength(4);
  }, 120_000);
});

describe('the context of a deployment', () => {
  it('has a default for everything', () => {
    expect(readContext({ 'aws:cdk:anything': true })).toEqual({
      stackName: 'Holdfast',
      eksClusters: [],
      decryptionKeyArns: [],
      decryptionRoleArns: [],
      chartRepositoryArns: [],
      removalPolicy: 'retain',
    });
  });

  it('is text, as it comes from the command line', () => {
    const context = readContext({
      'holdfast:ipAllowList': '192.30.252.0/22, 2a0a:a440::/29',
      'holdfast:eksClusters': 'prod, staging',
      'holdfast:sweepMinutes': '10',
      'holdfast:logRetentionDays': '30',
    });

    expect(context).toMatchObject({
      ipAllowList: ['192.30.252.0/22', '2a0a:a440::/29'],
      eksClusters: ['prod', 'staging'],
    });
    expect(durationsOf(context)).toMatchObject({ logRetention: RetentionDays.ONE_MONTH });
    expect(durationsOf(context).sweepInterval?.toMinutes()).toBe(10);
  });

  it.each([
    [{ 'holdfast:sweepMinute': '5' }, 'sweepMinute'],
    [{ 'holdfast:sweepMinutes': '0' }, 'holdfast:sweepMinutes'],
    [{ 'holdfast:logRetentionDays': '31' }, 'holdfast:logRetentionDays'],
    [{ 'holdfast:removalPolicy': 'keep' }, 'holdfast:removalPolicy'],
    [{ 'holdfast:vpcId': 'my-vpc' }, 'holdfast:vpcId'],
    [{ 'holdfast:stackName': 'no name' }, 'holdfast:stackName'],
  ])('rejects %j and names it', (context, name) => {
    expect(() => readContext(context)).toThrow(name);
  });
});
