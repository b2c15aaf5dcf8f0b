import { KubectlV35Layer } from '@aws-cdk/lambda-layer-kubectl-v35';
import { type CfnOutput, Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { Grant, type IGrantable, type PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { EventSourceMapping, ILayerVersion } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { InstallationNames } from '../compose/names.ts';
import type { MetricName } from '../model/metrics.ts';
import { DUE_INDEX, LIST_INDEX } from '../state/record-table.ts';
import { HoldfastAlarms, type NamedFunction } from './alarms.ts';
import { createFunctions, feed, timeoutOf } from './create-functions.ts';
import { HoldfastDashboard } from './dashboard.ts';
import { type AddEksClusterOptions, EksAccess, type IEksCluster } from './eks-access.ts';
import type { HoldfastFunction, VpcPlacement } from './holdfast-function.ts';
import { type HoldfastMetric, metricsOf } from './holdfast-metric.ts';
import type { HoldfastProps } from './holdfast-props.ts';
import { installationName } from './installation-name.ts';
import { createOutputs } from './outputs.ts';
import * as may from './permissions.ts';
import { FunctionSchedule } from './schedules.ts';
import { Storage } from './storage.ts';
import { encryptLogs } from './encrypt-logs.ts';
import { placeInVpc } from './vpc-placement.ts';
import { deadLetterQueue, WakeUpQueue } from './wake-up-queue.ts';
import { WebhookEndpoint } from './webhook-endpoint.ts';

/** A whole installation of Holdfast. Every resource of it is there to be looked at and extended. */
export class Holdfast extends Construct {
  /** Part of every application's id, and the dimension of every metric. */
  readonly installation: string;
  /** Secrets are `<secretPrefix>/<role>/<name>`. */
  readonly secretPrefix: string;
  /** What the functions and the command line know the resources by. */
  readonly names: InstallationNames;
  readonly table: ITable;
  readonly artefacts: Bucket;
  readonly hashKey: Secret;
  readonly sourceQueue: IQueue;
  readonly sourceDeadLetterQueue: IQueue;
  readonly targetQueue: IQueue;
  readonly targetDeadLetterQueue: IQueue;
  /** Calls that the schedules could not make. */
  readonly scheduleDeadLetterQueue: IQueue;
  readonly toolsLayer: ILayerVersion;
  readonly webhook: HoldfastFunction;
  readonly sourceStage: HoldfastFunction;
  readonly targetStage: HoldfastFunction;
  readonly driftScan: HoldfastFunction;
  readonly sourceEvents: EventSourceMapping;
  readonly targetEvents: EventSourceMapping;
  readonly endpoint: WebhookEndpoint;
  /** Webhooks go to `<webhookUrl>/<source id>`. */
  readonly webhookUrl: string;
  readonly sweep: FunctionSchedule;
  readonly scan: FunctionSchedule;
  readonly alarms: HoldfastAlarms;
  readonly dashboard: HoldfastDashboard;
  /** Of target stage and drift scan; undefined outside a VPC. */
  readonly placement: VpcPlacement | undefined;
  /** What the command line finds the installation by, in the file of "cdk deploy --outputs-file". */
  readonly outputs: Readonly<Record<string, CfnOutput>>;
  /** undefined: keys of the services. */
  readonly encryptionKey: IKey | undefined;

  constructor(scope: Construct, id: string, props: HoldfastProps = {}) {
    super(scope, id);
    const encryptionKey = props.kmsKey;
    this.encryptionKey = encryptionKey;
    if (encryptionKey !== undefined) encryptLogs(encryptionKey);
    const removalPolicy = props.removalPolicy ?? RemovalPolicy.RETAIN;
    this.installation = installationName(this, props.installation);
    this.secretPrefix = `holdfast/${this.installation}`;

    const storage = new Storage(this, 'Storage', {
      table: props.table,
      encryptionKey,
      removalPolicy,
      secretPrefix: this.secretPrefix,
    });
    this.table = storage.table;
    this.artefacts = storage.artefacts;
    this.hashKey = storage.hashKey;

    const queue = (queueId: string, reader: 'sourceStage' | 'targetStage') =>
      new WakeUpQueue(this, queueId, {
        functionTimeout: timeoutOf(reader, props),
        encryptionKey,
        removalPolicy,
      });
    const sources = props.sourceQueue ?? queue('Sources', 'sourceStage');
    const targets = props.targetQueue ?? queue('Targets', 'targetStage');
    this.sourceQueue = sources.queue;
    this.sourceDeadLetterQueue = sources.deadLetterQueue;
    this.targetQueue = targets.queue;
    this.targetDeadLetterQueue = targets.deadLetterQueue;
    this.scheduleDeadLetterQueue = deadLetterQueue(this, 'MissedSchedules', { encryptionKey, removalPolicy });

    this.names = {
      installation: this.installation,
      table: this.table.tableName,
      sourceQueueUrl: this.sourceQueue.queueUrl,
      targetQueueUrl: this.targetQueue.queueUrl,
      bucket: this.artefacts.bucketName,
      secretPrefix: this.secretPrefix,
    };
    this.toolsLayer = new KubectlV35Layer(this, 'Tools');
    this.placement = placeInVpc(this, props);
    const functions = createFunctions(this, props, this);
    this.webhook = functions.webhook;
    this.sourceStage = functions.sourceStage;
    this.targetStage = functions.targetStage;
    this.driftScan = functions.driftScan;
    this.sourceEvents = feed(this, 'SourceEvents', 'sourceStage', props, {
      queue: this.sourceQueue,
      function: this.sourceStage,
    });
    this.targetEvents = feed(this, 'TargetEvents', 'targetStage', props, {
      queue: this.targetQueue,
      function: this.targetStage,
    });

    this.endpoint = new WebhookEndpoint(this, 'Endpoint', {
      webhook: this.webhook.function,
      throttle: props.throttle ?? { rateLimit: 20, burstLimit: 40 },
      domain: props.domain,
      logRetention: props.logRetention ?? RetentionDays.THREE_MONTHS,
      logRemovalPolicy: RemovalPolicy.DESTROY,
      encryptionKey,
    });
    this.webhookUrl = this.endpoint.webhookUrl;

    const scanInterval = props.scanInterval ?? Duration.minutes(15);
    const common = { deadLetterQueue: this.scheduleDeadLetterQueue, encryptionKey };
    this.sweep = new FunctionSchedule(this, 'Sweep', {
      ...common,
      description: 'Holdfast: wakes every source and what is due',
      function: this.sourceStage.function,
      event: { task: 'sweep' },
      interval: props.sweepInterval ?? Duration.minutes(5),
    });
    this.scan = new FunctionSchedule(this, 'Scan', {
      ...common,
      description: 'Holdfast: compares every cluster with what was applied to it',
      function: this.driftScan.function,
      event: { task: 'drift-scan' },
      interval: scanInterval,
    });

    const metric: HoldfastMetric = (name, options) => this.metric(name, options);
    const named = this.namedFunctions(props);
    const webhookErrors = this.endpoint.stage.metricServerError({ statistic: 'Sum' });
    this.alarms = new HoldfastAlarms(this, 'Alarms', {
      metric,
      webhookErrors,
      functions: named,
      queues: [this.sourceQueue, this.targetQueue],
      deadLetterQueues: [
        this.sourceDeadLetterQueue,
        this.targetDeadLetterQueue,
        this.scheduleDeadLetterQueue,
      ],
      scanInterval,
      topic: props.alarmTopic,
    });
    this.dashboard = new HoldfastDashboard(this, 'Page', {
      metric,
      alarms: this.alarms.alarms.map(({ alarm }) => alarm),
      functions: named,
      queues: [
        { name: 'sources', queue: this.sourceQueue },
        { name: 'targets', queue: this.targetQueue },
      ],
      webhookRequests: this.endpoint.stage.metricCount({ statistic: 'Sum' }),
      webhookErrors,
    });
    this.outputs = createOutputs(this);
  }

  /**
   * Lets target stage and drift scan into an EKS cluster as Kubernetes groups; what these may do there is what
   * "holdfast cluster rbac" prints. The output `Registration` is the command that registers the cluster.
   */
  addEksCluster(cluster: IEksCluster, options: AddEksClusterOptions = {}): EksAccess {
    return new EksAccess(this, `Eks-${options.name ?? cluster.node.id}`, {
      cluster,
      options,
      targetStage: this.targetStage,
      driftScan: this.driftScan,
      connections: this.placement?.securityGroup,
    });
  }

  /** What the command line needs to look at sources, targets, runs and drift. No secret among it. */
  grantRead(grantee: IGrantable): Grant {
    return addTo(grantee, [
      may.readRecords(this.table),
      may.describeTable(this.table),
      may.queryIndexes(this.table, LIST_INDEX, DUE_INDEX),
      may.lookAtQueues(
        this.sourceQueue,
        this.targetQueue,
        this.sourceDeadLetterQueue,
        this.targetDeadLetterQueue,
      ),
      may.tellMissingArtefacts(this.artefacts),
      ...this.keyUse(['dynamodb', 'sqs']),
    ]);
  }

  /**
   * What the command line needs for everything, so also to write, and to plan with, the secrets of sources, charts,
   * clusters, decryption and values. Planning what KMS encrypted takes rights to its keys besides.
   */
  grantOperate(grantee: IGrantable): Grant {
    const writable = [
      'webhook',
      'git',
      'chart',
      'cluster-apply',
      'cluster-read',
      'decryption',
      'values',
    ] as const;
    return addTo(grantee, [
      may.changeRecords(this.table),
      may.describeTable(this.table),
      may.queryIndexes(this.table, LIST_INDEX, DUE_INDEX),
      may.lookAtQueues(
        this.sourceQueue,
        this.targetQueue,
        this.sourceDeadLetterQueue,
        this.targetDeadLetterQueue,
      ),
      may.sendTo(this.sourceQueue, this.targetQueue),
      may.getArtefacts(this.artefacts),
      may.tellMissingArtefacts(this.artefacts),
      may.getSecrets([
        ...writable.map((role) => may.secretArn(this.secretPrefix, role)),
        this.hashKey.secretArn,
      ]),
      may.writeSecrets(this.secretPrefix, ...writable),
      may.call(this.driftScan.function),
      ...this.keyUse(['dynamodb', 'sqs', 's3', 'secretsmanager']),
    ]);
  }

  /** One of the metrics of lib/model/metrics.ts, of this installation: by default its sum in periods of five minutes. */
  metric(name: MetricName, options?: MetricOptions): Metric {
    return metricsOf(this.installation)(name, options);
  }

  metricReconcileFailed(options?: MetricOptions): Metric {
    return this.metric('ReconcileFailed', options);
  }

  metricTargetsBehind(options?: MetricOptions): Metric {
    return this.metric('TargetsBehind', { statistic: 'Maximum', ...options });
  }

  metricDriftedTargets(options?: MetricOptions): Metric {
    return this.metric('DriftedTargets', { statistic: 'Maximum', ...options });
  }

  private keyUse(services: readonly string[]): readonly PolicyStatement[] {
    return this.encryptionKey === undefined ? [] : [may.useKey(this.encryptionKey, services)];
  }

  private namedFunctions(props: HoldfastProps): readonly NamedFunction[] {
    const named = (name: string, of: 'webhook' | 'sourceStage' | 'targetStage' | 'driftScan') => ({
      name,
      function: this[of].function,
      timeout: timeoutOf(of, props),
    });
    return [
      named('Webhook', 'webhook'),
      named('SourceStage', 'sourceStage'),
      named('TargetStage', 'targetStage'),
      named('DriftScan', 'driftScan'),
    ];
  }
}

function addTo(grantee: IGrantable, statements: readonly PolicyStatement[]): Grant {
  return statements
    .map(({ actions, resources, conditions }) =>
      Grant.addToPrincipal({ grantee, actions, resourceArns: resources, conditions }),
    )
    .reduce((all, one) => all.combine(one));
}
