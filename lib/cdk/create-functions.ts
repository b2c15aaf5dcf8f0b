import { Duration, RemovalPolicy, Size, Validations } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { Architecture, EventSourceMapping, type ILayerVersion } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { elsewhereToEnvironment } from '../compose/elsewhere.ts';
import { IP_ALLOW_LIST_VARIABLE, readIpAllowList } from '../compose/ip-allow-list.ts';
import { type InstallationNames, namesToEnvironment } from '../compose/names.ts';
import type { SecretRole } from '../secrets/secret-store.ts';
import { DUE_INDEX, LIST_INDEX } from '../state/record-table.ts';
import { acknowledgeWildcard } from './acknowledge-wildcard.ts';
import { HoldfastFunction, type HoldfastFunctionProps, type VpcPlacement } from './holdfast-function.ts';
import type { FunctionOptions, HoldfastProps, StageOptions } from './holdfast-props.ts';
import * as may from './permissions.ts';

/** Where Lambda unpacks the layer: kubectl/kubectl and helm/helm lie below it. */
const LAYER_DIRECTORY = '/opt';

const CALLED_DIRECTLY =
  'API Gateway calls it and hands its error to the Git host; nothing is called asynchronously.';
const FED_BY_A_QUEUE =
  'Its events are messages of a queue with a dead-letter queue; nothing is called asynchronously.';
const CALLED_AGAIN =
  'Only its schedule calls it asynchronously, and the next call does the same work; the alarms function-errors, oldest-message and scan-missing tell when it does not.';

/** Of each function, where the user says nothing else. */
const DEFAULTS = {
  webhook: { memorySize: 512, timeout: Duration.seconds(15), reservedConcurrency: 10 },
  // One more than are fed by the queue, so that the sweep always finds a place.
  sourceStage: { memorySize: 1536, timeout: Duration.minutes(5), reservedConcurrency: 6, maxConcurrency: 5 },
  targetStage: {
    memorySize: 1536,
    timeout: Duration.minutes(10),
    reservedConcurrency: 10,
    maxConcurrency: 10,
  },
  // One at a time: two scans would look at the same clusters.
  driftScan: { memorySize: 1024, timeout: Duration.minutes(15), reservedConcurrency: 1 },
} as const;

/** Bounded by the cache of repositories, by one artefact and by one render. */
const SOURCE_STORAGE = Size.gibibytes(4);
const TARGET_STORAGE = Size.gibibytes(2);

export type SizedFunction = keyof typeof DEFAULTS;

export function timeoutOf(name: SizedFunction, props: HoldfastProps): Duration {
  return props[name]?.timeout ?? DEFAULTS[name].timeout;
}

export interface FunctionResources {
  readonly names: InstallationNames;
  readonly table: ITable;
  readonly artefacts: Bucket;
  readonly hashKey: Secret;
  readonly sourceQueue: IQueue;
  readonly targetQueue: IQueue;
  readonly toolsLayer: ILayerVersion;
  readonly placement: VpcPlacement | undefined;
}

/** The four functions, each with the rights of its part of the way and no others. */
export interface HoldfastFunctions {
  readonly webhook: HoldfastFunction;
  readonly sourceStage: HoldfastFunction;
  readonly targetStage: HoldfastFunction;
  readonly driftScan: HoldfastFunction;
}

export function createFunctions(
  scope: Construct,
  props: HoldfastProps,
  resources: FunctionResources,
): HoldfastFunctions {
  return {
    webhook: createWebhook(scope, props, resources),
    sourceStage: createSourceStage(scope, props, resources),
    targetStage: createTargetStage(scope, props, resources),
    driftScan: createDriftScan(scope, props, resources),
  };
}

function createWebhook(
  scope: Construct,
  props: HoldfastProps,
  resources: FunctionResources,
): HoldfastFunction {
  const { installation, table, sourceQueueUrl, secretPrefix } = resources.names;
  const { ipAllowList } = props;
  const webhook = new HoldfastFunction(scope, 'Webhook', {
    ...common('webhook', props),
    bundle: 'webhook',
    description: 'Holdfast: verifies webhooks and wakes sources',
    architecture: Architecture.ARM_64,
    environment: {
      ...namesToEnvironment({ installation, table, sourceQueueUrl, secretPrefix }),
      ...(ipAllowList === undefined ? {} : { [IP_ALLOW_LIST_VARIABLE]: checkRanges(ipAllowList) }),
    },
    noDeadLetters: CALLED_DIRECTLY,
  });
  webhook.allow(
    // Sources and the registries of their roots: nothing of targets, inventories or clusters.
    may.readRecords(resources.table, ['SOURCE', 'ROOT']),
    may.sendTo(resources.sourceQueue),
    may.getSecrets(rolesSecrets(webhook, secretPrefix, 'webhook')),
    ...keyUse(props, ['dynamodb', 'sqs', 'secretsmanager']),
  );
  return webhook;
}

