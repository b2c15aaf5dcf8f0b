import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectLocal, type LocalConnection } from '../../lib/local/connect-local.ts';
import { type GitServer, startGitServer } from '../../lib/local/git-server/git-server.ts';
import { type SandboxCluster, startSandboxCluster } from '../../lib/local/sandbox/start-sandbox-cluster.ts';
import { sendPushWebhook } from '../../lib/local/tour/send-webhook.ts';
import { createWorkTree, type WorkTree } from '../../lib/local/tour/work-tree.ts';
import { silentLog } from '../../lib/model/log.ts';
import type { SourceId } from '../../lib/model/ids.ts';
import { isWorkOutstanding, type TargetState } from '../../lib/model/target-state.ts';
import { addCluster } from '../../lib/register/add-cluster.ts';
import { addSource } from '../../lib/register/add-source.ts';
import { bootstrapRoot } from '../../lib/register/bootstrap-root.ts';
import { loadInventory } from '../../lib/reconcile/inventory-document.ts';
import { configMap, definition } from '../support/reconcile-world.ts';
import { type LocalProcess, startLocalProcess } from './local-process.ts';

const OBJECTS = 40;
/** Short, so that what a killed process held comes free soon. */
const OPTIONS = ['--lease', '2', '--sweep', '1', '--scan', '3600'];
const SECRET = 'a webhook secret of this test';

