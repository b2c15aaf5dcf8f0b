import { classify } from '../../lib/drift/classify.ts';
import type { KubeApi, ResourceRef } from '../../lib/cluster/kube-api.ts';
import { fieldManagerOf } from '../../lib/model/ids.ts';
import type { InventoryEntry, Projection } from '../../lib/model/inventory.ts';
import type { Observed, Verdict } from '../../lib/model/plan.ts';
import { type KubeObject, type LiveObject, resourceId } from '../../lib/model/resource.ts';
import { crdStates } from '../../lib/reconcile/crd-states.ts';
import { baselineOf, type CrdState } from '../../lib/plan/baseline.ts';
import { judge } from '../../lib/plan/judge.ts';
import { recordApplied } from '../../lib/plan/record.ts';
import { type JudgedKind, judgedCrds, judgedKinds } from './judge-kinds.ts';
import {
  aNamespace,
  anApply,
  applyAll,
  aTargetId,
  eventually,
  marked,
  openCluster,
  refOf,
  remove,
  uniqueName,
  withCluster,
} from './real-cluster.ts';

const CLEAN: Verdict = { kind: 'clean' };
const EDITOR = 'kubectl-edit';
const FINALIZER = 'example.com/judged';

const target = aTargetId();
const manager = fieldManagerOf(target);
const key = { id: 'k1', key: Buffer.alloc(32, 1) };
const unique = uniqueName('hf-judge');

/** Every edit that the judge must suspect, and how it is made. */
const EDITS: Readonly<Record<string, (subject: Subject, kind: JudgedKind) => Promise<unknown>>> = {
  'an edit by another manager': ({ edit }, kind) => edit(kind.edit),
  'an addition by another manager': ({ edit }, kind) => edit(kind.add),
  'a removal by another manager': ({ edit }, kind) => edit(kind.remove),
  'a change under our own name': ({ apply }, kind) => apply(merge(kind.object, kind.edit) as KubeObject),
  'an addition under our own name': ({ apply }, kind) => apply(merge(kind.object, kind.add) as KubeObject),
  'a foreign label': ({ edit }) => edit({ metadata: { labels: { foreign: 'x' } } }),
  'a foreign annotation': ({ edit }) => edit({ metadata: { annotations: { foreign: 'x' } } }),
  'a foreign finalizer': ({ edit }) => edit({ metadata: { finalizers: [FINALIZER] } }),
  'a foreign owner': ({ edit }) => edit({ metadata: { ownerReferences: [anOwner()] } }),
};

withCluster('the judge, on every kind that the test cluster serves', () => {
  const kinds = judgedKinds(unique);
  let kube: KubeApi;
  let crdOf: (id: ReturnType<typeof resourceId>) => CrdState | undefined;

  beforeAll(async () => {
    kube = openCluster();
    await applyAll(kube, aTargetId(), [aNamespace(unique), ...judgedCrds(unique)]);
    const serviceAccount = { type: await typeOfKind('ServiceAccount'), namespace: unique, name: 'default' };
    // Pods are refused before it is there.
    await eventually(() => kube.get(serviceAccount), 'the default ServiceAccount');
    await kube.discovery({ refresh: true });
    crdOf = await crdStates(
      kube,
      kinds.map(({ object }) => resourceId(object)),
      performance.now() + 60_000,
    );
  });

  afterAll(async () => {
    for (const object of [...judgedCrds(unique), aNamespace(unique)]) {
      await remove(kube, object);
    }
    await kube.close();
  });

  async function typeOfKind(kind: string) {
    const type = (await kube.discovery()).preferred('', kind);
    if (type === undefined) {
      throw new Error(`${kind} is not served`);
    }
    return type;
  }

  it('knows at least 40 kinds', () => {
    expect(kinds.length).toBeGreaterThanOrEqual(40);
  });

  describe.each(kinds.map((kind) => [kind.object.kind, kind] as const))('%s', (_name, kind) => {
    let subject: Subject;

    beforeAll(async () => {
      subject = await aSubject(kube, kind.object, crdOf);
    });

    afterAll(async () => {
      await subject.destroy();
    });

    it('is clean while nobody touches it, and when we apply the same again', async () => {
      const verdicts = async (): Promise<readonly Verdict[]> => {
        await subject.calm();
        const untouched = await subject.judged();
        return [untouched, await subject.judged(await subject.record(kind.object))];
      };

      const given =
        kind.settledCleanly === false
          ? // A controller may write at any moment: what counts is that between two writes it is clean.
            await eventually(async () => {
              const both = await verdicts();
              return both.every((verdict) => verdict.kind === 'clean') ? both : undefined;
            }, 'it is clean between two writes of its controller')
          : await verdicts();

      expect(given).toEqual([CLEAN, CLEAN]);
    });

    it.each(Object.entries(EDITS))('is suspect after %s', async (_edit, make) => {
      await subject.calm();

      await make(subject, kind);

      expect(await subject.judged()).toEqual({ kind: 'suspect', suspicion: 'edited' });
    });

    it('names who edited it, and has nothing to say of an addition', async () => {
      await subject.calm();

      await subject.edit({ metadata: { annotations: { foreign: 'y' } } });
      const added = await subject.drift();
      await subject.edit(kind.edit);
      const edited = await subject.drift();

      expect(added).toBeUndefined();
      expect(edited).toMatchObject({ kind: 'modified', by: [EDITOR] });
    });

    it('is clean, at once or after one look, when controllers have written into it', async () => {
      const applied = await subject.create();
      const settled = kind.settled ?? (() => true);
      await eventually(async () => {
        const live = await subject.fetch();
        return live !== undefined && settled(live) ? true : undefined;
      }, `controllers have seen ${kind.object.kind}`);

      const verdict = await subject.judged(applied);
      const drift = await subject.drift(applied);
      const verified = await eventually(async () => {
        const again = await subject.judged(applied, await subject.fetch());
        return again.kind === 'clean' ? again : undefined;
      }, 'clean by the last look, while nobody writes');

      expect(drift).toBeUndefined();
      expect(verified).toEqual(CLEAN);
      if (kind.settled !== undefined && kind.settledCleanly !== false) {
        expect(verdict).toEqual(CLEAN);
      }
    });

    it('is suspect while it is being deleted, when it is gone, and when somebody made it again', async () => {
      await subject.calm({ metadata: { finalizers: [FINALIZER] } });

      await subject.delete();
      const terminating = await subject.judged();
      await subject.release();
      const gone = await subject.judged();
      await subject.apply(kind.object);
      const again = await subject.judged();

      expect(terminating).toEqual({ kind: 'suspect', suspicion: 'terminating' });
      expect(gone).toEqual({ kind: 'suspect', suspicion: 'missing' });
      expect(again).toEqual({ kind: 'suspect', suspicion: 'recreated' });
    });
  });
});

