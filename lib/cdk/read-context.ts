import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import * as z from 'zod';

const minutes = z.coerce.number().int().min(1).max(1440);
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== ''),
);

const arns = list.pipe(z.array(z.string().startsWith('arn:')));

/** What a deployment from a clone can be told: `cdk deploy -c holdfast:scanMinutes=30`, or in the context of cdk.json. */
const contextSchema = z.strictObject({
  stackName: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,127}$/)
    .default('Holdfast'),
  installation: z.string().optional(),
  /** Looked up in the account that the command line is logged in to. */
  vpcId: z.string().startsWith('vpc-').optional(),
  kmsKeyArn: z.string().startsWith('arn:').optional(),
  alarmTopicArn: z.string().startsWith('arn:').optional(),
  ipAllowList: list.optional(),
  /** KMS keys for which files in Git are encrypted, and roles that such files name. */
  decryptionKeyArns: arns.default([]),
  decryptionRoleArns: arns.default([]),
  /** ECR repositories of charts. */
  chartRepositoryArns: arns.default([]),
  /** Names in EKS of clusters in this account and region. */
  eksClusters: list.default([]),
  sweepMinutes: minutes.optional(),
  scanMinutes: minutes.optional(),
  logRetentionDays: z.coerce.number().pipe(z.enum(RetentionDays)).optional(),
  /** Where the built functions are. */
  functionsDirectory: z.string().optional(),
  removalPolicy: z.enum(['retain', 'destroy']).default('retain'),
});

const PREFIX = 'holdfast:';

export type AppContext = z.infer<typeof contextSchema>;

/**
 * The entries `holdfast:…` of the CDK context.
 * @throws Error naming every entry that is unknown or not what it should be
 */
export function readContext(context: Readonly<Record<string, unknown>>): AppContext {
  const own = Object.fromEntries(
    Object.entries(context)
      .filter(([key]) => key.startsWith(PREFIX))
      .map(([key, value]) => [key.slice(PREFIX.length), value]),
  );
  const result = contextSchema.safeParse(own);
  if (result.success) return result.data;
  const known = Object.keys(contextSchema.shape).map((key) => PREFIX + key);
  const issues = result.error.issues.map(({ path, message }) => `${PREFIX}${path.join('.')}: ${message}`);
  throw new Error(`context: ${issues.join('; ')} (known are ${known.join(', ')})`);
}

export function durationsOf(context: AppContext) {
  const { sweepMinutes, scanMinutes, logRetentionDays } = context;
  return {
    ...(sweepMinutes === undefined ? {} : { sweepInterval: Duration.minutes(sweepMinutes) }),
    ...(scanMinutes === undefined ? {} : { scanInterval: Duration.minutes(scanMinutes) }),
    ...(logRetentionDays === undefined ? {} : { logRetention: logRetentionDays }),
    removalPolicy: context.removalPolicy === 'destroy' ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
  };
}
