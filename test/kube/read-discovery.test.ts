import { KubeError } from '../../lib/cluster/kube-error.ts';
import { readDiscovery } from '../../lib/cluster/read-discovery.ts';

const PLAIN: Readonly<Record<string, unknown>> = {
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': {
    kind: 'APIGroupList',
    groups: [
      {
        name: 'apps',
        versions: [{ version: 'v1' }],
        preferredVersion: { version: 'v1' },
      },
      {
        name: 'batch',
        versions: [{ version: 'v1' }, { version: 'v1beta1' }],
        preferredVersion: { version: 'v1' },
      },
      { name: 'metrics.k8s.io', versions: [{ version: 'v1beta1' }] },
    ],
  },
  '/api/v1': {
    resources: [
      { name: 'configmaps', kind: 'ConfigMap', namespaced: true, verbs: ['get', 'list', 'create'] },
      { name: 'bindings', kind: 'Binding', namespaced: true, verbs: ['create'] },
    ],
  },
  '/apis/apps/v1': {
    resources: [
      { name: 'deployments', kind: 'Deployment', namespaced: true, verbs: ['get', 'list'] },
      { name: 'deployments/scale', kind: 'Scale', namespaced: true, verbs: ['get'] },
    ],
  },
  '/apis/batch/v1': { resources: [{ name: 'jobs', kind: 'Job', namespaced: true, verbs: ['list'] }] },
  '/apis/batch/v1beta1': {
    resources: [{ name: 'cronjobs', kind: 'CronJob', namespaced: true, verbs: ['list'] }],
  },
};

function serving(documents: Readonly<Record<string, unknown>>) {
  return (path: string): Promise<unknown> =>
    path in documents
      ? Promise.resolve(documents[path])
      : Promise.reject(new KubeError('kube-error', 'down', { status: 503, retryable: true }));
}

describe('discovery', () => {
  it('reads group by group, leaves subresources out, and names the group that is down', async () => {
    const discovery = await readDiscovery(serving(PLAIN));

    expect(discovery.find('apps/v1', 'Deployment')).toMatchObject({ resource: 'deployments', group: 'apps' });
    expect(discovery.find('v1', 'ConfigMap')).toMatchObject({ group: '', version: 'v1', namespaced: true });
    expect(discovery.find('apps/v1', 'Scale')).toBeUndefined();
    expect(discovery.find('apps/v2', 'Deployment')).toBeUndefined();
    expect(discovery.failedGroups).toEqual(['metrics.k8s.io/v1beta1']);
    expect(discovery.apiVersions()).toEqual([
      'apps/v1',
      'apps/v1/Deployment',
      'batch/v1',
      'batch/v1/Job',
      'batch/v1beta1',
      'batch/v1beta1/CronJob',
      // It is registered, whatever it serves.
      'metrics.k8s.io/v1beta1',
      'v1',
      'v1/Binding',
      'v1/ConfigMap',
    ]);
    expect(discovery.listable().map((type) => type.kind)).toEqual([
      'ConfigMap',
      'Deployment',
      'Job',
      'CronJob',
    ]);
  });

  it('prefers the group’s version, and another where only that serves the kind', async () => {
    const discovery = await readDiscovery(serving(PLAIN));

    expect(discovery.preferred('batch', 'Job')?.version).toBe('v1');
    expect(discovery.preferred('batch', 'CronJob')?.version).toBe('v1beta1');
    expect(discovery.preferred('batch', 'Nothing')).toBeUndefined();
  });

  it('reads aggregated discovery in two requests, and takes a stale group for failed', async () => {
    const paths: string[] = [];
    const resource = (name: string, kind: string) => ({
      resource: name,
      responseKind: { group: '', version: '', kind },
      scope: 'Namespaced',
      verbs: ['list'],
      subresources: [{ subresource: 'status', responseKind: { kind: 'Status' } }],
    });
    const documents = {
      '/api': {
        kind: 'APIGroupDiscoveryList',
        items: [{ metadata: {}, versions: [{ version: 'v1', resources: [resource('pods', 'Pod')] }] }],
      },
      '/apis': {
        kind: 'APIGroupDiscoveryList',
        items: [
          {
            metadata: { name: 'autoscaling' },
            versions: [
              { version: 'v2', resources: [resource('hpas', 'HPA')] },
              { version: 'v1', resources: [resource('hpas', 'HPA')] },
            ],
          },
          {
            metadata: { name: 'metrics.k8s.io' },
            versions: [{ version: 'v1beta1', freshness: 'Stale' }],
          },
        ],
      },
    };

    const discovery = await readDiscovery((path, accept) => {
      paths.push(path);
      expect(accept).toContain('g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList');
      return serving(documents)(path);
    });

    expect(paths).toEqual(['/api', '/apis']);
    expect(discovery.find('v1', 'Pod')).toMatchObject({ group: '', resource: 'pods', namespaced: true });
    expect(discovery.preferred('autoscaling', 'HPA')?.version).toBe('v2');
    expect(discovery.find('autoscaling/v1', 'HPA')?.version).toBe('v1');
    expect(discovery.failedGroups).toEqual(['metrics.k8s.io/v1beta1']);
  });

  it('takes a group for failed that is named and not served', async () => {
    const discovery = await readDiscovery(serving({ ...PLAIN, '/apis/metrics.k8s.io/v1beta1': undefined }));

    expect(discovery.failedGroups).toEqual(['metrics.k8s.io/v1beta1']);
  });

  it('takes a group for failed whose answer is no list', async () => {
    const discovery = await readDiscovery(
      serving({ ...PLAIN, '/apis/metrics.k8s.io/v1beta1': { kind: 'Status' } }),
    );

    expect(discovery.failedGroups).toEqual(['metrics.k8s.io/v1beta1']);
  });

  it('rejects when the list of groups cannot be read', async () => {
    const { '/apis': _apis, ...rest } = PLAIN;

    await expect(readDiscovery(serving(rest))).rejects.toThrow('down');
  });

  it.each([[undefined], [{}], [{ kind: 'Status' }], [7]])(
    'rejects %j as the list of groups',
    async (apis) => {
      await expect(readDiscovery(serving({ ...PLAIN, '/apis': apis }))).rejects.toThrow(/discovery/);
    },
  );
});
