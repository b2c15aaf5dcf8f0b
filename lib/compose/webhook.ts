import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { Log } from '../model/log.ts';
import { type Metrics, noMetrics } from '../model/metrics.ts';
import { createSqsWakeQueue } from '../queue/sqs-wake-queue.ts';
import { dynamoTable } from '../state/table.ts';
import { tableStateStore } from '../state/table-state-store.ts';
import { readFollowedRefs } from '../webhook/followed-refs.ts';
import type { ReceiveWebhookDeps } from '../webhook/receive-webhook.ts';
import { createRefetchGate } from '../webhook/refetch-gate.ts';
import { rememberUnknownSources } from '../webhook/source-lookup.ts';
import type { AwsClients } from './aws.ts';
import { createEmfMetrics } from './emf-metrics.ts';
import { IP_ALLOW_LIST_VARIABLE, readIpAllowList } from './ip-allow-list.ts';
import { createLambdaLog } from './lambda-log.ts';
import { type Environment, type InstallationNames, namesFromEnvironment } from './names.ts';
import { composeSecrets } from './secrets.ts';

// Nothing of rendering, Git or Kubernetes may be imported here: a Git host waits for this function's cold start.

export interface WebhookParts {
  readonly clients: Pick<AwsClients, 'dynamodb' | 'sqs' | 'secretsManager'>;
  readonly names: Pick<InstallationNames, 'table' | 'sourceQueueUrl' | 'secretPrefix'>;
  readonly log: Log;
  /** @default none */
  readonly metrics?: Metrics;
  readonly isAllowedAddress?: (sourceIp: string) => boolean;
}

/** Holds the caches of one process: compose once, not per request. */
export function composeWebhook(parts: WebhookParts): ReceiveWebhookDeps {
  const { clients, names, isAllowedAddress, metrics = noMetrics } = parts;
  const { secrets, log } = composeSecrets({
    secretsManager: clients.secretsManager,
    prefix: names.secretPrefix,
    log: parts.log,
  });
  const monotonic = () => performance.now();
  const state = tableStateStore(dynamoTable({ client: clients.dynamodb, tableName: names.table }));
  return {
    sources: rememberUnknownSources({ get: (id) => state.getSource(id) }, monotonic),
    secrets,
    // It wakes sources only and may not send to the targets' queue.
    queue: createSqsWakeQueue({ sqs: clients.sqs, sourceQueueUrl: names.sourceQueueUrl }),
    followedRefs: (source) => readFollowedRefs(state, source),
    mayRefetchSecrets: createRefetchGate(monotonic),
    log,
    metrics,
    ...(isAllowedAddress === undefined ? {} : { isAllowedAddress }),
  };
}

/**
 * As the Lambda function finds itself: HOLDFAST_* name the resources, the SDK reads region and credentials.
 * @throws HoldfastError `invalid-input` naming every variable that is not set, or the range that is none
 */
export function composeWebhookFromEnvironment(environment: Environment): ReceiveWebhookDeps {
  const names = namesFromEnvironment(environment, [
    'installation',
    'table',
    'sourceQueueUrl',
    'secretPrefix',
  ]);
  return composeWebhook({
    clients: {
      dynamodb: new DynamoDBClient({}),
      sqs: new SQSClient({}),
      secretsManager: new SecretsManagerClient({}),
    },
    names,
    log: createLambdaLog('webhook'),
    metrics: createEmfMetrics({ installation: names.installation }),
    ...allowedAddressesFrom(environment),
  });
}

function allowedAddressesFrom(environment: Environment): Pick<WebhookParts, 'isAllowedAddress'> {
  const isAllowedAddress = readIpAllowList(environment[IP_ALLOW_LIST_VARIABLE]);
  return isAllowedAddress === undefined ? {} : { isAllowedAddress };
}
