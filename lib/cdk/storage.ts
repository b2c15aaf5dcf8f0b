import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import {
  AttributeType,
  BillingMode,
  type ITable,
  ProjectionType,
  Table,
  TableEncryption,
} from 'aws-cdk-lib/aws-dynamodb';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { HASH_KEY_NAME } from '../compose/hash-key.ts';
import { DUE_INDEX, LIST_INDEX } from '../state/record-table.ts';

/** The keys of the artefact store begin with it; see lib/artefact. */
export const ARTEFACT_PREFIX = 'artefacts/';
/** An artefact that is gone is rebuilt from Git when it is wanted. */
const ARTEFACT_DAYS = 90;

export interface StorageProps {
  readonly table?: ITable | undefined;
  readonly encryptionKey?: IKey | undefined;
  readonly removalPolicy: RemovalPolicy;
  /** Secret names are `<prefix>/<role>/<name>`. */
  readonly secretPrefix: string;
}

/** What outlives a function: the table, the artefacts, and the key of the installation's hashes. */
export class Storage extends Construct {
  readonly table: ITable;
  readonly artefacts: Bucket;
  readonly hashKey: Secret;

  constructor(scope: Construct, id: string, props: StorageProps) {
    super(scope, id);
    this.table = props.table ?? (this.createTable(props) as ITable);
    this.artefacts = this.createBucket(props);
    this.hashKey = this.createHashKey(props);
  }

  /** As `ensureTable` in lib/state/table.ts makes it on the emulators; a test compares the two. */
  private createTable(props: StorageProps): Table {
    const table = new Table(this, 'Table', {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      timeToLiveAttribute: 'expiresAt',
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: props.removalPolicy !== RemovalPolicy.DESTROY,
      removalPolicy: props.removalPolicy,
      ...(props.encryptionKey === undefined
        ? { encryption: TableEncryption.AWS_MANAGED }
        : { encryption: TableEncryption.CUSTOMER_MANAGED, encryptionKey: props.encryptionKey }),
    });
    table.addGlobalSecondaryIndex({
      indexName: LIST_INDEX,
      partitionKey: { name: 'listKey', type: AttributeType.STRING },
      sortKey: { name: 'listSort', type: AttributeType.STRING },
      projectionType: ProjectionType.KEYS_ONLY,
    });
    table.addGlobalSecondaryIndex({
      indexName: DUE_INDEX,
      partitionKey: { name: 'dueKey', type: AttributeType.STRING },
      sortKey: { name: 'dueAt', type: AttributeType.NUMBER },
      projectionType: ProjectionType.KEYS_ONLY,
    });
    return table;
  }

  private createBucket(props: StorageProps): Bucket {
    const bucket = new Bucket(this, 'Artefacts', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy: props.removalPolicy,
      lifecycleRules: [
        { prefix: ARTEFACT_PREFIX, expiration: Duration.days(ARTEFACT_DAYS) },
        { abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
      ...(props.encryptionKey === undefined
        ? { encryption: BucketEncryption.S3_MANAGED }
        : { encryption: BucketEncryption.KMS, encryptionKey: props.encryptionKey, bucketKeyEnabled: true }),
    });
    Validations.of(bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'Two roles of this stack read it and one writes it, by content digest; a log bucket would cost more than it tells. Data events in CloudTrail record access where that is wanted.',
    });
    return bucket;
  }

  private createHashKey(props: StorageProps): Secret {
    const secret = new Secret(this, 'HashKey', {
      secretName: `${props.secretPrefix}/hash-key/${HASH_KEY_NAME}`,
      description: 'Holdfast: the key of the hashes that stand for manifests and Secret values in the table',
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
      removalPolicy: props.removalPolicy,
      ...(props.encryptionKey === undefined ? {} : { encryptionKey: props.encryptionKey }),
    });
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        'It opens nothing: it only keeps hashes from being guessed. Rotating it makes every stored hash unknown and every object a suspect once, so that is done by hand when the table has leaked.',
    });
    return secret;
  }
}
