import { ACCOUNT, BOX_REGION, SECRET_SUFFIX } from './template.ts';
import type { Access } from './iam.ts';

export type AwsService = 'dynamodb' | 'sqs' | 's3' | 'secretsManager';

/** A request to an AWS service: which one, and what IAM would have to allow. */
export interface AwsCall {
  readonly service: AwsService;
  readonly accesses: readonly Access[];
}

export interface AwsRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly url: string;
  readonly target: string | undefined;
  readonly body: Uint8Array;
}

/** undefined: a request to a service that the box does not have. */
export function readCall(request: AwsRequest): AwsCall | undefined {
  const [api, operation = ''] = request.target?.split('.') ?? [];
  switch (api) {
    case 'DynamoDB_20120810':
      return { service: 'dynamodb', accesses: dynamodb(operation, inputOf(request)) };
    case 'AmazonSQS':
      return { service: 'sqs', accesses: sqs(operation, inputOf(request)) };
    case 'secretsmanager':
      return { service: 'secretsManager', accesses: secrets(operation, inputOf(request)) };
    case undefined:
      return isForm(request) ? undefined : { service: 's3', accesses: s3(request) };
    default:
      return undefined;
  }
}

type Input = Readonly<Record<string, unknown>>;

function inputOf({ body }: AwsRequest): Input {
  return JSON.parse(Buffer.from(body).toString('utf8')) as Input;
}

type Attributes = Readonly<Record<string, { readonly S?: string }>>;

function dynamodb(operation: string, input: Input): readonly Access[] {
  const byTable = (input['RequestItems'] ?? { [String(input['TableName'])]: input }) as Readonly<
    Record<string, unknown>
  >;
  const index = input['IndexName'] === undefined ? '' : `/index/${String(input['IndexName'])}`;
  return Object.entries(byTable).map(([table, requests]) => ({
    action: `dynamodb:${operation}`,
    resource: `arn:aws:dynamodb:${BOX_REGION}:${ACCOUNT}:table/${table}${index}`,
    context: { 'dynamodb:LeadingKeys': leadingKeys(requests) },
  }));
}

/** Partition keys, wherever they stand in a request: `pk` of keys and items, `:pk` or the index's key of queries. */
function leadingKeys(request: unknown): readonly string[] {
  if (Array.isArray(request)) return request.flatMap(leadingKeys);
  const { Keys, Key, Item, PutRequest, DeleteRequest, ExpressionAttributeValues: values } = request as Input;
  const direct = [Key, Item].flatMap((each) => (each as Attributes | undefined)?.['pk']?.S ?? []);
  const queried =
    (values as Attributes | undefined)?.[':pk']?.S ?? (values as Attributes | undefined)?.[':key']?.S;
  const nested = [Keys, PutRequest, DeleteRequest].filter((each) => each !== undefined).flatMap(leadingKeys);
  // The entries of `Keys` are keys themselves.
  const own = (request as Attributes)['pk']?.S;
  return [...direct, ...nested, ...[queried, own].filter((each) => each !== undefined)];
}

/** Batches are allowed by the name of the single request. */
function sqs(operation: string, input: Input): readonly Access[] {
  const queue = String(input['QueueUrl']).split('/').at(-1) ?? '';
  return [
    {
      action: `sqs:${operation.replace(/Batch$/, '')}`,
      resource: `arn:aws:sqs:${BOX_REGION}:${ACCOUNT}:${queue}`,
    },
  ];
}

function secrets(operation: string, input: Input): readonly Access[] {
  const id = String(input['SecretId'] ?? '*');
  const resource = id.startsWith('arn:')
    ? id
    : `arn:aws:secretsmanager:${BOX_REGION}:${ACCOUNT}:secret:${id}${SECRET_SUFFIX}`;
  return [{ action: `secretsmanager:${operation}`, resource }];
}

const OBJECT_ACTIONS: Readonly<Record<string, string>> = {
  GET: 's3:GetObject',
  HEAD: 's3:GetObject',
  PUT: 's3:PutObject',
  DELETE: 's3:DeleteObject',
};

/** Path style: `/bucket/key`. */
function s3({ method, url }: AwsRequest): readonly Access[] {
  const [path = ''] = url.split('?');
  const [, bucket = '', ...rest] = path.split('/').map(decodeURIComponent);
  const key = rest.join('/');
  return key === ''
    ? [
        {
          action: method === 'GET' || method === 'HEAD' ? 's3:ListBucket' : `s3:${method}Bucket`,
          resource: `arn:aws:s3:::${bucket}`,
        },
      ]
    : [{ action: OBJECT_ACTIONS[method] ?? `s3:${method}`, resource: `arn:aws:s3:::${bucket}/${key}` }];
}

/** STS speaks in forms. */
function isForm({ method, url }: AwsRequest): boolean {
  return method === 'POST' && url === '/';
}
