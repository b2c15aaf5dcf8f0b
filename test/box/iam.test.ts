import { isAllowed, statementsOf } from './iam.ts';
import { readCall } from './read-access.ts';
import { createResolver, type Template } from './template.ts';

const template: Template = {
  Resources: {
    Table: { Type: 'AWS::DynamoDB::Table' },
    Role: { Type: 'AWS::IAM::Role', Properties: {} },
    Policy: {
      Type: 'AWS::IAM::Policy',
      Properties: {
        Roles: [{ Ref: 'Role' }],
        PolicyDocument: {
          Statement: [
            {
              Effect: 'Allow',
              Action: ['dynamodb:GetItem', 'dynamodb:BatchGetItem'],
              Resource: { 'Fn::GetAtt': ['Table', 'Arn'] },
              Condition: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['SOURCE#*'] } },
            },
            {
              Effect: 'Allow',
              Action: 'secretsmanager:GetSecretValue',
              Resource: {
                'Fn::Sub':
                  'arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:p/webhook/*',
              },
            },
            { Effect: 'Allow', Action: 's3:*', Resource: '*' },
            { Effect: 'Deny', Action: 's3:DeleteObject', Resource: 'arn:aws:s3:::bucket/*' },
          ],
        },
      },
    },
  },
};
const resolve = createResolver(template, { stackName: 'Test', endpoint: 'http://127.0.0.1:1' });
const statements = statementsOf(template, resolve, 'Role');

const allows = (method: string, url: string, target?: string, input: unknown = {}): boolean => {
  const call = readCall({ method, url, target, body: Buffer.from(JSON.stringify(input)) });
  return call !== undefined && call.accesses.every((access) => isAllowed(statements, access));
};
const item = (pk: string) => ({ TableName: 'Table', Key: { pk: { S: pk }, sk: { S: 'META' } } });

describe('the policies of a role, as the box weighs them', () => {
  it('allow what a statement names, by action, resource and leading key', () => {
    const batch = (...keys: readonly string[]) => ({
      RequestItems: { Table: { Keys: keys.map((pk) => ({ pk: { S: pk }, sk: { S: 'META' } })) } },
    });
    const decisions = [
      allows('POST', '/', 'DynamoDB_20120810.GetItem', item('SOURCE#a')),
      allows('POST', '/', 'DynamoDB_20120810.BatchGetItem', batch('SOURCE#a', 'SOURCE#b')),
      allows('POST', '/', 'secretsmanager.GetSecretValue', { SecretId: 'p/webhook/shop' }),
      allows('GET', '/bucket/artefacts/x'),
      allows('GET', '/bucket?list-type=2'),
    ];

    expect(decisions).toEqual([true, true, true, true, true]);
  });

  it('refuse every other action, resource and leading key, and what a statement denies', () => {
    const mixed = {
      RequestItems: { Table: { Keys: [{ pk: { S: 'SOURCE#a' } }, { pk: { S: 'TARGET#b' } }] } },
    };
    const decisions = [
      allows('POST', '/', 'DynamoDB_20120810.PutItem', {
        TableName: 'Table',
        Item: { pk: { S: 'SOURCE#a' } },
      }),
      allows('POST', '/', 'DynamoDB_20120810.GetItem', item('TARGET#a')),
      allows('POST', '/', 'DynamoDB_20120810.BatchGetItem', mixed),
      allows('POST', '/', 'DynamoDB_20120810.GetItem', { ...item('SOURCE#a'), TableName: 'Other' }),
      allows('POST', '/', 'secretsmanager.GetSecretValue', { SecretId: 'p/git/shop' }),
      allows('POST', '/', 'secretsmanager.GetSecretValue', { SecretId: 'q/webhook/shop' }),
      allows('DELETE', '/bucket/artefacts/x'),
      allows('POST', '/', 'AmazonSQS.SendMessage', { QueueUrl: 'http://127.0.0.1:1/000000000000/q' }),
      allows('POST', '/'),
    ];

    expect(decisions).toEqual(decisions.map(() => false));
  });

  it.each([
    [{ Effect: 'Allow', NotAction: 's3:*', Resource: '*' }],
    [
      {
        Effect: 'Allow',
        Action: 's3:*',
        Resource: '*',
        Condition: { DateLessThan: { 'aws:CurrentTime': 'x' } },
      },
    ],
  ])('refuses to weigh what it does not know: %j', (statement) => {
    const odd: Template = {
      Resources: {
        Role: {
          Type: 'AWS::IAM::Role',
          Properties: { Policies: [{ PolicyDocument: { Statement: [statement] } }] },
        },
      },
    };

    expect(() => statementsOf(odd, resolve, 'Role')).toThrow('the box does not weigh');
  });

  it('refuses a reference to what the template does not have', () => {
    expect(() => resolve({ Ref: 'Nothing' })).toThrow('no resource "Nothing"');
    expect(() => resolve({ 'Fn::ImportValue': 'x' })).toThrow('Fn::ImportValue');
  });
});
