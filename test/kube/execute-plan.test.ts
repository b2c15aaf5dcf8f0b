import fc from 'fast-check';
import type { ApplyDeps } from '../../lib/apply/apply-deps.ts';
import type { ActionResult } from '../../lib/apply/apply-report.ts';
import { executePlan } from '../../lib/apply/execute-plan.ts';
import type { TargetId } from '../../lib/model/ids.ts';
import type { Action } from '../../lib/model/plan.ts';
import { type KubeObject, resourceId } from '../../lib/model/resource.ts';
import { stageOf } from '../../lib/plan/order.ts';
import { type Call, conflict, type FakeKube, fakeKube, refused, unreachable } from './fake-kube.ts';

const TARGET = 'aaaabbbbccccddddaaaabbbbccccdddd' as TargetId;
const MANAGER = `holdfast:${TARGET}`;

type ApplyAction = Action & { kind: 'apply' };

function aDeps(kube: FakeKube, changes: Partial<ApplyDeps> = {}): ApplyDeps {
  let clock = 0;
  return {
    kube,
    target: TARGET,
    fieldManager: MANAGER,
    lease: { stillOurs: () => true },
    deadline: 1_000_000,
    now: () => clock,
    sleep: (ms) => {
      clock += ms;
      return Promise.resolve();
    },
    random: () => 0.5,
    ...changes,
  };
}

function anApply(object: KubeObject, changes: Partial<ApplyAction> = {}): ApplyAction {
  const id = resourceId(object);
  return {
    kind: 'apply',
    id,
    reason: 'new',
    object,
    origin: { file: 'a.yaml', line: 3 },
    desired: 'k1:00',
    stage: stageOf(id),
    ...changes,
  };
}

function aConfigMap(name: string, namespace = 'web'): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: { a: '1' } };
}

