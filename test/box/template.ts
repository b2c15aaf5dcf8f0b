/** A synthesized CloudFormation template, as far as the box reads it. */
export interface Template {
  readonly Resources: Readonly<Record<string, Resource>>;
}

export interface Resource {
  readonly Type: string;
  readonly Properties?: Properties;
}

export type Properties = Readonly<Record<string, unknown>>;

export const ACCOUNT = '000000000000';
/** The emulators' own. */
export const BOX_REGION = 'us-east-1';

/** What a resource is called once it exists. */
export interface Physical {
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface ResolverOptions {
  readonly stackName: string;
  /** Where the reader finds SQS: queue URLs stand below it. */
  readonly endpoint: string;
}

export type Resolve = (value: unknown) => unknown;

export function resourcesOf(
  template: Template,
  type: string,
): readonly (readonly [logicalId: string, properties: Properties])[] {
  return Object.entries(template.Resources)
    .filter(([, resource]) => resource.Type === type)
    .map(([logicalId, { Properties: properties = {} }]) => [logicalId, properties] as const);
}

/**
 * Replaces the references of a template by what they name.
 * @throws Error for a reference or function that it does not know: nothing is left unresolved in silence
 */
export function createResolver(template: Template, options: ResolverOptions): Resolve {
  const pseudo: Readonly<Record<string, string>> = {
    'AWS::AccountId': ACCOUNT,
    'AWS::Partition': 'aws',
    'AWS::Region': BOX_REGION,
    'AWS::StackName': options.stackName,
    'AWS::StackId': `arn:aws:cloudformation:${BOX_REGION}:${ACCOUNT}:stack/${options.stackName}/0b0e5a10-7c3d-11f0-8a6e-0e1d2c3b4a59`,
    'AWS::URLSuffix': 'amazonaws.com',
  };

  const physical = (logicalId: string): Physical => {
    const resource = template.Resources[logicalId];
    if (resource === undefined) throw new Error(`the template has no resource "${logicalId}"`);
    const name = (property: string): string => {
      const given = resource.Properties?.[property];
      return given === undefined ? logicalId : String(resolve(given));
    };
    return physicalOf(logicalId, resource.Type, name, options.endpoint);
  };
  const ref = (name: string): string => pseudo[name] ?? physical(name).ref;
  const attribute = (logicalId: string, name: string): string => {
    const found = physical(logicalId).attributes[name];
    if (found === undefined) throw new Error(`the box knows no attribute ${logicalId}.${name}`);
    return found;
  };
  const substitute = (text: string, own: Properties = {}): string =>
    text.replace(/\$\{(!?)([^}]+)\}/g, (_all, literal: string, name: string) => {
      if (literal === '!') return `\${${name}}`;
      if (own[name] !== undefined) return String(resolve(own[name]));
      const [logicalId = '', ...path] = name.split('.');
      return path.length === 0 ? ref(logicalId) : attribute(logicalId, path.join('.'));
    });

  const apply = (name: string, argument: unknown): unknown => {
    const list = Array.isArray(argument) ? (argument as readonly unknown[]) : [argument];
    switch (name) {
      case 'Ref':
        return ref(String(argument));
      case 'Fn::GetAtt':
        return attribute(String(list[0]), String(list[1]));
      case 'Fn::Join':
        return (resolve(list[1]) as readonly string[]).join(String(list[0]));
      case 'Fn::Sub':
        return substitute(String(list[0]), list[1] as Properties | undefined);
      case 'Fn::Select':
        return (resolve(list[1]) as readonly unknown[])[Number(resolve(list[0]))];
      case 'Fn::Split':
        return String(resolve(list[1])).split(String(list[0]));
      default:
        throw new Error(`the box does not know ${name}`);
    }
  };
  const resolve: Resolve = (value) => {
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value !== 'object' || value === null) return value;
    const [first, ...others] = Object.entries(value);
    const isIntrinsic = first !== undefined && others.length === 0 && /^(Ref$|Fn::)/.test(first[0]);
    if (isIntrinsic) return apply(first[0], first[1]);
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, resolve(each)]));
  };
  return resolve;
}

function physicalOf(
  logicalId: string,
  type: string,
  name: (property: string) => string,
  endpoint: string,
): Physical {
  const arn = (service: string, rest: string): string =>
    `arn:aws:${service}:${BOX_REGION}:${ACCOUNT}:${rest}`;
  switch (type) {
    case 'AWS::DynamoDB::Table': {
      const table = name('TableName');
      return { ref: table, attributes: { Arn: arn('dynamodb', `table/${table}`) } };
    }
    case 'AWS::SQS::Queue': {
      const queue = name('QueueName');
      const url = `${endpoint}/${ACCOUNT}/${queue}`;
      return { ref: url, attributes: { Arn: arn('sqs', queue), QueueName: queue, QueueUrl: url } };
    }
    case 'AWS::S3::Bucket': {
      const bucket = name('BucketName').toLowerCase();
      return { ref: bucket, attributes: { Arn: `arn:aws:s3:::${bucket}` } };
    }
    case 'AWS::Lambda::Function': {
      const lambda = name('FunctionName');
      return { ref: lambda, attributes: { Arn: arn('lambda', `function:${lambda}`) } };
    }
    case 'AWS::SecretsManager::Secret': {
      const secret = arn('secretsmanager', `secret:${name('Name')}${SECRET_SUFFIX}`);
      return { ref: secret, attributes: { Id: secret } };
    }
    case 'AWS::IAM::Role': {
      const role = name('RoleName');
      return { ref: role, attributes: { Arn: `arn:aws:iam::${ACCOUNT}:role/${role}`, RoleId: role } };
    }
    default:
      return {
        ref: logicalId,
        attributes: { Arn: arn(type.split('::')[1]?.toLowerCase() ?? '', logicalId) },
      };
  }
}

/** Secrets Manager appends six characters of its own to a secret's ARN, which a policy has to allow for. */
export const SECRET_SUFFIX = '-AbCdEf';