function createSourceStage(
  scope: Construct,
  props: HoldfastProps,
  resources: FunctionResources,
): HoldfastFunction {
  const { names, table, artefacts } = resources;
  const { environment, ...shared } = rendering(resources);
  const sourceStage = new HoldfastFunction(scope, 'SourceStage', {
    ...common('sourceStage', props),
    ...shared,
    // Only here is anything fetched: the target stage has all of it in the artefact.
    environment: { ...environment, ...elsewhereToEnvironment(props) },
    description: 'Holdfast: looks at Git, stores artefacts, wakes targets; sweeps',
    ephemeralStorage: SOURCE_STORAGE,
    noDeadLetters: CALLED_AGAIN,
  });
  sourceStage.allow(
    may.changeRecords(table),
    may.queryIndexes(table, LIST_INDEX, DUE_INDEX),
    may.sendTo(resources.sourceQueue, resources.targetQueue),
    may.consume(resources.sourceQueue),
    may.putArtefacts(artefactsOf(sourceStage, artefacts)),
    may.tellMissingArtefacts(artefacts),
    may.getSecrets(rolesSecrets(sourceStage, names.secretPrefix, 'git', 'chart')),
    ...pullCharts(sourceStage, props),
    ...keyUse(props, ['dynamodb', 'sqs', 's3', 'secretsmanager']),
  );
  return sourceStage;
}

function createTargetStage(
  scope: Construct,
  props: HoldfastProps,
  resources: FunctionResources,
): HoldfastFunction {
  const { names, table, artefacts, hashKey, placement } = resources;
  const targetStage = new HoldfastFunction(scope, 'TargetStage', {
    ...common('targetStage', props),
    ...rendering(resources),
    description: 'Holdfast: renders, plans and applies to clusters',
    ephemeralStorage: TARGET_STORAGE,
    placement,
    noDeadLetters: FED_BY_A_QUEUE,
  });
  targetStage.allow(
    may.changeRecords(table),
    may.queryIndexes(table, LIST_INDEX),
    may.sendTo(resources.sourceQueue, resources.targetQueue),
    may.consume(resources.targetQueue),
    may.getArtefacts(artefactsOf(targetStage, artefacts)),
    may.tellMissingArtefacts(artefacts),
    may.getSecrets([
      ...rolesSecrets(targetStage, names.secretPrefix, 'cluster-apply', 'decryption', 'values'),
      hashKey.secretArn,
    ]),
    ...may.decryptDataKeys(props.decryptionKeys ?? []),
    ...may.assumeRoles(props.decryptionRoles ?? []),
    ...keyUse(props, ['dynamodb', 'sqs', 's3', 'secretsmanager']),
  );
  return targetStage;
}

function createDriftScan(
  scope: Construct,
  props: HoldfastProps,
  resources: FunctionResources,
): HoldfastFunction {
  const { installation, table, targetQueueUrl, secretPrefix } = resources.names;
  const driftScan = new HoldfastFunction(scope, 'DriftScan', {
    ...common('driftScan', props),
    bundle: 'drift-scan',
    description: 'Holdfast: compares clusters with what was applied to them',
    architecture: Architecture.ARM_64,
    environment: namesToEnvironment({ installation, table, targetQueueUrl, secretPrefix }),
    placement: resources.placement,
    noDeadLetters: CALLED_AGAIN,
  });
  driftScan.allow(
    // It cannot touch what is wanted: no source, no root and no registry.
    may.changeRecords(resources.table, ['CLUSTER', 'TARGET', 'DRIFT']),
    may.queryIndexes(resources.table, LIST_INDEX),
    may.sendTo(resources.targetQueue),
    may.getSecrets([...rolesSecrets(driftScan, secretPrefix, 'cluster-read'), resources.hashKey.secretArn]),
    // Whether what was rendered with is still current.
    may.describeSecrets(rolesSecrets(driftScan, secretPrefix, 'decryption', 'values')),
    ...keyUse(props, ['dynamodb', 'sqs', 'secretsmanager']),
  );
  return driftScan;
}

