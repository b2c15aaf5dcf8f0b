import type { ApplyDeps } from '../../lib/apply/apply-deps.ts';
import { executePlan } from '../../lib/apply/execute-plan.ts';
import type { TargetId } from '../../lib/model/ids.ts';
import type { InventoryEntry } from '../../lib/model/inventory.ts';
import type { Action } from '../../lib/model/plan.ts';
import { type KubeObject, resourceId } from '../../lib/model/resource.ts';
import { type FakeKube, fakeKube } from './fake-kube.ts';

const TARGET = 'aaaabbbbccccddddaaaabbbbccccdddd' as TargetId;

function aDeps(kube: FakeKube): ApplyDeps {
  return {
    kube,
    target: TARGET,
    fieldManager: `holdfast:${TARGET}`,
    lease: { stillOurs: () => true },
    deadline: 1_000_000,
    now: () => 0,
    sleep: () => Promise.resolve(),
  };
}

function aSecret(password: string, more: Readonly<Record<string, string>> = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'db', namespace: 'shop' },
    data: { password, ...more },
  };
}

function healing(kube: FakeKube, uidOfEntry?: string): Action {
  const object = aSecret('new', { user: 'x' });
  const live = kube.put(aSecret('old', { user: 'edited' }));
  const { uid, resourceVersion } = live.metadata;
  const previous: InventoryEntry = {
    id: resourceId(object),
    version: 'v1',
    namespaced: true,
    status: 'applied',
    desired: 'k1:00',
    baseline: { uid: uidOfEntry ?? uid, resourceVersion, metadata: '00' as never },
  };
  return {
    kind: 'apply',
    id: resourceId(object),
    reason: 'drifted',
    object,
    origin: { file: 'a.yaml' },
    desired: 'k1:00',
    live: { uid, resourceVersion },
    previous,
    keep: ['/data/password', '/data/gone'],
    stage: 2,
  };
}

function sent(kube: FakeKube): unknown {
  return kube.calls.find(({ verb }) => verb === 'apply')?.object?.['data'];
}

describe('putting an object right whose chart makes values up anew', () => {
  it('keeps those that live', async () => {
    const kube = fakeKube();

    await executePlan(aDeps(kube), [healing(kube)]);

    expect(sent(kube)).toEqual({ password: 'old', user: 'x' });
  });

  it('takes new ones where somebody else has put the object there', async () => {
    const kube = fakeKube();

    await executePlan(aDeps(kube), [healing(kube, 'another')]);

    expect(sent(kube)).toEqual({ password: 'new', user: 'x' });
  });
});
