import fc from 'fast-check';
import type { ActionResult } from '../../lib/apply/apply-report.ts';
import { buildPlan } from '../../lib/plan/build-plan.ts';
import { judge } from '../../lib/plan/judge.ts';
import { afterRun, recordApplied, writeAhead } from '../../lib/plan/record.ts';
import type { Inventory, InventoryStatus } from '../../lib/model/inventory.ts';
import type { Action, Plan } from '../../lib/model/plan.ts';
import { type KubeObject, resourceId, resourceKey } from '../../lib/model/resource.ts';
import {
  aConfigMap,
  aManifest,
  anAppliedObject,
  aPlanInput,
  aWorld,
  KEY,
  MANAGER,
  recorded,
} from './world.ts';

const CONTEXT = { fieldManager: MANAGER, key: KEY };
const ERROR = { code: 'kube-unreachable', message: 'no answer', retryable: true } as const;

const objects = Array.from({ length: 8 }, (_, i) => aConfigMap(`cm${i}`));
const keyOf = (object: KubeObject): string => resourceKey(resourceId(object));

/** Any way in which an action can end. */
function outcomesOf(action: Action): readonly ActionResult[] {
  const always: readonly ActionResult[] = [
    { kind: 'failed', action, error: ERROR },
    { kind: 'not-attempted', action },
  ];
  switch (action.kind) {
    case 'apply':
      return [
        ...always,
        { kind: 'applied', action, live: anAppliedObject(action.object), forced: false, warnings: [] },
      ];
    case 'prune':
      return [
        ...always,
        { kind: 'pruned', action },
        { kind: 'terminating', action },
        { kind: 'released', action, why: 'x' },
        { kind: 'withheld', action, why: 'x' },
      ];
    default:
      return [];
  }
}

const scenario = fc
  .record({
    there: fc.subarray(objects),
    wanted: fc.subarray(objects),
    changed: fc.boolean(),
    statuses: fc.array(fc.constantFrom<InventoryStatus>('pending', 'applied', 'deleting'), {
      minLength: 8,
      maxLength: 8,
    }),
    outcomes: fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
    answered: fc.nat({ max: 8 }),
  })
  .map(({ there, wanted, changed, statuses, outcomes, answered }) => {
    const world = aWorld(there);
    const inventory: Inventory = new Map(
      [...world.inventory].map(([key, entry], i) => [key, { ...entry, status: statuses[i] ?? 'applied' }]),
    );
    const manifests = wanted.map((object) => aManifest(changed ? { ...object, data: { a: '2' } } : object));
    const plan = buildPlan(aPlanInput({ ...world, inventory, manifests }));
    const results = plan.actions
      .flatMap((action, i) => {
        const possible = outcomesOf(action);
        return possible[(outcomes[i] ?? 0) % Math.max(possible.length, 1)] ?? [];
      })
      // The worker may end before all of them are answered.
      .slice(0, answered);
    return { inventory, plan, results };
  });

describe('writing ahead', () => {
  it('covers old and new, and marks what the run is about to touch', () => {
    fc.assert(
      fc.property(scenario, ({ inventory, plan }) => {
        const ahead = writeAhead(inventory, plan);

        for (const key of inventory.keys()) {
          expect(ahead.has(key)).toBe(true);
        }
        for (const action of plan.actions) {
          const entry = ahead.get(resourceKey(action.id));
          if (action.kind === 'apply') {
            expect(entry?.status).toBe('pending');
            expect(entry?.baseline).toEqual(inventory.get(resourceKey(action.id))?.baseline);
          }
          if (action.kind === 'prune') {
            expect(entry?.status).toBe('deleting');
          }
        }
      }),
    );
  });

  it('adds nothing for a manifest that is rejected', () => {
    const nameless = { ...aConfigMap('x'), metadata: { namespace: 'web' } };
    const plan = buildPlan(aPlanInput({ manifests: [aManifest(nameless)] }));

    expect(writeAhead(new Map(), plan).size).toBe(0);
  });

  it('is the same again when it is written twice', () => {
    fc.assert(
      fc.property(scenario, ({ inventory, plan }) => {
        const once = writeAhead(inventory, plan);

        expect(writeAhead(once, plan)).toEqual(once);
      }),
    );
  });
});