function aNamespace(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

function aCrd(group: string, kind: string): KubeObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.toLowerCase()}s.${group}` },
    spec: {
      group,
      names: { kind, plural: `${kind.toLowerCase()}s` },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true }],
    },
  };
}

function aWidget(name: string): KubeObject {
  return { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name, namespace: 'web' } };
}

function applied(calls: readonly Call[]): readonly string[] {
  return calls.filter((call) => call.verb === 'apply').map((call) => call.name);
}

function outcome(result: ActionResult | undefined): string {
  return result?.kind === 'failed' ? `failed ${result.error.code}` : String(result?.kind);
}

describe('executing a plan', () => {
  it('goes through the stages in ascending order, whatever order the actions have', async () => {
    const kube = fakeKube();
    const actions = [
      anApply(aWidget('w')),
      anApply(aConfigMap('c')),
      anApply(aCrd('example.com', 'Widget')),
      anApply(aNamespace('web')),
    ];

    const report = await executePlan(aDeps(kube, { concurrency: 1 }), actions);

    expect(report.results.map((result) => result.action)).toEqual(actions);
    expect(report.results.map(outcome)).toEqual(Array(4).fill('applied'));
    expect(applied(kube.calls)).toEqual(['widgets.example.com', 'web', 'c', 'w']);
  });

  it('sends a new object with neither uid nor version, and a known one with both', async () => {
    const kube = fakeKube();
    const known = kube.put(aConfigMap('known'));

    await executePlan(aDeps(kube), [
      anApply(aConfigMap('new')),
      anApply(aConfigMap('known'), { live: known.metadata }),
    ]);

    const sent = kube.calls.filter((call) => call.verb === 'apply').map((call) => call.object?.metadata);
    expect(sent).toEqual([
      { name: 'new', namespace: 'web' },
      {
        name: 'known',
        namespace: 'web',
        uid: known.metadata.uid,
        resourceVersion: known.metadata.resourceVersion,
      },
    ]);
  });

  it('tells of a rejected action with its file, and asks nothing for what needs nothing', async () => {
    const kube = fakeKube();
    const id = resourceId(aConfigMap('bad'));
    const entry = { id, version: 'v1', namespaced: true, status: 'applied', desired: '' } as const;

    const report = await executePlan(aDeps(kube), [
      { kind: 'reject', id, origin: { file: 'a.yaml', line: 7 }, why: 'it has no namespace' },
      { kind: 'unchanged', id, entry },
      { kind: 'withhold', id, entry, why: 'held' },
    ]);

    expect(report.results).toHaveLength(1);
    expect(report.results[0]).toMatchObject({
      kind: 'failed',
      error: {
        code: 'invalid-input',
        message: 'ConfigMap web/bad (a.yaml:7): it has no namespace',
      },
    });
    expect(kube.calls).toEqual([]);
  });

  describe('conflicts', () => {
    const foreign = (kube: FakeKube, manager: string) =>
      kube.put(aConfigMap('c'), { managedFields: [{ manager, operation: 'Apply' }] });

    it('forces over another manager, bound to the version that was refused', async () => {
      const kube = fakeKube();
      const before = foreign(kube, 'kubectl');

      const report = await executePlan(aDeps(kube), [anApply(aConfigMap('c'))]);

      expect(report.results[0]).toMatchObject({ kind: 'applied', forced: true });
      const forced = kube.calls.find((call) => call.force === true);
      expect(forced?.object?.metadata).toMatchObject({
        uid: before.metadata.uid,
        resourceVersion: before.metadata.resourceVersion,
      });
    });

    it('refuses another Holdfast manager and never forces', async () => {
      const kube = fakeKube();
      foreign(kube, 'holdfast:other');

      const report = await executePlan(aDeps(kube), [anApply(aConfigMap('c'))]);

      expect(outcome(report.results[0])).toBe('failed foreign-owner');
      expect(kube.calls.some((call) => call.force === true)).toBe(false);
    });

    it('refuses another Holdfast manager that arrives between the two requests', async () => {
      const kube = fakeKube((call, cluster) => {
        if (call.verb === 'apply' && call.force === true) {
          foreign(cluster, 'holdfast:other');
        }
      });
      foreign(kube, 'kubectl');

      const report = await executePlan(aDeps(kube), [anApply(aConfigMap('c'))]);

      expect(outcome(report.results[0])).toBe('failed foreign-owner');
    });

    it('tries again with the new version after an edit in between', async () => {
      let edits = 2;
      const kube = fakeKube((call, cluster) => {
        if (call.verb === 'apply' && edits > 0) {
          edits -= 1;
          cluster.put(aConfigMap('c'));
        }
      });
      const known = kube.put(aConfigMap('c'));

      const report = await executePlan(aDeps(kube), [anApply(aConfigMap('c'), { live: known.metadata })]);

      expect(outcome(report.results[0])).toBe('applied');
    });

    it('gives up on an object that never holds still', async () => {
      const kube = fakeKube((call, cluster) => {
        if (call.verb === 'apply') {
          cluster.put(aConfigMap('c'));
        }
      });
      const known = kube.put(aConfigMap('c'));

      const report = await executePlan(aDeps(kube), [anApply(aConfigMap('c'), { live: known.metadata })]);

      expect(report.results[0]).toMatchObject({
        kind: 'failed',
        error: { code: 'kube-conflict', retryable: true, message: expect.stringContaining('keeps writing') },
      });
    });

    it('refuses to try again once the lease is lost', async () => {
      let isOurs = true;
      const kube = fakeKube((call) => {
        if (call.verb === 'apply') {
          isOurs = false;
          throw conflict(409);
        }
      });
      const known = kube.put(aConfigMap('c'));

      const report = await executePlan(aDeps(kube, { lease: { stillOurs: () => isOurs } }), [
        anApply(aConfigMap('c'), { live: known.metadata }),
      ]);

      expect(report).toMatchObject({ interrupted: 'lease-lost', results: [{ kind: 'not-attempted' }] });
      expect(kube.calls.filter((call) => call.verb !== 'discovery')).toHaveLength(1);
    });
  });

  describe('passing troubles', () => {
    it('tries again, a bounded number of times', async () => {
      let failures = 2;
      const kube = fakeKube((call) => {
        if (call.name === 'weak' && failures > 0) {
          failures -= 1;
          throw unreachable();
        }
        if (call.name === 'dead') {
          throw unreachable();
        }
      });

      const report = await executePlan(aDeps(kube), [
        anApply(aConfigMap('weak')),
        anApply(aConfigMap('dead')),
        anApply(aConfigMap('good')),
      ]);

      expect(report.results.map(outcome)).toEqual(['applied', 'failed kube-unreachable', 'applied']);
      expect(applied(kube.calls).filter((name) => name === 'dead')).toHaveLength(4);
    });

    it('refuses to sleep over the deadline', async () => {
      const kube = fakeKube((call) => {
        if (call.verb === 'apply') {
          throw unreachable();
        }
      });

      const report = await executePlan(aDeps(kube, { deadline: 100 }), [anApply(aConfigMap('c'))]);

      expect(report).toMatchObject({ interrupted: 'deadline', results: [{ kind: 'not-attempted' }] });
    });

    it('reports the same trouble for all when discovery fails', async () => {
      const kube = fakeKube((call) => {
        if (call.verb === 'discovery') {
          throw refused('no discovery');
        }
      });

      const report = await executePlan(aDeps(kube), [anApply(aConfigMap('a')), anApply(aConfigMap('b'))]);

      expect(report.results.map(outcome)).toEqual(['failed kube-invalid', 'failed kube-invalid']);
    });
  });

  describe('namespaces and CRDs', () => {
    it('names the CRD that failed, and goes on with the rest', async () => {
      const kube = fakeKube((call) => {
        if (call.kind === 'CustomResourceDefinition' && call.verb === 'apply') {
          throw refused('spec is wrong');
        }
      });

      const report = await executePlan(aDeps(kube), [
        anApply(aCrd('example.com', 'Widget')),
        anApply(aWidget('w')),
        anApply(aConfigMap('c')),
      ]);

      expect(report.results.map(outcome)).toEqual(['failed kube-invalid', 'failed unknown-kind', 'applied']);
      expect(report.results[1]).toMatchObject({
        error: {
          message: expect.stringContaining(
            'CustomResourceDefinition.apiextensions.k8s.io widgets.example.com could not be applied: spec is wrong',
          ),
        },
      });
    });

    it('sends custom resources although a change of their CRD failed, when it serves them already', async () => {
      const kube = fakeKube((call) => {
        if (call.kind === 'CustomResourceDefinition' && call.verb === 'apply') {
          throw refused();
        }
      });
      kube.put(aCrd('example.com', 'Widget'));

      const report = await executePlan(aDeps(kube), [
        anApply(aCrd('example.com', 'Widget')),
        anApply(aWidget('w')),
      ]);

      expect(report.results.map(outcome)).toEqual(['failed kube-invalid', 'applied']);
    });

    it('names the namespace that failed', async () => {
      const kube = fakeKube((call) => {
        if (call.kind === 'Namespace' && call.verb === 'apply') {
          throw refused('name is wrong');
        }
      });

      const report = await executePlan(aDeps(kube), [
        anApply(aNamespace('web')),
        anApply(aConfigMap('in')),
        anApply(aConfigMap('out', 'elsewhere')),
      ]);

      expect(report.results.map(outcome)).toEqual([
        'failed kube-invalid',
        'failed kube-not-found',
        'applied',
      ]);
      expect(report.results[1]).toMatchObject({
        error: { message: expect.stringContaining('Namespace web could not be applied') },
      });
    });

    it('gives up after a minute on a CRD that is never established', async () => {
      const kube = fakeKube((call, cluster) => {
        const crd = cluster.stored.get('CustomResourceDefinition//widgets.example.com');
        if (call.verb === 'get' && crd !== undefined) {
          cluster.stored.set('CustomResourceDefinition//widgets.example.com', { ...crd, status: {} });
        }
      });
      const start = aCrd('example.com', 'Widget');
      const kubeWithoutStatus: FakeKube = {
        ...kube,
        apply: async (ref, object, options) => ({
          ...(await kube.apply(ref, object, options)),
          ...(ref.type.kind === 'CustomResourceDefinition' ? { status: {} } : {}),
        }),
      };

      const report = await executePlan(aDeps(kubeWithoutStatus), [anApply(start), anApply(aConfigMap('c'))]);

      expect(report.results.map(outcome)).toEqual(['failed kube-error', 'applied']);
      expect(report.results[0]).toMatchObject({
        error: { retryable: true, message: expect.stringContaining('it is not established yet') },
      });
    });

    it('says at once that the names of a CRD are taken', async () => {
      const kube = fakeKube();
      const taken: FakeKube = {
        ...kube,
        apply: async (ref, object, options) => ({
          ...(await kube.apply(ref, object, options)),
          status: { conditions: [{ type: 'NamesAccepted', status: 'False', message: '"widgets" is taken' }] },
        }),
      };

      const report = await executePlan(aDeps(taken), [anApply(aCrd('example.com', 'Widget'))]);

      expect(report.results[0]).toMatchObject({
        error: { message: expect.stringContaining('"widgets" is taken') },
      });
      expect(kube.calls.filter((call) => call.verb === 'get')).toEqual([]);
    });

    it('says that a kind is unknown, and that a failed group is not', async () => {
      const kube = fakeKube();
      kube.failedGroups = ['metrics.k8s.io/v1beta1'];
      const metrics = { ...aWidget('m'), apiVersion: 'metrics.k8s.io/v1beta1' };

      const report = await executePlan(aDeps(kube), [anApply(aWidget('w')), anApply(metrics)]);

      expect(report.results[0]).toMatchObject({
        error: {
          code: 'unknown-kind',
          retryable: false,
          message: expect.stringContaining('CustomResourceDefinition of group "example.com"'),
        },
      });
      expect(report.results[1]).toMatchObject({ error: { code: 'kube-error', retryable: true } });
    });

    it('rejects an object whose scope is not its kind’s', async () => {
      const kube = fakeKube();
      const lost = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'lost' } };

      const report = await executePlan(aDeps(kube), [anApply(lost)]);

      expect(report.results[0]).toMatchObject({
        error: { code: 'invalid-input', message: expect.stringContaining('set metadata.namespace') },
      });
    });
  });

  describe('taking over', () => {
    it('writes its epoch to every object, and leaves the action as it was', async () => {
      const kube = fakeKube();
      const action = anApply(aConfigMap('c'));

      const report = await executePlan(aDeps(kube, { epochAnnotation: 12 }), [action]);

      expect(kube.calls.find((call) => call.verb === 'apply')?.object?.metadata.annotations).toEqual({
        'holdfast.dev/epoch': '12',
      });
      expect(report.results[0]?.action).toBe(action);
      expect(action.object.metadata.annotations).toBeUndefined();
    });
  });

  describe('laws', () => {
    // What the cluster does to each request, in the order of the requests; the names of passing and final troubles.
    const faults = fc.array(
      fc.constantFrom('ok', 'ok', 'ok', 'unreachable', 'refused', 'conflict', 'edited', 'deleted'),
      { maxLength: 60 },
    );
    const names = fc.uniqueArray(fc.constantFrom(...'abcdefghij'), { minLength: 1, maxLength: 10 });

    function troubled(script: readonly string[], onRequest: (count: number) => void = () => {}): FakeKube {
      let count = 0;
      return fakeKube((call, cluster) => {
        onRequest(count);
        const fault = script[count++] ?? 'ok';
        const key = `${call.kind}/web/${call.name}`;
        switch (fault) {
          case 'unreachable':
            throw unreachable();
          case 'refused':
            throw refused();
          case 'conflict':
            throw conflict(409);
          case 'edited':
            if (cluster.stored.has(key)) {
              cluster.put(aConfigMap(call.name));
            }
            break;
          case 'deleted':
            cluster.stored.delete(key);
            break;
        }
      });
    }

    function actionsFor(kube: FakeKube, chosen: readonly string[]): readonly ApplyAction[] {
      // Every second one is known to live.
      return chosen.map((name, index) =>
        index % 2 === 0
          ? anApply(aConfigMap(name))
          : anApply(aConfigMap(name), { live: kube.put(aConfigMap(name)).metadata }),
      );
    }

    it('gives every action exactly one result, in order, and leaves nothing in flight', async () => {
      await fc.assert(
        fc.asyncProperty(
          faults,
          names,
          fc.integer({ min: 1, max: 4 }),
          async (script, chosen, concurrency) => {
            const kube = troubled(script);
            const actions = actionsFor(kube, chosen);
            const told: ActionResult[] = [];

            const report = await executePlan(
              aDeps(kube, { concurrency, onResult: (result) => told.push(result) }),
              actions,
            );

            expect(report.results.map((result) => result.action)).toEqual(actions);
            expect(new Set(told)).toEqual(new Set(report.results));
            expect(told).toHaveLength(actions.length);
            expect(kube.inFlight()).toBe(0);
          },
        ),
        { numRuns: 200 },
      );
    });

    it('never hides the others behind a failing one', async () => {
      await fc.assert(
        fc.asyncProperty(names, fc.nat(9), async (chosen, which) => {
          const bad = chosen[which % chosen.length];
          const kube = fakeKube((call) => {
            if (call.verb === 'apply' && call.name === bad) {
              throw refused();
            }
          });

          const report = await executePlan(aDeps(kube), actionsFor(kube, chosen));

          const failed = report.results.filter((result) => result.kind !== 'applied');
          expect(failed.map((result) => result.action.id.name)).toEqual([bad]);
        }),
      );
    });

    it.each(['lease', 'deadline'] as const)('sends nothing after the %s', async (what) => {
      await fc.assert(
        fc.asyncProperty(faults, names, fc.nat(30), async (script, chosen, stopAfter) => {
          let stopped = false;
          const kube = troubled(script, (count) => {
            // Requests that were begun in the same turn are under way already.
            if (count >= stopAfter) {
              stopped = true;
            }
          });
          const actions = actionsFor(kube, chosen);
          const changes: Partial<ApplyDeps> =
            what === 'lease'
              ? { lease: { stillOurs: () => !stopped } }
              : { now: () => (stopped ? 2_000_000 : 0), sleep: () => Promise.resolve() };

          const report = await executePlan(aDeps(kube, { concurrency: 1, ...changes }), actions);

          expect(kube.calls.length).toBeLessThanOrEqual(stopAfter + 1);
          expect(kube.inFlight()).toBe(0);
          expect(report.results).toHaveLength(actions.length);
          if (report.results.some((result) => result.kind === 'not-attempted')) {
            expect(report.interrupted).toBe(what === 'lease' ? 'lease-lost' : 'deadline');
          }
        }),
        { numRuns: 200 },
      );
    });
  });
});
