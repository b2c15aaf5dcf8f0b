import { App, type Stack, Validations } from 'aws-cdk-lib';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { Cluster } from 'aws-cdk-lib/aws-eks';
import { Role } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import { HoldfastStack } from '../lib/cdk/holdfast-stack.ts';
import { durationsOf, readContext } from '../lib/cdk/read-context.ts';

// Deploys one installation from a clone: `npx cdk deploy`, with options as context. docs/aws.md has the whole way.

const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));

const context = readContext(app.node.getAllContext());
const { installation, vpcId, kmsKeyArn, alarmTopicArn, ipAllowList, functionsDirectory } = context;

// Things that exist are imported beside the installation, in a scope that the stack shares.
const stack = new HoldfastStack(app, context.stackName, {
  // Only a look-up needs to know the account; without one the template can be made offline and deployed anywhere.
  ...(vpcId === undefined ? {} : { env: currentEnvironment() }),
  holdfast: (scope: Stack) => ({
    ...durationsOf(context),
    ...(installation === undefined ? {} : { installation }),
    ...(ipAllowList === undefined ? {} : { ipAllowList }),
    ...(functionsDirectory === undefined ? {} : { functionsDirectory }),
    ...(vpcId === undefined ? {} : { vpc: Vpc.fromLookup(scope, 'Vpc', { vpcId }) }),
    ...(kmsKeyArn === undefined ? {} : { kmsKey: Key.fromKeyArn(scope, 'Key', kmsKeyArn) }),
    decryptionKeys: context.decryptionKeyArns.map((arn, index) =>
      Key.fromKeyArn(scope, `DecryptionKey${index}`, arn),
    ),
    decryptionRoles: context.decryptionRoleArns.map((arn, index) =>
      Role.fromRoleArn(scope, `DecryptionRole${index}`, arn),
    ),
    chartRepositories: context.chartRepositoryArns.map((arn, index) =>
      Repository.fromRepositoryArn(scope, `Charts${index}`, arn),
    ),
    ...(alarmTopicArn === undefined
      ? {}
      : { alarmTopic: Topic.fromTopicArn(scope, 'AlarmTopic', alarmTopicArn) }),
  }),
});
for (const clusterName of context.eksClusters) {
  stack.holdfast.addEksCluster(Cluster.fromClusterAttributes(stack, clusterName, { clusterName }));
}

function currentEnvironment(): { readonly account: string; readonly region: string } {
  const { CDK_DEFAULT_ACCOUNT: account, CDK_DEFAULT_REGION: region } = process.env;
  if (account === undefined || region === undefined) {
    throw new Error(
      'holdfast:vpcId is looked up in AWS: log in first, so that the CDK knows account and region',
    );
  }
  return { account, region };
}
