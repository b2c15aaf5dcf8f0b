import type { Application, Root } from '../../lib/model/application.ts';
import type { ApplicationId, ClusterName, RootId, SourceId } from '../../lib/model/ids.ts';
import { initialRegistry, type RegisteredApplication } from '../../lib/model/registry.ts';
import type { GitRef } from '../../lib/model/source.ts';
import { tableStateStore } from '../../lib/state/table-state-store.ts';
import { readFollowedRefs } from '../../lib/webhook/followed-refs.ts';
import { memoryTable } from '../support/memory-table.ts';

const SOURCE = 'apps' as SourceId;
const OTHER = 'other' as SourceId;
const ROOT = 'main' as RootId;

function aRoot(source: SourceId, ref: GitRef): Root {
  const cluster = 'here' as ClusterName;
  return { schema: 1, id: ROOT, installation: 'test', source, ref, path: '.', cluster, base: 0 };
}

function aChild(source: SourceId, ref: GitRef): RegisteredApplication {
  const application: Application = {
    id: `test/main/holdfast/default/${source}` as ApplicationId,
    root: ROOT,
    dialect: 'holdfast',
    namespace: 'default',
    name: source,
    source,
    ref,
    path: '.',
    render: { tool: 'auto' },
    destinations: [],
    createNamespace: false,
    prune: true,
    drift: 'correct',
    suspend: false,
  };
  return { application, definition: 1 };
}

async function aState(root: Root, children: readonly RegisteredApplication[]) {
  const state = tableStateStore(memoryTable());
  await state.putRoot(root);
  await state.linkRoot(ROOT, [SOURCE, OTHER]);
  const pointer = await state.putBlob({ root: ROOT }, 1, children);
  await state.changeRegistry(ROOT, () => ({
    next: { ...initialRegistry(ROOT), children: pointer, childCount: children.length },
    result: undefined,
  }));
  return state;
}

describe('the followed refs of a source', () => {
  it('are those of its roots and of the registered applications that use it', async () => {
    const state = await aState(aRoot(SOURCE, { kind: 'branch', name: 'main' }), [
      aChild(SOURCE, { kind: 'tag', name: 'v1' }),
      aChild(SOURCE, { kind: 'commit', sha: 'c'.repeat(40) }),
      aChild(OTHER, { kind: 'branch', name: 'elsewhere' }),
    ]);

    const refs = await readFollowedRefs(state, SOURCE);

    expect([...(refs ?? [])].sort()).toEqual(['c'.repeat(40), 'refs/heads/main', 'refs/tags/v1']);
  });

  it('do not count the root of another source that declares applications with it', async () => {
    const state = await aState(aRoot(OTHER, { kind: 'branch', name: 'main' }), [
      aChild(SOURCE, { kind: 'branch', name: 'release' }),
    ]);

    const refs = await readFollowedRefs(state, SOURCE);

    expect([...(refs ?? [])]).toEqual(['refs/heads/release']);
  });

  it('are none for a source that no root uses', async () => {
    const state = tableStateStore(memoryTable());

    const refs = await readFollowedRefs(state, SOURCE);

    expect(refs).toEqual(new Set());
  });

  it('are unknown when a registry was replaced while it was read', async () => {
    const state = await aState(aRoot(SOURCE, { kind: 'branch', name: 'main' }), []);
    await state.dropBlobs({ root: ROOT }, 1, []);

    const refs = await readFollowedRefs(state, SOURCE);

    expect(refs).toBeUndefined();
  });
});
