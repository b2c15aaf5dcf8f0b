import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { readFileSync } from 'node:fs';
import { connectKube } from '../../lib/cluster/connect-kube.ts';
import { importKubeconfig } from '../../lib/cluster/import-kubeconfig.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import { dynamoTable } from '../../lib/state/table.ts';
import { dyingAt } from './crash.ts';
import { crashFiles, AFTER, BEFORE } from './crash-story.ts';
import { directoryArtefacts } from './directory-artefacts.ts';
import { memoryGit } from './memory-git.ts';
import { handle, reconcileWorld } from './reconcile-world.ts';

/** A worker in a process of its own, which kills itself with SIGKILL at its nth external call. Exits 0 if it lives. */
export interface KilledWorkerInput {
  readonly endpoint: string;
  readonly tableName: string;
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly artefacts: string;
  readonly call: number;
  readonly when: 'before' | 'after';
}

const input = JSON.parse(process.argv[2] ?? '{}') as KilledWorkerInput;
const client = new DynamoDBClient({
  endpoint: input.endpoint,
  region: 'local',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
});
const imported = importKubeconfig(readFileSync(input.kubeconfig, 'utf8'));
const kube = connectKube({ ...imported, name: 'a' as ClusterName });
const git = memoryGit();
git.push(crashFiles(input.namespace, BEFORE));
git.push(crashFiles(input.namespace, AFTER));
const world = await reconcileWorld({
  clusters: { a: kube },
  installation: input.namespace,
  table: dynamoTable({ client, tableName: input.tableName }),
  git,
  artefacts: directoryArtefacts(input.artefacts),
  leaseMs: 1_000,
});
const { deps } = dyingAt(world.deps, input, () => process.kill(process.pid, 'SIGKILL'));
await deps.queue.send([{ v: 1, kind: 'source', source: 'shop' as never, reason: 'push' }]);
for (let message = world.messages.shift(); message !== undefined; message = world.messages.shift()) {
  await handle(deps, message.wakeUp);
}
await kube.close();
client.destroy();
