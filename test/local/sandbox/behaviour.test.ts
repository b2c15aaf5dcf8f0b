import { aConfigMap, DEFAULT_MAPS, startClient, type TestClient } from './support/client.ts';

const METADATA_LIST = { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' };
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const WIDGETS = '/apis/example.com/v1/namespaces/default/widgets';

const CRD = {
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { kind: 'Widget', plural: 'widgets' },
    versions: ['v1', 'v1beta1'].map((name) => ({
      name,
      served: true,
      storage: name === 'v1',
      schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
    })),
  },
};

describe('the sandbox cluster', () => {
  let client: TestClient;

  beforeEach(async () => {
    client = await startClient();
  });
  afterEach(() => client.cluster.close());

  async function establish(): Promise<void> {
    await client.request('POST', CRDS, CRD);
    await client.until(WIDGETS, (answer) => answer.status === 200);
  }

  describe('lists', () => {
    it('shows every page as it was when the first one was asked for', async () => {
      for (const name of ['a', 'b', 'c', 'd'])
        await client.apply(`${DEFAULT_MAPS}/${name}`, aConfigMap(name));

      const first = await client.request('GET', `${DEFAULT_MAPS}?limit=2`);
      await client.request('DELETE', `${DEFAULT_MAPS}/d`);
      await client.apply(`${DEFAULT_MAPS}/c`, aConfigMap('c', { data: { changed: 'yes' } }));
      await client.apply(`${DEFAULT_MAPS}/e`, aConfigMap('e'));
      const next = `${DEFAULT_MAPS}?limit=2&continue=${first.body.metadata.continue}`;
      const second = await client.request('GET', next);
      const again = await client.request('GET', next);

      expect(first.body.items.map((item) => item.metadata.name)).toEqual(['a', 'b']);
      expect(first.body.metadata.remainingItemCount).toBe(2);
      expect(second.body.items.map((item) => [item.metadata.name, item.data])).toEqual([
        ['c', { a: '1' }],
        ['d', { a: '1' }],
      ]);
      expect(second.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
      expect(second.body.metadata.continue).toBeUndefined();
      expect(again.body).toEqual(second.body);
    });

    it('refuses a continue token that it does not know, and one of another list', async () => {
      for (const name of ['a', 'b']) await client.apply(`${DEFAULT_MAPS}/${name}`, aConfigMap(name));
      const first = await client.request('GET', `${DEFAULT_MAPS}?limit=1`);
      const token = first.body.metadata.continue;

      const unknown = await client.request('GET', `${DEFAULT_MAPS}?limit=1&continue=gone`);
      const other = await client.request('GET', `/api/v1/secrets?limit=1&continue=${token}`);

      expect(unknown).toMatchObject({ status: 410, body: { reason: 'Expired' } });
      expect(other.status).toBe(400);
    });

    it('gives metadata alone, over all namespaces', async () => {
      await client.apply(`${DEFAULT_MAPS}/a`, aConfigMap('a'));

      const list = await client.request('GET', '/api/v1/configmaps', undefined, { headers: METADATA_LIST });

      expect(list.body).toMatchObject({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' });
      expect(Object.keys(list.body.items[0] ?? {}).sort()).toEqual(['apiVersion', 'kind', 'metadata']);
      expect(list.body.items[0]?.metadata.managedFields).toHaveLength(1);
    });

    it.each([
      ['app=x', ['a']],
      ['app==x', ['a']],
      ['app!=x', ['b', 'c']],
      ['app in (x,y)', ['a', 'b']],
      ['app notin (x, y)', ['c']],
      ['app', ['a', 'b']],
      ['!app', ['c']],
      ['app,tier=1', ['b']],
      ['app=', []],
    ])('selects by labels %s', async (selector, names) => {
      const labels = { a: { app: 'x' }, b: { app: 'y', tier: '1' }, c: {} };
      for (const [name, given] of Object.entries(labels)) {
        await client.apply(
          `${DEFAULT_MAPS}/${name}`,
          aConfigMap(name, { metadata: { name, labels: given } }),
        );
      }

      const list = await client.request(
        'GET',
        `${DEFAULT_MAPS}?labelSelector=${encodeURIComponent(selector)}`,
      );

      expect(list.body.items.map((item) => item.metadata.name)).toEqual(names);
    });

    it.each([
      'labelSelector=a===b',
      'labelSelector=a+in+b',
      'fieldSelector=data.a%3D1',
      'limit=many',
      'limit=-1',
    ])('refuses %s', async (query) => {
      const answer = await client.request('GET', `${DEFAULT_MAPS}?${query}`);

      expect(answer).toMatchObject({ status: 400, body: { reason: 'BadRequest' } });
    });
  });

  describe('deletion', () => {
    it('empties a namespace before it goes, and takes nothing new meanwhile', async () => {
      const maps = '/api/v1/namespaces/n/configmaps';
      await client.request('POST', '/api/v1/namespaces', { metadata: { name: 'n' } });
      await client.request('POST', maps, aConfigMap('plain'));
      await client.request(
        'POST',
        maps,
        aConfigMap('held', { metadata: { name: 'held', finalizers: ['example.com/x'] } }),
      );

      const deleted = await client.request('DELETE', '/api/v1/namespaces/n');
      const added = await client.request('POST', maps, aConfigMap('late'));
      await client.until(`${maps}/plain`, (answer) => answer.status === 404);
      const held = await client.until(
        `${maps}/held`,
        (answer) => answer.body.metadata.deletionTimestamp !== undefined,
      );
      const waiting = await client.request('GET', '/api/v1/namespaces/n');
      await client.request(
        'PATCH',
        `${maps}/held`,
        { metadata: { finalizers: null } },
        { type: 'application/merge-patch+json' },
      );
      const gone = await client.until('/api/v1/namespaces/n', (answer) => answer.status === 404);

      expect(deleted.body.status).toMatchObject({ phase: 'Terminating' });
      expect(added).toMatchObject({ status: 403, body: { reason: 'Forbidden' } });
      expect(held.status).toBe(200);
      expect(waiting.status).toBe(200);
      expect(gone.status).toBe(404);
    });

    async function ownerAndChild(): Promise<string> {
      const owner = await client.request('POST', DEFAULT_MAPS, aConfigMap('owner'));
      const { uid } = owner.body.metadata;
      const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid, blockOwnerDeletion: true };
      const metadata = { name: 'child', ownerReferences: [reference] };
      await client.request('POST', DEFAULT_MAPS, aConfigMap('child', { metadata }));
      return uid;
    }

    it('collects what an object owned', async () => {
      await ownerAndChild();

      const deleted = await client.request('DELETE', `${DEFAULT_MAPS}/owner`);
      const child = await client.until(`${DEFAULT_MAPS}/child`, (answer) => answer.status === 404);

      expect(deleted.body['status']).toBe('Success');
      expect(child.status).toBe(404);
    });

    it('collects an object whose owner never was', async () => {
      const reference = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        name: 'x',
        uid: '00000000-0000-4000-8000-000000000000',
      };
      await client.request(
        'POST',
        DEFAULT_MAPS,
        aConfigMap('child', { metadata: { name: 'child', ownerReferences: [reference] } }),
      );

      const child = await client.until(`${DEFAULT_MAPS}/child`, (answer) => answer.status === 404);

      expect(child.status).toBe(404);
    });

    it('keeps the owner until its dependants are gone when asked for foreground', async () => {
      await ownerAndChild();

      const deleted = await client.request('DELETE', `${DEFAULT_MAPS}/owner`, {
        propagationPolicy: 'Foreground',
      });
      const owner = await client.until(`${DEFAULT_MAPS}/owner`, (answer) => answer.status === 404);
      const child = await client.request('GET', `${DEFAULT_MAPS}/child`);

      expect(deleted.body.metadata.finalizers).toEqual(['foregroundDeletion']);
      expect([owner.status, child.status]).toEqual([404, 404]);
    });

    it('leaves dependants behind when asked for orphans', async () => {
      await ownerAndChild();

      await client.request('DELETE', `${DEFAULT_MAPS}/owner`, { propagationPolicy: 'Orphan' });
      await client.until(`${DEFAULT_MAPS}/owner`, (answer) => answer.status === 404);
      const child = await client.request('GET', `${DEFAULT_MAPS}/child`);

      expect(child.status).toBe(200);
      expect(child.body.metadata.ownerReferences).toBeUndefined();
    });

    it('lets a claim go that nothing uses', async () => {
      const claims = '/api/v1/namespaces/default/persistentvolumeclaims';
      const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
      await client.request('POST', claims, { metadata: { name: 'c' }, spec });

      await client.request('DELETE', `${claims}/c`);
      const claim = await client.until(`${claims}/c`, (answer) => answer.status === 404);

      expect(claim.status).toBe(404);
    });
  });

  describe('definitions', () => {
    it('serves a new type in all its versions, and discovery lists it', async () => {
      await establish();
      await client.apply(`${WIDGETS}/w`, {
        apiVersion: 'example.com/v1',
        kind: 'Widget',
        metadata: { name: 'w' },
      });

      const other = await client.request('GET', '/apis/example.com/v1beta1/namespaces/default/widgets/w');
      const group = await client.request('GET', '/apis/example.com');
      const resources = await client.request('GET', '/apis/example.com/v1');

      expect(other.body['apiVersion']).toBe('example.com/v1beta1');
      expect(group.body).toMatchObject({ preferredVersion: { version: 'v1' } });
      expect(resources.body['resources']).toMatchObject([
        { name: 'widgets', kind: 'Widget', namespaced: true },
      ]);
    });

    it('takes the objects of a definition with it', async () => {
      await establish();
      const metadata = { name: 'w', finalizers: ['example.com/x'] };
      await client.request('POST', WIDGETS, { apiVersion: 'example.com/v1', kind: 'Widget', metadata });

      const deleted = await client.request('DELETE', `${CRDS}/widgets.example.com`);
      await client.until(`${WIDGETS}/w`, (answer) => answer.body.metadata.deletionTimestamp !== undefined);
      await client.request(
        'PATCH',
        `${WIDGETS}/w`,
        { metadata: { finalizers: null } },
        { type: 'application/merge-patch+json' },
      );
      await client.until(`${CRDS}/widgets.example.com`, (answer) => answer.status === 404);
      const type = await client.request('GET', WIDGETS);

      expect(deleted.body.metadata.deletionTimestamp).toBeDefined();
      expect(type.status).toBe(404);
    });
  });

  describe('workloads', () => {
    it('become available a while after each change', async () => {
      const path = '/apis/apps/v1/namespaces/default/deployments/web';
      const deployment = (replicas: number): unknown => ({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: {
          replicas,
          selector: { matchLabels: { app: 'web' } },
          template: {
            metadata: { labels: { app: 'web' } },
            spec: { containers: [{ name: 'a', image: 'a:1' }] },
          },
        },
      });
      await client.apply(path, deployment(2));
      const first = await client.until(path, (answer) => answer.body.status['availableReplicas'] === 2);
      await client.apply(path, deployment(3));
      const second = await client.until(path, (answer) => answer.body.status['availableReplicas'] === 3);

      expect(first.body.status).toMatchObject({
        observedGeneration: 1,
        readyReplicas: 2,
        updatedReplicas: 2,
      });
      expect(second.body.status).toMatchObject({ observedGeneration: 2 });
    });

    it('follow a change of their scale, which nobody comes to own', async () => {
      const path = '/apis/apps/v1/namespaces/default/statefulsets/db';
      const body = {
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name: 'db' },
        spec: {
          serviceName: 'db',
          selector: { matchLabels: { app: 'db' } },
          template: {
            metadata: { labels: { app: 'db' } },
            spec: { containers: [{ name: 'a', image: 'a:1' }] },
          },
        },
      };
      const applied = await client.apply(path, body);
      await client.until(path, (answer) => answer.body.status['readyReplicas'] === 1);

      const scaled = await client.request(
        'PATCH',
        `${path}/scale?fieldManager=hand`,
        { spec: { replicas: 3 } },
        { type: 'application/merge-patch+json' },
      );
      const live = await client.until(path, (answer) => answer.body.status['readyReplicas'] === 3);

      expect(scaled.body).toMatchObject({ kind: 'Scale', spec: { replicas: 3 } });
      expect(live.body.metadata.managedFields).toHaveLength(2);
      expect(live.body.metadata.managedFields?.[0]).toEqual(applied.body.metadata.managedFields?.[0]);
    });
  });

  it('keeps objects of hostile names apart from its own structures', async () => {
    const body = (value: string): string =>
      `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"__proto__":"${value}","constructor":"y"}}`;

    const applied = await client.apply(`${DEFAULT_MAPS}/a`, body('x'));
    const again = await client.apply(`${DEFAULT_MAPS}/a`, body('x'));
    const changed = await client.apply(`${DEFAULT_MAPS}/a`, body('z'));

    expect(applied.status).toBe(201);
    expect(Object.entries(applied.body.data).sort()).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    expect(Object.entries(changed.body.data)).toContainEqual(['__proto__', 'z']);
    expect(again.body.metadata.resourceVersion).toBe(applied.body.metadata.resourceVersion);
  });
});
