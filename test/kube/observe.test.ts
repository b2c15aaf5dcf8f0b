import { observe, type Wanted } from '../../lib/cluster/observe.ts';
import { KubeError } from '../../lib/cluster/kube-error.ts';
import { resourceKey } from '../../lib/model/resource.ts';
import { type Call, type FakeKube, fakeKube, unreachable } from './fake-kube.ts';

const SELECTOR = 'holdfast.dev/target=t';

function wanted(name: string, namespace = 'web', kind = 'ConfigMap', group = ''): Wanted {
  return { id: { group, kind, namespace, name }, version: 'v1', namespaced: true };
}

function put(kube: FakeKube, name: string, namespace = 'web', isMarked = true): void {
  const labels = isMarked ? { 'holdfast.dev/target': 't' } : {};
  kube.put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels } });
}

async function look(kube: FakeKube, objects: readonly Wanted[]): Promise<readonly string[]> {
  const observation = await observe({ kube, selector: SELECTOR, wanted: objects });
  expect(observation.size).toBe(objects.length);
  return objects.map((each) => {
    const seen = observation.get(resourceKey(each.id));
    return seen?.kind === 'unknown' ? `unknown: ${seen.error}` : String(seen?.kind);
  });
}

function requests(kube: FakeKube): readonly string[] {
  return kube.calls.filter((call) => call.verb !== 'discovery').map((call) => `${call.verb} ${call.name}`);
}

describe('observing', () => {
  it('reads a few objects one by one, and more with one list of their namespace', async () => {
    const few = fakeKube();
    const many = fakeKube();
    for (const name of ['a', 'b', 'c']) {
      put(few, name);
      put(many, name);
    }

    const one = await look(few, [wanted('a'), wanted('b')]);
    const list = await look(many, [wanted('a'), wanted('b'), wanted('c')]);

    expect(one).toEqual(['live', 'live']);
    expect(requests(few)).toEqual(['get a', 'get b']);
    expect(list).toEqual(['live', 'live', 'live']);
    expect(requests(many)).toEqual(['list web']);
  });

  it('lists the whole cluster for several namespaces, and each of them where that is forbidden', async () => {
    const allowed = fakeKube();
    const forbidden = fakeKube((call: Call) => {
      if (call.verb === 'list' && call.name === '') {
        throw new KubeError('kube-forbidden', 'forbidden', { status: 403, retryable: false });
      }
    });
    const objects = [wanted('a', 'x'), wanted('b', 'y'), wanted('c', 'y')];
    for (const kube of [allowed, forbidden]) {
      put(kube, 'a', 'x');
      put(kube, 'b', 'y');
      put(kube, 'c', 'y');
    }

    expect(await look(allowed, objects)).toEqual(['live', 'live', 'live']);
    expect(requests(allowed)).toEqual(['list ']);
    expect(await look(forbidden, objects)).toEqual(['live', 'live', 'live']);
    expect(requests(forbidden)).toEqual(['list ', 'list x', 'list y']);
  });

  it('asks by name before it calls an object absent', async () => {
    const kube = fakeKube();
    put(kube, 'a');
    put(kube, 'unmarked', 'web', false);

    const seen = await look(kube, [wanted('a'), wanted('unmarked'), wanted('gone')]);

    expect(seen).toEqual(['live', 'live', 'absent']);
    expect(requests(kube)).toEqual(['list web', 'get unmarked', 'get gone']);
  });

  it('knows nothing of what it could not read, and all of the rest', async () => {
    const kube = fakeKube((call) => {
      if (call.kind === 'Secret' || call.name === 'dark') {
        throw unreachable();
      }
    });
    put(kube, 'a');

    const seen = await look(kube, [
      wanted('s1', 'web', 'Secret'),
      wanted('s2', 'web', 'Secret'),
      wanted('s3', 'web', 'Secret'),
      wanted('a'),
      wanted('dark'),
    ]);

    expect(seen).toEqual([...Array(3).fill('unknown: no answer'), 'live', 'unknown: no answer']);
  });

  it('knows nothing when discovery fails', async () => {
    const kube = fakeKube(() => {
      throw unreachable();
    });

    expect(await look(kube, [wanted('a')])).toEqual(['unknown: no answer']);
  });

  it('takes objects for absent whose kind is not served, after looking again', async () => {
    const kube = fakeKube();

    const seen = await look(kube, [wanted('w', 'web', 'Widget', 'example.com')]);

    expect(seen).toEqual(['absent']);
    expect(kube.calls.filter((call) => call.verb === 'discovery')).toHaveLength(2);
  });

  it('does not take objects for absent whose group is down', async () => {
    const kube = fakeKube();
    kube.failedGroups = ['example.com/v1'];

    const [seen] = await look(kube, [wanted('w', 'web', 'Widget', 'example.com')]);

    expect(seen).toMatch(/^unknown: discovery of example.com\/v1 failed/);
  });

  it('finds an object under another version than it was applied in', async () => {
    const kube = fakeKube();
    put(kube, 'a');

    expect(await look(kube, [{ ...wanted('a'), version: 'v1beta1' }])).toEqual(['live']);
  });

  it('asks nothing when nothing is wanted', async () => {
    const kube = fakeKube();

    expect(await look(kube, [])).toEqual([]);
    expect(kube.calls).toEqual([]);
  });
});
