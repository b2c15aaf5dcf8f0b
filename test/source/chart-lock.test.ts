import { lockedVersions } from '../../lib/source/chart-lock.ts';

// Declared in a Chart.yaml, with the Chart.lock that "helm dependency update" of helm 4.1.4 wrote beside it.
const DECLARED = [
  {
    name: 'near',
    version: '>=1.0 <3 || ~9',
    repository: 'file://../near',
    condition: 'a.b,c&d',
    tags: ['x', '<y>'],
    'import-values': ['data', { parent: 'z', child: 'a.b' }],
    alias: 'nn',
  },
  { name: 'far', version: '*', repository: 'file://../far', enabled: true },
];
const LOCK = {
  dependencies: [
    { name: 'near', repository: 'file://../near', version: '1.2.0' },
    { name: 'far', repository: 'file://../far', version: '0.1.0' },
  ],
  digest: 'sha256:86f59e0eca67cd5d437671a4d55407026780cc4f62a01a16b990b86f414d007d',
  generated: '2026-11-22T17:15:05.406719638Z',
};

describe('a Chart.lock', () => {
  it('that helm wrote is taken', () => {
    expect(lockedVersions(DECLARED, LOCK, 'v2')).toEqual([
      { name: 'near', version: '1.2.0' },
      { name: 'far', version: '0.1.0' },
    ]);
  });

  it('of Helm 2 holds a hash over the declarations alone, and counts beside charts of its time', () => {
    const declared = [{ name: 'a', version: '1', repository: 'https://x' }];
    const lock = {
      dependencies: [{ name: 'a', repository: 'https://x', version: '1.0.0' }],
      // sha256 of {"dependencies":[{"name":"a","version":"1","repository":"https://x"}]}
      digest: 'sha256:ddf73a3596ba194e724269e9ae6cb0a80517f2f9bdbc8c7424005e6eb05d48f5',
    };

    expect(lockedVersions(declared, lock, 'v1')).toEqual([{ name: 'a', version: '1.0.0' }]);
    expect(lockedVersions(declared, lock, 'v2')).toBeUndefined();
  });

  it.each([
    ['another range', DECLARED.with(1, { ...DECLARED[1], version: '1' } as never), LOCK],
    ['another order', DECLARED.toReversed(), LOCK],
    ['one more', [...DECLARED, { name: 'x' }], LOCK],
    ['another locked version', DECLARED, { ...LOCK, dependencies: LOCK.dependencies.toReversed() }],
    ['no digest', DECLARED, { dependencies: LOCK.dependencies }],
    ['nothing at all', DECLARED, {}],
  ])('is refused with %s', (_what, declared, lock) => {
    expect(lockedVersions(declared, lock, 'v2')).toBeUndefined();
  });
});
