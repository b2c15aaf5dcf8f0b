import { connectKube } from '../../lib/cluster/connect-kube.ts';
import { startSandboxCluster } from '../../lib/local/sandbox/start-sandbox-cluster.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import { scanClusters } from '../../lib/reconcile/scan-clusters.ts';
import { sweep } from '../../lib/reconcile/sweep.ts';
import { runTargetStage } from '../../lib/reconcile/target-stage.ts';
import type { RecordTable } from '../../lib/state/record-table.ts';
import { tableStateStore } from '../../lib/state/table-state-store.ts';
import { readFollowedRefs } from '../../lib/webhook/followed-refs.ts';
import { memoryTable } from '../support/memory-table.ts';
import { configMap, definition, reconcileWorld, SHOP } from '../support/reconcile-world.ts';
import { type Synthesized, templateOf, aStack, ofType, textOf } from './synthesized.ts';

// No emulator looks at IAM. So the table here refuses what the policies of the template do not allow, and the functions
// do their work on it.

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: {
    readonly 'ForAllValues:StringLike'?: { readonly 'dynamodb:LeadingKeys': readonly string[] };
  };
}

const A = 'a' as ClusterName;

function statementsOf(synthesized: Synthesized, name: string): readonly Statement[] {
  return ofType(synthesized, 'AWS::IAM::Policy')
    .filter(
      ({ Properties }) =>
        textOf(synthesized, (Properties['Roles'] as readonly unknown[])[0]) === `<${name}/Role>`,
    )
    .flatMap(
      ({ Properties }) =>
        (Properties['PolicyDocument'] as { readonly Statement: readonly Statement[] }).Statement,
    );
}

/** The table as the role of this function finds it. */
function tableOf(synthesized: Synthesized, name: string, table: RecordTable): RecordTable {
  const statements = statementsOf(synthesized, name);
  const demand = (action: string, on: string, keys: readonly string[]) => {
    const isAllowed = statements.some(({ Action, Resource, Condition }) => {
      const patterns = Condition?.['ForAllValues:StringLike']?.['dynamodb:LeadingKeys'] ?? ['*'];
      return (
        [Action].flat().includes(`dynamodb:${action}`) &&
        [Resource].flat().some((resource) => textOf(synthesized, resource) === `<Storage/Table>.Arn${on}`) &&
        keys.every((key) => patterns.some((pattern) => key.startsWith(pattern.replace('*', ''))))
      );
    });
    if (!isAllowed) throw new Error(`AccessDenied: ${name} may not ${action} ${on} ${keys.join(', ')}`);
  };
  const keysOf = (records: readonly { readonly pk: string }[]) => records.map(({ pk }) => pk);
  return {
    async get(key) {
      demand('GetItem', '', [key.pk]);
      return table.get(key);
    },
    async getMany(keys) {
      if (keys.length > 0) demand('BatchGetItem', '', keysOf(keys));
      return table.getMany(keys);
    },
    async query(pk, skPrefix, options) {
      demand('Query', '', [pk]);
      return table.query(pk, skPrefix, options);
    },
    async put(record, condition) {
      demand('PutItem', '', [record.pk]);
      return table.put(record, condition);
    },
    async putMany(records) {
      demand('BatchWriteItem', '', keysOf(records));
      return table.putMany(records);
    },
    async remove(keys) {
      demand('BatchWriteItem', '', keysOf(keys));
      return table.remove(keys);
    },
    async list(key, sortPrefix) {
      demand('Query', '/index/list', []);
      return table.list(key, sortPrefix);
    },
    async due(key, upTo, limit) {
      demand('Query', '/index/due', []);
      return table.due(key, upTo, limit);
    },
  };
}

describe('the rights to records are enough', () => {
  const synthesized = templateOf(aStack());
  const table = memoryTable();
  let sandbox: Awaited<ReturnType<typeof startSandboxCluster>>;
  let world: Awaited<ReturnType<typeof reconcileWorld>>;
  const stateOf = (name: string) => tableStateStore(tableOf(synthesized, name, table));

  beforeAll(async () => {
    sandbox = await startSandboxCluster();
    const kube = connectKube({ name: A, endpoint: sandbox.url, credential: { token: sandbox.token } });
    world = await reconcileWorld({ clusters: { [A]: kube }, rootCluster: A, table });
    await world.deps.state.putCluster({
      schema: 1,
      name: A,
      labels: {},
      endpoint: sandbox.url,
      applySecret: 'apply',
      readSecret: 'read',
    });
    await world.push({
      'clusters/main/web.yaml': definition('web', {
        path: 'apps/web',
        clusters: [A],
        namespace: 'web',
        createNamespace: true,
      }),
      'apps/web/a.yaml': configMap('a', { k: '1' }),
    });
  });
  afterAll(() => sandbox.close());

  it('for the webhook to find a source and the refs that are followed', async () => {
    const state = stateOf('Webhook');

    const refs = await readFollowedRefs(state, SHOP);

    expect(await state.getSource(SHOP)).toBeDefined();
    expect([...(refs ?? [])]).not.toEqual([]);
    await expect(state.getCluster(A)).rejects.toThrow('AccessDenied');
    await expect(state.listSources()).rejects.toThrow('AccessDenied');
    await expect(state.deleteSource(SHOP)).rejects.toThrow('AccessDenied');
  });

  it('for the sweep to find what is due', async () => {
    const summary = await sweep({ ...world.deps, state: stateOf('SourceStage') });

    expect(summary.sources).toBe(1);
  });

  it('for the target stage to run a target', async () => {
    const { target } = await world.target('web');
    await world.deps.state.changeTarget(target, { kind: 'request', now: world.clock.now });

    const outcome = await runTargetStage({ ...world.deps, state: stateOf('TargetStage') }, target, {
      reason: 'requested',
      deadline: world.deps.clock.monotonic() + 60_000,
    });

    expect(outcome).toMatchObject({ kind: 'ran' });
    expect((await world.target('web')).lastRun?.outcome).toBe('succeeded');
  });

  it('for the drift scan to report drift and to wake what is to be healed, and not to change what is wanted', async () => {
    const { target } = await world.target('web');
    const kube = await world.deps.connector.connect(A, 'apply');
    const type = (await kube.discovery()).find('v1', 'ConfigMap');
    if (type === undefined) throw new Error('no ConfigMaps here');
    const ref = { type, namespace: 'web', name: 'a' };
    const { uid = '', resourceVersion = '' } = (await kube.get(ref))?.metadata ?? {};
    await kube.delete(ref, { uid, resourceVersion });
    const state = stateOf('DriftScan');

    const summary = await scanClusters(
      { ...world.deps, state },
      { deadline: world.deps.clock.monotonic() + 60_000 },
    );

    expect(summary.failed).toEqual([]);
    expect(summary.scanned).toMatchObject([
      { cluster: A, drifted: expect.any(Number), woken: expect.any(Number) },
    ]);
    expect((await world.deps.state.getDrift(target))?.findings).toHaveLength(1);
    await expect(state.getSource(SHOP)).rejects.toThrow('AccessDenied');
    await expect(
      state.putSource({
        schema: 1,
        id: SHOP,
        url: 'https://evil.example',
        provider: 'github',
        webhookSecrets: [],
      }),
    ).rejects.toThrow('AccessDenied');
  });
});
