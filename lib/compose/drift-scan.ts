import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SQSClient } from '@aws-sdk/client-sqs';
import { createConnector } from '../cluster/create-connector.ts';
import { awsSts } from '../cluster/eks-sts.ts';
import { createEksTokenSource } from '../cluster/eks-token-source.ts';
import type { Log } from '../model/log.ts';
import { type Metrics, noMetrics } from '../model/metrics.ts';
import { createSqsWakeQueue } from '../queue/sqs-wake-queue.ts';
import { DEFAULT_TIMINGS, type ScanDeps, type Timings } from '../reconcile/deps.ts';
import { dynamoTable } from '../state/table.ts';
import { tableStateStore } from '../state/table-state-store.ts';
import type { AwsClients } from './aws.ts';
import { createEmfMetrics } from './emf-metrics.ts';
import { loadHashKey } from './hash-key.ts';
import { createLambdaLog } from './lambda-log.ts';
import { type Environment, type InstallationNames, namesFromEnvironment } from './names.ts';
import { composeSecrets } from './secrets.ts';

// Nothing of Git or rendering may be imported here: the scan only looks at clusters.

export interface DriftScanParts {
  readonly clients: Pick<AwsClients, 'dynamodb' | 'sqs' | 'secretsManager'>;
  readonly names: Pick<InstallationNames, 'installation' | 'table' | 'targetQueueUrl' | 'secretPrefix'>;
  readonly log: Log;
  /** @default none */
  readonly metrics?: Metrics;
  readonly timings?: Timings;
}

/** Everything that the drift scan stands on. Holds caches and connections: compose once. */
export function composeDriftScan(parts: DriftScanParts): ScanDeps & { close(): Promise<void> } {
  const { clients, names, metrics = noMetrics } = parts;
  const state = tableStateStore(dynamoTable({ client: clients.dynamodb, tableName: names.table }));
  const { secrets, log, redactor } = composeSecrets({
    secretsManager: clients.secretsManager,
    prefix: names.secretPrefix,
    log: parts.log,
  });
  const eksTokens = createEksTokenSource({ sts: awsSts(), onSecret: (value) => redactor.register(value) });
  const connector = createConnector({ clusters: (name) => state.getCluster(name), secrets, eksTokens });
  return {
    state,
    // It wakes targets only and may not send to the sources' queue.
    queue: createSqsWakeQueue({ sqs: clients.sqs, targetQueueUrl: names.targetQueueUrl }),
    connector,
    secrets,
    hashKey: () => loadHashKey(secrets),
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    timings: parts.timings ?? DEFAULT_TIMINGS,
    random: Math.random,
    log,
    metrics,
    close: () => connector.close(),
  };
}

/** As the Lambda function finds itself. @throws HoldfastError `invalid-input` naming every variable that is not set */
export function composeDriftScanFromEnvironment(environment: Environment): ScanDeps {
  const names = namesFromEnvironment(environment, [
    'installation',
    'table',
    'targetQueueUrl',
    'secretPrefix',
  ]);
  return composeDriftScan({
    clients: {
      dynamodb: new DynamoDBClient({}),
      sqs: new SQSClient({}),
      secretsManager: new SecretsManagerClient({}),
    },
    names,
    log: createLambdaLog('drift-scan'),
    metrics: createEmfMetrics({ installation: names.installation }),
  });
}