interface Recorded {
  readonly entry: InventoryEntry;
  readonly projection: Projection;
}

type Subject = Awaited<ReturnType<typeof aSubject>>;

/** One object of a kind on the cluster, what is recorded of it, and the hands that touch it. */
async function aSubject(
  kube: KubeApi,
  given: KubeObject,
  crdOf: (id: ReturnType<typeof resourceId>) => CrdState | undefined,
) {
  const type = (await kube.discovery()).find(given.apiVersion, given.kind);
  if (type === undefined) {
    throw new Error(`${given.apiVersion} ${given.kind} is not served`);
  }
  const place = (object: KubeObject): KubeObject =>
    marked(
      type.namespaced ? { ...object, metadata: { ...object.metadata, namespace: unique } } : object,
      target,
    );
  const object = place(given);
  const ref: ResourceRef = await refOf(kube, object);
  const crd = crdOf(resourceId(object));
  const context = { fieldManager: manager, key, ...(crd === undefined ? {} : { crdOf: () => crd }) };
  let current: Recorded | undefined;

  const apply = (changed: KubeObject): Promise<LiveObject> =>
    kube.apply(ref, place(changed), { fieldManager: manager, force: true });
  const edit = (patch: unknown): Promise<LiveObject> => kube.mergePatch(ref, patch, { fieldManager: EDITOR });
  const fetch = (): Promise<LiveObject | undefined> => kube.get(ref);
  const recordOf = (): Recorded => {
    if (current === undefined) {
      throw new Error('nothing was recorded yet');
    }
    return current;
  };

  async function destroy(): Promise<void> {
    const live = await kube.getMetadata(ref);
    if (live !== undefined) {
      await edit({ metadata: { finalizers: null, ownerReferences: null } });
      await remove(kube, object);
    }
    await eventually(
      async () => ((await kube.getMetadata(ref)) === undefined ? true : undefined),
      'it is gone',
    );
  }

  /** Applies, and keeps what a run would keep of the answer. */
  async function record(changed: KubeObject): Promise<Recorded> {
    current = recordApplied(anApply(object, target), await apply(changed), context);
    return current;
  }

  async function create(): Promise<Recorded> {
    await destroy();
    return record(given);
  }

  /** Ours as it should be, and recorded as it is after everybody else has written. */
  async function calm(extra: unknown = {}): Promise<void> {
    if ((await fetch()) === undefined) {
      await apply(given);
    }
    await edit(merge({ metadata: { finalizers: null, ownerReferences: null } }, extra));
    await edit({ metadata: { annotations: { foreign: null }, labels: { foreign: null } } });
    await apply(given);
    await eventually(async () => {
      const live = await fetch();
      current = live === undefined ? current : recordApplied(anApply(object, target), live, context);
      return (await judged()).kind === 'clean' ? true : undefined;
    }, 'it is left alone for a moment');
  }

  async function judged(record = recordOf(), lookedAt?: LiveObject): Promise<Verdict> {
    const metadata = await kube.getMetadata(ref);
    const observed: Observed = metadata === undefined ? { kind: 'absent' } : { kind: 'live', metadata };
    const verified = lookedAt === undefined ? undefined : baselineOf(lookedAt, manager, crd);
    return judge(record.entry, observed, manager, crd, verified);
  }

  async function drift(record = recordOf()) {
    return classify(record.entry, record.projection, await fetch(), manager, key);
  }

  async function deleteIt(): Promise<void> {
    await remove(kube, object);
    await eventually(
      async () => (await kube.getMetadata(ref))?.metadata.deletionTimestamp,
      'its deletion has begun',
    );
  }

  return {
    apply,
    record,
    edit,
    fetch,
    create,
    calm,
    judged,
    drift,
    destroy,
    delete: deleteIt,
    release: destroy,
  };
}

function anOwner(): unknown {
  return { apiVersion: 'example.com/v1', kind: 'Owner', name: 'o', uid: crypto.randomUUID() };
}

/** RFC 7386, as the API server merges. */
function merge(value: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) {
    return patch;
  }
  const base = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  const merged = new Map<string, unknown>(Object.entries(base));
  for (const [name, change] of Object.entries(patch)) {
    if (change === null) {
      merged.delete(name);
    } else {
      merged.set(name, merge(merged.get(name), change));
    }
  }
  return Object.fromEntries(merged);
}
