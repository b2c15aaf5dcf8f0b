import { apply, CONFIG_MAPS, configMap, get, SECRETS } from '../support/objects.ts';
import type { Sequence } from '../support/sequence.ts';

const CM = CONFIG_MAPS;
const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

const secret = (fields: Readonly<Record<string, unknown>>): unknown => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's' },
  ...fields,
});

/** Create, read, delete, preconditions, finalizers, dry run and refusals. */
export const LIFECYCLE: readonly Sequence[] = [
  {
    name: 'create-read-delete',
    steps: [
      { request: `POST ${CM}`, body: configMap('a', { a: '1' }, { labels: {}, annotations: { n: '' } }) },
      { request: `POST ${CM}`, body: configMap('a', { a: '1' }) },
      get(`${CM}/a`),
      { request: `GET ${CM}/a`, accept: METADATA },
      { request: `DELETE ${CM}/a` },
      get(`${CM}/a`),
      { request: `DELETE ${CM}/a` },
      { request: `PUT ${CM}/a`, body: configMap('a', {}) },
    ],
  },
  {
    name: 'delete-preconditions',
    steps: [
      { request: `POST ${CM}`, body: configMap('a', { a: '1' }) },
      { request: `DELETE ${CM}/a`, body: { preconditions: { uid: 'other' } } },
      { request: `DELETE ${CM}/a`, body: { preconditions: { resourceVersion: '1' } } },
      {
        request: `DELETE ${CM}/a`,
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          propagationPolicy: 'Background',
          preconditions: { uid: '{{0.metadata.uid}}', resourceVersion: '{{0.metadata.resourceVersion}}' },
        },
      },
      get(`${CM}/a`),
    ],
  },
  {
    name: 'finalizers',
    steps: [
      apply(CM, 'a', 'm1', configMap('a', { a: '1' }, { finalizers: ['example.com/keep'] })),
      { request: `DELETE ${CM}/a` },
      { request: `DELETE ${CM}/a` },
      apply(CM, 'a', 'm1', configMap('a', { a: '2' }, { finalizers: ['example.com/keep'] })),
      {
        request: `PATCH ${CM}/a`,
        type: 'merge',
        body: { metadata: { finalizers: ['example.com/more', 'example.com/keep'] } },
      },
      { request: `PATCH ${CM}/a`, type: 'merge', body: { metadata: { finalizers: null } } },
      get(`${CM}/a`),
    ],
  },
  {
    name: 'finalizer-sets',
    steps: [
      apply(CM, 'a', 'm1', configMap('a', {}, { finalizers: ['example.com/one'] })),
      apply(CM, 'a', 'm2', configMap('a', {}, { finalizers: ['example.com/two', 'example.com/one'] })),
      apply(CM, 'a', 'm1', configMap('a', {})),
      apply(CM, 'a', 'm2', configMap('a', {})),
      get(`${CM}/a`),
    ],
  },
  {
    name: 'apply-preconditions',
    steps: [
      apply(CM, 'a', 'm1', configMap('a', { a: '1' }, { uid: '12345678-1234-1234-1234-123456789012' })),
      apply(CM, 'a', 'm1', configMap('a', { a: '1' }, { resourceVersion: '1' })),
      apply(CM, 'a', 'm1', configMap('a', { a: '2' }, { resourceVersion: '1' })),
      apply(
        CM,
        'a',
        'm1',
        configMap(
          'a',
          { a: '2' },
          { uid: '{{1.metadata.uid}}', resourceVersion: '{{1.metadata.resourceVersion}}' },
        ),
      ),
      apply(
        CM,
        'a',
        'm1',
        configMap(
          'a',
          { a: '2' },
          { uid: '{{1.metadata.uid}}', resourceVersion: '{{3.metadata.resourceVersion}}' },
        ),
      ),
      apply(CM, 'a', 'm1', configMap('a', { a: '2' }, { uid: '12345678-1234-1234-1234-123456789012' })),
    ],
  },
  {
    name: 'update-preconditions',
    steps: [
      { request: `POST ${CM}`, body: configMap('a', { a: '1' }) },
      { request: `PUT ${CM}/a`, body: configMap('a', { a: '2' }, { resourceVersion: '1' }) },
      {
        request: `PUT ${CM}/a`,
        body: configMap('a', { a: '2' }, { uid: '12345678-1234-1234-1234-123456789012' }),
      },
      { request: `PUT ${CM}/a`, body: configMap('b', { a: '2' }) },
      { request: `PUT ${CM}/a`, body: configMap('a', { a: '2' }, { namespace: 'default' }) },
      {
        request: `PUT ${CM}/a`,
        body: configMap('a', { a: '2' }, { resourceVersion: '{{0.metadata.resourceVersion}}' }),
      },
      { request: `POST ${CM}`, body: configMap('b', { a: '2' }, { resourceVersion: '12' }) },
    ],
  },
  {
    name: 'dry-run',
    steps: [
      { request: `POST ${CM}?dryRun=All`, body: configMap('a', { a: '1' }) },
      get(`${CM}/a`),
      apply(CM, 'a', 'm1', configMap('a', { a: '1' }), '&dryRun=All'),
      get(`${CM}/a`),
      apply(CM, 'a', 'm1', configMap('a', { a: '1' })),
      apply(CM, 'a', 'm1', configMap('a', { a: '2' }), '&dryRun=All'),
      apply(CM, 'a', 'm2', configMap('a', { a: '2' }), '&dryRun=All'),
      { request: `PATCH ${CM}/a?dryRun=All`, type: 'merge', body: { data: { z: '1' } } },
      { request: `DELETE ${CM}/a?dryRun=All` },
      get(`${CM}/a`),
    ],
  },
  {
    name: 'secret-string-data',
    steps: [
      { request: `POST ${SECRETS}`, body: secret({ stringData: { a: 'one' }, data: { b: 'dHdv' } }) },
      apply(SECRETS, 's', 'm1', secret({ stringData: { c: 'three' } })),
      apply(SECRETS, 's', 'm1', secret({ stringData: { c: 'three' } })),
      apply(SECRETS, 's', 'm2', secret({ data: { d: 'Zm91cg==' } })),
      { request: `PUT ${SECRETS}/s`, body: secret({ type: 'other', data: { a: 'b25l' } }) },
      { request: `PUT ${SECRETS}/s`, body: secret({ data: { a: 'b25l' }, immutable: true }) },
      apply(SECRETS, 's', 'm2', secret({ data: { d: 'Zm9vcg==' } })),
    ],
  },
  {
    name: 'selectors-and-lists',
    steps: [
      {
        request: `POST ${SECRETS}`,
        body: secret({ metadata: { name: 'a', labels: { app: 'x', tier: '1' } }, type: 'Opaque' }),
      },
      {
        request: `POST ${SECRETS}`,
        body: secret({ metadata: { name: 'b', labels: { app: 'y' } }, type: 'Opaque' }),
      },
      get(`${SECRETS}?labelSelector=app%3Dx`),
      get(`${SECRETS}?labelSelector=app`),
      get(`${SECRETS}?labelSelector=app+in+(x,y),!tier`),
      { request: `GET ${SECRETS}?labelSelector=app,app!%3Dx`, accept: METADATA_LIST },
      get(`${SECRETS}?fieldSelector=metadata.name%3Db`),
      get(`${SECRETS}?labelSelector=app&limit=1`),
    ],
  },
  {
    name: 'generate-name',
    steps: [
      { request: `POST ${CM}`, body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: {}, data: {} } },
      { request: `POST ${CM}`, body: configMap('Upper', {}) },
      { request: `POST ${CM}`, body: configMap('a', { 'bad key': '1' }) },
      { request: `POST ${CM}`, body: configMap('a', {}, { labels: { x: 'not a label' } }) },
      { request: `POST ${CM}`, body: configMap('a', {}, { namespace: 'default' }) },
    ],
  },
  {
    name: 'refusals',
    steps: [
      apply(CM, 'a', 'm1', configMap('a', { a: 1, b: true }, { labels: ['x'] })),
      apply(CM, 'a', 'm1', configMap('a', [] as unknown as Readonly<Record<string, unknown>>)),
      apply(CM, 'a', 'm1', configMap('a', {}, { finalizers: 'x', generation: 'y' })),
      { request: `PATCH ${CM}/a`, type: 'apply', body: configMap('a', {}) },
      apply(CM, 'a', 'm1', { ...configMap('a', {}), extra: { x: 1 } }),
      apply(CM, 'a', 'm1', configMap('a', {}, { managedFields: [] })),
      apply(CM, 'a', 'm1', { ...configMap('a', {}), apiVersion: 'v2' }),
      apply(CM, 'a', 'm1', configMap('b', {})),
      { request: `PATCH ${CM}?fieldManager=m1`, type: 'apply', body: configMap('a', {}) },
      { request: `PATCH ${CM}/a`, type: 'text', body: 'x' },
      get('/api/v1/namespaces/$NS/nonsense'),
      get('/apis/nonsense.example.com/v1'),
      get('/apis/apps/v9'),
      get('/apis/apps/v1/nonsense'),
      { request: `POST /api/v1/namespaces/$NS-missing/configmaps`, body: configMap('a', {}) },
      { ...apply('/api/v1/namespaces/$NS-missing/configmaps', 'a', 'm1', configMap('a', {})) },
      { request: `PATCH ${CM}/a?force=true`, type: 'merge', body: {} },
      { request: `DELETE ${CM}/a?dryRun=Some` },
    ],
  },
  {
    name: 'yaml-body',
    steps: [
      apply(
        CM,
        'a',
        'm1',
        'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n    n: "1"\ndata:\n  text: |\n    two\n    lines\n',
      ),
      apply(CM, 'a', 'm1', 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata: null\n'),
    ],
  },
];