describe('holdfast local, killed with SIGKILL in the middle of work and started again', () => {
  let directory: string;
  let stateDirectory: string;
  let sandbox: SandboxCluster;
  let gitServer: GitServer;
  let workTree: WorkTree;
  let local: LocalProcess;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-kill-'));
    stateDirectory = join(directory, 'state');
    sandbox = await startSandboxCluster();
    gitServer = await startGitServer({ directory: join(directory, 'git') });
    const { url } = await gitServer.createRepository('shop');
    workTree = await createWorkTree(join(directory, 'work'), url);
    local = await startLocalProcess(stateDirectory, ...OPTIONS);
    await withConnection(async (connection) => {
      const { deps, secrets } = connection;
      const { installation, state, queue, newId } = deps;
      const register = { installation, state, queue, secrets, now: Date.now, newId, log: silentLog };
      await addSource(register, {
        name: 'shop',
        url,
        provider: 'github',
        webhookSecret: SECRET,
        allowHttp: true,
        allowPrivateNetwork: true,
      });
      await addCluster(register, {
        name: 'sandbox',
        endpoint: sandbox.url,
        apply: { token: sandbox.token },
        read: { token: sandbox.readToken },
      });
      await bootstrapRoot(register, {
        name: 'main',
        source: 'shop',
        ref: { kind: 'branch', name: 'main' },
        path: 'clusters/main',
        cluster: 'sandbox',
      });
    });
  }, 60_000);

  afterEach(async () => {
    await local.kill();
    await gitServer.close();
    await sandbox.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function withConnection<T>(use: (connection: LocalConnection) => Promise<T>): Promise<T> {
    const connection = await connectLocal(stateDirectory);
    try {
      return await use(connection);
    } finally {
      await connection.close();
    }
  }

  async function restart(): Promise<void> {
    local = await startLocalProcess(stateDirectory, ...OPTIONS);
  }

  /** @returns the answer of the webhook */
  async function push(message: string, files: Readonly<Record<string, string | null>>) {
    const commit = await workTree.push(message, files);
    const url = await withConnection(async ({ webhookUrl }) => `${webhookUrl}/shop`);
    const update = { ref: 'refs/heads/main', before: '0'.repeat(40), after: commit };
    return { commit, delivery: await sendPushWebhook({ url, secret: SECRET }, update) };
  }

  const objects = (count: number, value: string): Record<string, string> =>
    Object.fromEntries(
      Array.from(
        { length: count },
        (_, n) => [`apps/web/c${n}.yaml`, configMap(`c${n}`, { value })] as const,
      ),
    );
  const web = definition('web', { path: 'apps/web', clusters: ['sandbox'] });

  /** What lives, by name, as the cluster itself says. */
  async function live(): Promise<ReadonlyMap<string, unknown>> {
    const response = await fetch(`${sandbox.url}/api/v1/namespaces/default/configmaps`, {
      headers: { authorization: `Bearer ${sandbox.readToken}` },
    });
    const { items } = (await response.json()) as {
      items: readonly { metadata: { name: string }; data?: { value?: string } }[];
    };
    const ours = items.filter(({ metadata }) => /^c\d+$/.test(metadata.name));
    return new Map(ours.map(({ metadata, data }) => [metadata.name, data?.value]));
  }

  const until = async (look: () => Promise<boolean> | boolean): Promise<void> => {
    while (!(await look())) await sleep(20);
  };

  /** The application, applied at this commit and at rest. */
  async function applied(commit: string): Promise<TargetState> {
    return withConnection(async ({ deps }) => {
      for (;;) {
        const states = await deps.state.getTargets(await deps.state.listTargets());
        const found = [...states.values()].find(
          (state) =>
            state.title === 'default/web' &&
            state.applied?.revision === commit &&
            state.lease === undefined &&
            !isWorkOutstanding(state),
        );
        if (found !== undefined) return found;
        await sleep(100);
      }
    });
  }

  const inventoryOf = (state: TargetState) =>
    withConnection(async ({ deps }) => (await loadInventory(deps.state, state))?.entries);

  /** Slows writes down, so that there is a middle to be killed in. */
  const slowWrites = (): void => {
    sandbox.setFault(({ method }) =>
      method === 'PATCH' || method === 'DELETE' ? { delayMs: 150 } : undefined,
    );
    sandbox.requests.reset();
  };
  const writes = (method: string): number =>
    sandbox.requests.all().filter((request) => request.method === method).length;

  it('finishes what a run had begun: nothing is missing, nothing is left over', async () => {
    slowWrites();
    const { commit } = await push('Many objects', {
      'clusters/main/web.yaml': web,
      ...objects(OBJECTS, 'one'),
    });
    await until(() => writes('PATCH') >= OBJECTS / 2);

    await local.kill();
    const half = (await live()).size;
    sandbox.setFault(undefined);
    await restart();

    const state = await applied(commit);
    const there = await live();
    expect(half).toBeLessThan(OBJECTS);
    expect([...there.values()]).toEqual(Array.from({ length: OBJECTS }, () => 'one'));
    expect((await inventoryOf(state))?.size).toBe(OBJECTS);
  }, 240_000);

  it('finishes a prune that had begun', async () => {
    const first = await push('Many objects', { 'clusters/main/web.yaml': web, ...objects(OBJECTS, 'one') });
    await applied(first.commit);
    slowWrites();
    const kept = OBJECTS / 2;
    const gone = Object.fromEntries(
      Array.from({ length: OBJECTS - kept }, (_, n) => [`apps/web/c${kept + n}.yaml`, null] as const),
    );
    const { commit } = await push('Half of them', gone);
    await until(() => writes('DELETE') >= 2);

    await local.kill();
    sandbox.setFault(undefined);
    await restart();

    const state = await applied(commit);
    expect((await live()).size).toBe(kept);
    expect((await inventoryOf(state))?.size).toBe(kept);
  }, 240_000);

  it('loses no push that was answered, even if it is killed with the answer', async () => {
    const first = await push('One object', { 'clusters/main/web.yaml': web, ...objects(1, 'one') });
    await applied(first.commit);
    const { commit, delivery } = await push('Another value', objects(1, 'two'));

    await local.kill();
    await restart();

    await applied(commit);
    expect(delivery.status).toBe(202);
    expect([...(await live()).values()]).toEqual(['two']);
  }, 240_000);

  it('keeps what was registered, on the same port, and stops cleanly on Ctrl-C', async () => {
    const before = await withConnection(async ({ webhookUrl }) => webhookUrl);

    await local.kill();
    await restart();

    await withConnection(async ({ deps, webhookUrl }) => {
      expect(webhookUrl).toBe(before);
      expect((await deps.state.getSource('shop' as SourceId))?.id).toBe('shop');
      expect((await deps.state.listRoots()).map(({ id }) => id)).toEqual(['main']);
    });
    expect(await local.stop()).toBe(0);
    await expect(connectLocal(stateDirectory)).rejects.toThrow('does not run');
  }, 240_000);
});