describe('the inventory after a run', () => {
  it('has lost only what is known to be gone or was let go', () => {
    fc.assert(
      fc.property(scenario, ({ inventory, plan, results }) => {
        const ahead = writeAhead(inventory, plan);

        const { inventory: after } = afterRun(ahead, plan, results, CONTEXT);

        const free = new Set(
          results
            .filter(({ kind }) => kind === 'pruned' || kind === 'released')
            .map(({ action }) => resourceKey(action.id)),
        );
        for (const key of ahead.keys()) {
          expect(after.has(key)).toBe(!free.has(key));
        }
      }),
    );
  });

  it('holds no other entry as applied than those that were, and those that are now', () => {
    fc.assert(
      fc.property(scenario, ({ inventory, plan, results }) => {
        const { inventory: after } = afterRun(writeAhead(inventory, plan), plan, results, CONTEXT);

        const touched = new Map(plan.actions.map((action) => [resourceKey(action.id), action]));
        const answers = new Map(results.map((result) => [resourceKey(result.action.id), result.kind]));
        for (const [key, entry] of after) {
          if (entry.status === 'applied' && touched.get(key)?.kind === 'apply') {
            expect(answers.get(key)).toBe('applied');
          }
          if (entry.status === 'applied' && touched.get(key)?.kind === 'prune') {
            expect(answers.get(key)).toBe('withheld');
          }
        }
      }),
    );
  });

  it('has the projection of every entry that was applied', () => {
    fc.assert(
      fc.property(scenario, ({ inventory, plan, results }) => {
        const { inventory: after, projections } = afterRun(
          writeAhead(inventory, plan),
          plan,
          results,
          CONTEXT,
        );

        for (const { kind, action } of results) {
          const digest = after.get(resourceKey(action.id))?.projection;
          if (kind === 'applied') {
            expect(digest !== undefined && projections.has(digest)).toBe(true);
          }
        }
      }),
    );
  });

  it('leads to a plan that does the rest, whenever the worker ended', () => {
    fc.assert(
      fc.property(scenario, ({ inventory, plan, results }) => {
        const { inventory: after } = afterRun(writeAhead(inventory, plan), plan, results, CONTEXT);
        const done = new Set(
          results
            .filter(({ kind }) => !['failed', 'not-attempted', 'terminating', 'withheld'].includes(kind))
            .map(({ action }) => resourceKey(action.id)),
        );
        const manifests = plan.actions.flatMap((action) =>
          action.kind === 'apply' ? [aManifest(action.object)] : [],
        );
        const verdicts = new Map([...after.keys()].map((key) => [key, { kind: 'clean' } as const]));

        const next = buildPlan(
          aPlanInput({ manifests, inventory: after, verdicts, minPruneCount: Number.POSITIVE_INFINITY }),
        );

        const doing = new Set(
          next.actions
            .filter(({ kind }) => kind === 'apply' || kind === 'prune' || kind === 'withhold')
            .map(({ id }) => resourceKey(id)),
        );
        for (const action of plan.actions) {
          if ((action.kind === 'apply' || action.kind === 'prune') && !done.has(resourceKey(action.id))) {
            expect(doing.has(resourceKey(action.id))).toBe(true);
          }
        }
      }),
    );
  });

  it('keeps an object whose hand-over was not reached', () => {
    const world = aWorld(objects.slice(0, 1));
    const key = keyOf(objects[0] ?? aConfigMap(''));
    const plan: Plan = buildPlan(
      aPlanInput({
        ...world,
        manifests: [aManifest(aConfigMap('kept'))],
        claimedElsewhere: new Map([[key, 'other']]),
      }),
    );
    const release = plan.actions.filter(({ kind }) => kind === 'release');

    const handed = afterRun(writeAhead(world.inventory, plan), plan, [], CONTEXT);
    const kept = afterRun(
      writeAhead(world.inventory, plan),
      plan,
      release.map((action) => ({ kind: 'not-attempted', action })),
      CONTEXT,
    );

    expect(handed.inventory.has(key)).toBe(false);
    expect(kept.inventory.has(key)).toBe(true);
  });
});

describe('what is recorded of an apply', () => {
  it('is judged clean as long as nothing moves', () => {
    const { entry, live } = recorded(aConfigMap('a'));

    expect(judge(entry, { kind: 'live', metadata: live }, MANAGER)).toEqual({ kind: 'clean' });
  });

  it('never holds the value of a Secret', () => {
    const secret: KubeObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', namespace: 'web' },
      stringData: { password: 'hunter2' },
    };
    const [action] = buildPlan(aPlanInput({ manifests: [aManifest(secret)] })).actions;
    const live = anAppliedObject({
      ...secret,
      stringData: undefined,
      data: { password: 'aHVudGVyMg==' },
    });

    const record = action?.kind === 'apply' ? recordApplied(action, live, CONTEXT) : undefined;

    expect(record?.projection['data']).toBeDefined();
    expect(JSON.stringify(record)).not.toMatch(/hunter2|aHVudGVyMg/);
  });
});
