import fc from 'fast-check';
import { compareForApply, compareForPrune, stageOf } from '../../lib/plan/order.ts';
import type { ResourceId } from '../../lib/model/resource.ts';

const id = (group: string, kind: string, name = 'x'): ResourceId => ({ group, kind, name });

describe('the order', () => {
  it('puts what others need before them, and what can break others after them', () => {
    const shuffled = [
      id('admissionregistration.k8s.io', 'ValidatingWebhookConfiguration'),
      id('apiregistration.k8s.io', 'APIService'),
      id('example.com', 'Widget'),
      id('networking.k8s.io', 'Ingress'),
      id('apps', 'Deployment'),
      id('', 'Service'),
      id('', 'Secret'),
      id('', 'ServiceAccount'),
      id('apiextensions.k8s.io', 'CustomResourceDefinition'),
      id('', 'Namespace'),
    ];

    const sorted = shuffled.toSorted(compareForApply);

    expect(sorted.map(({ kind }) => kind)).toEqual([
      'Namespace',
      'CustomResourceDefinition',
      'ServiceAccount',
      'Secret',
      'Service',
      'Deployment',
      'Ingress',
      'Widget',
      'APIService',
      'ValidatingWebhookConfiguration',
    ]);
    expect(sorted.map(stageOf)).toEqual([0, 0, 1, 2, 3, 4, 5, 5, 6, 7]);
  });

  it('goes by group and kind together', () => {
    expect(stageOf(id('example.com', 'Namespace'))).toBe(5);
    expect(stageOf(id('serving.knative.dev', 'Service'))).toBe(5);
  });

  it('is total, and pruning is its reverse', () => {
    const ids = fc.record({
      group: fc.constantFrom('', 'apps', 'example.com'),
      kind: fc.constantFrom('Namespace', 'Deployment', 'Widget', 'Service'),
      namespace: fc.constantFrom('a', 'b'),
      name: fc.constantFrom('x', 'y', 'Z'),
    });

    fc.assert(
      fc.property(ids, ids, (a, b) => {
        expect(Math.sign(compareForApply(a, b)) + Math.sign(compareForApply(b, a))).toBe(0);
        expect(compareForApply(a, b) === 0).toBe(JSON.stringify(a) === JSON.stringify(b));
        expect(Math.sign(compareForPrune(a, b))).toBe(Math.sign(compareForApply(b, a)));
      }),
    );
  });
});
