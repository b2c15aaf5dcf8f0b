import { apply, CONFIG_MAPS, configMap, get } from '../support/objects.ts';
import type { Sequence } from '../support/sequence.ts';

const CM = CONFIG_MAPS;

/** Who owns what on an object without structure: the rules of server-side apply and of updates beside it. */
export const OWNERSHIP: readonly Sequence[] = [
  {
    name: 'apply-creates-and-changes',
    steps: [
      apply(CM, 'a', 'm1', configMap('a', { a: '1', b: '2' })),
      apply(CM, 'a', 'm1', configMap('a', { a: '1', b: '2' })),
      apply(CM, 'a', 'm1', configMap('a', { a: '9', b: '2', c: '3' })),
      get(`${CM}/a`),
    ],
  },
  {
    name: 'apply-removes-what-left',
    steps: [
      apply(CM, 'a', 'm1', configMap('a', { a: '1', b: '2' }, { labels: { x: '1', y: '2' } })),
      apply(CM, 'a', 'm1', configMap('a', { a: '1' }, { labels: { x: '1' } })),
      apply(CM, 'a', 'm1', configMap('a', undefined)),
      get(`${CM}/a`),
    ],
  },
  {
    name: 'apply-by-two-managers',
    steps: [
      apply(CM, 'a', 'm1', configMap('a', { a: '1' })),
      apply(CM, 'a', 'm2', configMap('a', { a: '1', b: '2' })),
      apply(CM, 'a', 'm1', configMap('a', { c: '3' })),
      apply(CM, 'a', 'm2', configMap('a', { b: '2' })),
      get(`${CM}/a`),
    ],
  },
  {
    name: 'apply-conflicts-with-applier',
    steps: [
      apply(CM, 'a', 'm1', configMap('a', { a: '1', b: '2' })),
      apply(CM, 'a', 'm2', configMap('a', { a: '9' })),
      apply(CM, 'a', 'm2', configMap('a', { a: '9', b: '9' })),
      apply(CM, 'a', 'm2', configMap('a', { a: '9' }), '&force=true'),
      apply(CM, 'a', 'm1', configMap('a', { a: '1', b: '2' })),
      get(`${CM}/a`),
    ],
  },
  {
    name: 'apply-conflicts-with-updater',
    steps: [
      {
        request: `POST ${CM}`,
        body: configMap('a', { a: '1', b: '2' }, { labels: { x: '1' } }),
        agent: 'kubectl/v1.32.4',
      },
      apply(CM, 'a', 'm1', configMap('a', { a: '9' }, { labels: { x: '9' } })),
      apply(CM, 'a', 'm1', configMap('a', { a: '9' }, { labels: { x: '9' } }), '&force=true'),
      apply(CM, 'a', 'm1', configMap('a', { b: '2' })),
      get(`${CM}/a`),
    ],
  },
  {
    name: 'update-takes-ownership',
    steps: [
      apply(CM, 'a', 'm1', configMap('a', { a: '1', b: '2' })),
      { request: `PUT ${CM}/a`, body: configMap('a', { a: '9', b: '2', c: '3' }) },
      apply(CM, 'a', 'm1', configMap('a', { a: '1', b: '2' })),
      apply(CM, 'a', 'm1', configMap('a', { a: '1', b: '2' }), '&force=true'),
      get(`${CM}/a`),
    ],
  },
  {
    name: 'update-removes-fields',
    steps: [
      apply(CM, 'a', 'm1', configMap('a', { a: '1', b: '2' }, { annotations: { n: '1' } })),
      { request: `PUT ${CM}/a?fieldManager=hand`, body: configMap('a', { b: '2' }) },
      { request: `PUT ${CM}/a?fieldManager=hand`, body: configMap('a', { b: '2' }) },
      get(`${CM}/a`),
    ],
  },
  {
    name: 'edited-and-set-back',
    steps: [
      apply(CM, 'a', 'm1', configMap('a', { a: '1', b: '2' })),
      { request: `PATCH ${CM}/a?fieldManager=hand`, type: 'merge', body: { data: { a: '5' } } },
      { request: `PATCH ${CM}/a?fieldManager=hand`, type: 'merge', body: { data: { a: '1' } } },
      apply(CM, 'a', 'm1', configMap('a', { a: '1', b: '2' })),
      apply(CM, 'a', 'm1', configMap('a', { b: '2' })),
      get(`${CM}/a`),
    ],
  },
  {
    name: 'times',
    steps: [
      apply(CM, 'a', 'm1', configMap('a', { a: '1' })),
      apply(CM, 'a', 'm2', configMap('a', { a: '1' })),
      apply(CM, 'a', 'm2', configMap('a', { a: '2' }), '&force=true'),
      apply(CM, 'a', 'm2', configMap('a', { a: '3' })),
      apply(CM, 'a', 'm2', configMap('a', { a: '3' })),
      ...[{ b: '1' }, { b: '2' }, { b: '3', a: '4' }, { b: null, a: '5' }, { a: null }].map((data) => ({
        request: `PATCH ${CM}/a?fieldManager=hand`,
        type: 'merge' as const,
        body: { data },
      })),
    ],
  },
  {
    name: 'merge-patch',
    steps: [
      { request: `POST ${CM}?fieldManager=maker`, body: configMap('a', { a: '1' }) },
      {
        request: `PATCH ${CM}/a?fieldManager=hand`,
        type: 'merge',
        body: { metadata: { labels: { l: '1' } }, data: { b: '2', a: null } },
      },
      { request: `PATCH ${CM}/a?fieldManager=hand`, type: 'merge', body: { data: { b: '2' } } },
      {
        request: `PATCH ${CM}/a?fieldManager=hand`,
        type: 'merge',
        body: { metadata: { resourceVersion: '1' } },
      },
      {
        request: `PATCH ${CM}/a?fieldManager=hand`,
        type: 'merge',
        body: {
          metadata: { uid: '{{0.metadata.uid}}', resourceVersion: '{{2.metadata.resourceVersion}}' },
          data: { d: '4' },
        },
      },
      { request: `PATCH ${CM}/missing`, type: 'merge', body: { data: {} } },
    ],
  },
  {
    name: 'json-patch',
    steps: [
      { request: `POST ${CM}`, body: configMap('a', { a: '1', b: '2' }) },
      {
        request: `PATCH ${CM}/a`,
        type: 'json-patch',
        body: [
          { op: 'test', path: '/data/a', value: '1' },
          { op: 'replace', path: '/data/a', value: '7' },
          { op: 'add', path: '/data/x~1y', value: '8' },
          { op: 'remove', path: '/data/b' },
        ],
      },
      {
        request: `PATCH ${CM}/a`,
        type: 'json-patch',
        body: [
          { op: 'test', path: '/data/a', value: '1' },
          { op: 'replace', path: '/data/a', value: '7' },
          { op: 'copy', from: '/data/a', path: '/data/c' },
          { op: 'move', from: '/data/b', path: '/data/d' },
          { op: 'add', path: '/metadata/finalizers', value: ['example.com/b'] },
          { op: 'add', path: '/metadata/finalizers/0', value: 'example.com/a' },
          { op: 'add', path: '/metadata/finalizers/-', value: 'example.com/c' },
          { op: 'remove', path: '/metadata/finalizers/1' },
        ],
      },
      { request: `PATCH ${CM}/a`, type: 'json-patch', body: [{ op: 'test', path: '/data/a', value: '1' }] },
      { request: `PATCH ${CM}/a`, type: 'json-patch', body: [{ op: 'remove', path: '/data/missing' }] },
      { request: `PATCH ${CM}/a`, type: 'merge', body: { metadata: { finalizers: null } } },
    ],
  },
  {
    name: 'strategic-merge-labels',
    steps: [
      apply(
        CM,
        'a',
        'm1',
        configMap('a', { a: '1' }, { labels: { x: '1' }, finalizers: ['example.com/one'] }),
      ),
      {
        request: `PATCH ${CM}/a?fieldManager=kubectl-label`,
        type: 'strategic',
        body: { metadata: { labels: { x: '2', y: '3' } } },
      },
      {
        request: `PATCH ${CM}/a?fieldManager=kubectl-patch`,
        type: 'strategic',
        body: { metadata: { finalizers: ['example.com/two'] }, data: null },
      },
      {
        request: `PATCH ${CM}/a?fieldManager=kubectl-patch`,
        type: 'strategic',
        body: { metadata: { '$deleteFromPrimitiveList/finalizers': ['example.com/one', 'example.com/two'] } },
      },
    ],
  },
  {
    name: 'managed-fields-cleared-then-applied',
    steps: [
      apply(CM, 'a', 'm1', configMap('a', { a: '1' })),
      { request: `PATCH ${CM}/a`, type: 'merge', body: { metadata: { managedFields: [{}] } } },
      { request: `PATCH ${CM}/a?fieldManager=hand`, type: 'merge', body: { data: { b: '2' } } },
      apply(CM, 'a', 'm1', configMap('a', { a: '9' })),
      apply(CM, 'a', 'm1', configMap('a', { a: '9' }), '&force=true'),
    ],
  },
  {
    name: 'many-updaters',
    steps: [
      { request: `POST ${CM}?fieldManager=u0`, body: configMap('a', { k0: '0' }) },
      ...Array.from({ length: 13 }, (_, index) => ({
        request: `PATCH ${CM}/a?fieldManager=u${index + 1}`,
        type: 'merge' as const,
        body: { data: { [`k${index + 1}`]: '1' } },
      })),
    ],
  },
];