/** One message an invocation: a crash takes nobody else's work with it, and no wake-up waits for another. */
export function feed(
  scope: Construct,
  id: string,
  name: 'sourceStage' | 'targetStage',
  props: HoldfastProps,
  from: { readonly queue: IQueue; readonly function: HoldfastFunction },
): EventSourceMapping {
  const maxConcurrency = maxConcurrencyOf(name, props[name]);
  const mapping = new EventSourceMapping(scope, id, {
    target: from.function.function,
    eventSourceArn: from.queue.queueArn,
    batchSize: 1,
    reportBatchItemFailures: true,
    maxConcurrency,
  });
  // Lambda tries the queue when the mapping is made, and the right to it must be there by then.
  mapping.node.addDependency(from.function.role);
  Validations.of(mapping).acknowledge({
    id: 'Serverless-LambdaEventSourceMappingDestination',
    reason: 'Destinations are for streams; a queue has its redrive policy.',
  });
  return mapping;
}

/** SQS counts a receive that is throttled, so more must never be taken than can run. */
function maxConcurrencyOf(name: 'sourceStage' | 'targetStage', options: StageOptions = {}): number {
  const reserved = reservedOf(name, options);
  const wanted = options.maxConcurrency ?? Math.min(DEFAULTS[name].maxConcurrency, reserved ?? Infinity);
  if (wanted < 2 || wanted > 1000 || (reserved !== undefined && wanted > reserved)) {
    throw new Error(
      `${name}.maxConcurrency: expected 2 to ${reserved ?? 1000}, the reserved concurrency, got ${wanted}: raise reservedConcurrency, or lower maxConcurrency`,
    );
  }
  return wanted;
}

function reservedOf(name: SizedFunction, options: FunctionOptions = {}): number | undefined {
  const reserved = options.reservedConcurrency ?? DEFAULTS[name].reservedConcurrency;
  return reserved === 'unreserved' ? undefined : reserved;
}

function common(name: SizedFunction, props: HoldfastProps) {
  const options: FunctionOptions = props[name] ?? {};
  return {
    functionsDirectory: props.functionsDirectory,
    memorySize: options.memorySize ?? DEFAULTS[name].memorySize,
    timeout: timeoutOf(name, props),
    reservedConcurrency: reservedOf(name, options),
    logRetention: props.logRetention ?? RetentionDays.THREE_MONTHS,
    logRemovalPolicy: RemovalPolicy.DESTROY,
    encryptionKey: props.kmsKey,
  };
}

/** Both stages are one bundle: what tells them apart is the queue, the rights and the network. */
function rendering({
  names,
  toolsLayer,
}: FunctionResources): Pick<HoldfastFunctionProps, 'bundle' | 'architecture' | 'layers' | 'environment'> {
  return {
    bundle: 'reconcile',
    // The layer has its binaries for x86-64 only.
    architecture: Architecture.X86_64,
    layers: [toolsLayer],
    environment: { ...namesToEnvironment(names), HOLDFAST_TOOLS_DIRECTORY: LAYER_DIRECTORY },
  };
}

/** All secrets of some roles of this installation: what comes after the role is the command line's to name. */
function rolesSecrets(
  reader: HoldfastFunction,
  secretPrefix: string,
  ...roles: readonly SecretRole[]
): readonly string[] {
  return roles.map((role) => {
    const arn = may.secretArn(secretPrefix, role);
    acknowledgeWildcard(
      reader,
      arn,
      'Secrets are made and replaced by the command line while the stack stays as it is; the wildcard stands behind the installation and a role that this function needs.',
    );
    return arn;
  });
}

function pullCharts(reader: HoldfastFunction, { chartRepositories = [] }: HoldfastProps) {
  const statements = may.pullCharts(chartRepositories);
  if (statements.length > 0) {
    acknowledgeWildcard(
      reader,
      '*',
      'ecr:GetAuthorizationToken knows no resources; what the token opens is said by the repositories of the other statement.',
    );
  }
  return statements;
}

function artefactsOf(reader: HoldfastFunction, artefacts: Bucket): Bucket {
  acknowledgeWildcard(
    reader,
    may.artefactArn(artefacts),
    'Artefacts are named by their digests, which nobody knows before; the wildcard stands behind their prefix.',
  );
  return artefacts;
}

function keyUse({ kmsKey }: HoldfastProps, services: readonly string[]) {
  return kmsKey === undefined ? [] : [may.useKey(kmsKey, services)];
}

function checkRanges(ranges: readonly string[]): string {
  const list = ranges.join(',');
  // As the function will read it: better refused here than by every request.
  readIpAllowList(list);
  return list;
}
