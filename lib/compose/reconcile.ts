import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { s3ArtefactStore } from '../artefact/s3-artefact-store.ts';
import { createChartHost } from '../charts/create-chart-host.ts';
import { recentCharts } from '../charts/recent-charts.ts';
import { createConnector } from '../cluster/create-connector.ts';
import { awsSts } from '../cluster/eks-sts.ts';
import { createEksTokenSource } from '../cluster/eks-token-source.ts';
import type { Log } from '../model/log.ts';
import { type Metrics, noMetrics } from '../model/metrics.ts';
import { createSqsWakeQueue } from '../queue/sqs-wake-queue.ts';
import {
  DEFAULT_TIMINGS,
  type ScanDeps,
  type SourceStageDeps,
  type SweepDeps,
  type TargetStageDeps,
  type Timings,
} from '../reconcile/deps.ts';
import { cachedRenderer } from '../render/cached-renderer.ts';
import { createRenderer } from '../render/create-renderer.ts';
import { findTools } from '../render/tools.ts';
import { createKmsDataKeys } from '../secrets/kms-data-keys.ts';
import { createGitHost } from '../source/git-host.ts';
import { dynamoTable } from '../state/table.ts';
import { tableStateStore } from '../state/table-state-store.ts';
import { type AwsClients, createAwsClients } from './aws.ts';
import { elsewhereFromEnvironment, openElsewhere, type ElsewhereOptions } from './elsewhere.ts';
import { createEmfMetrics } from './emf-metrics.ts';
import { loadHashKey } from './hash-key.ts';
import { createLambdaLog } from './lambda-log.ts';
import { type Environment, type InstallationNames, namesFromEnvironment } from './names.ts';
import { composeSecrets } from './secrets.ts';

export interface ReconcileParts {
  readonly clients: AwsClients;
  readonly names: InstallationNames;
  readonly log: Log;
  /** @default none */
  readonly metrics?: Metrics;
  /** For the Git cache, the tools and the private directories of renders. */
  readonly temporaryDirectory: string;
  readonly timings?: Timings;
  /** What the source stage may read that lies in no source. @default public charts, and no bases */
  readonly elsewhere?: ElsewhereOptions;
}

export type ReconcileDeps = SourceStageDeps & TargetStageDeps & ScanDeps & SweepDeps;

/** Everything that the reconcile function and the drift scan stand on. Holds caches and connections: compose once. */
export async function composeReconcile(
  parts: ReconcileParts,
): Promise<ReconcileDeps & { close(): Promise<void> }> {
  const { clients, names, temporaryDirectory, metrics = noMetrics } = parts;
  const state = tableStateStore(dynamoTable({ client: clients.dynamodb, tableName: names.table }));
  const { secrets, log, redactor } = composeSecrets({
    secretsManager: clients.secretsManager,
    prefix: names.secretPrefix,
    log: parts.log,
  });
  const tools = await findTools({ cacheDirectory: join(temporaryDirectory, 'tools') });
  const renders = join(temporaryDirectory, 'renders');
  mkdirSync(renders, { recursive: true, mode: 0o700 });
  const git = createGitHost({ secrets, cacheDirectory: join(temporaryDirectory, 'git') });
  const charts = recentCharts(
    createChartHost({
      secrets,
      cacheDirectory: join(temporaryDirectory, 'charts'),
      allowedOrigins: parts.elsewhere?.chartOrigins ?? [],
    }),
  );
  const sts = awsSts();
  const onSecret = (value: string): void => redactor.register(value);
  const eksTokens = createEksTokenSource({ sts, onSecret });
  const connector = createConnector({ clusters: (name) => state.getCluster(name), secrets, eksTokens });
  return {
    installation: names.installation,
    state,
    queue: createSqsWakeQueue({
      sqs: clients.sqs,
      sourceQueueUrl: names.sourceQueueUrl,
      targetQueueUrl: names.targetQueueUrl,
    }),
    git,
    elsewhere: openElsewhere({ git, charts }, parts.elsewhere ?? {}),
    artefacts: s3ArtefactStore({ s3: clients.s3, bucket: names.bucket }),
    renderer: cachedRenderer(createRenderer({ tools, temporaryDirectory: renders, onSecret })),
    secrets,
    decryptDataKey: createKmsDataKeys({ sts, onSecret }),
    connector,
    hashKey: () => loadHashKey(secrets),
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    timings: parts.timings ?? DEFAULT_TIMINGS,
    random: Math.random,
    newId: () => randomUUID().slice(0, 8),
    log,
    metrics,
    async close() {
      await git.close();
      await charts.close();
      await connector.close();
    },
  };
}

/** As a Lambda function finds itself. @throws HoldfastError `invalid-input` naming every variable that is not set */
export function composeReconcileFromEnvironment(
  environment: Environment,
  name: string,
): Promise<ReconcileDeps> {
  const names = namesFromEnvironment(environment, [
    'installation',
    'table',
    'sourceQueueUrl',
    'targetQueueUrl',
    'bucket',
    'secretPrefix',
  ]);
  return composeReconcile({
    clients: createAwsClients(),
    names,
    log: createLambdaLog(name),
    metrics: createEmfMetrics({ installation: names.installation }),
    temporaryDirectory: join(tmpdir(), 'holdfast'),
    elsewhere: elsewhereFromEnvironment(environment),
  });
}
