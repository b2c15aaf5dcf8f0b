import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import type { IRepository } from 'aws-cdk-lib/aws-ecr';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { WebhookDomain, WebhookThrottle } from './webhook-endpoint.ts';

/** A standard queue of your own. Its visibility timeout must not be shorter than the function's timeout. */
export interface ExistingQueue {
  readonly queue: IQueue;
  /** Where the queue's redrive policy sends what crashed; watched by the alarm `dead-letters`. */
  readonly deadLetterQueue: IQueue;
}

export interface FunctionOptions {
  /** In MiB; the share of a CPU grows with it. */
  readonly memorySize?: number;
  readonly timeout?: Duration;
  /**
   * How many run at once at most, kept aside from the account's limit; 'unreserved' takes what the account has left,
   * as new accounts with small limits must.
   */
  readonly reservedConcurrency?: number | 'unreserved';
}

export interface StageOptions extends FunctionOptions {
  /** Wake-ups worked on at once, at least 2 and not more than the reserved concurrency. */
  readonly maxConcurrency?: number;
}

/** All optional: `new Holdfast(this, 'Holdfast')` is a working installation. */
export interface HoldfastProps {
  /**
   * The name that goes into every application's id and into secret names: letters, digits and dashes, at most 60.
   * Objects in clusters belong to it, so a change of it hands every object over to strangers.
   * @default the stack's name and a part of its id, which no other stack has
   */
  readonly installation?: string;

  /**
   * Where the functions that talk to clusters run, for clusters with private endpoints. The webhook and the source
   * stage stay outside, so that no NAT gateway is needed for Git.
   * @default outside any VPC; clusters are reached at public endpoints
   */
  readonly vpc?: IVpc;
  /** @default the private subnets of the VPC */
  readonly vpcSubnets?: SubnetSelection;
  /** @default a new one that lets out TCP 443 and nothing in */
  readonly securityGroup?: ISecurityGroup;

  /**
   * Encrypts table, queues, artefacts, logs and the hash key. A key that is imported must let CloudWatch Logs of this
   * region use it, which its own policy says.
   * @default keys of the services
   */
  readonly kmsKey?: IKey;
  /** @default RetentionDays.THREE_MONTHS */
  readonly logRetention?: RetentionDays;
  /**
   * Of table, queues, artefacts and hash key. With DESTROY the table is not protected from deletion either.
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;

  /**
   * How often every source is looked at and what is due is woken: the longest that a lost webhook is missed.
   * @default 5 minutes
   */
  readonly sweepInterval?: Duration;
  /**
   * How often every cluster is compared with what was applied to it.
   * @default 15 minutes
   */
  readonly scanInterval?: Duration;

  /** @default 512 MiB, 15 seconds, reserved concurrency 10 */
  readonly webhook?: FunctionOptions;
  /** @default 1536 MiB, 5 minutes, maximum concurrency 5, and one more reserved for the sweep */
  readonly sourceStage?: StageOptions;
  /** @default 1536 MiB, 10 minutes, maximum and reserved concurrency 10 */
  readonly targetStage?: StageOptions;
  /** @default 1024 MiB, 15 minutes, reserved concurrency 1 */
  readonly driftScan?: FunctionOptions;

  /**
   * Told when an alarm goes off and when it is over.
   * @default alarms change their state and tell nobody
   */
  readonly alarmTopic?: ITopic;
  /** @default the address that API Gateway makes up */
  readonly domain?: WebhookDomain;
  /** @default 20 requests a second, 40 at once */
  readonly throttle?: WebhookThrottle;
  /**
   * CIDR ranges from which alone webhooks are taken, such as `hooks` of https://api.github.com/meta. Checked by the
   * function, because HTTP APIs have no resource policies. Behind a proxy or CloudFront the addresses seen are theirs.
   * @default every address; the signature decides
   */
  readonly ipAllowList?: readonly string[];

  /**
   * From where bases may be fetched that kustomizations refer to by a URL: hosts such as `github.com` (https and public
   * addresses only), or whole origins such as `https://git.internal:8443`, which may be private. Repositories are read
   * anonymously, at the commit that the ref is at when the source is looked at.
   * @default nowhere; such kustomizations are refused
   */
  readonly remoteBases?: readonly string[];
  /**
   * Origins of chart repositories and registries that may speak plain http and have private addresses, such as
   * `http://charts.internal:8080`.
   * @default none; charts come over https from public addresses
   */
  readonly chartOrigins?: readonly string[];

  /**
   * KMS keys for which files in Git are encrypted with SOPS: the target stage may decrypt with them, if their own policies
   * let this account's roles do so.
   * @default none; age identities alone open files
   */
  readonly decryptionKeys?: readonly IKey[];
  /**
   * Roles that such files name (`role`), as for keys in other accounts: the target stage may assume them. They have to
   * trust it.
   * @default none
   */
  readonly decryptionRoles?: readonly IRole[];
  /**
   * ECR repositories from which charts are pulled; the source stage may read them as itself, without credentials.
   * @default none
   */
  readonly chartRepositories?: readonly IRepository[];

  /**
   * A table of your own with the keys and indexes of lib/state/table.ts.
   * @default a new one
   */
  readonly table?: ITable;
  /** @default a new one */
  readonly sourceQueue?: ExistingQueue;
  /** @default a new one */
  readonly targetQueue?: ExistingQueue;

  /**
   * Where the built functions are, `<name>/index.mjs` each.
   * @default those of this package
   */
  readonly functionsDirectory?: string;
}
